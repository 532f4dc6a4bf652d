/* The built-in peers: the other side of a program under test, well behaved or
 * badly, as peer.def's options say. Plain sockets; every wait has a deadline.
 *
 * Functions return 0 or more, or -1 with *error filled. */
#ifndef TF_PEER_H
#define TF_PEER_H

#include "error.h"
#include "options.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum tf_peer_mode { TF_PEER_CONNECT = 1, TF_PEER_LISTEN = 2, TF_PEER_RELAY = 4, TF_PEER_BAD = 8 };

struct tf_peer_options {
#define FIELD_FLAG bool
#define FIELD_TEXT const char *
#define FIELD_NUMBER struct tf_number
#define FIELD_TIME uint64_t
#define OPTION(kind, field, ...) FIELD_##kind field;
#include "peer.def"
#undef OPTION
#undef FIELD_FLAG
#undef FIELD_TEXT
#undef FIELD_NUMBER
#undef FIELD_TIME
};

union tf_peer_address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

struct tf_peer_text {
    char *bytes; /* NULL: not given; of the heap */
    size_t length;
};

struct tf_peer {
    struct tf_peer_options options;
    union tf_peer_address address, to; /* to: of a relay's server */
    struct tf_peer_text text, end;     /* --send or --reply; --until or --request-ends */
    void (*say)(const char *format, ...) __attribute__((format(printf, 1, 2))); /* one line for the user */
};

/* The modes; each returns 0 when it did all that it was told to. */
int tf_peer_connect(struct tf_peer *peer, struct tf_error *error);
int tf_peer_listen(struct tf_peer *peer, struct tf_error *error);
int tf_peer_relay(struct tf_peer *peer, struct tf_error *error);

/* peer_text.c. TEXT as the command line has it, into bytes; `option` for the message. */
int tf_peer_text_read(struct tf_peer_text *text, const char *given, const char *option,
                      struct tf_error *error);
/* Goes on looking for the text in what comes: *matched bytes of it were seen at the
 * end of what came before. Returns whether it is there. */
bool tf_peer_text_seen(const struct tf_peer_text *text, size_t *matched, const char *data, size_t size);
int tf_peer_address_read(union tf_peer_address *address, const char *given, uint16_t port, const char *option,
                         struct tf_error *error);
/* "127.0.0.1:80", "[::1]:80". */
const char *tf_peer_address_text(const union tf_peer_address *address);

/* peer_socket.c. Sockets here never block. */
int tf_peer_bind_listen(const struct tf_peer *peer, struct tf_error *error);
int tf_peer_dial(const struct tf_peer *peer, const union tf_peer_address *address, struct tf_error *error);
/* From now on, or no longer, the socket is deaf: what arrives is dropped unseen. */
int tf_peer_deaf(int fd, bool deaf, struct tf_error *error);
/* What was sent has arrived, if it does in time; then a RST. Closes fd. */
void tf_peer_reset(int fd, uint64_t ns);
/* Each connection has a process of its own, for ever, or only one with --once. */
typedef int tf_peer_server(const struct tf_peer *peer, int fd, uint64_t number, struct tf_error *error);
int tf_peer_serve(const struct tf_peer *peer, int listener, tf_peer_server *serve, struct tf_error *error);

/* peer_io.c. Waits for `events` on fd, or an end; 0 when `ns` have passed, else 1. */
int tf_peer_wait(int fd, short events, uint64_t ns, struct tf_error *error);
void tf_peer_sleep(uint64_t ns);
enum { TF_PEER_LATE = -2 };
/* Bytes, of which at most a few with --read-slowly; 0 at the end of what comes;
 * TF_PEER_LATE: nothing came for `ns`; or -1. */
ssize_t tf_peer_receive(const struct tf_peer *peer, int fd, void *data, size_t size, uint64_t ns,
                        struct tf_error *error);
int tf_peer_send(const struct tf_peer *peer, int fd, const char *data, size_t size, struct tf_error *error);
/* Reads and forgets until the other side has ended; or TF_PEER_LATE. */
int tf_peer_drain(int fd, uint64_t ns);
/* All of it, into a file or a pipe; `what` for the message. */
int tf_peer_write(int fd, const char *data, size_t size, const char *what, struct tf_error *error);

#endif
