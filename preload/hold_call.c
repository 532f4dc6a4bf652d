/* What a call meets: a hold that lasts, the rest of one, bytes that are not free yet. */
#include "hold_parts.h"

#include "effect.h"
#include "io.h"
#include "socket.h"

#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>

#define LOOK_NS UINT64_C(1000000000)
#define MOMENT_NS UINT64_C(1000000)

enum { ENDING = 100 };

enum tf_side tf_hold_side(const struct tf_call *call)
{
    unsigned class = tf_call_info[call->id].class;
    return class == TF_CLASS_IN || class == TF_CLASS_ACCEPT ? TF_SIDE_IN : TF_SIDE_OUT;
}

/* The end of a hold is carried out a moment after its time; a call that begins in
 * between would wait for as many bytes as hid the queue. */
static long sleep_until_shown(struct tf_call *call, enum tf_side side)
{
    long result = 0;
    for (int looks = 0; result == 0 && looks < ENDING && atomic_load(&call->socket->hold[side].lowat);
         looks++)
        result = tf_sleep_until(tf_now_ns() + MOMENT_NS);
    return result;
}

/* A blocking call meets a hold: it sleeps as the kernel would let it. 0: go on. */
static long sleep_held(struct tf_call *call, enum tf_side side)
{
    uint64_t timeout = tf_socket_timeout_ns(call->fd, side == TF_SIDE_IN ? SO_RCVTIMEO : SO_SNDTIMEO);
    uint64_t until = 0, now = tf_now_ns();
    const uint64_t deadline = timeout ? now + timeout : UINT64_MAX;
    long result = 0;

    for (;;) {
        uint32_t changes = atomic_load(&tf_hold_changes);
        if (result < 0)
            return result;
        if (!tf_hold_is(call->socket, side, call->fd, &until))
            return sleep_until_shown(call, side);
        now = tf_now_ns();
        if (now >= deadline)
            return -EAGAIN;
        /* A hold of another process ends unheard. */
        uint64_t look = until < now + LOOK_NS ? until : now + LOOK_NS;
        result = tf_sleep_on(&tf_hold_changes, changes, deadline < look ? deadline : look);
    }
}

/* Is it in the way of nobody who waits for nothing? */
static bool is_subject(const struct tf_call *call)
{
    unsigned class = tf_call_info[call->id].class;
    return class == TF_CLASS_ACCEPT ||
           ((class == TF_CLASS_IN || class == TF_CLASS_OUT) && tf_io_length(call) > 0);
}

/* A connection that is made, but is not known to be. */
static bool meet_late_connect(struct tf_call *call, long *result)
{
    uint64_t until;

    if (!tf_hold_is(call->socket, TF_SIDE_OUT, call->fd, &until))
        return false;
    if (call->id == TF_connect)
        *result = -EALREADY;
    else if (call->id == TF_getpeername)
        *result = -ENOTCONN;
    else if (call->id == TF_getsockopt && call->arg[1] == SOL_SOCKET && call->arg[2] == SO_ERROR) {
        /* Pending it must stay: another int option finds bad pointers as well. */
        const long arg[6] = {call->arg[0], SOL_SOCKET, SO_DEBUG, call->arg[3], call->arg[4]};
        *result = tf_perform(TF_getsockopt, arg);
        if (*result == 0)
            memset((void *)call->arg[3], 0, *(socklen_t *)call->arg[4]);
    } else {
        return false;
    }
    return true;
}

bool tf_hold_meet(struct tf_call *call, long *result, bool *taken)
{
    enum tf_side side = tf_hold_side(call);
    uint64_t until;

    *taken = false;
    *result = 0;
    if (atomic_load_explicit(&tf_self.segment->holds, memory_order_relaxed) == 0)
        return false;
    if ((atomic_load(&call->socket->latches) & TF_LATCH_CONNECT_LATE) && meet_late_connect(call, result))
        return true;
    if (!is_subject(call))
        return false;
    if (tf_hold_is(call->socket, side, call->fd, &until)) {
        *result = call->nonblocking ? -EAGAIN : sleep_held(call, side);
        if (call->nonblocking)
            tf_hold_join(call, side, atomic_load(&call->socket->hold[side].until_ns));
        if (*result < 0)
            return true;
    }
    *taken = tf_hold_take_rest(call, side);
    return false;
}

/* The position before which this side's bytes may be read now. */
static uint64_t free_to(const struct tf_call *call)
{
    const struct tf_hold *row = &call->socket->hold[TF_SIDE_IN];
    return atomic_load(&row->until_ns) > tf_now_ns() ? atomic_load(&row->free_to) : UINT64_MAX;
}

bool tf_hold_waited(const struct tf_call *call)
{
    const struct tf_hold *row = &call->socket->hold[TF_SIDE_IN];
    return tf_call_info[call->id].class == TF_CLASS_IN &&
           atomic_load(&call->socket->bytes_in) < atomic_load(&row->free_to);
}

uint64_t tf_hold_room(const struct tf_call *call)
{
    uint64_t to, position = atomic_load(&call->socket->bytes_in);

    if (tf_call_info[call->id].class != TF_CLASS_IN || (to = free_to(call)) == UINT64_MAX || to <= position)
        return 0;
    return to - position;
}

/* FIONREAD counts what has arrived; a connection that is late is in SYN_SENT; the
 * option by which bytes are hidden is not the program's. */
static void correct(const struct tf_call *call)
{
    uint64_t until, position = atomic_load(&call->socket->bytes_in);
    bool late = atomic_load(&call->socket->latches) & TF_LATCH_CONNECT_LATE;

    if (call->id == TF_ioctl && call->arg[1] == FIONREAD) {
        uint64_t room = free_to(call);
        room = room > position ? room - position : 0;
        if ((uint64_t) * (int *)call->arg[2] > room)
            *(int *)call->arg[2] = (int)room;
    } else if (call->id == TF_getsockopt && late && call->arg[1] == IPPROTO_TCP && call->arg[2] == TCP_INFO &&
               *(socklen_t *)call->arg[4] > 0 && tf_hold_is(call->socket, TF_SIDE_OUT, call->fd, &until)) {
        *(uint8_t *)call->arg[3] = TCP_SYN_SENT; /* tcpi_state, the first byte */
    } else if (call->id == TF_getsockopt && call->arg[1] == SOL_SOCKET && call->arg[2] == SO_RCVLOWAT &&
               *(socklen_t *)call->arg[4] >= sizeof(int)) {
        int before = atomic_load(&call->socket->hold[TF_SIDE_IN].lowat);
        if (before) /* what hides the bytes is ours */
            *(int *)call->arg[3] = before;
    }
}

void tf_hold_after(struct tf_call *call, long result)
{
    uint64_t until;

    if (atomic_load_explicit(&tf_self.segment->holds, memory_order_relaxed) == 0)
        return;
    if (result == 0)
        correct(call);
    if (tf_call_info[call->id].class == TF_CLASS_IN && tf_hold_is(call->socket, TF_SIDE_IN, call->fd, &until))
        tf_hold_hide(call->socket, TF_SIDE_IN);
}
