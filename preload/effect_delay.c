/* delay=T: the call returns T later than it would have, and never later than
 * the timeout that the program set on the socket. */
#include "effect.h"
#include "hold.h"
#include "io.h"
#include "socket.h"

#include <linux/futex.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

/* Asynchronous cancellation would end the sleep at once, but stay behind in a
 * thread whose handler jumps out of it: so it is asked for every so often. Not too
 * often: a handler that runs between two slices is not seen to interrupt. */
#define SLICE_NS UINT64_C(1000000000)

/* Of the calls that sleep, futex_waitv alone restarts by SA_RESTART with its
 * absolute deadline, as a blocked recv does; nanosleep and poll never do
 * (signal(7)). */
static long sleep_slice(const _Atomic uint32_t *word, uint32_t value, uint64_t until_ns)
{
    struct {
        uint64_t value, address;
        uint32_t flags, reserved;
    } waiter = {value, (uint64_t)(uintptr_t)word, 2 /* FUTEX_32 */ | FUTEX_PRIVATE_FLAG, 0};
    struct timespec until = {(time_t)(until_ns / 1000000000u), (long)(until_ns % 1000000000u)};

    long result = tf_sys(SYS_futex_waitv, &waiter, 1, 0, &until, CLOCK_MONOTONIC);
    if (result == -ENOSYS || result == -EPERM)
        result = tf_sys(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &until, 0);
    return result == -EINTR ? -EINTR : 0;
}

long tf_sleep_on(const _Atomic uint32_t *word, uint32_t value, uint64_t until_ns)
{
    long result = 0;

    pthread_testcancel();
    for (uint64_t now = tf_now_ns(); result == 0 && now < until_ns && atomic_load(word) == value;
         now = tf_now_ns()) {
        result = sleep_slice(word, value, until_ns - now > SLICE_NS ? now + SLICE_NS : until_ns);
        pthread_testcancel();
    }
    return result;
}

long tf_sleep_until(uint64_t until_ns)
{
    static const _Atomic uint32_t nobody;
    return tf_sleep_on(&nobody, 0, until_ns);
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

/* When the last bytes arrived, as exactly as the kernel tells (tcp_info). */
static uint64_t arrived_ns(int fd)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    tf_sys(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, &info, &length);
    return tf_now_ns() - (uint64_t)info.tcpi_last_data_recv * 1000000u;
}

static uint64_t queued(int fd)
{
    int bytes = 0;
    tf_sys(SYS_ioctl, fd, SIOCINQ, &bytes);
    return bytes > 0 ? (uint64_t)bytes : 0;
}

static bool ready(int fd, short events)
{
    struct pollfd look = {.fd = fd, .events = events};
    struct timespec none = {0, 0};
    return tf_sys(SYS_ppoll, &look, 1, &none, 0, sizeof(uint64_t)) > 0;
}

static bool broken(int fd)
{
    struct pollfd look = {.fd = fd};
    struct timespec none = {0, 0};
    return tf_sys(SYS_ppoll, &look, 1, &none, 0, sizeof(uint64_t)) > 0 && (look.revents & POLLERR);
}

/* The call gets no more than what has waited. */
static void clamp(struct tf_call *call, uint64_t free_to)
{
    uint64_t position = atomic_load(&call->socket->bytes_in);
    if (free_to > position && !(tf_io_flags(call) & MSG_WAITALL) &&
        (call->effect.clamp == 0 || free_to - position < call->effect.clamp))
        call->effect.clamp = free_to - position;
}

/* Latency is each byte's own: those that waited before go on. */
static bool waited(struct tf_call *call)
{
    if (!tf_hold_waited(call))
        return false;
    clamp(call, atomic_load(&call->socket->hold[TF_SIDE_IN].free_to));
    call->fired = true;
    return true;
}

/* The kernel's own wait comes first, so that interruption, cancellation and
 * timeouts are its own too; then the data is late by T. What has arrived while an
 * earlier call slept is late by T since its arrival. */
