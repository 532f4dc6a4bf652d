/* What `inject --output` and `trace --output` left, as the result of one case. */
#include "run.h"
#include "saved.h"
#include "saved_life.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST = 80, AROUND = 80, LAST = 80 }; /* events that are shown */

static json_int_t number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static const char *word(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value != NULL ? value : "";
}

/* ---- events ---- */

/* "connect(3, ...) = -1 ECONNREFUSED" */
static void show(struct tf_result *result, const json_t *event)
{
    char *line = NULL;
    size_t size, i;
    json_t *each;
    FILE *out = open_memstream(&line, &size);
    if (out == NULL)
        return;
    fprintf(out, "[%lld] %s(", (long long)number(event, "pid"), word(event, "call"));
    json_array_foreach(json_object_get(event, "args"), i, each)
    {
        const char *argument = json_string_value(each);
        fprintf(out, "%s%s", i > 0 ? ", " : "", argument != NULL ? argument : "");
    }
    fputs(") = ", out);
    if (json_is_true(json_object_get(event, "unfinished")))
        fputs("?", out);
    else
        fprintf(out, "%lld %s", (long long)number(event, "result"), word(event, "errno"));
    if (json_is_true(json_object_get(event, "fired")))
        fprintf(out, " (injected: rule %lld)", (long long)number(event, "rule"));
    fclose(out);
    tf_result_event(result, line);
    free(line);
}

static void strike(struct tf_program_result_text *program, const json_t *event)
{
    json_int_t at = number(event, "rule");
    const char *call = word(event, "call");
    if (at < 1 || (size_t)at > program->rules_count)
        return;
    struct tf_rule_result *rule = &program->rules[at - 1];
    size_t length = strlen(call);
    for (const char *found = rule->calls; (found = strstr(found, call)) != NULL; found++)
        if ((found == rule->calls || found[-1] == ' ') && (found[length] == ' ' || found[length] == 0))
            return;
    char *calls;
    if (asprintf(&calls, "%s%s%s", rule->calls, rule->calls[0] != 0 ? " " : "", call) < 0)
        return;
    free(rule->calls);
    rule->calls = calls;
}

/* As run keeps them: no more than a picture needs. */
static void keep(struct tf_result *result, json_t *event)
{
    static const char *const left_out[] = {"tid", "data", "data_cut", "ordinal", "position", "value"};
    show(result, event);
    for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
        json_object_del(event, left_out[i]);
    json_object_set_new(event, "program", json_string(result->programs[0].name));
    tf_result_moment(result, json_incref(event));
}

struct reading {
    struct tf_lives *lives;
    size_t count, around;
    json_t *last[LAST]; /* a ring of those that are not kept yet */
    size_t waiting;
    bool left_out;
};

static void forget_oldest(struct reading *reading)
{
    json_decref(reading->last[0]);
    memmove(reading->last, reading->last + 1, (LAST - 1) * sizeof(reading->last[0]));
    reading->waiting--;
    reading->left_out = true;
}

static void flush(struct reading *reading, struct tf_result *result)
{
    if (reading->left_out)
        tf_result_event(result, "...");
    reading->left_out = false;
    for (size_t i = 0; i < reading->waiting; i++) {
        keep(result, reading->last[i]);
        json_decref(reading->last[i]);
    }
    reading->waiting = 0;
}

/* The first ones, those around faults while there is room, and the last. */
static void take(struct reading *reading, struct tf_result *result, json_t *event)
{
    bool fired = json_is_true(json_object_get(event, "fired"));
    tf_saved_live(reading->lives, event);
    if (reading->count++ == 0)
        result->started_realtime_ns = (uint64_t)number(event, "time_ns");
    result->duration_ns = (uint64_t)number(event, "time_ns") - result->started_realtime_ns;
    if (fired)
        strike(&result->programs[0], event);
    if (reading->count <= FIRST) {
        keep(result, event);
        json_decref(event);
        return;
    }
    if (reading->waiting == LAST)
        forget_oldest(reading);
    reading->last[reading->waiting++] = event;
    if (fired && reading->around + reading->waiting <= AROUND) {
        while (reading->waiting > LAST / 10)
            forget_oldest(reading);
        reading->around += reading->waiting;
        flush(reading, result);
    }
}

static void read_events(struct tf_result *result, const char *directory)
{
    char path[PATH_MAX], *line = NULL;
    size_t size = 0;
    ssize_t length;
    struct reading reading = {.lives = tf_lives_new()};
    snprintf(path, sizeof(path), "%s/events.jsonl", directory);
    FILE *file = fopen(path, "re");
    while (file != NULL && (length = getline(&line, &size, file)) > 0) {
        json_t *event = json_loadb(line, (size_t)length, 0, NULL);
        if (event != NULL)
            take(&reading, result, event);
    }
    flush(&reading, result);
    tf_result_lives(result, reading.lives);
    tf_lives_free(reading.lives);
    free(line);
    if (file != NULL)
        fclose(file);
}

/* ---- run.json ---- */

