/* Ports, and peers that are not under test. */
#ifndef IT_NET_H
#define IT_NET_H

#include "child.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* A port of 127.0.0.1 and ::1 that nobody else gets before the test's end: it is
 * held by a socket that doesn't listen, which programs that set SO_REUSEADDR may
 * bind beside. */
int it_port(void);

/* Lets go of it, for programs that don't set SO_REUSEADDR. */
void it_port_free(int port);

/* Waits until somebody listens there, as the kernel's table tells. The child's
 * early end, or the deadline, fails the test; its output is then shown. */
bool it_listens(struct it_child *child, int port);

/* The same for a program that nobody waits for. */
bool it_port_listens(int port);

/* Peers: processes that serve any number of connections, one after the other
 * for each, until the test ends. Each returns its port. */
int it_http_peer(size_t bytes); /* answers each request with so many bytes of it_pattern */
int it_echo_peer(void);
int it_sink_peer(void); /* reads to the end and closes */
int it_mute_peer(void); /* accepts and never says a word */

/* The byte at a place of the pattern that peers send. */
char it_pattern(size_t place);
bool it_is_pattern(const char *text, size_t length);

/* A connection to a port of 127.0.0.1, with a receive timeout of seconds; -1, of
 * which it_ask tells the reason. */
int it_connect(int port);

/* Sends it all; then reads until `reply_end` was seen, an error or EOF. Returns
 * the text ("ECONNRESET" and the like, where that came first). */
const char *it_ask(int fd, const char *request, const char *reply_end);

/* "ECONNRESET", ... */
const char *it_errno_name(int error);

#endif
