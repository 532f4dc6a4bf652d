#include "turn.h"

#include "clock.h"
#include "segment.h"

#define LOST_NS UINT64_C(500000000)
#define MOST_NS UINT64_C(5000000000)
enum { TRIES = 1000 };

/* The thread in the lower half, 0: none; and how many turns there have been. */
static uint64_t next(uint64_t held, uint32_t thread)
{
    return ((held >> 32) + 1) << 32 | thread;
}

bool tf_turn_take(const struct tf_call *call)
{
    if (!call->nonblocking || tf_call_info[call->id].class != TF_CLASS_ACCEPT)
        return false;
    _Atomic uint64_t *turn = &tf_self.segment->accepting;
    const uint32_t self = tf_thread().tid;
    uint64_t now_ns = tf_now_ns(), most_ns = now_ns + MOST_NS, lost_ns = 0, seen = 0;
    for (unsigned tries = 0; now_ns < most_ns; tries++, now_ns = tf_now_ns()) {
        uint64_t held = atomic_load(turn);
        if ((uint32_t)held == self)
            return false;
        if (tries == 0 || held != seen) {
            seen = held;
            tries = 1;
            lost_ns = now_ns + LOST_NS;
        }
        /* By the clock alone whoever had no CPU would find that the other has lost it. */
        bool lost = tries > TRIES && now_ns > lost_ns;
        if (((uint32_t)held == 0 || lost) && atomic_compare_exchange_strong(turn, &held, next(held, self)))
            return true;
        tf_sys(SYS_sched_yield);
    }
    return false;
}

void tf_turn_leave(void)
{
    _Atomic uint64_t *turn = &tf_self.segment->accepting;
    uint64_t held = atomic_load(turn);
    if ((uint32_t)held == tf_thread().tid)
        atomic_compare_exchange_strong(turn, &held, held >> 32 << 32);
}
