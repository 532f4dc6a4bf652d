/* The way of a call: which socket, what is decided, what comes of it, and what
 * the run has to remember. */
#include "aftermath.h"
#include "caller.h"
#include "effect.h"
#include "failpoint.h"
#include "hold.h"
#include "io.h"
#include "later.h"
#include "pointer.h"
#include "rule.h"
#include "socket.h"
#include "trace.h"
#include "turn.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>

/* Descriptors of epoll instances that were given a TCP socket. A number that
 * was used again is looked at in vain, no more. */
static _Atomic uint64_t epoll_has_tcp[TF_DESCRIPTORS / 64];

__thread struct tf_counted tf_counted;
__thread struct tf_thread tf_this_thread;

/* Takes what tf_spared counted for this call. A handler's call in between finds
 * another's id, or leaves nothing: then the call is counted anew. */
static struct tf_counted take_counted(enum tf_call_id id)
{
    struct tf_counted counted = tf_counted;
    if (!counted.counter || counted.id != id)
        return (struct tf_counted){0};
    tf_counted.counter = NULL;
    return counted;
}

static long finish(long result, int saved_errno)
{
    if (result < 0 && result >= -4095) {
        errno = (int)-result;
        return -1;
    }
    errno = saved_errno;
    return result;
}

static bool any_polled(const struct tf_call *call)
{
    const struct pollfd *waiting = (const struct pollfd *)call->arg[0];
    for (unsigned long i = 0; waiting && i < (unsigned long)call->arg[1]; i++)
        if (waiting[i].fd >= 0 && tf_socket_of(waiting[i].fd))
            return true;
    return false;
}

static bool any_selected(const struct tf_call *call)
{
    /* The kernel reads as many bits as it is told of, whatever fits in an fd_set. */
    for (int fd = 0; fd < (int)call->arg[0] && fd < TF_DESCRIPTORS; fd++)
        for (int set = 1; set <= 3; set++)
            if (call->arg[set] && ((const unsigned char *)call->arg[set])[fd / 8] & 1u << fd % 8 &&
                tf_socket_of(fd))
                return true;
    return false;
}

static bool waits_for_tcp(struct tf_call *call)
{
    switch (call->id) {
    case TF_poll:
    case TF_ppoll:
        return any_polled(call);
    case TF_select:
    case TF_pselect:
        return any_selected(call);
    default:
        call->fd = (int)call->arg[0];
        return (unsigned)call->fd < TF_DESCRIPTORS &&
               (atomic_load(&epoll_has_tcp[call->fd / 64]) & (UINT64_C(1) << (call->fd % 64)));
    }
}

/* Is it a TCP socket's call? Finds its row, and for splice the direction. */
static bool concerns(struct tf_call *call)
{
    switch (tf_call_info[call->id].shape) {
    case TF_SHAPE_SOCKET:
        return tf_socket_is_tcp((int)call->arg[0], (int)call->arg[1], (int)call->arg[2]);
    case TF_SHAPE_WAIT:
        return waits_for_tcp(call);
    default:
        break;
    }
    if (tf_io_flags(call) & MSG_ERRQUEUE) /* timestamps and the like: no byte of the stream */
        return false;
    if (call->id == TF_splice)
        call->fd = (int)call->arg[0];
    call->socket = call->fd >= 0 ? tf_socket_of(call->fd) : NULL;
    if (!call->socket && call->id == TF_splice) {
        call->id = TF_splice_out;
        call->fd = (int)call->arg[2];
        call->socket = call->fd >= 0 ? tf_socket_of(call->fd) : NULL;
    }
    return call->socket != NULL;
}

/* What has to be known before deciding: who this socket is about to become. */
static void before(struct tf_call *call)
{
    struct tf_socket *socket = call->socket;

    if (!socket)
        return;
    call->nonblocking = tf_socket_nonblocking(call->fd) || (tf_io_flags(call) & MSG_DONTWAIT);
    if (call->id == TF_connect && call->arg[1]) {
        const struct sockaddr *address = (const struct sockaddr *)call->arg[1];
        tf_drop_before_connect(call);
        if (address->sa_family == AF_UNSPEC || (atomic_load(&socket->latches) & TF_LATCH_GONE))
            return;
        tf_endpoint_from(&socket->peer, address, (socklen_t)call->arg[2]);
        tf_socket_becomes(socket, TF_ROLE_CLIENT);
        tf_forget(call->fd);
    }
}

