/* Results from JSON: what result_json.c wrote, also by an earlier run. */
#include "result.h"

#include <stdlib.h>
#include <string.h>

/* Cleaned once more: the file may be anybody's. */
static char *string(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    size_t length = json_string_length(value);
    return tf_text_clean(length > 0 ? json_string_value(value) : "", length, length, false);
}

static uint64_t number(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

static void parse_rules(struct tf_program_result_text *program, const json_t *array)
{
    size_t i;
    json_t *each;
    json_array_foreach(array, i, each)
    {
        struct tf_rule_result *rule =
            tf_result_rule(program, json_string_value(json_object_get(each, "text")));
        if (rule == NULL)
            return;
        free(rule->calls);
        rule->calls = string(each, "calls");
        rule->counted = number(each, "counted");
        rule->fired = number(each, "fired");
        rule->undelivered = number(each, "undelivered");
    }
}

static int parse_findings(struct tf_result *result, const json_t *array, struct tf_error *error)
{
    size_t i;
    json_t *each;
    json_array_foreach(array, i, each)
    {
        struct tf_finding finding;
        if (tf_finding_parse(&finding, each, error) != 0)
            return -1;
        if (tf_result_finding(result, &finding) != 0)
            return tf_error_set(error, "out of memory");
    }
    return 0;
}

static void parse_programs(struct tf_result *result, const json_t *array)
{
    size_t i;
    json_t *each;
    json_array_foreach(array, i, each)
    {
        struct tf_program_result_text *program = tf_result_program(result);
        if (program == NULL)
            return;
        program->name = string(each, "name");
        program->command = string(each, "command");
        program->end = string(each, "end");
        program->ran_ns = number(each, "ran_ns");
        program->fired = number(each, "fired");
        program->out = string(each, "stdout");
        program->err = string(each, "stderr");
        program->out_bytes = number(each, "stdout_bytes");
        program->err_bytes = number(each, "stderr_bytes");
        program->tcp = tf_traffic_get(each);
        json_t *usual = json_object_get(each, "without_faults");
        if (json_is_object(usual)) {
            program->usual.end = string(usual, "end");
            program->usual.tcp = tf_traffic_get(usual);
        }
        parse_rules(program, json_object_get(each, "rules"));
    }
}

static void parse_lists(struct tf_result *result, const json_t *json)
{
    size_t i;
    json_t *each;
    json_array_foreach(json_object_get(json, "failures"), i, each)
    {
        tf_result_failure(result, json_is_true(json_object_get(each, "broken")),
                          json_string_value(json_object_get(each, "program")),
                          json_string_value(json_object_get(each, "check")),
                          json_string_value(json_object_get(each, "expected")),
                          json_string_value(json_object_get(each, "got")));
    }
    json_array_foreach(json_object_get(json, "events"), i, each)
    {
        tf_result_event(result, json_string_value(each));
    }
    json_array_foreach(json_object_get(json, "notes"), i, each)
    {
        tf_result_note(result, json_string_value(each));
    }
    json_array_foreach(json_object_get(json, "transitions"), i, each)
    {
        tf_result_transition(result, json_string_value(each));
    }
    if (json_array_size(json_object_get(json, "timeline")) > 0)
        result->timeline = json_incref(json_object_get(json, "timeline"));
    parse_programs(result, json_object_get(json, "programs"));
}

int tf_result_parse(struct tf_result *result, const json_t *json, struct tf_error *error)
{
    memset(result, 0, sizeof(*result));
    const char *status = json_string_value(json_object_get(json, "status"));
    if (number(json, "version") != TF_RESULT_VERSION || status == NULL)
        return tf_error_set(error, "not a result of version %d", TF_RESULT_VERSION);
    while (result->status < TF_STATUSES && strcmp(status, tf_status_name(result->status)) != 0)
        result->status++;
    if (result->status == TF_STATUSES)
        return tf_error_set(error, "\"%.40s\" is no status", status);
    const char *verdict = json_string_value(json_object_get(json, "verdict"));
    for (int i = TF_NO_VERDICT + 1; verdict != NULL && i < TF_VERDICTS; i++)
        if (strcmp(verdict, tf_verdict_name(i)) == 0)
            result->verdict = i;
    result->file = string(json, "file");
    result->suite = string(json, "suite");
    result->name = string(json, "name");
    result->about = string(json, "about");
    result->reason = string(json, "reason");
    result->reproduce = string(json, "reproduce");
    result->directory = string(json, "directory");
    const char *seed = json_string_value(json_object_get(json, "seed"));
    result->seed = seed != NULL ? strtoull(seed, NULL, 10) : 0;
    result->repeat = (unsigned int)number(json, "repeat");
    result->started_realtime_ns = number(json, "started_ns");
    result->duration_ns = number(json, "duration_ns");
    result->line = (unsigned int)number(json, "line");
    parse_lists(result, json);
    if (parse_findings(result, json_object_get(json, "findings"), error) == 0)
        return 0;
    tf_result_fini(result);
    return -1;
}
