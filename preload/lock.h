/* A lock for the shim's own tables, fit for somebody else's process: signals are
 * blocked while it is held, so that no handler meets it, and a forked child that
 * inherited it from a thread it does not have notices. Nothing that could block is
 * done under it. */
#ifndef TF_LOCK_H
#define TF_LOCK_H

#include <stdbool.h>
#include <stdint.h>

struct tf_lock {
    _Atomic int holder; /* thread id, or 0 */
};

/* True with *mask filled and the lock held. False after 20000 tries, or when its
 * holder does not exist; `seize` takes it over then: for what is consistent at any
 * moment. */
bool tf_lock_enter(struct tf_lock *lock, bool seize, uint64_t *mask);
void tf_lock_leave(struct tf_lock *lock, uint64_t mask);

bool tf_lock_mine(const struct tf_lock *lock);

#endif