static void ask(const struct tf_call *call, struct tf_question *question, char *function, size_t size)
{
    const struct tf_socket *socket = call->socket;
    unsigned class = tf_call_info[call->id].class;

    *question = (struct tf_question){
        .call = call->id, .exe = tf_self.exe, .module = "", .function = function, .opt_level = -1};
    function[0] = 0;
    if (socket) {
        question->role = atomic_load(&socket->role);
        question->family = socket->family;
        question->conn = atomic_load(&socket->conn);
        question->local = socket->local;
        question->peer = socket->peer;
        question->position =
            class == TF_CLASS_OUT ? atomic_load(&socket->bytes_out) : atomic_load(&socket->bytes_in);
    }
    if (call->id == TF_socket)
        question->family = (uint32_t)call->arg[0];
    if (class == TF_CLASS_ACCEPT)
        question->conn = atomic_load(&tf_self.segment->conns) + 1;
    if (class == TF_CLASS_OPTION) {
        question->opt_level = (int)call->arg[1];
        question->opt_name = (int)call->arg[2];
    }
    if (tf_self.asks_caller) {
        uint16_t module = tf_caller_module(call->caller, &question->module_offset);
        question->module = tf_caller_module_name(module);
        strncpy(function, tf_caller_function(call->caller, module, question->module_offset), size - 1);
        function[size - 1] = 0;
    }
}

static struct tf_socket *accepted(int fd)
{
    tf_forget(fd);
    struct tf_socket *socket = tf_socket_of(fd);
    if (socket) {
        tf_socket_endpoints(socket, fd);
        tf_socket_becomes(socket, TF_ROLE_SERVER);
        tf_socket_settle(socket, fd);
    }
    return socket;
}

/* What the program knows of its connection, and how far connect has come. */
static void note_state(const struct tf_call *call, long result)
{
    _Atomic uint32_t *latches = &call->socket->latches;

    if (tf_call_info[call->id].class == TF_CLASS_IN && result == 0 && tf_io_length(call) > 0)
        atomic_fetch_or(latches, TF_LATCH_FIN_TOLD);
    else if (call->id == TF_connect && (result == -EINPROGRESS || result == -EINTR))
        atomic_fetch_or(latches, TF_LATCH_CONNECTING);
    else if ((call->id == TF_connect || call->id == TF_shutdown) && result == 0)
        atomic_fetch_and(latches, ~(uint32_t)TF_LATCH_CONNECTING);
}

/* The shim's books, after the call. */
static void after(struct tf_call *call, long result)
{
    struct tf_socket *socket = call->socket;
    unsigned class = tf_call_info[call->id].class;

    switch (call->id) {
    case TF_socket:
        if (result >= 0)
            tf_forget((int)result);
        return;
    case TF_accept:
    case TF_accept4:
        if (result >= 0)
            call->made = accepted((int)result);
        break;
    case TF_dup:
    case TF_dup2:
    case TF_dup3:
    case TF_fcntl:
        if (result >= 0 &&
            (call->id != TF_fcntl || call->arg[1] == F_DUPFD || call->arg[1] == F_DUPFD_CLOEXEC))
            tf_forget((int)result);
        break;
    case TF_listen:
        if (socket && result == 0)
            tf_socket_becomes(socket, TF_ROLE_LISTENER);
        /* fall through */
    case TF_bind:
    case TF_connect:
        if (socket && (result == 0 || result == -EINPROGRESS || result == -EINTR) &&
            !(atomic_load(&socket->latches) & TF_LATCH_GONE))
            tf_socket_endpoints(socket, call->fd);
        break;
    case TF_epoll_ctl:
        if (socket && result == 0 && call->arg[1] == EPOLL_CTL_ADD &&
            (unsigned long)call->arg[0] < TF_DESCRIPTORS)
            atomic_fetch_or(&epoll_has_tcp[call->arg[0] / 64], UINT64_C(1) << (call->arg[0] % 64));
        break;
    default:
        break;
    }
    if (!socket)
        return;
    note_state(call, result);
    if (class == TF_CLASS_IN && !(tf_io_flags(call) & MSG_PEEK))
        atomic_fetch_add(&socket->bytes_in, tf_io_moved(call, result));
    else if (class == TF_CLASS_OUT)
        atomic_fetch_add(&socket->bytes_out, tf_io_moved(call, result));
    if (call->id == TF_close)
        atomic_store(&socket->used, 1); /* the first row to go, unless a duplicate is used again */
    else
        tf_socket_settle(socket, call->fd);
}

static void settle_account(struct tf_call *call, const struct tf_counters *counters)
{
    if (call->effect.rule == 0 || call->effect.rule > TF_RULES_MAX || call->effect.rest)
        return;
    struct tf_rule_state *state = &tf_self.segment->state[call->effect.rule - 1];
    if (call->reason == TF_REASON_nothing_queued || call->reason == TF_REASON_nothing_arrived)
        tf_decide_undo(&tf_self.segment->plan, counters, &call->effect);
    if (call->fired) {
        atomic_fetch_add(&state->fired, 1);
    } else {
        atomic_fetch_add(&state->undelivered, 1);
        atomic_store(&state->reason, call->reason);
    }
}

/* Is there a rule for this call on such a socket? Most sockets of a run are no
 * rule's business, and need not wait for libfiu. */
static bool could_strike(const struct tf_call *call, const struct tf_question *question)
{
    return !call->socket ||
           ((tf_decide_interest(&tf_self.segment->plan, question) | atomic_load(&tf_self.failpoints)) &
            TF_BIT(call->id));
}

