/* A case beside the same without faults: what was told as success, and is not. */
#include "alike.h"
#include "case_run.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { RUNS = 3, LIMIT_S = 20 };

static bool ended_well(const struct tf_seen *seen)
{
    return seen->started && !seen->hung && !seen->stopping && !seen->alive &&
           seen->end.end == TF_END_EXITED && seen->end.status == 0;
}

void tf_case_take_usual(struct tf_case_run *run)
{
    for (uint32_t i = 0; i < run->one->actors; i++) {
        struct tf_seen *seen = &run->running[i].seen;
        run->options->usual->of[i].good = !run->over && ended_well(seen) && seen->out != NULL;
        run->options->usual->of[i].out = seen->out;
        run->options->usual->of[i].length = seen->out_length;
        seen->out = NULL;
        if (i < run->result->programs_count && !seen->hung) {
            run->options->usual->of[i].how = strdup(run->result->programs[i].end);
            run->options->usual->of[i].tcp = run->result->programs[i].tcp;
        }
    }
}

/* Is it to be compared? What the scenario tells of its output counts more. */
static bool concerns(const struct tf_case_run *run, uint32_t at)
{
    const struct tf_expect *expect = &run->one->expect[at];
    const struct tf_running *running = &run->running[at];
    return running->judge != NULL && running->starts == 1 && ended_well(&running->seen) &&
           running->seen.out != NULL && expect->out_count == 0 && expect->stdout_is == NULL &&
           expect->stdout_file == NULL;
}

static bool excused(const struct tf_case *one)
{
    for (uint32_t i = 0; i < one->allow_count; i++)
        if (strcmp(one->allow[i].name, "wrong-success") == 0)
            return true;
    return false;
}

/* A fault has struck, and none by which the output itself may be another: a program
 * that trusts TCP does not notice a bit that was flipped. */
static bool struck(const struct tf_case_run *run)
{
    bool any = false;
    for (uint32_t i = 0; i < run->one->actors; i++) {
        const struct tf_running *running = &run->running[i];
        for (uint32_t j = 0; j < running->seen.rules; j++) {
            const struct tf_rule_seen *rule = &running->seen.rule[j];
            const struct tf_plan *plan = &tf_collect_segment(running->collect)->plan;
            if (rule->fired + rule->begun == 0)
                continue;
            if (plan->rule[j].effects & 1U << TF_EFFECT_corrupt)
                return false;
            any = true;
        }
    }
    return any;
}

/* Of the run without faults, `number` from 1. */
static void folder(const struct tf_case_run *run, unsigned int number, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/without-faults-%u", run->options->directory, number);
}

static void run_without_faults(const struct tf_case_run *run, unsigned int number,
                               struct tf_case_usual *usual)
{
    struct tf_case_options options = *run->options;
    struct tf_result result = {.name = NULL};
    char directory[PATH_MAX];
    folder(run, number, directory);
    options.directory = directory;
    options.events = false;
    options.known = NULL;
    options.usual = usual;
    if (options.timeout_ns > LIMIT_S * TF_SECOND_NS)
        options.timeout_ns = LIMIT_S * TF_SECOND_NS;
    if (mkdir(directory, 0755) == 0)
        tf_case_run(run->one, &options, &result);
    tf_result_fini(&result);
}

static void free_usual(struct tf_case_usual *usual)
{
    for (size_t i = 0; i < TF_SCENARIO_PROGRAMS; i++) {
        free(usual->of[i].out);
        free(usual->of[i].how);
    }
}

void tf_case_usually(struct tf_case_run *run, size_t at, bool first, const char *end,
                     const struct tf_traffic *tcp)
{
    struct tf_program_result_text *program = &run->result->programs[at];
    const struct tf_seen *seen = &run->running[at].seen;
    bool stopped = strstr(end, "(stopped)") != NULL && !seen->hung &&
                   (strstr(program->end, "(stopped)") != NULL || (seen->alive && !seen->stopping));
    tf_result_usual(program, first, stopped ? program->end : end, tcp);
}

/* Takes what they did in the run `number`, from 0. Is it another, of any of them, than
 * it was now? */
