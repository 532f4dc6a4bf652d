/* Proves that a process waits for ever: every thread of it is blocked without a time
 * limit, and what those that wait for TCP wait for can no longer come.
 *
 * Proof, not patience: from the calls that have not returned, /proc/PID/task, and the
 * kernel's socket table. What could still wake it - a timer, SIGALRM with a handler,
 * keepalive, a listener, a descriptor that is no TCP socket, an ancestor with a time
 * limit - counts as hope. Internal to judge.c. Does not print.
 */
#ifndef TF_HANG_H
#define TF_HANG_H

#include "collect.h"
#include "proc.h"

struct tf_hang;

/* `kernel_gives_up`: soon, on what is not acknowledged. */
struct tf_hang *tf_hang_new(bool kernel_gives_up);
void tf_hang_event(struct tf_hang *hang, enum tf_collect_what what, const struct tf_event *event);

/* It was sent a signal, or the like: what was proven before need not hold. */
void tf_hang_disturb(struct tf_hang *hang);

/* Every 20 ms or so. Looks closer once nothing has happened for a while. */
void tf_hang_look(struct tf_hang *hang, struct tf_collect *collect, const struct tf_sandbox *sandbox,
                  struct tf_proc *proc);

/* A hang that was proven since the last time: the call that waits, and a sentence. */
bool tf_hang_proven(struct tf_hang *hang, struct tf_event *event, char *message, size_t size);

/* Will the program never end by itself, whose first process is `first` (as the host
 * numbers it)? So it is where a hang is proven, nothing has happened since, and nobody
 * is there beside the process that hangs and those that wait for it. To be asked again
 * until it is so: it must stay the same for a while. */
bool tf_hang_ends_never(struct tf_hang *hang, struct tf_collect *collect, const struct tf_sandbox *sandbox,
                        struct tf_proc *proc, pid_t first);

/* Has a wait for this socket a limit, of its own or of the listener that it may come
 * from? `sends`: a wait until it takes more. */
bool tf_hang_bounded(struct tf_hang *hang, const struct tf_net_rows *rows, const struct tf_net_socket *row,
                     bool sends);
/* Does any thread of the process wait with a limit, of its own or of a socket it waits
 * for, or sleep? Or has the process a timer? */
bool tf_hang_limited(struct tf_hang *hang, struct tf_collect *collect, const struct tf_net_rows *rows,
                     struct tf_proc *proc, pid_t pid);
/* When something has happened last: CLOCK_MONOTONIC. */
uint64_t tf_hang_last_ns(const struct tf_hang *hang);

void tf_hang_free(struct tf_hang *hang); /* NULL is fine */

#endif