/* The rules, before the call is made. */
static void decide_before(struct tf_call *call, const struct tf_counters *counters, uint64_t ordinal,
                          struct tf_question *question)
{
    if (!could_strike(call, question))
        return;
    question->ordinal = ordinal;
    tf_failpoint(question, counters, &call->effect);
}

/* And those with errno=E, when the real call has given E. */
static long decide_after(struct tf_call *call, const struct tf_counters *counters,
                         struct tf_question *question, long result)
{
    if (result >= 0 || call->effect.rule != 0 || !tf_self.asks_errno)
        return result;
    question->real_errno = (int)-result;
    question->ordinal = 0;
    return tf_failpoint(question, counters, &call->effect) ? tf_apply_after(call, result) : result;
}

/* A hold lets so much pass. */
static void clamp(struct tf_call *call)
{
    uint64_t room = call->socket ? tf_hold_room(call) : 0;
    if (room && (call->effect.clamp == 0 || room < call->effect.clamp))
        call->effect.clamp = room;
}

static void before_close(struct tf_call *call)
{
    if (call->socket)
        tf_drop_before_close(call);
    tf_hold_close((unsigned)call->fd, (unsigned)call->fd);
    tf_later_close((unsigned)call->fd, (unsigned)call->fd);
    tf_forget(call->fd);
}

/* The call, with its effect, on what earlier ones have left of the connection. */
static long carry_out(struct tf_call *call)
{
    bool ends = tf_has(call, TF_EFFECT_error) || tf_has(call, TF_EFFECT_reset);
    long result;

    if (call->socket && (atomic_load(&call->socket->latches) & TF_LATCH_IN_LOST))
        tf_drop_before_in(call);
    if (ends || !tf_aftermath_instead(call, &result))
        result = tf_apply(call);
    else if (call->effect.rule)
        call->reason = TF_REASON_already_gone;
    return call->fired && tf_has(call, TF_EFFECT_error) ? result : tf_aftermath(call, result);
}

/* A call on a TCP socket of a process in which something is armed: what holds it, what
 * strikes it, what it comes to, and what is written down of it. */
static long judged(struct tf_call *call, const struct tf_counted *counted)
{
    struct tf_segment *segment = tf_self.segment;
    const struct tf_counters counters = {
        .run = segment->state,
        .process = tf_self.counted,
        .connection = call->socket ? call->socket->per_connection : NULL,
    };
    struct tf_question question;
    struct tf_event event;
    uint64_t number = 0;
    char function[64];

    before(call);
    long result;
    bool taken = false, turn = false, met = call->socket && tf_hold_meet(call, &result, &taken);
    bool named = !met && !taken &&
                 ((atomic_load(&segment->gate[call->id]) & TF_GATE_RULE) ||
                  (atomic_load(&tf_self.failpoints) & TF_BIT(call->id)));
    if (named) {
        ask(call, &question, function, sizeof function);
        turn = tf_turn_take(call);
        decide_before(call, &counters, counted->ordinal, &question);
    }
    if (counted->counter && !call->effect.counted) /* not one of the rule's after all */
        atomic_fetch_sub(counted->counter, 1);
    if (!met)
        clamp(call);
    bool traced = (segment->flags & TF_RUN_TRACE) || call->effect.rule;
    if (traced)
        number = tf_trace_enter(call, &event);
    if (call->id == TF_close)
        before_close(call);
    if (!met) /* else a hold has answered */
        result = carry_out(call);
    if (named)
        result = decide_after(call, &counters, &question, result);
    if (traced && !event.rule)
        event.rule = call->effect.rule, event.effects = call->effect.effects;
    after(call, result);
    if (call->socket)
        tf_hold_after(call, result);
    settle_account(call, &counters);
    if (turn)
        tf_turn_leave();
    if (traced) {
        tf_trace_leave(call, &event, number, result);
        if (call->id == TF_close && call->socket)
            tf_trace_closed(call, result);
    }
    return result;
}

long tf_intercept(enum tf_call_id id, const void *caller, const long arg[6])
{
    int saved_errno = errno;
    struct tf_call call = {.id = id, .fd = -1, .caller = caller};

    if (atomic_load_explicit(&tf_self.started, memory_order_acquire) != 2 || !tf_self.segment)
        return finish(tf_perform(id, arg), saved_errno);
    struct tf_counted counted = take_counted(id);
    memcpy(call.arg, arg, sizeof call.arg);
    if (tf_call_info[id].fd >= 0)
        call.fd = (int)arg[tf_call_info[id].fd];
    if (tf_pointers_readable(&call) && concerns(&call)) {
        errno = saved_errno;
        return finish(judged(&call, &counted), saved_errno);
    }
    if (counted.counter)
        atomic_fetch_sub(counted.counter, 1);
    /* Not a TCP socket, but its number may come to be one's. */
    call.id = id;
    if (id == TF_close)
        tf_forget((int)arg[0]);
    errno = saved_errno;
    long result = tf_perform(id, arg);
    after(&call, result);
    tf_trace_other(&call, result);
    return finish(result, saved_errno);
}
