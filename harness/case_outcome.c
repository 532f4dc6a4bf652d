/* What became of a program of a battery, beside a run without faults. */
#include "case_verdict.h"

#include <stdlib.h>
#include <string.h>

int tf_case_target(const struct tf_case *one)
{
    for (uint32_t i = 0; i < one->actors; i++)
        if (one->actor[i].stands == TF_STANDS_TARGET)
            return (int)i;
    return -1;
}

static bool is_tool(const struct tf_actor *actor)
{
    return actor->run_count > 1 && strcmp(actor->run[0], "{build}/tcpfault") == 0 &&
           strcmp(actor->run[1], "peer") == 0;
}

const struct tf_usual *tf_case_usual(const struct tf_case_run *run, uint32_t at)
{
    const struct tf_baseline *baseline = run->options->battery->baseline;
    const struct tf_actor *actor = &run->one->actor[at];
    int who = actor->stands == TF_STANDS_TARGET ? TF_BASELINE_TARGET
              : actor->stands == TF_STANDS_PEER ? TF_BASELINE_PEER
              : is_tool(actor)                  ? TF_BASELINE_TOOL
                                                : TF_BASELINES;
    return baseline != NULL && who < TF_BASELINES && baseline->of[who].runs > 0 ? &baseline->of[who] : NULL;
}

/* Where those took part who do without faults: the target and its peer, once. */
void tf_case_usual_facts(struct tf_case_run *run)
{
    struct tf_result *result = run->result;
    unsigned int starts[TF_STANDS_PEER + 1] = {0};
    for (uint32_t i = 0; i < run->one->actors; i++)
        starts[run->one->actor[i].stands] += run->running[i].starts;
    if (starts[TF_STANDS_SELF] != 0 || starts[TF_STANDS_TARGET] != 1 || starts[TF_STANDS_PEER] != 1)
        return;
    for (uint32_t i = 0; i < run->one->actors && i < result->programs_count; i++) {
        const struct tf_usual *usual = tf_case_usual(run, i);
        if (usual != NULL && run->running[i].seen.started && usual->told.usual.end != NULL)
            tf_case_usually(run, i, true, usual->told.usual.end, &usual->told.usual.tcp);
    }
}

bool tf_outcome_may_end(const struct tf_expect *expect)
{
    return ((expect->outcome | expect->tolerated) & (TF_OUTCOME_ERROR | TF_OUTCOME_ANY)) != 0;
}

static bool same_output(const struct tf_case_run *run, const struct tf_usual *usual,
                        const struct tf_seen *seen, struct tf_alike_difference *difference)
{
    return usual == NULL ||
           tf_alike_same(usual->out, seen->out, seen->out_length, run->options->directory, difference);
}

static bool said_something(const struct tf_case_run *run, const struct tf_usual *usual,
                           const struct tf_seen *seen)
{
    if (seen->out_bytes + seen->err_bytes == 0)
        return false;
    return usual == NULL || !same_output(run, usual, seen, NULL) ||
           !tf_alike_same(usual->err, seen->err, seen->err_length, run->options->directory, NULL);
}

/* Of one that ended by itself, with a status. */
static enum tf_became ended(const struct tf_case_run *run, uint32_t at, char *got, size_t size)
{
    const struct tf_seen *seen = &run->running[at].seen;
    const struct tf_usual *usual = tf_case_usual(run, at);
    struct tf_alike_difference difference = {.line = 0};
    bool server = run->one->actor[at].role == TF_PART_SERVER;
    int wanted = usual != NULL ? usual->status : 0;
    bool same = !server && seen->end.status == wanted && same_output(run, usual, seen, &difference);
    size_t length = strlen(got);
    if (same)
        return TF_BECAME_SAME;
    if (difference.line > 0)
        snprintf(got + length, size - length, "; in line %zu of its output, expected \"%s\", got \"%s\"",
                 difference.line, difference.expected, difference.got);
    bool success = seen->end.status == 0 && !server && wanted == 0 && usual != NULL;
    if (success && tf_alike_begins(usual->out, seen->out, seen->out_length, run->options->directory))
        return TF_BECAME_PART;
    if (success && run->options->battery->baseline->ends_with_file)
        return TF_BECAME_UNAWARE;
    if (seen->end.status == 0)
        return TF_BECAME_OTHER;
    if (said_something(run, usual, seen))
        return TF_BECAME_ERROR;
    snprintf(got + length, size - length, ", without a word");
    return TF_BECAME_SILENT;
}

enum tf_became tf_case_became(const struct tf_case_run *run, uint32_t at, char *got, size_t size)
{
    const struct tf_running *running = &run->running[at];
    const struct tf_seen *seen = &running->seen;
    const struct tf_program_result *end = &seen->end;
    bool server = run->one->actor[at].role == TF_PART_SERVER;
    snprintf(got, size, "was not started");
    if (!seen->started)
        return TF_BECAME_NOTHING;
    tf_program_describe(end, got, size);
    if (server && seen->alive && !running->never_ready) {
        snprintf(got, size, "ran to the end");
        return TF_BECAME_SAME;
    }
    if (seen->alive && !seen->stopping) {
        snprintf(got, size, "%s", running->never_ready ? "never listened" : "still ran at the end");
        return running->patient ? TF_BECAME_PATIENT : TF_BECAME_HUNG;
    }
    if (seen->stopping)
        return TF_BECAME_SAME;
    if (end->end == TF_END_SIGNALED)
        return (seen->signalled >> end->status & 1) != 0 ? TF_BECAME_SAME : TF_BECAME_KILLED;
    return ended(run, at, got, size);
}

bool tf_became_allowed(enum tf_became became, unsigned outcomes)
{
    unsigned which = became == TF_BECAME_SAME      ? TF_OUTCOME_SAME
                     : became == TF_BECAME_ERROR   ? TF_OUTCOME_ERROR
                     : became == TF_BECAME_PART    ? TF_OUTCOME_PART
                     : became == TF_BECAME_UNAWARE ? TF_OUTCOME_OTHER
                                                   : 0;
    if (became == TF_BECAME_NOTHING)
        return true;
    return (outcomes & which) != 0 || ((outcomes & TF_OUTCOME_ANY) != 0 && became != TF_BECAME_KILLED);
}
