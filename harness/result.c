#include "result.h"

#include "rule.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *tf_status_name(enum tf_status status)
{
    static const char *const names[TF_STATUSES] = {"ok", "failed", "broken", "skipped"};
    return names[status];
}

const char *tf_verdict_name(enum tf_verdict verdict)
{
    static const char *const names[TF_VERDICTS] = {"",          "pass",           "finding",
                                                   "tolerated", "not applicable", "not tested"};
    return names[verdict];
}

/* ---- text ---- */

/* How many bytes the printable character at `at` has; 0: it is to be escaped.
 * Also to be escaped: C1 controls, and what turns the direction of writing or is
 * invisible, so that a report cannot be made to read as what it isn't. */
static size_t printable(const unsigned char *at, size_t left)
{
    uint32_t c = at[0];
    if (c < 0x80)
        return (c >= 0x20 && c < 0x7f) || c == '\n' || c == '\t' ? 1 : 0;
    size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 0;
    if (length == 0 || length > left || c > 0xf4)
        return 0;
    c &= 0x7fu >> length;
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (at[i] & 0x3fu);
    }
    bool overlong = (length == 3 && c < 0x800) || (length == 4 && c < 0x10000);
    bool hidden = (c >= 0x80 && c < 0xa0) || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
                  (c >= 0x2066 && c <= 0x2069) || c == 0xfeff || (c & 0xfffe) == 0xfffe;
    bool outside = (c >= 0xd800 && c < 0xe000) || (c >= 0xfdd0 && c <= 0xfdef) || c > 0x10ffff;
    return overlong || hidden || outside ? 0 : length;
}

char *tf_text_clean(const char *text, size_t length, size_t limit, bool cut_front)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + length;
    bool cut = length > limit;
    if (cut && cut_front) {
        at = end - limit;
        /* Not in the middle of a character. */
        for (int i = 0; i < 3 && at < end && (*at & 0xc0) == 0x80; i++)
            at++;
    } else if (cut) {
        end = at + limit;
        for (int i = 0; i < 3 && end > at && (*end & 0xc0) == 0x80; i++)
            end--;
    }
    char *clean = malloc(4 * (size_t)(end - at) + 8), *out = clean;
    if (clean == NULL)
        return NULL;
    if (cut && cut_front)
        out = stpcpy(out, "...");
    while (at < end) {
        size_t bytes = printable(at, (size_t)(end - at));
        if (bytes == 0) {
            out += sprintf(out, "\\x%02x", *at++);
            continue;
        }
        memcpy(out, at, bytes);
        out += bytes;
        at += bytes;
    }
    strcpy(out, cut && !cut_front ? "..." : "");
    return clean;
}

json_t *tf_text_json(const char *text)
{
    json_t *json = json_string(text);
    if (json != NULL)
        return json;
    char *clean = tf_text_clean(text, strlen(text), strlen(text), false);
    json = json_string(clean != NULL ? clean : "");
    free(clean);
    return json;
}

static char *value(const char *text)
{
    text = text != NULL ? text : "";
    return tf_text_clean(text, strlen(text), TF_RESULT_VALUE, false);
}

/* ---- building ---- */

int tf_result_failure(struct tf_result *result, bool broken, const char *program, const char *check,
                      const char *expected, const char *got)
{
    if (result->failures_count == TF_RESULT_FAILURES)
        return 0;
    struct tf_failure *grown =
        realloc(result->failures, (result->failures_count + 1) * sizeof(*result->failures));
    if (grown == NULL)
        return -1;
    result->failures = grown;
    struct tf_failure *failure = &grown[result->failures_count++];
    *failure = (struct tf_failure){.program = value(program),
                                   .check = value(check),
                                   .expected = value(expected),
                                   .got = value(got),
                                   .broken = broken};
    return failure->program == NULL || failure->check == NULL || failure->expected == NULL ||
                   failure->got == NULL
               ? -1
               : 0;
}

int tf_result_unfired(struct tf_result *result, const char *program, unsigned int number, const char *rule,
                      uint64_t counted, const char *why)
{
    char expected[TF_RESULT_VALUE], got[256];
    if (why != NULL)
        snprintf(got, sizeof(got), "it could not happen: %s", why);
    else if (counted > 0)
        snprintf(got, sizeof(got), "%" PRIu64 " call%s met its selectors, but none its \"when\" or \"prob\"",
                 counted, counted == 1 ? "" : "s");
    else
        snprintf(got, sizeof(got), "no call met its selectors");
    snprintf(expected, sizeof(expected), "rule %u, %s, to strike", number, rule);
    return tf_result_failure(result, true, program, TF_UNFIRED, expected, got);
}

static int append(char ***lines, size_t *count, const char *line)
{
    char **grown = realloc(*lines, (*count + 1) * sizeof(**lines));
    if (grown == NULL)
        return -1;
    *lines = grown;
    grown[*count] = value(line);
    return grown[*count] != NULL ? (*count += 1, 0) : -1;
}

int tf_result_event(struct tf_result *result, const char *line)
{
    return append(&result->events, &result->events_count, line);
}

int tf_result_note(struct tf_result *result, const char *line)
{
    return append(&result->notes, &result->notes_count, line);
}

