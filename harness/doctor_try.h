/* What probes are made of. Internal to doctor_*.c.
 *
 * A probe runs in a child process of its own, with /dev/null for standard input,
 * output and error: it may leave descriptors open, may be killed, may exit. Its
 * own children die with it. */
#ifndef TF_DOCTOR_TRY_H
#define TF_DOCTOR_TRY_H

#include "doctor.h"

#include <sys/types.h>

typedef void tf_try(struct tf_probed *finding);

#define PROBE(id, where, name, about) tf_try tf_try_##id;
#include "probes.def"
#undef PROBE

/* A probe says one of these, once. */
void tf_works(struct tf_probed *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));
void tf_refused(struct tf_probed *finding, int error, enum tf_cause cause, const char *what);

/* Why an EPERM or EACCES: a security module or a seccomp filter on this process,
 * or else `otherwise`. Looks at what is set, and so can be wrong where several
 * are (leaves errno alone); a system call that is refused even where the kernel would only have called
 * it invalid is a seccomp filter's: tf_blocked. */
enum tf_cause tf_cause_of_eperm(enum tf_cause otherwise);

/* Likewise, of what takes CAP_NET_ADMIN. */
enum tf_cause tf_cause_of_net_admin(void);

/* Why a private network was refused, to a process that was `before` and has tried. */
enum tf_cause tf_cause_of_private(const struct tf_machine *before, int error);

/* The system call was made with arguments that the kernel answers with `answer`
 * for anybody, and did otherwise. */
bool tf_blocked(long result, int answer);

/* A process like this one that sleeps for ever, and dies with its parent. -1. */
pid_t tf_sleeper(void);

/* Two ends of a connection over 127.0.0.1; 0, or -1 with errno. */
int tf_loopback_pair(int fds[2]);

/* Is there something to read on `fd`, now or within `ms`? */
bool tf_readable(int fd, int ms);

#endif
