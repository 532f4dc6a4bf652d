/* Does a case of a battery apply to its target, and has it struck? If not: why not. */
#include "case_verdict.h"
#include "names.h"
#include "rule.h"
#include "show.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void tf_case_conclude(struct tf_result *result, enum tf_verdict verdict, const char *format, ...)
{
    static const enum tf_status statuses[TF_VERDICTS] = {[TF_PASS] = TF_HELD,
                                                         [TF_FINDING] = TF_FAILED,
                                                         [TF_TOLERATED] = TF_HELD,
                                                         [TF_NOT_APPLICABLE] = TF_SKIPPED,
                                                         [TF_NOT_TESTED] = TF_SKIPPED};
    char reason[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(reason, sizeof(reason), format, list);
    va_end(list);
    for (char *at = reason; *at != '\0'; at++)
        *at = *at == '\n' ? ' ' : *at;
    free(result->reason);
    result->reason = tf_text_clean(reason, strlen(reason), sizeof(reason), false);
    result->verdict = verdict;
    result->status = statuses[verdict];
}

/* ---- does it apply? ---- */

static void describe_pattern(const struct tf_pattern *pattern, char *out, size_t size)
{
    tf_calls_write(pattern->calls, UINT64_MAX, out, size);
    size_t length = strlen(out);
    const char *option = pattern->has_opt ? tf_option_name(pattern->opt_level, pattern->opt_name) : NULL;
    const char *error = pattern->has_error && pattern->error > 0 ? tf_errno_name(pattern->error) : NULL;
    if (option != NULL && length < size)
        length += (size_t)snprintf(out + length, size - length, " with %s", option);
    if (pattern->family != 0 && length < size)
        length += (size_t)snprintf(out + length, size - length, " on a socket of %s",
                                   tf_family_name(pattern->family));
    if (error != NULL && length < size)
        length += (size_t)snprintf(out + length, size - length, " that fails with %s", error);
    if (pattern->has_result && pattern->result.min == pattern->result.max && length < size)
        snprintf(out + length, size - length, " that gives %" PRId64, pattern->result.min);
}

static bool requirement_met(const struct tf_case_run *run, const struct tf_pattern *pattern)
{
    const struct tf_baseline *baseline = run->options->battery->baseline;
    char calls[300];
    const char *unknown = pattern->bytes == TF_BYTES_SEND    ? baseline->no_sent
                          : pattern->bytes == TF_BYTES_REPLY ? baseline->no_reply
                                                             : "";
    if (unknown[0] != '\0')
        tf_case_conclude(run->result, TF_NOT_APPLICABLE, "%s", unknown);
    for (size_t i = 0; pattern->bytes == TF_BYTES_NONE && i < baseline->patterns; i++) {
        if (baseline->pattern[i] != pattern || tf_range_holds(pattern->count, (int64_t)baseline->seen[i]))
            continue;
        describe_pattern(pattern, calls, sizeof(calls));
        if (baseline->seen[i] == 0)
            tf_case_conclude(run->result, TF_NOT_APPLICABLE, "without faults it never calls %s", calls);
        else
            tf_case_conclude(run->result, TF_NOT_APPLICABLE, "without faults it calls %s %" PRIu64 " time%s",
                             calls, baseline->seen[i], baseline->seen[i] == 1 ? "" : "s");
        return false;
    }
    return unknown[0] == '\0';
}

bool tf_case_applies(struct tf_case_run *run)
{
    if (run->options->battery == NULL || run->options->battery->baseline == NULL)
        return true;
    for (uint32_t i = 0; i < run->one->requires_count; i++)
        if (!requirement_met(run, &run->one->requires[i]))
            return false;
    return true;
}

/* "accept", "setsockopt with opt=SO_KEEPALIVE": the calls and the selectors of a rule. */
static void describe_rule(const char *text, char *out, size_t size)
{
    static const char *const selectors[] = {
        "role=", "family=", "peer=", "local=", "conn=", "opt=", "bytes=", "caller=", "errno=", "exe=", NULL};
    static const char *const classes[][2] = {{"%accept", "accept"},
                                             {"%in", "recv, read or their like"},
                                             {"%out", "send, write or their like"},
                                             {"%wait", "poll, select or their like"},
                                             {"%option", "setsockopt or getsockopt"},
                                             {"%all", "a function of TCP"}};
    size_t length = strcspn(text, ":");
    int written = snprintf(out, size, "%.*s", (int)length, text);
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (strlen(classes[i][0]) == length && strncmp(text, classes[i][0], length) == 0)
            written = snprintf(out, size, "%s", classes[i][1]);
    const char *with = " with ";
    for (const char *at = text + length; *at == ':' && written >= 0 && (size_t)written < size;) {
        size_t part = strcspn(at + 1, ":");
        bool selects = false;
        for (int i = 0; selectors[i] != NULL; i++)
            selects |= strncmp(at + 1, selectors[i], strlen(selectors[i])) == 0;
        if (selects) {
            const char *shown = strncmp(at + 1, "opt=", 4) == 0 ? at + 5 : at + 1;
            written += snprintf(out + written, size - (size_t)written, "%s%.*s", with,
                                (int)(at + 1 + part - shown), shown);
            with = ", ";
        }
        at += 1 + part;
    }
}

void tf_case_say_unfired(struct tf_result *result, const char *text, const struct tf_rule_seen *rule)
{
    char calls[300];
    describe_rule(text, calls, sizeof(calls));
    if (rule->undelivered > 0)
        tf_case_conclude(result, TF_NOT_APPLICABLE, "%s cannot happen there: %s", text,
                         tf_show_reason(rule->reason));
    else if (rule->counted > 0)
        tf_case_conclude(result, TF_NOT_APPLICABLE,
                         "it calls %s %" PRIu64 " time%s, and the fault is for another", calls, rule->counted,
                         rule->counted == 1 ? "" : "s");
    else
        tf_case_conclude(result, TF_NOT_APPLICABLE, "it never calls %s", calls);
}

struct tf_struck tf_case_struck(const struct tf_case_run *run, bool target)
{
    struct tf_struck struck = {0};
    for (uint32_t i = 0; i < run->one->actors; i++) {
        const struct tf_running *running = &run->running[i];
        if ((running->actor->stands == TF_STANDS_TARGET) != target || (!target && !running->seen.started))
            continue;
        for (uint32_t j = 0; j < running->seen.rules; j++) {
            bool none = tf_rule_fired(&running->seen.rule[j]) == 0;
            struck.rules++;
            struck.fired += !none;
            if (none && struck.unfired == NULL) {
                struck.unfired = running->actor->faults[j].text;
                struck.seen = &running->seen.rule[j];
            }
        }
    }
    return struck;
}

const struct tf_failure *tf_case_cut_short(const struct tf_case_run *run)
{
    const struct tf_running *target = &run->running[tf_case_target(run->one)];
    if (!run->over || run->result->failures_count == 0 || (target->seen.started && !target->seen.alive))
        return NULL;
    for (uint32_t i = 0; i < run->one->actors; i++)
        if (run->running[i].actor->role == TF_PART_CLIENT && run->running[i].seen.started)
            return NULL;
    return &run->result->failures[0];
}
