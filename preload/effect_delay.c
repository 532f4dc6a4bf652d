/* delay=T: the call returns T later than it would have, and never later than
 * the timeout that the program set on the socket. */
#include "effect.h"
#include "io.h"
#include "socket.h"

#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

/* Asynchronous cancellation would end the sleep at once, but stay behind in a
 * thread whose handler jumps out of it: so it is asked for every so often. */
enum { SLICE_NS = 20000000 };

/* Of the calls that sleep, futex_waitv alone restarts by SA_RESTART with its
 * absolute deadline, as a blocked recv does; nanosleep and poll never do
 * (signal(7)). */
static long sleep_slice(uint64_t until_ns)
{
    uint32_t word = 0;
    struct {
        uint64_t value, address;
        uint32_t flags, reserved;
    } waiter = {0, (uint64_t)(uintptr_t)&word, 2 /* FUTEX_32 */ | FUTEX_PRIVATE_FLAG, 0};
    struct timespec until = {(time_t)(until_ns / 1000000000u), (long)(until_ns % 1000000000u)};

    long result = tf_sys(SYS_futex_waitv, &waiter, 1, 0, &until, CLOCK_MONOTONIC);
    if (result == -ENOSYS || result == -EPERM)
        result = tf_sys(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &until, 0);
    return result == -EINTR ? -EINTR : 0;
}

long tf_sleep_until(uint64_t until_ns)
{
    long result = 0;

    pthread_testcancel();
    for (uint64_t now = tf_now_ns(); result == 0 && now < until_ns; now = tf_now_ns()) {
        result = sleep_slice(until_ns - now > SLICE_NS ? now + SLICE_NS : until_ns);
        pthread_testcancel();
    }
    return result;
}

/* The whole of it, whatever handlers run meanwhile. */
static void sleep_through(uint64_t until_ns)
{
    while (tf_sleep_until(until_ns) == -EINTR)
        ;
}

/* Sleeps for the delay, which began to count at `ready_ns`; a timeout that
 * began at `entry_ns` ends it first. Returns 0, -EINTR, or -EAGAIN. */
static long sleep_within(struct tf_call *call, uint64_t entry_ns, uint64_t ready_ns, uint64_t timeout_ns)
{
    uint64_t until = ready_ns + call->effect.delay_ns;

    call->fired = true;
    if (timeout_ns && until >= entry_ns + timeout_ns) {
        long result = tf_sleep_until(entry_ns + timeout_ns);
        return result < 0 ? result : -EAGAIN;
    }
    return tf_sleep_until(until);
}

/* The kernel's own wait comes first, so that interruption, cancellation and
 * timeouts are its own too; then the data is late by T. */
static bool delay_in(struct tf_call *call, long *result)
{
    uint64_t timeout = tf_socket_timeout_ns(call->fd, SO_RCVTIMEO);
    uint64_t entry = tf_now_ns();
    char byte;
    const long peek[6] = {call->fd, (long)&byte, 1, MSG_PEEK};

    if (tf_io_length(call) == 0) {
        call->reason = TF_REASON_zero_length;
        return false;
    }
    long waited = tf_perform(TF_recv, peek);
    if (waited == -EINTR || waited == -EAGAIN) {
        *result = waited;
        return true;
    }
    long slept = sleep_within(call, entry, tf_now_ns(), timeout);
    *result = slept < 0 ? slept : waited;
    return slept < 0 || waited < 0; /* the peek consumed the socket's error */
}

static bool delay_out(struct tf_call *call, long *result)
{
    uint64_t entry = tf_now_ns();

    *result = sleep_within(call, entry, entry, tf_socket_timeout_ns(call->fd, SO_SNDTIMEO));
    return *result < 0;
}

static bool delay_accept(struct tf_call *call, long *result)
{
    uint64_t entry = tf_now_ns();
    uint64_t timeout = tf_socket_timeout_ns(call->fd, SO_RCVTIMEO);

    if (timeout) {
        struct pollfd waiting = {.fd = call->fd, .events = POLLIN};
        struct timespec rest = {(time_t)(timeout / 1000000000u), (long)(timeout % 1000000000u)};
        const long arg[6] = {(long)&waiting, 1, (long)&rest, 0};
        long ready = tf_perform(TF_ppoll, arg);
        *result = ready < 0 ? ready : sleep_within(call, entry, tf_now_ns(), timeout);
        if (ready == 0)
            *result = -EAGAIN;
        return *result < 0;
    }
    *result = tf_perform(call->id, call->arg);
    if (*result >= 0) {
        sleep_through(tf_now_ns() + call->effect.delay_ns);
        call->fired = true;
    }
    return true;
}

/* An interrupted or timed-out connect goes on in the background, which here it
 * has already done (connect(2), EINTR and EINPROGRESS). */
static bool delay_connect(struct tf_call *call, long *result)
{
    uint64_t entry = tf_now_ns();
    uint64_t timeout = tf_socket_timeout_ns(call->fd, SO_SNDTIMEO);

    *result = tf_perform(call->id, call->arg);
    if (*result < 0 && *result != -ECONNREFUSED && *result != -ETIMEDOUT)
        return true;
    long slept = sleep_within(call, entry, tf_now_ns(), timeout);
    if (slept < 0)
        *result = slept == -EAGAIN ? -EINPROGRESS : slept;
    return true;
}

/* A wait's result is consumed already (edge-triggered events): it is kept. */
static bool delay_wait(struct tf_call *call, long *result)
{
    *result = tf_perform(call->id, call->arg);
    sleep_through(tf_now_ns() + call->effect.delay_ns);
    call->fired = true;
    return true;
}

bool tf_effect_delay(struct tf_call *call, long *result)
{
    unsigned class = tf_call_info[call->id].class;
    bool other = call->effect.effects & ~(1u << TF_EFFECT_delay);

    if (class == TF_CLASS_WAIT) {
        if (!other)
            return delay_wait(call, result);
    } else if (class == TF_CLASS_IN || class == TF_CLASS_OUT || class == TF_CLASS_ACCEPT ||
               call->id == TF_connect) {
        if (call->nonblocking) {
            call->reason = TF_REASON_nonblocking_delay;
            return false;
        }
        if (class == TF_CLASS_IN)
            return delay_in(call, result);
        if (class == TF_CLASS_OUT)
            return delay_out(call, result);
        if (!other)
            return class == TF_CLASS_ACCEPT ? delay_accept(call, result) : delay_connect(call, result);
    }
    sleep_through(tf_now_ns() + call->effect.delay_ns);
    call->fired = true;
    return false;
}
