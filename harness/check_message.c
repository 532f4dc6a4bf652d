/* What it said of it: log-flood, errno-clobbered, silent-failure. Only where its
 * output was captured. proven-hang is found while it runs: hang.c. */
#include "check.h"

#include <errno.h>
#include <string.h>

static const struct tf_event *first_fault(const struct tf_evidence *evidence)
{
    for (const struct tf_event *event = evidence->event; event < evidence->event + evidence->events; event++)
        if (tf_event_fired(event))
            return event;
    return NULL;
}

/* The same, or the first time that the kernel itself had no descriptor for it. */
static const struct tf_event *first_trouble(const struct tf_evidence *evidence)
{
    const struct tf_event *event = first_fault(evidence), *end = evidence->event + evidence->events;
    for (const struct tf_event *at = evidence->event; event == NULL && at < end; at++)
        if (at->error == EMFILE || at->error == ENFILE)
            event = at;
    return event;
}

void tf_check_log_flood(const struct tf_evidence *evidence)
{
    const struct tf_judge_end *end = evidence->end;
    double seconds = (double)(evidence->end_ns - end->result->started_ns) / 1e9;
    double rate = (double)end->err_bytes / (seconds > 1 ? seconds : 1);
    const struct tf_event *fault = first_trouble(evidence);
    if (end->captured && fault && rate > 1e6)
        tf_found(evidence, TF_CHECK_log_flood, fault, tf_life_of(evidence, fault),
                 "%.1f MB of messages in %.1f s", (double)end->err_bytes / 1e6, seconds);
}

static bool failed(const struct tf_judge_end *end)
{
    return end->captured && !end->stopped && end->result->end == TF_END_EXITED && end->result->status != 0;
}

void tf_check_errno_clobbered(const struct tf_evidence *evidence)
{
    const struct tf_judge_end *end = evidence->end;
    const struct tf_event *fault = first_fault(evidence);
    const char *at =
        fault && failed(end) && end->err ? memmem(end->err, end->err_length, ": Success\n", 10) : NULL;
    if (at)
        tf_found(evidence, TF_CHECK_errno_clobbered, fault, tf_life_of(evidence, fault),
                 "%s failed with %s, and its message says \"Success\"", tf_call_info[fault->call].name,
                 fault->error ? tf_error_name(fault->error) : "a fault");
}

void tf_check_silent_failure(const struct tf_evidence *evidence)
{
    const struct tf_judge_end *end = evidence->end;
    const struct tf_event *fault = first_fault(evidence);
    if (fault && failed(end) && !end->err_bytes && !end->out_bytes)
        tf_found(evidence, TF_CHECK_silent_failure, fault, tf_life_of(evidence, fault),
                 "it exited with status %d without a word", end->result->status);
}

void tf_check_proven_hang(const struct tf_evidence *evidence)
{
    (void)evidence;
}
