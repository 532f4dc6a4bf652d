#include "check.h"

#include "findings.h"
#include "rule.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct tf_check_info tf_check_info[TF_CHECKS] = {
#define CHECK(id, name_, severity_, title_, why_, source_)                                                   \
    [TF_CHECK_##                                                                                             \
        id] = {.name = name_, .severity = TF_##severity_, .title = title_, .why = why_, .source = source_},
#include "checks.def"
#undef CHECK
};

static void add(const struct tf_evidence *evidence, enum tf_check_id id, const struct tf_event *event,
                const struct tf_life *life, const struct tf_frames *at, const char *format, va_list arguments)
{
    char message[1024];
    vsnprintf(message, sizeof message, format, arguments);
    tf_findings_add(evidence->findings, id, event, life, at, evidence->event, evidence->events, message);
}

void tf_found(const struct tf_evidence *evidence, enum tf_check_id id, const struct tf_event *event,
              const struct tf_life *life, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(evidence, id, event, life, NULL, format, arguments);
    va_end(arguments);
}

void tf_found_at(const struct tf_evidence *evidence, enum tf_check_id id, const struct tf_event *event,
                 const struct tf_frames *at, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(evidence, id, event, NULL, at, format, arguments);
    va_end(arguments);
}

const struct tf_life *tf_life_of(const struct tf_evidence *evidence, const struct tf_event *event)
{
    return tf_lives_find(evidence->lives, event->cookie);
}

const struct tf_event *tf_next_on(const struct tf_evidence *evidence, const struct tf_event *event, bool tid)
{
    for (const struct tf_event *next = event + 1; next < evidence->event + evidence->events; next++)
        if (next->cookie == event->cookie && (!tid || next->tid == event->tid))
            return next;
    return NULL;
}

bool tf_event_returned(const struct tf_event *event)
{
    return event->duration_ns != UINT64_MAX;
}

bool tf_event_fired(const struct tf_event *event)
{
    return (event->flags & TF_EVENT_FIRED) != 0;
}

unsigned tf_event_class(const struct tf_event *event)
{
    return tf_call_info[event->call].class;
}

uint64_t tf_event_end_ns(const struct tf_event *event)
{
    return tf_event_returned(event) ? event->time_ns + event->duration_ns : UINT64_MAX;
}

const char *tf_error_name(int error)
{
    const char *name = tf_errno_name(error);
    return name ? name : "an error";
}

bool tf_asked_to_end(const struct tf_evidence *evidence, uint64_t time_ns)
{
    /* What we send, and what a rule does. */
    const struct tf_plan *plan = &evidence->segment->plan;
    for (uint32_t i = 0; i < plan->rules; i++) {
        int signal = plan->rule[i].signal;
        if (plan->rule[i].effects & 1U << TF_EFFECT_signal &&
            (signal == SIGTERM || signal == SIGINT || signal == SIGHUP || signal == SIGQUIT))
            return true;
    }
    return time_ns >= evidence->asked_ns || evidence->asked_ns - time_ns <= UINT64_C(20000000);
}

bool tf_crashed(const struct tf_evidence *evidence)
{
    const struct tf_program_result *result = evidence->end->result;
    if (result->end != TF_END_SIGNALED)
        return false;
    const struct tf_plan *plan = &evidence->segment->plan;
    for (uint32_t i = 0; i < plan->rules; i++)
        if (plan->rule[i].effects & 1U << TF_EFFECT_signal && plan->rule[i].signal == result->status)
            return false;
    switch (result->status) {
    case SIGSEGV:
    case SIGBUS:
    case SIGILL:
    case SIGFPE:
    case SIGABRT:
    case SIGSYS:
    case SIGTRAP:
        return true;
    default:
        return false;
    }
}

const struct tf_event *tf_last_event(const struct tf_evidence *evidence)
{
    for (size_t i = evidence->events; i-- > 0;)
        if (evidence->event[i].pid == evidence->end->pid)
            return &evidence->event[i];
    return NULL;
}

const struct tf_kernel_socket *tf_kernel_of(const struct tf_evidence *evidence, uint64_t cookie)
{
    for (size_t i = 0; cookie && i < evidence->kernel_count; i++)
        if (evidence->kernel[i].cookie == cookie)
            return &evidence->kernel[i];
    return NULL;
}