int tf_result_transition(struct tf_result *result, const char *states)
{
    for (size_t i = 0; i < result->transitions_count; i++)
        if (states != NULL && strcmp(result->transitions[i], states) == 0)
            return 0;
    return append(&result->transitions, &result->transitions_count, states);
}

int tf_result_moment(struct tf_result *result, json_t *event)
{
    if (event == NULL)
        return 0;
    if (result->timeline == NULL)
        result->timeline = json_array();
    return json_array_append_new(result->timeline, event); /* takes it also where that fails */
}

size_t tf_result_findings(const struct tf_result *result, enum tf_severity severity)
{
    size_t count = 0;
    for (size_t i = 0; i < result->findings_count; i++)
        count +=
            result->findings[i].state == TF_FINDING_NEW && result->findings[i].check->severity == severity;
    return count;
}

/* On one line, whatever it holds. */
static void clean_in_place(char **text)
{
    char *clean = value(*text);
    for (char *at = clean; at != NULL && *at != '\0'; at++)
        *at = *at == '\n' || *at == '\t' ? ' ' : *at;
    free(*text);
    *text = clean;
}

int tf_result_finding(struct tf_result *result, struct tf_finding *finding)
{
    for (size_t i = 0; i < result->findings_count; i++)
        if (strcmp(result->findings[i].id, finding->id) == 0) {
            result->findings[i].times += finding->times;
            tf_finding_fini(finding);
            return 0;
        }
    struct tf_finding *grown =
        realloc(result->findings, (result->findings_count + 1) * sizeof(*result->findings));
    if (grown == NULL) {
        tf_finding_fini(finding);
        return -1;
    }
    result->findings = grown;
    char **texts[] = {&finding->excuse, &finding->program, &finding->message,  &finding->rule,
                      &finding->call,   &finding->error,   &finding->reproduce};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        clean_in_place(texts[i]);
    for (size_t i = 0; i < finding->life_count; i++)
        clean_in_place(&finding->life[i]);
    for (size_t i = 0; i < finding->frames_count; i++) {
        clean_in_place(&finding->frames[i].module);
        clean_in_place(&finding->frames[i].function);
        clean_in_place(&finding->frames[i].file);
    }
    grown[result->findings_count++] = *finding;
    memset(finding, 0, sizeof(*finding));
    return 0;
}

/* The parts of a rule's text that are effects; a selector's value may hold ":",
 * but no effect's name stands there. */
static char *fault_of(const char *rule)
{
    char *fault = calloc(1, strlen(rule) + 1), *end = fault;
    const char *at = strchr(rule, ':');
    while (fault != NULL && at != NULL) {
        const char *part = at + 1;
        size_t length = strcspn(part, ":"), name = strcspn(part, ":=");
        for (int i = 0; i < TF_EFFECTS; i++)
            if (strlen(tf_effect_name(i)) == name && strncmp(tf_effect_name(i), part, name) == 0)
                end += sprintf(end, "%s%.*s", end > fault ? " " : "", (int)length, part);
        at = part[length] != '\0' ? part + length : NULL;
    }
    return fault;
}

struct tf_rule_result *tf_result_rule(struct tf_program_result_text *program, const char *text)
{
    struct tf_rule_result *grown =
        realloc(program->rules, (program->rules_count + 1) * sizeof(*program->rules));
    if (grown == NULL)
        return NULL;
    program->rules = grown;
    struct tf_rule_result *rule = &grown[program->rules_count++];
    *rule = (struct tf_rule_result){.text = value(text), .calls = strdup("")};
    rule->fault = rule->text != NULL ? fault_of(rule->text) : NULL;
    return rule;
}

struct tf_program_result_text *tf_result_program(struct tf_result *result)
{
    struct tf_program_result_text *grown =
        realloc(result->programs, (result->programs_count + 1) * sizeof(*result->programs));
    if (grown == NULL)
        return NULL;
    result->programs = grown;
    struct tf_program_result_text *program = &grown[result->programs_count++];
    memset(program, 0, sizeof(*program));
    return program;
}

static void free_lines(char **lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(lines[i]);
    free(lines);
}

void tf_result_fini(struct tf_result *result)
{
    for (size_t i = 0; i < result->failures_count; i++) {
        free(result->failures[i].program);
        free(result->failures[i].check);
        free(result->failures[i].expected);
        free(result->failures[i].got);
    }
    for (size_t i = 0; i < result->programs_count; i++) {
        free(result->programs[i].name);
        free(result->programs[i].command);
        free(result->programs[i].end);
        free(result->programs[i].out);
        free(result->programs[i].err);
        free(result->programs[i].usual.end);
        for (size_t j = 0; j < result->programs[i].rules_count; j++) {
            free(result->programs[i].rules[j].text);
            free(result->programs[i].rules[j].fault);
            free(result->programs[i].rules[j].calls);
        }
        free(result->programs[i].rules);
    }
    for (size_t i = 0; i < result->findings_count; i++)
        tf_finding_fini(&result->findings[i]);
    json_decref(result->timeline);
    free_lines(result->transitions, result->transitions_count);
    free(result->findings);
    free(result->failures);
    free(result->programs);
    free_lines(result->events, result->events_count);
    free_lines(result->notes, result->notes_count);
    free(result->file);
    free(result->suite);
    free(result->name);
    free(result->about);
    free(result->reason);
    free(result->reproduce);
    free(result->directory);
    memset(result, 0, sizeof(*result));
}
