/* Findings as JSON: between the case's process and the runner, and in reports. */
#include "result.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const severities[] = {"note", "warning", "error"};
static const char *const states[] = {"new", "known", "suppressed"};

const char *tf_severity_name(enum tf_severity severity)
{
    return severities[severity];
}

const char *tf_finding_state_name(enum tf_finding_state state)
{
    return states[state];
}

bool tf_finding_counts(const struct tf_finding *finding)
{
    return finding->state == TF_FINDING_NEW && finding->check->severity > TF_NOTE;
}

static const char *text(const char *string)
{
    return string != NULL ? string : "";
}

int tf_frame_show(const struct tf_frame *frame, char *out, size_t size)
{
    const char *function = text(frame->function), *module = text(frame->module);
    const char *slash = strrchr(module, '/');
    module = slash != NULL ? slash + 1 : module;
    if (text(frame->file)[0] != '\0' && function[0] != '\0')
        return snprintf(out, size, "%s at %s:%u", function, frame->file, frame->line);
    if (text(frame->file)[0] != '\0')
        return snprintf(out, size, "%s:%u", frame->file, frame->line);
    return snprintf(out, size, "%s%s%s+0x%" PRIx64, function, function[0] != '\0' ? " in " : "", module,
                    frame->offset);
}

int tf_finding_show(const struct tf_finding *finding, char *out, size_t size)
{
    char site[512] = "", state[24] = "";
    if (finding->frames_count > 0)
        tf_frame_show(&finding->frames[0], site, sizeof(site));
    if (finding->state != TF_FINDING_NEW)
        snprintf(state, sizeof(state), ", %s", tf_finding_state_name(finding->state));
    return snprintf(out, size, "%s%s: %s: %s%s%s%s", tf_severity_name(finding->check->severity), state,
                    finding->check->name, text(finding->message), site[0] != '\0' ? " (" : "", site,
                    site[0] != '\0' ? ")" : "");
}

/* ---- to JSON ---- */

static json_t *frames_json(const struct tf_finding *finding)
{
    json_t *array = json_array();
    for (size_t i = 0; i < finding->frames_count; i++) {
        const struct tf_frame *frame = &finding->frames[i];
        char offset[24];
        snprintf(offset, sizeof(offset), "0x%" PRIx64, frame->offset);
        json_array_append_new(array,
                              json_pack("{so ss so so si}", "module", tf_text_json(text(frame->module)),
                                        "offset", offset, "function", tf_text_json(text(frame->function)),
                                        "file", tf_text_json(text(frame->file)), "line", (int)frame->line));
    }
    return array;
}

json_t *tf_finding_json(const struct tf_finding *finding)
{
    const struct tf_check_info *check = finding->check;
    json_t *life = json_array();
    for (size_t i = 0; i < finding->life_count; i++)
        json_array_append_new(life, tf_text_json(text(finding->life[i])));
    json_t *json = json_pack(
        "{ss ss ss ss ss ss ss so so so so ss ss sI si si so so so}", "id", finding->id, "check", check->name,
        "title", text(check->title), "severity", tf_severity_name(check->severity), "why", text(check->why),
        "source", text(check->source), "state", tf_finding_state_name(finding->state), "excuse",
        tf_text_json(text(finding->excuse)), "program", tf_text_json(text(finding->program)), "message",
        tf_text_json(text(finding->message)), "rule", tf_text_json(text(finding->rule)), "call",
        text(finding->call), "error", text(finding->error), "time_ns", (json_int_t)finding->time_ns, "conn",
        (int)finding->conn, "times", (int)finding->times, "frames", frames_json(finding), "life", life,
        "reproduce", tf_text_json(text(finding->reproduce)));
    if (json != NULL && finding->event != UINT64_MAX)
        json_object_set_new(json, "event", json_integer((json_int_t)finding->event));
    return json;
}

/* ---- and back ---- */

static const char *member(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value != NULL ? value : "";
}

/* Which of the names it is; `count` where it is none. */
static unsigned int choice(const char *name, const char *const *names, unsigned int count)
{
    unsigned int i = 0;
    while (i < count && strcmp(names[i], name) != 0)
        i++;
    return i;
}

