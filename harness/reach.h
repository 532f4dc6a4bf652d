/* Sockets of other processes, by pidfd_getfd(2): needs the right to trace them
 * (ptrace(2), access mode checking). */
#ifndef TF_REACH_H
#define TF_REACH_H

#include "call.h"

#include <stdbool.h>
#include <sys/types.h>

/* Is it there at all? Linux 5.6 on, where no filter denies it. */
bool tf_reach_works(void);

/* A duplicate of descriptor `fd` of process `pid`, if it is the socket with this
 * SO_COOKIE. A descriptor, or -errno; -ESTALE: it is another. */
int tf_reach_own(pid_t pid, int fd, uint64_t cookie);

/* A duplicate of the socket whose addresses these are, of whichever process on
 * this machine. A descriptor, or -errno; -ENOENT: nobody has it, or nobody as yet,
 * for it waits to be accepted. */
int tf_reach_address(const struct tf_endpoint *local, const struct tf_endpoint *peer);

/* What arrives at the socket is dropped from now on (`deaf`), or no more. */
int tf_reach_deafen(int fd, bool deaf);

#endif
