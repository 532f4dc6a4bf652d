/* Results as JSON: between the case's process and the runner, in results.jsonl,
 * and in the json report. Its shape is run.schema.json's. */
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

static json_t *rules_json(const struct tf_program_result_text *program)
{
    json_t *array = json_array();
    for (size_t i = 0; i < program->rules_count; i++) {
        const struct tf_rule_result *rule = &program->rules[i];
        json_array_append_new(array, json_pack("{ss ss ss sI sI sI}", "text", text(rule->text), "fault",
                                               text(rule->fault), "calls", text(rule->calls), "counted",
                                               (json_int_t)rule->counted, "fired", (json_int_t)rule->fired,
                                               "undelivered", (json_int_t)rule->undelivered));
    }
    return array;
}

static json_t *programs_json(const struct tf_result *result)
{
    json_t *array = json_array();
    for (size_t i = 0; i < result->programs_count; i++) {
        const struct tf_program_result_text *program = &result->programs[i];
        json_t *one = json_pack("{ss ss ss sI sI so ss ss sI sI}", "name", text(program->name), "command",
                                text(program->command), "end", text(program->end), "ran_ns",
                                (json_int_t)program->ran_ns, "fired", (json_int_t)program->fired, "rules",
                                rules_json(program), "stdout", text(program->out), "stderr",
                                text(program->err), "stdout_bytes", (json_int_t)program->out_bytes,
                                "stderr_bytes", (json_int_t)program->err_bytes);
        tf_traffic_put(one, &program->tcp);
        if (program->usual.end != NULL) {
            json_t *usual = json_pack("{ss}", "end", program->usual.end);
            tf_traffic_put(usual, &program->usual.tcp);
            json_object_set_new(one, "without_faults", usual);
        }
        json_array_append_new(array, one);
    }
    return array;
}

static json_t *findings_json(const struct tf_result *result)
{
    json_t *array = json_array();
    for (size_t i = 0; i < result->findings_count; i++)
        json_array_append_new(array, tf_finding_json(&result->findings[i]));
    return array;
}

json_t *tf_result_json(const struct tf_result *result)
{
    char seed[24]; /* a string: JSON's numbers end at 2^53 for most readers */
    snprintf(seed, sizeof(seed), "%llu", (unsigned long long)result->seed);
    json_t *timeline = result->timeline != NULL ? json_incref(result->timeline) : json_array();
    json_t *json = json_pack(
        "{si ss si ss ss ss ss ss ss si sI sI so so so so so so so ss ss}", "version", TF_RESULT_VERSION,
        "file", text(result->file), "line", (int)result->line, "suite", text(result->suite), "name",
        text(result->name), "about", text(result->about), "status", tf_status_name(result->status), "reason",
        text(result->reason), "seed", seed, "repeat", (int)result->repeat, "started_ns",
        (json_int_t)result->started_realtime_ns, "duration_ns", (json_int_t)result->duration_ns, "failures",
        failures_json(result), "findings", findings_json(result), "programs", programs_json(result), "events",
        lines_json(result->events, result->events_count), "timeline", timeline, "transitions",
        lines_json(result->transitions, result->transitions_count), "notes",
        lines_json(result->notes, result->notes_count), "reproduce", text(result->reproduce), "directory",
        text(result->directory));
    if (result->verdict != TF_NO_VERDICT)
        json_object_set_new(json, "verdict", json_string(tf_verdict_name(result->verdict)));
    return json;
}
