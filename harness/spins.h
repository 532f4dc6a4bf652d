/* Finds threads that go round without getting on. Internal to judge.c.
 *
 * A streak is a call that comes to the same on one socket, again and again, while its
 * thread neither gets anything done there nor waits. Kept: those that go on for long.
 */
#ifndef TF_SPINS_H
#define TF_SPINS_H

#include "check.h"
#include "proc.h"

enum { TF_SPINS_MAX = 64, TF_SPIN_LEAST_PER_S = 200 };
#define TF_SPIN_LEAST_NS UINT64_C(900000000)

struct tf_spins;

/* As tf_proc_cpu. */
typedef bool tf_spins_cpu(void *data, uint32_t pid, uint32_t tid, struct tf_cpu *cpu);

/* `cpu` may be NULL. */
struct tf_spins *tf_spins_new(tf_spins_cpu *cpu, void *data);
void tf_spins_event(struct tf_spins *spins, const struct tf_event *event);
/* Closes what goes on, and gives all. Valid until the next event. */
const struct tf_spin *tf_spins_all(struct tf_spins *spins, size_t *count);
void tf_spins_free(struct tf_spins *spins); /* NULL is fine */

#endif
