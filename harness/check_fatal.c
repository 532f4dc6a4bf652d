/* What is no failure taken for one: eintr-fatal, eagain-loses-output,
 * short-write-lost, option-fatal.
 *
 * False alarms: a signal that asks the program to end may well end its calls; so only
 * what a rule has sent counts, and no SIGTERM or the like. Whoever closes a socket on
 * which connect was interrupted may have another one instead. */
#include "check.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define SOON_NS UINT64_C(50000000)

/* Does the thread give the socket up next? */
static const struct tf_event *gives_up(const struct tf_evidence *evidence, const struct tf_event *event)
{
    const struct tf_event *next = tf_next_on(evidence, event, false);
    bool ends = next && (next->call == TF_close || (next->call == TF_shutdown && next->arg[1] != SHUT_RD));
    return ends && next->pid == event->pid && next->time_ns <= tf_event_end_ns(event) + SOON_NS ? next : NULL;
}

/* To connect anew, on another socket, is as good as to wait for the one that goes on. */
static bool connects_anew(const struct tf_evidence *evidence, const struct tf_event *event)
{
    const struct tf_event *end = evidence->event + evidence->events;
    for (const struct tf_event *later = event + 1; event->call == TF_connect && later < end; later++)
        if (later->call == TF_connect && later->pid == event->pid)
            return true;
    return false;
}

void tf_check_eintr_fatal(const struct tf_evidence *evidence)
{
    for (const struct tf_event *event = evidence->event; event < evidence->event + evidence->events;
         event++) {
        if (event->error != EINTR || !tf_event_fired(event) || !event->cookie || event->call == TF_close ||
            tf_asked_to_end(evidence, tf_event_end_ns(event)))
            continue;
        if (tf_event_class(event) == TF_CLASS_ACCEPT) /* listener-lost */
            continue;
        /* Of another effect, a delay, a signal of somebody else's may have been the end. */
        if (!(event->effects & (1U << TF_EFFECT_error | 1U << TF_EFFECT_signal)))
            continue;
        /* A wait that EINTR has ended may be anybody's. */
        if (tf_event_class(event) == TF_CLASS_WAIT)
            continue;
        if (gives_up(evidence, event) && !connects_anew(evidence, event))
            tf_found(evidence, TF_CHECK_eintr_fatal, event, tf_life_of(evidence, event),
                     "%s gave EINTR, and the connection was closed", tf_call_info[event->call].name);
    }
}

void tf_check_eagain_loses_output(const struct tf_evidence *evidence)
{
    for (const struct tf_event *event = evidence->event; event < evidence->event + evidence->events;
         event++) {
        if (tf_event_class(event) != TF_CLASS_OUT || event->error != EAGAIN ||
            !(event->flags & TF_EVENT_NONBLOCKING) || tf_asked_to_end(evidence, tf_event_end_ns(event)))
            continue;
        const struct tf_event *next = gives_up(evidence, event);
        if (next && next->tid == event->tid)
            tf_found(evidence, TF_CHECK_eagain_loses_output, event, tf_life_of(evidence, event),
                     "%s gave EAGAIN, and %s followed: what it was to send is lost",
                     tf_call_info[event->call].name, tf_call_info[next->call].name);
    }
}

/* How many bytes the call was given; 0: not known. */
static uint64_t asked(const struct tf_event *event)
{
    return tf_call_info[event->call].shape == TF_SHAPE_BUFFER ? event->arg[2] : 0;
}

void tf_check_short_write_lost(const struct tf_evidence *evidence)
{
    for (const struct tf_event *event = evidence->event; event < evidence->event + evidence->events;
         event++) {
        if (tf_event_class(event) != TF_CLASS_OUT || event->result <= 0 || !tf_event_returned(event) ||
            (uint64_t)event->result >= asked(event) || tf_asked_to_end(evidence, tf_event_end_ns(event)))
            continue;
        const struct tf_event *next = gives_up(evidence, event);
        if (next && next->tid == event->tid)
            tf_found(evidence, TF_CHECK_short_write_lost, event, tf_life_of(evidence, event),
                     "%s took %lld of %llu bytes, and %s followed: %llu bytes are lost",
                     tf_call_info[event->call].name, (long long)event->result,
                     (unsigned long long)asked(event), tf_call_info[next->call].name,
                     (unsigned long long)(asked(event) - (uint64_t)event->result));
    }
}

static bool only_a_wish(const struct tf_event *event)
{
    int level = (int)event->arg[1], name = (int)event->arg[2];
    if (level == IPPROTO_TCP)
        return name != TCP_MD5SIG && name != TCP_ULP;
    if (level == SOL_SOCKET)
        return name == SO_KEEPALIVE || name == SO_PRIORITY || name == SO_RCVBUF || name == SO_SNDBUF ||
               name == SO_OOBINLINE || name == SO_LINGER || name == SO_BUSY_POLL;
    return level == IPPROTO_IP && name == IP_TOS;
}

void tf_check_option_fatal(const struct tf_evidence *evidence)
{
    for (const struct tf_event *event = evidence->event; event < evidence->event + evidence->events;
         event++) {
        if (event->call != TF_setsockopt || !event->error || !only_a_wish(event) ||
            tf_asked_to_end(evidence, tf_event_end_ns(event)))
            continue;
        const struct tf_event *next = gives_up(evidence, event);
        if (next && next->tid == event->tid)
            tf_found(evidence, TF_CHECK_option_fatal, event, tf_life_of(evidence, event),
                     "setsockopt gave %s, and the socket was closed", tf_error_name(event->error));
    }
}
