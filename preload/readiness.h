/* What waits are told of held sockets (hold.h).
 *
 * poll and select are asked without the held descriptors. An epoll instance keeps
 * what it was told in the kernel, where a thread may be asleep on it: so the
 * registrations of a held socket are changed there while the hold lasts, and set
 * back at its end, which reports readiness anew, to edge-triggered waiters too. The
 * program's own epoll_ctl meets them as if nothing had been done.
 *
 * Registrations are known by (epoll descriptor, descriptor) as the program used
 * them in epoll_ctl in this process. Async-signal-safe.
 */
#ifndef TF_READINESS_H
#define TF_READINESS_H

#include "hold.h"

/* ---- under tf_later_lock ---- */

/* These sides (TF_SIDE_BITs) of fd are held: its registrations are told of the
 * others only, and of nothing, a hang-up neither, where there is no other. */
void tf_readiness_hide(int fd, unsigned sides);
/* The same for those that are hidden, when fewer sides are, or none. */
void tf_readiness_show(int fd, unsigned sides);

/* ---- not under it ---- */

/* Reports what is ready on fd anew to this process's edge-triggered epolls. */
void tf_readiness_again(int fd);

/* poll, select and their kin on sockets, some of which may be held. */
long tf_readiness_wait(struct tf_call *call);

/* Which socket that datum of an epoll instance stands for; -1: none that is known. */
int tf_readiness_fd(int epfd, uint64_t data);

/* epoll_ctl on a socket that may be held. */
long tf_readiness_ctl(struct tf_call *call);

#endif