static bool take_facts(struct tf_case_run *run, const struct tf_case_usual *usual, unsigned int number)
{
    bool differs = false;
    for (size_t i = 0; i < run->result->programs_count && i < TF_SCENARIO_PROGRAMS; i++) {
        struct tf_program_result_text *program = &run->result->programs[i];
        if (usual->of[i].how != NULL)
            tf_case_usually(run, i, number == 0, usual->of[i].how, &usual->of[i].tcp);
        else
            tf_result_forget_usual(program);
        differs |= tf_program_differs(program);
    }
    return differs;
}

static bool broken(const struct tf_result *result)
{
    for (size_t i = 0; i < result->failures_count; i++)
        if (result->failures[i].broken)
            return true;
    return false;
}

static void tell(struct tf_running *running, const struct tf_alike_difference *difference)
{
    const struct tf_event *event = NULL;
    char message[700];
    for (size_t i = 0; i < running->arounds && event == NULL; i++)
        event = running->around[i].flags & TF_EVENT_FIRED ? &running->around[i] : NULL;
    snprintf(message, sizeof(message),
             "it ended with success, and its standard output is not what it is without faults: line %zu is "
             "\"%s\", not \"%s\"",
             difference->line, difference->got, difference->expected);
    tf_running_wrong(running, event, message);
}

/* 0, or -1: nothing can be said of it. */
static int compare(struct tf_case_run *run, uint32_t at, const struct tf_case_usual *usual, unsigned int runs,
                   struct tf_alike_difference *difference)
{
    const struct tf_seen *seen = &run->running[at].seen;
    struct tf_alike *alike = tf_alike_new();
    bool known = alike != NULL;
    for (unsigned int i = 0; i < runs && known; i++) {
        char directory[PATH_MAX];
        folder(run, i + 1, directory);
        known = usual[i].of[at].good &&
                tf_alike_learn(alike, usual[i].of[at].out, usual[i].of[at].length, directory) == 0;
    }
    bool differs =
        known && !tf_alike_same(alike, seen->out, seen->out_length, run->options->directory, difference);
    tf_alike_free(alike);
    return differs ? 0 : -1;
}

/* Is it to the byte what it was before? Where it is not, as where a program tells what
 * it has measured, nothing follows from one that is another again. */
static bool steady(const struct tf_case_usual *usual, uint32_t at)
{
    for (unsigned int i = 0; i < RUNS; i++)
        if (!usual[i].of[at].good || usual[i].of[at].length != usual[0].of[at].length ||
            memcmp(usual[i].of[at].out, usual[0].of[at].out, usual[0].of[at].length) != 0)
            return false;
    return true;
}

void tf_case_compare(struct tf_case_run *run, bool held)
{
    struct tf_alike_difference difference = {.line = 0};
    struct tf_case_usual *usual = NULL;
    bool concerned = !held && !broken(run->result), differs = false;
    if (run->one->steps_count > 0 || run->options->battery != NULL || !struck(run))
        return;
    held = held && !run->over && !excused(run->one);
    for (uint32_t i = 0; i < run->one->actors; i++)
        concerned |= held && concerns(run, i);
    if (!concerned || (usual = calloc(RUNS, sizeof(*usual))) == NULL)
        return;
    run_without_faults(run, 1, &usual[0]);
    bool other = take_facts(run, &usual[0], 0);
    for (uint32_t i = 0; i < run->one->actors; i++)
        differs |= held && concerns(run, i) && compare(run, i, usual, 1, &difference) == 0;
    /* What differs may differ every time. */
    unsigned int runs = differs ? RUNS : other ? 2 : 1;
    for (unsigned int i = 1; i < runs; i++) {
        run_without_faults(run, i + 1, &usual[i]);
        take_facts(run, &usual[i], i);
    }
    for (uint32_t i = 0; i < run->one->actors && differs; i++)
        if (concerns(run, i) && steady(usual, i) && compare(run, i, usual, RUNS, &difference) == 0)
            tell(&run->running[i], &difference);
    for (int i = 0; i < RUNS; i++)
        free_usual(&usual[i]);
    free(usual);
}
