/* Proves that the programs of a case wait for each other for ever: every process in
 * its network waits without a time limit, the kernel's table has no timer running, and
 * nobody else can get in.
 *
 * That is so only where all programs are under the shim, without a rule that ends by
 * itself, and no step of the case is to come. Internal to judging. Does not print.
 */
#ifndef TF_STANDSTILL_H
#define TF_STANDSTILL_H

#include "hang.h"

struct tf_standstill_part { /* a program */
    struct tf_hang *hang;   /* NULL: it was not started */
    struct tf_collect *collect;
    pid_t first;           /* its first process, as the host numbers it; -1: it has ended */
    bool waits;            /* out: on a connection, in the call `event` */
    struct tf_event event; /* out */
};

struct tf_standstill { /* {0} to begin with */
    uint64_t since_ns, look_at_ns, signature;
};

/* To be asked every 20 ms or so. True where it is proven. `sandbox` is private. */
bool tf_standstill_look(struct tf_standstill *still, struct tf_standstill_part *part, size_t parts,
                        const struct tf_sandbox *sandbox, struct tf_proc *proc);

#endif
