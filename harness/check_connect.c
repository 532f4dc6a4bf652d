/* Clients: use-after-failed-connect, connect-reused, so-error-not-asked,
 * eintr-connect, connect-storm.
 *
 * False alarms: getpeername, getsockopt, shutdown and close on such a socket ask or
 * tidy up. An error that a later connect overcame does not count. */
#include "check.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

static bool moves(const struct tf_event *event)
{
    return tf_event_class(event) == TF_CLASS_IN || tf_event_class(event) == TF_CLASS_OUT;
}

/* Has the program been told that its connect failed, by connect or by SO_ERROR? */
static bool tells_failure(const struct tf_event *event)
{
    if (event->call == TF_connect)
        return tf_life_connect_failed(event->error);
    return event->call == TF_getsockopt && event->arg[1] == SOL_SOCKET && event->arg[2] == SO_ERROR &&
           !event->error && event->flags & TF_EVENT_VALUE && event->value;
}

void tf_check_use_after_failed_connect(const struct tf_evidence *evidence)
{
    const struct tf_event *end = evidence->event + evidence->events;
    for (const struct tf_life *life = evidence->life; life < evidence->life + evidence->life_count; life++) {
        if (life->failed_at == TF_NO_EVENT || life->established_ns || !life->cookie)
            continue;
        const struct tf_event *failed = &evidence->event[life->failed_at];
        for (const struct tf_event *event = failed + 1; tells_failure(failed) && event < end; event++) {
            if (event->cookie != life->cookie)
                continue;
            if (event->call == TF_connect || event->call == TF_close)
                break;
            if (!moves(event))
                continue;
            tf_found(evidence, TF_CHECK_use_after_failed_connect, event, life,
                     "%s was called on a socket whose connect had failed with %s",
                     tf_call_info[event->call].name, tf_error_name(life->failed_error));
            break;
        }
    }
}

void tf_check_connect_reused(const struct tf_evidence *evidence)
{
    for (const struct tf_event *event = evidence->event; event < evidence->event + evidence->events;
         event++) {
        if (event->call != TF_connect || !tf_life_connect_failed(event->error))
            continue;
        const struct tf_event *next = event;
        do
            next = tf_next_on(evidence, next, false);
        while (next && next->call != TF_connect && next->call != TF_close);
        if (next && next->call == TF_connect)
            tf_found(evidence, TF_CHECK_connect_reused, next, tf_life_of(evidence, next),
                     "connect was called again on a socket whose connect had failed with %s",
                     tf_error_name(event->error));
    }
}

void tf_check_so_error_not_asked(const struct tf_evidence *evidence)
{
    for (const struct tf_event *event = evidence->event; event < evidence->event + evidence->events;
         event++) {
        if (event->call != TF_connect || event->error != EINPROGRESS)
            continue;
        const struct tf_event *next = event;
        do
            next = tf_next_on(evidence, next, false);
        while (next && !moves(next) && next->call != TF_connect && next->call != TF_close &&
               next->call != TF_getpeername &&
               !(next->call == TF_getsockopt && next->arg[1] == SOL_SOCKET && next->arg[2] == SO_ERROR));
        /* The first use says how connect came out, where nobody asked before. */
        if (next && moves(next) && tf_event_returned(next) && tf_life_connect_failed(next->error) &&
            !tf_event_fired(next))
            tf_found(evidence, TF_CHECK_so_error_not_asked, next, tf_life_of(evidence, next),
                     "connect failed in the background, and %s, which gave %s, was the first to notice",
                     tf_call_info[next->call].name, tf_error_name(next->error));
        else if (next && moves(next) && !tf_event_returned(next) && tf_event_class(next) == TF_CLASS_OUT &&
                 next->pid == evidence->end->pid && evidence->end->result->end == TF_END_SIGNALED)
            tf_found(evidence, TF_CHECK_so_error_not_asked, next, tf_life_of(evidence, next),
                     "connect failed in the background, and %s did not survive it",
                     tf_call_info[next->call].name);
    }
}

void tf_check_eintr_connect(const struct tf_evidence *evidence)
{
    for (const struct tf_event *event = evidence->event; event < evidence->event + evidence->events;
         event++) {
        if (event->call != TF_connect || event->error != EINTR || tf_asked_to_end(evidence, event->time_ns))
            continue;
        const struct tf_event *next = tf_next_on(evidence, event, false);
        if (!next || next->call != TF_connect || (next->error != EALREADY && next->error != EISCONN))
            continue;
        const struct tf_event *after = tf_next_on(evidence, next, false);
        if (after && after->call == TF_close)
            tf_found(evidence, TF_CHECK_eintr_connect, next, tf_life_of(evidence, next),
                     "after EINTR connect was called again, gave %s, and the socket was closed",
                     tf_error_name(next->error));
    }
}

void tf_check_connect_storm(const struct tf_evidence *evidence)
{
    enum { ATTEMPTS = 60 }; /* alike events beyond 64 of one thread are not kept */
    for (const struct tf_event *last = evidence->event; last < evidence->event + evidence->events; last++) {
        unsigned count = 0;
        const struct tf_event *first = last;
        if (last->call != TF_connect || !last->error)
            continue;
        for (const struct tf_event *event = last; event >= evidence->event && count < ATTEMPTS; event--) {
            if (event->call != TF_connect || event->pid != last->pid ||
                memcmp(&event->peer, &last->peer, sizeof event->peer) != 0)
                continue;
            const struct tf_life *life = tf_life_of(evidence, event);
            if (!life || life->established_ns || !life->failed_ns)
                break;
            count++;
            first = event;
        }
        uint64_t span = last->time_ns - first->time_ns;
        if (count < ATTEMPTS || span > ATTEMPTS * UINT64_C(10000000))
            continue;
        tf_found(evidence, TF_CHECK_connect_storm, last, tf_life_of(evidence, last),
                 "%u attempts to connect failed within %.0f ms: %.0f a second", count, (double)span / 1e6,
                 (double)count * 1e9 / (double)(span + 1));
        return;
    }
}
