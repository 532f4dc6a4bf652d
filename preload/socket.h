/* What a run knows of a socket: rows of the segment, found by SO_COOKIE, which
 * is the same for every duplicate in every process and is never used again.
 *
 * All of it is async-signal-safe and takes no lock.
 */
#ifndef TF_SOCKET_H
#define TF_SOCKET_H

#include "shim.h"

#include <sys/socket.h>

/* The row of descriptor `fd`, made when there is none; NULL where fd is not a
 * TCP socket (AF_INET or AF_INET6, SOCK_STREAM), which is then settled so that
 * its calls pass unseen. */
struct tf_socket *tf_socket_of(int fd);

/* Is socket(domain, type, protocol) a TCP socket's? */
bool tf_socket_is_tcp(int domain, int type, int protocol);

/* Asks the kernel for the role and addresses of a socket that was first seen
 * when it was already in use (inherited, passed over AF_UNIX). */
void tf_socket_learn(struct tf_socket *socket, int fd);

/* Rereads the addresses. */
void tf_socket_endpoints(struct tf_socket *socket, int fd);

/* Into an endpoint; family 0 for anything but AF_INET and AF_INET6. */
void tf_endpoint_from(struct tf_endpoint *endpoint, const struct sockaddr *address, socklen_t length);

/* Gives a socket its role; a connection also gets its number in the run. */
void tf_socket_becomes(struct tf_socket *socket, enum tf_role role);

/* Lets all calls on fd pass unseen that no rule could strike there. */
void tf_socket_settle(struct tf_socket *socket, int fd);

/* getsockopt of this option answers `value` from now on, whatever the kernel has. */
void tf_socket_pretend(struct tf_socket *socket, int level, int name, int value);
/* What it answers so, if it does. */
bool tf_socket_pretends(const struct tf_socket *socket, int level, int name, int *value);

/* The row of `fd` if it is still the socket with this cookie; NULL otherwise. Makes
 * no row; no libc, no thread-local storage. */
struct tf_socket *tf_socket_known(int fd, uint64_t cookie);
/* Has the run a row of this cookie? */
bool tf_socket_in(const struct tf_segment *segment, uint64_t cookie);

int tf_socket_int_option(int fd, int level, int name, int otherwise);
bool tf_socket_nonblocking(int fd);
/* SO_RCVTIMEO or SO_SNDTIMEO; 0: none. */
uint64_t tf_socket_timeout_ns(int fd, int option);

#endif
