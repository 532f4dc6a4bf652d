/* Descriptors that were closed: double-close, close-retry, use-after-close.
 *
 * False alarms: a child that closes what it inherited, and a program that closes all
 * numbers there could be, do not use what they closed; the shim leaves the latter
 * out (trace.c), and here only the process counts that had closed the socket. Where
 * one thread alone uses sockets, a second close that fails has hit nobody's. */
#include "check.h"

#include <errno.h>

/* The close of this socket and descriptor by the same process, before `event`. */
static const struct tf_event *closed_before(const struct tf_evidence *evidence, const struct tf_event *event)
{
    for (const struct tf_event *before = event; before-- > evidence->event;)
        if (before->call == TF_close && before->cookie == event->cookie && before->fd == event->fd &&
            before->pid == event->pid && before->error != EBADF)
            return before;
    return NULL;
}

static bool has_threads(const struct tf_evidence *evidence, const struct tf_event *of)
{
    for (const struct tf_event *event = evidence->event; event < evidence->event + evidence->events; event++)
        if (event->pid == of->pid && event->tid != of->tid)
            return true;
    return false;
}

void tf_check_double_close(const struct tf_evidence *evidence)
{
    for (const struct tf_event *event = evidence->event; event < evidence->event + evidence->events;
         event++) {
        if (event->call != TF_close || event->error != EBADF || tf_event_fired(event))
            continue;
        const struct tf_event *first = closed_before(evidence, event);
        if (first && (!first->error || tf_event_returned(first)) && first->error != EINTR &&
            first->error != EIO && has_threads(evidence, event))
            tf_found(evidence, TF_CHECK_double_close, event, tf_life_of(evidence, event),
                     "close(%d) gave EBADF: it had closed this socket %.3f ms before", event->fd,
                     (double)(event->time_ns - first->time_ns) / 1e6);
    }
}

/* Does a thread close again at this place what it has closed with success? Then it knows
 * nothing of the failure, and does not retry. (Who loses its descriptor to another
 * thread's retry finds it closed, too.) */
static bool closes_anyway(const struct tf_evidence *evidence, const struct tf_event *at)
{
    const struct tf_event *end = evidence->event + evidence->events;
    for (const struct tf_event *event = evidence->event; event < end; event++) {
        if (event->call != TF_close || event->error != EBADF || event->caller != at->caller ||
            event->module != at->module || event->pid != at->pid)
            continue;
        const struct tf_event *first = closed_before(evidence, event);
        if (first && first->error == 0 && first->tid == event->tid)
            return true;
    }
    return false;
}

void tf_check_close_retry(const struct tf_evidence *evidence)
{
    const struct tf_event *end = evidence->event + evidence->events;
    for (const struct tf_event *event = evidence->event; event < end; event++) {
        if (event->call != TF_close || (event->error != EINTR && event->error != EIO))
            continue;
        for (const struct tf_event *next = event + 1; next < end; next++) {
            if (next->pid != event->pid || next->tid != event->tid)
                continue;
            bool made = (next->call == TF_socket || tf_event_class(next) == TF_CLASS_ACCEPT) &&
                        next->result == event->fd;
            bool again = next->call == TF_close && next->fd == event->fd &&
                         next->time_ns < tf_event_end_ns(event) + UINT64_C(1000000000);
            if (again && !closes_anyway(evidence, next))
                tf_found(evidence, TF_CHECK_close_retry, next, tf_life_of(evidence, event),
                         "close(%d) gave %s and was called again, which %s", event->fd,
                         tf_error_name(event->error),
                         next->error == EBADF ? "gave EBADF: the descriptor had been released"
                                              : "closed another's descriptor");
            if (made || again)
                break;
        }
    }
}

void tf_check_use_after_close(const struct tf_evidence *evidence)
{
    for (const struct tf_event *event = evidence->event; event < evidence->event + evidence->events;
         event++) {
        if (event->call == TF_close || event->error != EBADF || tf_event_fired(event) || !event->cookie)
            continue;
        /* Asking whether a number is open is a question. */
        if (event->call == TF_fcntl || event->call == TF_epoll_ctl || event->call == TF_getsockopt)
            continue;
        if (closed_before(evidence, event))
            tf_found(evidence, TF_CHECK_use_after_close, event, tf_life_of(evidence, event),
                     "%s on descriptor %d gave EBADF: it had closed this socket",
                     tf_call_info[event->call].name, event->fd);
    }
}
