/* Results as JSON: between the case's process and the runner, in results.jsonl,
 * and in the json report. */
#include "result.h"

#include <stdlib.h>
#include <string.h>

static json_t *lines_json(char *const *lines, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_string(lines[i]));
    return array;
}

static json_t *failures_json(const struct tf_result *result)
{
    json_t *array = json_array();
    for (size_t i = 0; i < result->failures_count; i++) {
        const struct tf_failure *failure = &result->failures[i];
        json_array_append_new(array, json_pack("{ss ss ss ss sb}", "program", failure->program, "check",
                                               failure->check, "expected", failure->expected, "got",
                                               failure->got, "broken", failure->broken));
    }
    return array;
}

static const char *text(const char *string)
{
    return string != NULL ? string : "";
}

static json_t *programs_json(const struct tf_result *result)
{
    json_t *array = json_array();
    for (size_t i = 0; i < result->programs_count; i++) {
        const struct tf_program_result_text *program = &result->programs[i];
        json_array_append_new(
            array, json_pack("{ss ss ss sI sI ss ss sI sI}", "name", text(program->name), "command",
                             text(program->command), "end", text(program->end), "ran_ns",
                             (json_int_t)program->ran_ns, "fired", (json_int_t)program->fired, "stdout",
                             text(program->out), "stderr", text(program->err), "stdout_bytes",
                             (json_int_t)program->out_bytes, "stderr_bytes", (json_int_t)program->err_bytes));
    }
    return array;
}

json_t *tf_result_json(const struct tf_result *result)
{
    char seed[24]; /* a string: JSON's numbers end at 2^53 for most readers */
    snprintf(seed, sizeof(seed), "%llu", (unsigned long long)result->seed);
    return json_pack("{si ss ss ss ss ss ss ss si sI sI so so so so ss ss}", "version", TF_RESULT_VERSION,
                     "file", text(result->file), "suite", text(result->suite), "name", text(result->name),
                     "about", text(result->about), "status", tf_status_name(result->status), "reason",
                     text(result->reason), "seed", seed, "repeat", (int)result->repeat, "started_ns",
                     (json_int_t)result->started_realtime_ns, "duration_ns", (json_int_t)result->duration_ns,
                     "failures", failures_json(result), "programs", programs_json(result), "events",
                     lines_json(result->events, result->events_count), "notes",
                     lines_json(result->notes, result->notes_count), "reproduce", text(result->reproduce),
                     "directory", text(result->directory));
}

/* ---- back ---- */

static char *string(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return strdup(value != NULL ? value : "");
}

static uint64_t number(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
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
    parse_lists(result, json);
    return 0;
}