static bool delay_in(struct tf_call *call, long *result)
{
    struct tf_hold *hold = &call->socket->hold[TF_SIDE_IN];
    bool first = atomic_load(&hold->free_to) == 0, there = ready(call->fd, POLLIN);
    uint64_t timeout = tf_socket_timeout_ns(call->fd, SO_RCVTIMEO);
    uint64_t entry = tf_now_ns();
    char byte;
    const long peek[6] = {call->fd, (long)&byte, 1, MSG_PEEK};

    if (tf_io_length(call) == 0) {
        call->reason = TF_REASON_zero_length;
        return false;
    }
    if (waited(call))
        return false;
    long peeked = tf_perform(TF_recv, peek);
    if (peeked == -EINTR || peeked == -EAGAIN) {
        *result = peeked;
        return true;
    }
    uint64_t since = tf_now_ns(), free_to = atomic_load(&call->socket->bytes_in) + queued(call->fd);
    if (there && !first) {
        uint64_t arrived = arrived_ns(call->fd);
        since = arrived < since ? arrived : since;
    }
    long slept = sleep_within(call, entry, since, timeout);
    *result = slept < 0 ? slept : peeked;
    if (slept < 0 || peeked < 0) /* the peek consumed the socket's error */
        return true;
    atomic_store(&hold->free_to, free_to);
    clamp(call, free_to);
    return false;
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

/* Does the rule strike every call? Then what arrives during the delay is late as
 * well; else it is only behind what is. */
static bool lasts(const struct tf_call *call)
{
    if (call->effect.rule == 0 || call->effect.rule > TF_RULES_MAX)
        return false;
    const struct tf_rule *rule = &tf_self.segment->plan.rule[call->effect.rule - 1];
    return rule->last == UINT64_MAX && rule->step == 1 && rule->prob >= 1;
}

static bool hold(struct tf_call *call, enum tf_side side, uint64_t until_ns, bool again)
{
    struct tf_effect rest = call->effect;
    bool ranges = side == TF_SIDE_IN && lasts(call) && tf_hold_side(call) == side;

    rest.effects &= ~(1u << TF_EFFECT_delay);
    rest.rule = rest.effects ? rest.rule : 0;
    rest.rest = true;
    call->fired =
        tf_hold_start(call, side, until_ns, ranges ? call->effect.delay_ns : 0, again ? &rest : NULL);
    return call->fired;
}

/* It is made, but nothing says so before its time. */
static bool late_connect(struct tf_call *call, long *result)
{
    /* First: a refusal that is there already must not end the hold. */
    atomic_fetch_or(&call->socket->latches, TF_LATCH_CONNECT_LATE);
    *result = tf_perform(call->id, call->arg);
    if (*result != -EINPROGRESS)
        call->reason = TF_REASON_call_failed;
    uint64_t until = tf_now_ns() + call->effect.delay_ns; /* of both sides: they end together */
    if (*result != -EINPROGRESS || !hold(call, TF_SIDE_OUT, until, false) ||
        !hold(call, TF_SIDE_IN, until, false))
        atomic_fetch_and(&call->socket->latches, ~(uint32_t)TF_LATCH_CONNECT_LATE);
    return true;
}

/* What does not block is told EAGAIN, and the side is ready T later. */
static bool delay_nonblocking(struct tf_call *call, long *result)
{
    unsigned class = tf_call_info[call->id].class;

    if (call->id == TF_connect)
        return late_connect(call, result);
    if (class != TF_CLASS_ACCEPT && tf_io_length(call) == 0) {
        call->reason = TF_REASON_zero_length;
        return false;
    }
    if (waited(call))
        return false;
    if (class != TF_CLASS_OUT && !ready(call->fd, POLLIN)) {
        call->reason = class == TF_CLASS_IN ? TF_REASON_nothing_arrived : TF_REASON_nothing_queued;
        *result = tf_perform(call->id, call->arg);
        return true;
    }
    if (broken(call->fd)) {
        call->reason = TF_REASON_call_failed;
        *result = tf_perform(call->id, call->arg);
        return true;
    }
    *result = -EAGAIN;
    return hold(call, tf_hold_side(call), tf_now_ns() + call->effect.delay_ns, true);
}

/* A wait's result is consumed already (edge-triggered events): it is kept. */
static bool delay_wait(struct tf_call *call, long *result)
{
    *result = tf_go(call);
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
        if (call->nonblocking)
            return delay_nonblocking(call, result);
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
