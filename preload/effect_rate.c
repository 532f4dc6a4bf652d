/* rate=N: at most N bytes a second, a fiftieth of a second's worth at a time. What
 * is too early is held (hold.h): later for a descriptor that does not block, a sleep
 * for one that does. */
#include "effect.h"
#include "hold.h"
#include "io.h"
#include "socket.h"

enum { TICKS = 50 };

static uint64_t chunk_of(const struct tf_call *call)
{
    uint64_t chunk = call->effect.rate_bytes / TICKS;
    return chunk ? chunk : 1;
}

static uint64_t time_of(const struct tf_call *call, uint64_t bytes)
{
    return (uint64_t)((unsigned __int128)bytes * 1000000000u / call->effect.rate_bytes);
}

/* How many bytes may move now, when `position` of them have. */
static uint64_t room(const struct tf_call *call, uint64_t position)
{
    struct tf_pace *pace = &call->socket->pace[tf_hold_side(call)];
    uint64_t now = tf_now_ns(), since = atomic_load(&pace->since_ns), chunk = chunk_of(call);
    uint64_t due = since ? atomic_load(&pace->from) + (uint64_t)((unsigned __int128)(now - since) *
                                                                 call->effect.rate_bytes / 1000000000u)
                         : UINT64_MAX;

    if (due > position + chunk) { /* the first bytes, or those after a pause: no more than a chunk at once */
        atomic_store(&pace->from, position);
        atomic_store(&pace->since_ns, now - time_of(call, chunk));
        return chunk;
    }
    if (position > due && position - due > chunk) { /* calls that the rule let pass are not its to pay for */
        atomic_store(&pace->from, position);
        atomic_store(&pace->since_ns, now);
    }
    return due > position ? due - position : 0;
}

/* When the next chunk may move. */
static uint64_t next_ns(const struct tf_call *call, uint64_t position)
{
    const struct tf_pace *pace = &call->socket->pace[tf_hold_side(call)];
    return atomic_load(&pace->since_ns) + time_of(call, position + chunk_of(call) - atomic_load(&pace->from));
}

static uint64_t position_of(const struct tf_call *call)
{
    return tf_hold_side(call) == TF_SIDE_IN ? atomic_load(&call->socket->bytes_in)
                                            : atomic_load(&call->socket->bytes_out);
}

/* Until there is room: 0, or why the call ends before. */
static long wait_for_room(struct tf_call *call, uint64_t position, uint64_t deadline, uint64_t *bytes)
{
    long result = 0;

    while (result == 0 && (*bytes = room(call, position)) == 0) {
        uint64_t next = next_ns(call, position);
        if (tf_now_ns() >= deadline)
            return -EAGAIN;
        result = tf_sleep_until(next < deadline ? next : deadline);
    }
    return result;
}

/* A blocking send ends when all of it is on its way (send(2)). */
static long send_paced(struct tf_call *call, long done, uint64_t length, uint64_t deadline)
{
    uint64_t start = position_of(call), bytes;

    while (done > 0 && (uint64_t)done < length) {
        if (wait_for_room(call, start + (uint64_t)done, deadline, &bytes) < 0)
            break;
        long more = tf_io_perform_part(call, (uint64_t)done, bytes);
        if (more <= 0)
            break;
        done += more;
    }
    return done;
}

long tf_effect_rate(struct tf_call *call)
{
    enum tf_side side = tf_hold_side(call);
    uint64_t length = tf_io_length(call), position = position_of(call), bytes;
    uint64_t timeout = call->nonblocking
                           ? 0
                           : tf_socket_timeout_ns(call->fd, side == TF_SIDE_IN ? SO_RCVTIMEO : SO_SNDTIMEO);
    uint64_t deadline = timeout ? tf_now_ns() + timeout : UINT64_MAX;

    if (length == 0) {
        call->reason = TF_REASON_zero_length;
        return tf_perform(call->id, call->arg);
    }
    if (call->nonblocking) {
        bytes = room(call, position);
        if (bytes == 0 && tf_hold_start(call, side, next_ns(call, position), 0, NULL)) {
            call->fired = true;
            return -EAGAIN;
        }
    } else {
        long waited = wait_for_room(call, position, deadline, &bytes);
        if (waited < 0) {
            call->fired = true;
            return waited;
        }
    }
    if (bytes && (call->effect.clamp == 0 || bytes < call->effect.clamp))
        call->effect.clamp = bytes;
    long result = tf_effect_bytes(call);
    call->fired = call->reason == TF_REASON_none || call->reason == TF_REASON_call_failed ||
                  call->reason == TF_REASON_too_few_bytes;
    if (call->fired)
        call->reason = TF_REASON_none;
    if (side == TF_SIDE_OUT && !call->nonblocking)
        return send_paced(call, result, length, deadline);
    /* What is left is not there before its time, for waits neither. */
    if (call->nonblocking && bytes && tf_io_moved(call, result) >= bytes)
        tf_hold_start(call, side, next_ns(call, position + bytes), 0, NULL);
    return result;
}
