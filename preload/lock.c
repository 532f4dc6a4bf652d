#include "lock.h"

#include "sys.h"

#include <signal.h>
#include <stdatomic.h>

static void set_mask(const uint64_t *mask, uint64_t *before)
{
    tf_sys(SYS_rt_sigprocmask, SIG_SETMASK, mask, before, sizeof *mask);
}

bool tf_lock_enter(struct tf_lock *lock, bool seize, uint64_t *mask)
{
    static const uint64_t all = ~UINT64_C(0);
    int self = (int)tf_sys(SYS_gettid);

    set_mask(&all, mask);
    for (int spins = 0; spins < 20000; spins++) {
        int nobody = 0;
        if (atomic_compare_exchange_weak_explicit(&lock->holder, &nobody, self, memory_order_acquire,
                                                  memory_order_relaxed))
            return true;
        /* A child that skipped the fork handlers has the lock, not its holder. */
        if (spins % 1000 == 100 && nobody && tf_sys(SYS_tgkill, tf_sys(SYS_getpid), nobody, 0) == -ESRCH) {
            if (!seize)
                break;
            atomic_compare_exchange_strong(&lock->holder, &nobody, 0);
        }
        if (spins > 100)
            tf_sys(SYS_sched_yield);
    }
    set_mask(mask, NULL);
    return false;
}

void tf_lock_leave(struct tf_lock *lock, uint64_t mask)
{
    atomic_store_explicit(&lock->holder, 0, memory_order_release);
    set_mask(&mask, NULL);
}

bool tf_lock_mine(const struct tf_lock *lock)
{
    return atomic_load_explicit(&lock->holder, memory_order_relaxed) == (int)tf_sys(SYS_gettid);
}