/* The row and its texts in one block. */
static struct tf_check_info *read_check(const json_t *json, enum tf_severity severity)
{
    const char *const values[] = {member(json, "check"), member(json, "title"), member(json, "why"),
                                  member(json, "source")};
    size_t size = sizeof(struct tf_check_info);
    for (int i = 0; i < 4; i++)
        size += strlen(values[i]) + 1;
    struct tf_check_info *check = malloc(size);
    if (check == NULL)
        return NULL;
    char *copies[4], *at = (char *)(check + 1);
    for (int i = 0; i < 4; i++) {
        copies[i] = at;
        at = stpcpy(at, values[i]) + 1;
    }
    for (at = copies[0]; at < (char *)check + size; at++) /* the file may be anybody's */
        *at = *at != '\0' && ((unsigned char)*at < ' ' || (unsigned char)*at >= 0x7f) ? '?' : *at;
    *check = (struct tf_check_info){
        .name = copies[0], .title = copies[1], .severity = severity, .why = copies[2], .source = copies[3]};
    return check;
}

static int read_lists(struct tf_finding *finding, const json_t *json)
{
    const json_t *frames = json_object_get(json, "frames"), *life = json_object_get(json, "life");
    finding->frames = calloc(json_array_size(frames) + 1, sizeof(*finding->frames));
    finding->life = calloc(json_array_size(life) + 1, sizeof(*finding->life));
    if (finding->frames == NULL || finding->life == NULL)
        return -1;
    size_t i;
    json_t *each;
    json_array_foreach(frames, i, each)
    {
        finding->frames[finding->frames_count++] =
            (struct tf_frame){.module = strdup(member(each, "module")),
                              .offset = strtoull(member(each, "offset"), NULL, 16),
                              .function = strdup(member(each, "function")),
                              .file = strdup(member(each, "file")),
                              .line = (unsigned int)json_integer_value(json_object_get(each, "line"))};
    }
    json_array_foreach(life, i, each)
    {
        finding->life[finding->life_count++] = strdup(text(json_string_value(each)));
    }
    return 0;
}

int tf_finding_parse(struct tf_finding *finding, const json_t *json, struct tf_error *error)
{
    unsigned int severity = choice(member(json, "severity"), severities, 3);
    unsigned int state = choice(member(json, "state"), states, 3);
    const json_t *event = json_object_get(json, "event");
    memset(finding, 0, sizeof(*finding));
    if (member(json, "check")[0] == '\0' || severity == 3 || state == 3)
        return tf_error_set(error, "a finding without a check, a severity or a state");
    snprintf(finding->id, sizeof(finding->id), "%s", member(json, "id"));
    finding->state = state;
    finding->excuse = strdup(member(json, "excuse"));
    finding->program = strdup(member(json, "program"));
    finding->message = strdup(member(json, "message"));
    finding->rule = strdup(member(json, "rule"));
    finding->call = strdup(member(json, "call"));
    finding->error = strdup(member(json, "error"));
    finding->reproduce = strdup(member(json, "reproduce"));
    finding->event = json_is_integer(event) ? (uint64_t)json_integer_value(event) : UINT64_MAX;
    finding->time_ns = (uint64_t)json_integer_value(json_object_get(json, "time_ns"));
    finding->conn = (uint32_t)json_integer_value(json_object_get(json, "conn"));
    finding->times = (unsigned int)json_integer_value(json_object_get(json, "times"));
    finding->check = finding->read_check = read_check(json, severity);
    if (finding->check == NULL || read_lists(finding, json) != 0) {
        tf_finding_fini(finding);
        return tf_error_set(error, "out of memory");
    }
    return 0;
}

void tf_finding_fini(struct tf_finding *finding)
{
    for (size_t i = 0; i < finding->frames_count; i++) {
        free(finding->frames[i].module);
        free(finding->frames[i].function);
        free(finding->frames[i].file);
    }
    for (size_t i = 0; i < finding->life_count; i++)
        free(finding->life[i]);
    free(finding->frames);
    free(finding->life);
    free(finding->excuse);
    free(finding->program);
    free(finding->message);
    free(finding->rule);
    free(finding->call);
    free(finding->error);
    free(finding->reproduce);
    free(finding->read_check);
    memset(finding, 0, sizeof(*finding));
}
