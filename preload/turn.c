#include "turn.h"

#include "clock.h"
#include "segment.h"

#define LOST_NS UINT64_C(100000000)

static uint64_t own(void)
{
    struct tf_thread thread = tf_thread();
    return (uint64_t)thread.pid << 32 | thread.tid;
}

bool tf_turn_take(const struct tf_call *call)
{
    if (!call->nonblocking || tf_call_info[call->id].class != TF_CLASS_ACCEPT)
        return false;
    _Atomic uint64_t *turn = &tf_self.segment->accepting;
    const uint64_t self = own(), lost_ns = tf_now_ns() + LOST_NS;
    for (uint64_t other = 0; !atomic_compare_exchange_strong(turn, &other, self); other = 0) {
        if (other == self)
            return false;
        if (tf_now_ns() > lost_ns) {
            atomic_store(turn, self);
            return true;
        }
        tf_sys(SYS_sched_yield);
    }
    return true;
}

void tf_turn_leave(void)
{
    uint64_t self = own();
    atomic_compare_exchange_strong(&tf_self.segment->accepting, &self, 0);
}
