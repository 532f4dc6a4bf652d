/* Servers: listener-lost, listener-deaf, not-listening.
 *
 * False alarms: a program that was asked to end closes its listener; one that serves
 * a single client has accepted it; one that makes itself a new one goes on serving. */
#include "check.h"

#include <errno.h>
#include <netinet/tcp.h>

#define LONG_NS UINT64_C(2000000000)

/* Errors of accept that concern one connection, or pass. */
static bool passes(int error)
{
    switch (error) {
    case ECONNABORTED:
    case EINTR:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPERM:
        return true;
    default:
        return false;
    }
}

/* The last accept on the listener, where it failed so. */
static const struct tf_event *last_failure(const struct tf_evidence *evidence, const struct tf_life *life)
{
    for (size_t i = evidence->events; i-- > 0;) {
        const struct tf_event *event = &evidence->event[i];
        if (event->cookie == life->cookie && tf_event_class(event) == TF_CLASS_ACCEPT)
            return passes(event->error) ? event : NULL;
    }
    return NULL;
}

/* Does it listen on the same port again, on a new socket? */
static bool reopened(const struct tf_evidence *evidence, const struct tf_life *life)
{
    for (const struct tf_life *later = evidence->life; later < evidence->life + evidence->life_count; later++)
        if (later != life && later->listening_ns > life->released_ns && later->local.port == life->local.port)
            return true;
    return false;
}

void tf_check_listener_lost(const struct tf_evidence *evidence)
{
    const struct tf_program_result *result = evidence->end->result;
    for (const struct tf_life *life = evidence->life; life < evidence->life + evidence->life_count; life++) {
        const struct tf_event *failed = life->listening_ns ? last_failure(evidence, life) : NULL;
        if (!failed || tf_asked_to_end(evidence, failed->time_ns))
            continue;
        uint64_t soon = tf_event_end_ns(failed) + UINT64_C(2000000000);
        bool closed = life->released_ns && life->released_ns < evidence->asked_ns &&
                      life->released_ns <= soon && !reopened(evidence, life);
        bool ended = !evidence->end->stopped && result->end != TF_END_RUNNING && evidence->end_ns <= soon &&
                     failed->pid == evidence->end->pid;
        if (closed || ended)
            tf_found(evidence, TF_CHECK_listener_lost, failed, life,
                     "after %s gave %s once it %s: nobody is served any more",
                     tf_call_info[failed->call].name, tf_error_name(failed->error),
                     ended ? "ended" : "closed the listener");
    }
}

void tf_check_listener_deaf(const struct tf_evidence *evidence)
{
    for (const struct tf_life *life = evidence->life; life < evidence->life + evidence->life_count; life++) {
        const struct tf_kernel_socket *row = life->listening_ns ? tf_kernel_of(evidence, life->cookie) : NULL;
        const struct tf_event *failed =
            row && row->state == TCP_LISTEN && row->receive_queue ? last_failure(evidence, life) : NULL;
        /* For as long as no descriptor is free there is no point in trying. */
        bool shortage = failed && (failed->error == EMFILE || failed->error == ENFILE ||
                                   failed->error == ENOBUFS || failed->error == ENOMEM);
        if (failed && !shortage && evidence->kernel_ns >= tf_event_end_ns(failed) + LONG_NS)
            tf_found(evidence, TF_CHECK_listener_deaf, failed, life,
                     "%.1f s after %s gave %s %u connection%s waited, and accept was not called again",
                     (double)(evidence->kernel_ns - failed->time_ns) / 1e9, tf_call_info[failed->call].name,
                     tf_error_name(failed->error), row->receive_queue, row->receive_queue == 1 ? "" : "s");
    }
}

void tf_check_not_listening(const struct tf_evidence *evidence)
{
    for (const struct tf_event *event = evidence->event; event < evidence->event + evidence->events;
         event++) {
        if (tf_event_class(event) != TF_CLASS_ACCEPT || event->error != EINVAL || tf_event_fired(event))
            continue;
        const struct tf_life *life = tf_life_of(evidence, event);
        if (life && !life->listening_ns && life->created_ns)
            tf_found(evidence, TF_CHECK_not_listening, event, life,
                     "%s gave EINVAL: no listen on this socket had succeeded",
                     tf_call_info[event->call].name);
    }
}
