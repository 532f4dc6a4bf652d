/* How the program ended: killed, sigpipe, fd-setsize.
 *
 * False alarms: a signal that we, the user or a rule sent is none; a filter that dies
 * of SIGPIPE because its standard output closed has no TCP write under way. */
#include "check.h"

#include <signal.h>
#include <stdio.h>

/* A call of select with descriptors that fit into no fd_set. */
static const struct tf_event *beyond(const struct tf_evidence *evidence)
{
    enum { FD_SETSIZE_ = 1024 };
    int most = 0;
    for (size_t i = 0; i < evidence->events; i++) {
        const struct tf_event *event = &evidence->event[i];
        bool selects = event->call == TF_select || event->call == TF_pselect;
        if (selects && (int)event->arg[0] > FD_SETSIZE_)
            return event;
        most = event->fd > most ? event->fd : most;
        if (tf_event_class(event) == TF_CLASS_ACCEPT && event->result > most)
            most = (int)event->result;
    }
    if (most < FD_SETSIZE_ || !tf_crashed(evidence))
        return NULL;
    for (size_t i = evidence->events; i-- > 0;)
        if (evidence->event[i].call == TF_select || evidence->event[i].call == TF_pselect)
            return &evidence->event[i];
    return NULL;
}

void tf_check_fd_setsize(const struct tf_evidence *evidence)
{
    const struct tf_event *event = beyond(evidence);
    char how[128] = "";
    if (!event)
        return;
    if (tf_crashed(evidence))
        tf_program_describe(evidence->end->result, how, sizeof how);
    tf_found(evidence, TF_CHECK_fd_setsize, event, NULL, "it selects among %d or more descriptors%s%s",
             (int)event->arg[0] > 1024 ? (int)event->arg[0] : 1024, *how ? ", and " : "", how);
}

void tf_check_killed(const struct tf_evidence *evidence)
{
    char how[128];
    if (!tf_crashed(evidence) || beyond(evidence))
        return;
    const struct tf_event *event = tf_last_event(evidence);
    tf_program_describe(evidence->end->result, how, sizeof how);
    tf_found(evidence, TF_CHECK_killed, event, event ? tf_life_of(evidence, event) : NULL,
             "it %s%s; its last call on a TCP socket: %s%s%s", how,
             evidence->end->result->core_dumped ? ", and a core was dumped" : "",
             event ? tf_call_info[event->call].name : "none", event && event->error ? ", which gave " : "",
             event && event->error ? tf_error_name(event->error) : "");
}

void tf_check_sigpipe(const struct tf_evidence *evidence)
{
    const struct tf_program_result *result = evidence->end->result;
    if (result->end != TF_END_SIGNALED || result->status != SIGPIPE)
        return;
    for (size_t i = evidence->events; i-- > 0;) {
        const struct tf_event *event = &evidence->event[i];
        if (event->pid != evidence->end->pid || tf_event_class(event) != TF_CLASS_OUT)
            continue;
        /* The write that raised it never came back. */
        if (tf_event_returned(event))
            return;
        tf_found(evidence, TF_CHECK_sigpipe, event, tf_life_of(evidence, event),
                 "%s on a connection that is gone raised SIGPIPE, which killed it",
                 tf_call_info[event->call].name);
        return;
    }
}
