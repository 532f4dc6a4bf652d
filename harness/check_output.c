/* Output that suffers: unread-close, nagle-stall.
 *
 * False alarms: a client that has all it wanted may well leave input unread; so only
 * a server that had just answered counts. */
#include "check.h"

#include <errno.h>

void tf_check_unread_close(const struct tf_evidence *evidence)
{
    for (const struct tf_event *event = evidence->event; event < evidence->event + evidence->events;
         event++) {
        if (event->call != TF_close || event->role != TF_ROLE_SERVER || !(event->flags & TF_EVENT_VALUE) ||
            event->value <= 0 || tf_asked_to_end(evidence, event->time_ns))
            continue;
        const struct tf_life *life = tf_life_of(evidence, event);
        if (!life || life->released_ns != event->time_ns || life->broken_ns || !life->bytes_out)
            continue;
        /* What it did last with the connection was to answer. */
        const struct tf_event *last = NULL;
        for (const struct tf_event *before = event; before-- > evidence->event && !last;)
            if (before->cookie == event->cookie &&
                (tf_event_class(before) == TF_CLASS_IN || tf_event_class(before) == TF_CLASS_OUT))
                last = before;
        if (last && tf_event_class(last) == TF_CLASS_OUT && last->result > 0)
            tf_found(evidence, TF_CHECK_unread_close, event, life,
                     "it closed with %d bytes unread after it had sent %llu: the peer gets a reset",
                     event->value, (unsigned long long)life->bytes_out);
    }
}

enum { SMALL = 1400, STALLS = 5 };

static bool is_small_write(const struct tf_event *event)
{
    return tf_event_class(event) == TF_CLASS_OUT && event->result > 0 && event->result < SMALL &&
           !(event->flags & TF_EVENT_FIRED);
}

void tf_check_nagle_stall(const struct tf_evidence *evidence)
{
    for (const struct tf_life *life = evidence->life; life < evidence->life + evidence->life_count; life++) {
        unsigned stalls = 0, writes = 0;
        const struct tf_event *second = NULL;
        if (life->no_delay || !life->established_ns || !life->cookie)
            continue;
        for (const struct tf_event *event = evidence->event; event < evidence->event + evidence->events;
             event++) {
            if (event->cookie != life->cookie)
                continue;
            if (is_small_write(event)) {
                second = ++writes == 2 ? event : second;
                continue;
            }
            if (tf_event_class(event) != TF_CLASS_IN || event->result <= 0 || !tf_event_returned(event))
                continue;
            uint64_t gap = second ? tf_event_end_ns(event) - second->time_ns : 0;
            stalls += writes >= 2 && gap >= UINT64_C(36000000) && gap <= UINT64_C(48000000);
            writes = 0;
            if (stalls == STALLS) {
                tf_found(evidence, TF_CHECK_nagle_stall, second, life,
                         "%u times a second small write waited some 40 ms for an acknowledgement", stalls);
                break;
            }
        }
    }
}
