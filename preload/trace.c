#include "trace.h"
#include "caller.h"
#include "io.h"
#include "ring.h"
#include "socket.h"
#include "stack.h"

#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

static void describe_socket(const struct tf_call *call, struct tf_event *event)
{
    const struct tf_socket *socket = call->socket;
    unsigned class = tf_call_info[call->id].class;

    if (!socket)
        return;
    event->cookie = atomic_load(&socket->cookie);
    event->conn = atomic_load(&socket->conn);
    event->role = atomic_load(&socket->role);
    event->flags |= socket->family == AF_INET6 ? TF_EVENT_INET6 : 0;
    event->local = socket->local;
    event->peer = socket->peer;
    if (class == TF_CLASS_IN)
        event->position = atomic_load(&socket->bytes_in);
    else if (class == TF_CLASS_OUT)
        event->position = atomic_load(&socket->bytes_out);
}

uint64_t tf_trace_enter(const struct tf_call *call, struct tf_event *event)
{
    const struct tf_thread self = tf_thread();

    *event = (struct tf_event){
        .time_ns = tf_now_ns(),
        .duration_ns = UINT64_MAX,
        .pid = self.pid,
        .tid = self.tid,
        .fd = call->fd,
        .call = (uint16_t)call->id,
        .flags = call->nonblocking ? TF_EVENT_NONBLOCKING : 0,
        .rule = call->effect.rule,
        .effects = call->effect.effects,
        .ordinal = call->effect.ordinal,
    };
    memcpy(event->arg, call->arg, sizeof event->arg);
    event->module = tf_caller_module(call->caller, &event->caller);
    event->stack = tf_stack_row(call->caller, self);
    describe_socket(call, event);
    if (call->id == TF_setsockopt && call->arg[3] && (socklen_t)call->arg[4] >= sizeof(int)) {
        memcpy(&event->value, (const void *)call->arg[3], sizeof event->value);
        event->flags |= TF_EVENT_VALUE;
    }
    if (call->id == TF_bind)
        tf_endpoint_from(&event->local, (const struct sockaddr *)call->arg[1], (socklen_t)call->arg[2]);
    if (call->id == TF_close && call->socket && tf_sys(SYS_ioctl, call->fd, FIONREAD, &event->value) == 0)
        event->flags |= TF_EVENT_VALUE;
    return tf_ring_enter(tf_self.segment, event);
}

/* poll's array after the call, or the events that an epoll_wait returned: as
 * many whole entries as fit, in data[]. */
static void describe_wait(const struct tf_call *call, struct tf_event *event, long result)
{
    bool polls = call->id == TF_poll || call->id == TF_ppoll;
    bool epolls = call->id == TF_epoll_wait || call->id == TF_epoll_pwait || call->id == TF_epoll_pwait2;
    size_t size = polls ? sizeof(struct pollfd) : sizeof(struct epoll_event);
    size_t count = polls ? (size_t)call->arg[1] : result > 0 ? (size_t)result : 0;
    const void *entries = (const void *)call->arg[polls ? 0 : 1];

    if (!(polls || epolls) || !entries || result == -EFAULT)
        return;
    if (count > TF_EVENT_DATA / size) {
        count = TF_EVENT_DATA / size;
        event->flags |= TF_EVENT_DATA_CUT;
    }
    event->data_length = (uint8_t)(count * size);
    memcpy(event->data, entries, count * size);
}

void tf_trace_leave(const struct tf_call *call, struct tf_event *event, uint64_t number, long result)
{
    event->duration_ns = tf_now_ns() - event->time_ns;
    event->result = result < 0 ? -1 : result;
    event->error = result < 0 ? (int32_t)-result : 0;
    event->reason = (uint8_t)call->reason;
    if (call->fired)
        event->flags |= TF_EVENT_FIRED;
    uint64_t position = event->position;
    if (call->id != TF_bind)
        describe_socket(call, event);
    event->position = position; /* before the call, not after */
    if (call->made) {
        event->peer = call->made->peer;
        event->conn = atomic_load(&call->made->conn);
    }
    uint64_t moved = tf_io_moved(call, result);
    if (moved) {
        event->data_length = (uint8_t)tf_io_preview(call, moved, event->data, TF_EVENT_DATA);
        if (moved > event->data_length)
            event->flags |= TF_EVENT_DATA_CUT;
    }
    describe_wait(call, event, result);
    if (call->id == TF_getsockopt && result == 0 && call->arg[3] && call->arg[4] &&
        *(const socklen_t *)call->arg[4] >= sizeof(int)) {
        memcpy(&event->value, (const void *)call->arg[3], sizeof event->value);
        event->flags |= TF_EVENT_VALUE;
    }
    tf_ring_leave(tf_self.segment, number, event);
}

/* By descriptor: the cookie of the TCP socket that it was when it was closed last.
 * Racing threads leave one of theirs. */
static _Atomic uint64_t closed[TF_DESCRIPTORS];

/* The descriptor before whose close gave EBADF, of a program that closes all that
 * could be open: not one that has lost count. */
static __thread struct {
    const void *caller;
    int fd;
} swept;

void tf_trace_closed(const struct tf_call *call, long result)
{
    if (result != -EBADF && (unsigned)call->fd < TF_DESCRIPTORS)
        atomic_store(&closed[call->fd], atomic_load(&call->socket->cookie));
}

void tf_trace_other(const struct tf_call *call, long result)
{
    struct tf_event event;

    if ((unsigned)call->fd >= TF_DESCRIPTORS || !(tf_self.segment->flags & TF_RUN_TRACE))
        return;
    if (result != -EBADF) {
        if (atomic_load_explicit(&closed[call->fd], memory_order_relaxed))
            atomic_store(&closed[call->fd], 0);
        return;
    }
    bool sweeps = call->id == TF_close && swept.caller == call->caller &&
                  (swept.fd == call->fd - 1 || swept.fd == call->fd + 1);
    if (call->id == TF_close) {
        swept.caller = call->caller;
        swept.fd = call->fd;
    }
    if (sweeps || !atomic_load(&closed[call->fd]))
        return;
    uint64_t number = tf_trace_enter(call, &event);
    event.cookie = atomic_load(&closed[call->fd]);
    tf_trace_leave(call, &event, number, result);
}
