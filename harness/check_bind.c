/* Servers that cannot listen: no-reuseaddr, bind-unreported. */
#include "check.h"

#include <errno.h>

void tf_check_no_reuseaddr(const struct tf_evidence *evidence)
{
    for (const struct tf_event *event = evidence->event; event < evidence->event + evidence->events;
         event++) {
        const struct tf_life *life =
            event->call == TF_bind && event->error == EADDRINUSE ? tf_life_of(evidence, event) : NULL;
        bool only_time_wait = false;
        for (size_t i = 0; i < evidence->only_time_waits; i++)
            only_time_wait |= evidence->only_time_wait[i] == event->number;
        if (life && only_time_wait && !life->reuse_address)
            tf_found(evidence, TF_CHECK_no_reuseaddr, event, life,
                     "bind to port %u gave EADDRINUSE, though nothing but connections in TIME_WAIT had it: "
                     "SO_REUSEADDR was not set",
                     event->local.port);
    }
}

/* A program that wanted to listen, could not, and says that all is well. */
void tf_check_bind_unreported(const struct tf_evidence *evidence)
{
    const struct tf_program_result *result = evidence->end->result;
    const struct tf_event *failed = NULL;
    if (evidence->end->stopped || result->end != TF_END_EXITED || result->status != 0)
        return;
    for (const struct tf_event *event = evidence->event; event < evidence->event + evidence->events;
         event++) {
        if (event->pid != evidence->end->pid)
            continue;
        if (event->call == TF_listen && !event->error)
            return;
        bool fails = (event->call == TF_bind || event->call == TF_listen) &&
                     (event->error == EADDRINUSE || event->error == EACCES || event->error == EADDRNOTAVAIL);
        /* A client that binds goes on to connect. */
        if (event->call == TF_connect)
            return;
        failed = fails ? event : failed;
    }
    if (failed)
        tf_found(evidence, TF_CHECK_bind_unreported, failed, tf_life_of(evidence, failed),
                 "%s gave %s, nothing was listened on, and it exited with status 0",
                 tf_call_info[failed->call].name, tf_error_name(failed->error));
}