static char *command_of(const json_t *words)
{
    char *text = NULL;
    size_t size, i;
    json_t *each;
    FILE *out = open_memstream(&text, &size);
    json_array_foreach(words, i, each)
    {
        if (out != NULL && json_is_string(each))
            fprintf(out, "%s%s", i > 0 ? " " : "", json_string_value(each));
    }
    if (out == NULL)
        return NULL;
    fclose(out);
    char *clean = tf_text_clean(text, strlen(text), TF_RESULT_VALUE, false);
    for (char *at = clean; at != NULL && *at != 0; at++)
        *at = *at == '\n' || *at == '\t' ? ' ' : *at;
    free(text);
    return clean;
}

static bool add_rules(struct tf_program_result_text *program, const json_t *rules)
{
    size_t i;
    json_t *each;
    bool all = true;
    json_array_foreach(rules, i, each)
    {
        struct tf_rule_result *rule = tf_result_rule(program, word(each, "text"));
        if (rule == NULL)
            return false;
        rule->counted = (uint64_t)number(each, "counted");
        rule->fired = (uint64_t)number(each, "fired");
        rule->undelivered = (uint64_t)number(each, "undelivered");
        program->fired += rule->fired;
        all = all && rule->fired > 0;
    }
    return all;
}

static int add_program(struct tf_result *result, const json_t *run, bool *fired)
{
    const json_t *words = json_object_get(run, "command"), *status = json_object_get(run, "status");
    struct tf_program_result_text *program = tf_result_program(result);
    const char *name = json_string_value(json_array_get(words, 0));
    char end[64] = "did not end";
    if (program == NULL)
        return -1;
    name = name != NULL ? name : "";
    name = strrchr(name, '/') != NULL ? strrchr(name, '/') + 1 : name;
    if (json_is_integer(status))
        snprintf(end, sizeof(end), "ended with status %lld", (long long)json_integer_value(status));
    program->name = tf_text_clean(name, strlen(name), 64, false);
    program->command = command_of(words);
    program->end = strdup(end);
    program->out = strdup("");
    program->err = strdup("");
    *fired = add_rules(program, json_object_get(run, "rules"));
    return program->name == NULL || program->command == NULL ? -1 : 0;
}

static int add_findings(struct tf_result *result, const json_t *findings, struct tf_error *error)
{
    size_t i;
    json_t *each;
    json_array_foreach(findings, i, each)
    {
        struct tf_finding finding;
        if (tf_finding_parse(&finding, each, error) != 0 || tf_result_finding(result, &finding) != 0)
            return -1;
    }
    return 0;
}

static int add_unfired(struct tf_result *result)
{
    const struct tf_program_result_text *program = &result->programs[0];
    int status = 0;
    for (size_t i = 0; i < program->rules_count && status == 0; i++) {
        const struct tf_rule_result *rule = &program->rules[i];
        if (rule->fired == 0)
            status = tf_result_unfired(result, program->name, (unsigned int)i + 1, rule->text, rule->counted,
                                       rule->undelivered > 0 ? "it was not delivered" : NULL);
    }
    return status;
}

/* A status of 3 is the tool's own, as far as one can tell. */
static int judge(struct tf_result *result, const json_t *run, bool fired)
{
    const json_t *status = json_object_get(run, "status");
    const char *reason = !json_is_integer(status)                    ? "it did not get to its end"
                         : !fired && json_integer_value(status) == 3 ? "a rule never fired"
                                                                     : "";
    result->status = reason[0] != 0 ? TF_BROKEN : TF_HELD;
    for (size_t i = 0; i < result->findings_count && result->status == TF_HELD; i++)
        result->status = tf_finding_counts(&result->findings[i]) ? TF_FAILED : TF_HELD;
    result->reason = strdup(reason);
    return result->status == TF_BROKEN && !fired ? add_unfired(result) : 0;
}

/* The command line that made it, as far as it changes anything. */
static char *reproduction(const struct tf_result *result, const json_t *run)
{
    const struct tf_program_result_text *program = &result->programs[0];
    char *text = NULL;
    size_t size, i;
    json_t *each;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    fprintf(out, "tcpfault %.20s", word(run, "subcommand"));
    for (i = 0; i < program->rules_count; i++)
        tf_run_quote(out, program->rules[i].text);
    if (result->seed != 0)
        fprintf(out, " --seed %llu", (unsigned long long)result->seed);
    fputs(" --", out);
    json_array_foreach(json_object_get(run, "command"), i, each)
    {
        if (json_is_string(each))
            tf_run_quote(out, json_string_value(each));
    }
    fclose(out);
    char *clean = tf_text_clean(text, strlen(text), TF_RESULT_VALUE, false);
    free(text);
    return clean;
}

int tf_saved_session(struct tf_result *result, const json_t *run, const char *directory,
                     struct tf_error *error)
{
    bool fired;
    result->file = strdup("");
    result->suite = strdup(strcmp(word(run, "subcommand"), "trace") == 0 ? "trace" : "inject");
    result->about = strdup("");
    result->directory =
        directory != NULL ? tf_text_clean(directory, strlen(directory), PATH_MAX, false) : strdup("");
    result->seed = (uint64_t)number(run, "seed");
    if (add_program(result, run, &fired) != 0)
        return tf_error_set(error, "out of memory");
    result->name = strdup(result->programs[0].command);
    result->reproduce = reproduction(result, run);
    if (add_findings(result, json_object_get(run, "findings"), error) != 0)
        return -1;
    if (judge(result, run, fired) != 0)
        return tf_error_set(error, "out of memory");
    if (directory != NULL)
        read_events(result, directory);
    return 0;
}
