/* Sockets of the tool's own that steps hold in a sandbox. Internal to case_held.c
 * and case_fill.c. */
#ifndef TF_CASE_HELD_H
#define TF_CASE_HELD_H

#include "case_run.h"

#include <netinet/in.h>

enum tf_held_kind { TF_HELD_PORT, TF_HELD_ACCEPT, TF_HELD_SYN };

union tf_address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

struct tf_held {
    struct tf_held *next; /* in tf_case_run.held */
    enum tf_held_kind kind;
    uint16_t port; /* of the server */
    union tf_address address;
    socklen_t address_length;
    uint64_t until_ns; /* UINT64_MAX: until a step, or the case, ends it */
    struct tf_held_socket {
        int fd;
        uint64_t begun_ns;
    } * sockets;
    size_t count, room;
    /* TF_HELD_SYN: see tf_syn_keep. */
    bool full;
    uint64_t looked_ns;
    uint16_t *old; /* ports of ours that we have left, and the server may not */
    size_t olds, olds_room;
};

/* `text` NULL: 127.0.0.1, or of a battery {address}. */
socklen_t tf_held_address(const struct tf_case_run *run, const char *text, uint16_t port,
                          union tf_address *address);

/* In the run's list, without sockets yet. NULL with the case over: no memory, no port. */
struct tf_held *tf_held_new(struct tf_case_run *run, enum tf_held_kind kind, const char *address,
                            uint16_t port, uint64_t for_ns);
void tf_held_free(struct tf_case_run *run, struct tf_held *held); /* closes what it holds */

/* A new socket in the sandbox's network. The descriptor, or -1 with *error filled. */
int tf_held_make(struct tf_case_run *run, int family, struct tf_error *error);
/* A new socket among those that it holds. The descriptor, or -1 with *error filled. */
int tf_held_socket(struct tf_case_run *run, struct tf_held *held, struct tf_error *error);
void tf_held_drop(struct tf_held *held, int fd); /* closes that one */

/* Is a socket of these ports (0: any) in one of these states, 1 << TCP_...? */
struct tf_row {
    uint16_t port, peer;
    uint32_t states;
};
size_t tf_rows(const struct tf_case_run *run, const struct tf_row *row);
bool tf_row_there(struct tf_case_run *run, const void *row);
bool tf_row_gone(struct tf_case_run *run, const void *row);

/* The port that the kernel has given the socket; 0: none. */
uint16_t tf_local_port(int fd);

/* The case is broken: the step `what` could not be done. */
void tf_held_fail(struct tf_case_run *run, const char *what, const char *expected,
                  const struct tf_error *error);

/* ---- case_late.c ---- */

struct tf_tap; /* sees the segments of one connection */

/* A tap for the connection that `leave` is about to make, where a later step wants a
 * segment of it: else NULL in *tap. 0, or -1 with *error filled. */
int tf_late_open(struct tf_case_run *run, const struct tf_leave *leave, struct tf_tap **tap,
                 struct tf_error *error);
/* Keeps what it has seen of the connection, which is over. */
int tf_late_note(struct tf_case_run *run, struct tf_tap *tap, struct tf_error *error);
void tf_late_close(struct tf_tap *tap); /* NULL is fine */
void tf_late_end(struct tf_case_run *run);

/* ---- case_fill.c, case_syn.c ---- */

#define TF_MS UINT64_C(1000000)
enum { TF_SEEN_MS = 2000 }; /* until the kernel's tables show what was done */

/* What listens where the connections of `held` go: how many their queues hold, and
 * how many more of them fit. */
struct tf_listeners {
    const struct tf_held *held;
    int claim; /* of those that are counted: case_fill.c */
    size_t count, capacity, room;
    bool blind; /* /proc/net/tcp has no backlog */
};

int tf_listeners_look(const struct tf_case_run *run, const struct tf_held *held, struct tf_listeners *all,
                      struct tf_error *error);

uint64_t tf_counted(const struct tf_case_run *run, const char *counter);

struct tf_probe {
    const struct tf_held *held;
    int fd;
    uint64_t drops; /* so many were counted before it */
};

/* Begins a connection. `deaf`: the kernel drops all that arrives for it, so that the
 * server's half stays half-open. The descriptor, or -1. */
int tf_fill_begin(struct tf_case_run *run, struct tf_held *held, bool deaf, struct tf_error *error);
/* 0: one more connection is not answered. Its SYN is dropped, it stays in SYN_SENT. */
int tf_fill_check(struct tf_case_run *run, struct tf_held *held, struct tf_error *error);
int tf_syn_fill(struct tf_case_run *run, struct tf_held *held, struct tf_error *error);

/* Keeps a queue of SYNs full: begins those of its half-open connections anew that have
 * become old. The server gives one up after few retransmissions of its SYN+ACK, and
 * the fuller its queue the fewer (reqsk_timer_handler()). `ending`: leaves them all.
 * Whether that is done, and the server has forgotten them. */
bool tf_syn_keep(struct tf_case_run *run, struct tf_held *held, bool ending);

#endif
