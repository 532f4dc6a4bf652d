/* Events into the life of each socket, as its program could see it: who opened it and
 * how, who closed first, whether it broke, when the last descriptor went.
 *
 *   tf_lives_new
 *   tf_lives_event      every event, in the order of `number`
 *   tf_lives_observe    states that the kernel's socket table showed
 *   tf_lives_free
 *
 * A socket is known by its cookie, whichever process or duplicate names it. Pure;
 * does not print.
 */
#ifndef TF_LIFECYCLE_H
#define TF_LIFECYCLE_H

#include "event.h"

#include <stdbool.h>
#include <stddef.h>

enum { TF_HOLDERS = 8, TF_STATES = 13 /* TCP_ESTABLISHED = 1, ...: netinet/tcp.h */ };

enum tf_opening { TF_OPENING_NONE, TF_OPENING_ACTIVE, TF_OPENING_PASSIVE };
enum tf_closer { TF_CLOSER_NOBODY, TF_CLOSER_US, TF_CLOSER_PEER };

#define TF_NO_EVENT SIZE_MAX

struct tf_life {
    uint64_t cookie; /* 0: no call but the one that made it */
    uint32_t pid;    /* that made it, or was the first to use it */
    uint32_t conn;
    enum tf_role role;
    enum tf_opening opening;
    enum tf_closer closed_first;
    struct tf_endpoint local, peer;
    /* CLOCK_MONOTONIC at the call's entry; 0: never seen. */
    uint64_t created_ns, bound_ns, listening_ns, connecting_ns, established_ns;
    uint64_t eof_ns, shut_ns, failed_ns, broken_ns, released_ns, last_ns;
    int failed_error; /* of connect, or what SO_ERROR said of it */
    int broken_error; /* ECONNRESET and the like */
    /* Indices of tf_lives_event's calls, from 0; TF_NO_EVENT: none. */
    size_t created_at, eof_at, failed_at, last_at;
    bool asked_error; /* SO_ERROR was read since connect */
    bool reuse_address, keep_alive, no_delay, receive_timeout, lingers_not;
    uint64_t bytes_in, bytes_out;
    struct {
        uint32_t pid;
        int32_t fd;
    } holder[TF_HOLDERS]; /* descriptors that were seen and not closed yet */
    unsigned holders;
    uint8_t state;    /* TCP_CLOSE, ...; 0: made, and nothing more */
    uint16_t visited; /* 1 << state */
};

struct tf_lives;

struct tf_lives *tf_lives_new(void); /* NULL: no memory */

/* 0, or -1: no memory. */
int tf_lives_event(struct tf_lives *lives, const struct tf_event *event);

/* The kernel's table had this socket in this state. Unknown cookies are ignored. */
void tf_lives_observe(struct tf_lives *lives, uint64_t cookie, unsigned state);

/* In the order in which they appeared; valid until the next event. */
const struct tf_life *tf_lives_all(const struct tf_lives *lives, size_t *count);
const struct tf_life *tf_lives_find(const struct tf_lives *lives, uint64_t cookie); /* NULL: none */

/* Of state `from`, the mask of states that some socket went to next. */
uint16_t tf_lives_transitions(const struct tf_lives *lives, unsigned from);

/* Of one life: "created", "active open to 127.0.0.1:80", "established", ...; 0, or
 * -1: there is no such `n`. */
int tf_life_say(const struct tf_life *life, unsigned n, char *out, size_t size);

/* Is it an error by which a connection is gone? */
bool tf_life_breaks(int error);
/* Did this call of connect fail for good? */
bool tf_life_connect_failed(int error);

void tf_lives_free(struct tf_lives *lives); /* NULL is fine */

#endif
