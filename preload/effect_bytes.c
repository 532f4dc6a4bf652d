/* short and corrupt: how many of the bytes move, and in which state. */
#include "effect.h"
#include "io.h"
#include "readiness.h"
#include "socket.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#ifndef TCP_NOTSENT_LOWAT
#define TCP_NOTSENT_LOWAT 25
#endif

void tf_owe_an_edge(const struct tf_call *call)
{
    if (tf_call_info[call->id].class == TF_CLASS_ACCEPT) { /* no option wakes a listener's waiters */
        tf_readiness_again(call->fd);
        return;
    }
    /* Setting either option, to whatever value, wakes who waits
     * (tcp_set_rcvlowat, do_tcp_setsockopt in the kernel's net/ipv4/tcp.c). */
    bool in = tf_call_info[call->id].class == TF_CLASS_IN;
    int level = in ? SOL_SOCKET : IPPROTO_TCP;
    int name = in ? SO_RCVLOWAT : TCP_NOTSENT_LOWAT;
    int value = tf_socket_int_option(call->fd, level, name, in ? 1 : 0);
    tf_sys(SYS_setsockopt, call->fd, level, name, &value, sizeof value);
}

/* Of a call that moved too little. A read that finds nothing is not the one meant. */
static uint8_t reason_of(const struct tf_call *call, long result)
{
    if (result == -EAGAIN && tf_call_info[call->id].class == TF_CLASS_IN)
        return TF_REASON_nothing_arrived;
    return result < 0 ? TF_REASON_call_failed : TF_REASON_too_few_bytes;
}

/* Moves at most `most` of `length` bytes. */
static long clamped(struct tf_call *call, uint64_t most, uint64_t length)
{
    long result = tf_io_perform(call, most);
    if (most < length && call->nonblocking)
        tf_owe_an_edge(call);
    return result;
}

static long corrupt_out(struct tf_call *call, uint64_t most)
{
    const struct tf_effect *effect = &call->effect;
    uint64_t at = effect->corrupt_byte ? effect->corrupt_byte - 1 : effect->corrupt_hash % most;

    if (at >= most) {
        call->reason = TF_REASON_too_few_bytes;
        return clamped(call, most, tf_io_length(call));
    }
    long result = tf_io_perform_flipped(call, most, at, (unsigned)(effect->corrupt_hash >> 61));
    if (most < tf_io_length(call) && call->nonblocking)
        tf_owe_an_edge(call);
    call->fired = tf_io_moved(call, result) > at;
    if (!call->fired)
        call->reason = reason_of(call, result);
    return result;
}

static void corrupt_in(struct tf_call *call, uint64_t moved)
{
    const struct tf_effect *effect = &call->effect;
    uint64_t at = effect->corrupt_byte ? effect->corrupt_byte - 1 : moved ? effect->corrupt_hash % moved : 0;

    if (tf_io_flags(call) & MSG_PEEK) {
        call->reason = TF_REASON_peek;
    } else if (tf_io_thrown_away(call)) {
        call->reason = TF_REASON_thrown_away;
    } else if (at >= moved) {
        call->reason = TF_REASON_too_few_bytes;
    } else {
        tf_io_flip(call, at, (unsigned)(effect->corrupt_hash >> 61));
        call->fired = true;
    }
}

long tf_effect_bytes(struct tf_call *call)
{
    uint64_t length = tf_io_length(call), most = length;
    bool corrupts = tf_has(call, TF_EFFECT_corrupt);

    if (length == 0) {
        call->reason = TF_REASON_zero_length;
        return tf_perform(call->id, call->arg);
    }
    if (call->effect.clamp && most > call->effect.clamp)
        most = call->effect.clamp;
    if (tf_has(call, TF_EFFECT_short) && most > call->effect.short_bytes)
        most = call->effect.short_bytes;
    if (corrupts && tf_call_info[call->id].class == TF_CLASS_OUT)
        return corrupt_out(call, most);
    long result = clamped(call, most, length);
    if (tf_has(call, TF_EFFECT_short)) {
        call->fired |=
            length > call->effect.short_bytes && tf_io_moved(call, result) >= call->effect.short_bytes;
        if (!call->fired)
            call->reason = reason_of(call, result);
    }
    if (corrupts && result < 0)
        call->reason = reason_of(call, result);
    else if (corrupts)
        corrupt_in(call, tf_io_moved(call, result));
    return result;
}
