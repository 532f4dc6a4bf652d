/* Lost segments by the time-to-live: what a program may do to its own sockets
 * without any right, and what the kernel then carries out.
 *
 * tf_ttl_deafen   segments that arrive are dropped unless their TTL is TF_DEAF_TTL, which
 *                 nobody's is by default (IP_MINTTL, ip(7); IPV6_MINHOPCOUNT). Works
 *                 before connect, on listeners, and after close.
 * tf_ttl_tag      segments that leave have TF_TAG_TTL; a packet filter of the run's own
 *                 network drops the SYNs among them.
 * tf_ttl_heal     both end. What was lost meanwhile is retransmitted.
 *
 * getsockopt goes on to answer what the program has set (tf_socket's ignored[]).
 * `family`s: both levels are set where the socket has them, since an AF_INET6
 * socket may talk IPv4. Async-signal-safe.
 */
#ifndef TF_TTL_H
#define TF_TTL_H

#include "shim.h"

void tf_ttl_deafen(struct tf_socket *socket, int fd);
void tf_ttl_tag(struct tf_socket *socket, int fd);
void tf_ttl_heal(struct tf_socket *socket, int fd);

#endif
