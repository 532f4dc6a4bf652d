/* What the subject and its peer have in common.
 *
 * The subject is the program under test: it carries out a script, step by step,
 * and records what it sees. Its peer is another process, linked statically so that
 * no preloaded library gets into it; it does what the subject asks of it over a
 * pair of UNIX sockets: one datagram a request, one an answer.
 *
 * A request is "NAME" or "NAME:ARGUMENT". With '&' before it, it is answered at
 * once and carried out when the subject sleeps in the call that it makes next.
 */
#ifndef PROBE_H
#define PROBE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    PROBE_TEXT = 512,      /* of a request or an answer */
    PROBE_PATIENCE = 5000, /* milliseconds for what has to come */
    PROBE_QUIET = 100,     /* for what must not come */
};

/* Where a case's sockets are: ports of its own, below the ephemeral ones. */
enum probe_port { PORT_PEER, PORT_SUBJECT, PORT_OTHER, PORT_RIVAL, PORTS };

enum probe_place {
    PLACE_HERE,        /* the loopback address */
    PLACE_UNREACHABLE, /* what the routes of the real event say of these: route(8) */
    PLACE_PROHIBITED,
    PLACE_NOWHERE,
    PLACE_ANY,
};

/* Fills *out; returns its length. */
socklen_t probe_address(struct sockaddr_storage *out, int family, enum probe_place place, int port);
int probe_port(int number, enum probe_port which);

/* "127.0.0.1:ephemeral", "[::1]:peer": without what differs from run to run. */
void probe_show_address(const struct sockaddr_storage *address, int number, char *out, size_t size);

/* "ok", the number, or the errno's name. */
void probe_show_result(long result, char *out, size_t size);

/* "5 hello": length and bytes. */
void probe_show_bytes(long result, const char *bytes, char *out, size_t size);

/* "ESTABLISHED", or "-" for what has none. */
const char *probe_state_name(unsigned state);

/* TCP_INFO's state of a socket; 0: none. */
unsigned probe_state(int fd);

/* The stream of numbered bytes by which loss, order and corruption are seen. */
char probe_stream_byte(uint64_t position);

/* Does the thread sleep? (proc_pid_stat(5).) */
bool probe_asleep(int pid, int tid);

uint64_t probe_now_ms(void);
void probe_sleep_ms(unsigned ms);

#endif
