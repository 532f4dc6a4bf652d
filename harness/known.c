#include "known.h"

#include "check.h"
#include "rule.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ID = 16 };

struct rule {
    char what[64]; /* a check's name, or an id */
    char program[128];
    char *reason;
};

struct tf_known {
    char (*id)[ID + 1];
    size_t ids, room;
    struct rule *rule;
    size_t rules;
};

void tf_known_free(struct tf_known *known)
{
    if (!known)
        return;
    for (size_t i = 0; i < known->rules; i++)
        free(known->rule[i].reason);
    free(known->rule);
    free(known->id);
    free(known);
}

static bool is_id(const char *text)
{
    return strlen(text) == ID && strspn(text, "0123456789abcdef") == ID;
}

/* ---- baseline ---- */

static int add_id(struct tf_known *known, const char *id)
{
    if (known->ids == known->room) {
        size_t room = known->room ? 2 * known->room : 64;
        void *grown = realloc(known->id, room * sizeof *known->id);
        if (!grown)
            return -1;
        known->id = grown;
        known->room = room;
    }
    memcpy(known->id[known->ids++], id, ID + 1);
    return 0;
}

/* Whatever the format: what has the form of an id is one. */
static int gather(struct tf_known *known, const json_t *json, int depth)
{
    const char *key;
    json_t *value;
    size_t i;
    int result = 0;
    if (depth > 64)
        return 0;
    if (json_is_string(json) && is_id(json_string_value(json)))
        result = add_id(known, json_string_value(json));
    json_array_foreach(json, i, value) result |= gather(known, value, depth + 1);
    if (json_is_object(json)) {
        json_object_foreach((json_t *)json, key, value) result |= gather(known, value, depth + 1);
    }
    return result;
}

static int load_baseline(struct tf_known *known, const char *path, struct tf_error *error)
{
    json_error_t wrong;
    json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &wrong);
    if (!json)
        return wrong.line > 0
                   ? tf_error_set(error, "%s:%d:%d: %s", path, wrong.line, wrong.column, wrong.text)
                   : tf_error_set(error, "%s: %s", path, wrong.text);
    int result = gather(known, json, 0);
    json_decref(json);
    return result ? tf_error_set(error, "out of memory") : 0;
}

/* ---- suppressions ---- */

static unsigned clock_today(void)
{
    time_t now = time(NULL);
    struct tm day;
    localtime_r(&now, &day);
    return (unsigned)(day.tm_year + 1900) * 10000 + (unsigned)(day.tm_mon + 1) * 100 + (unsigned)day.tm_mday;
}

static int check_what(const char *what, const char *path, unsigned line, struct tf_error *error)
{
    const char *names[TF_CHECKS + 1] = {NULL};
    for (int i = 0; i < TF_CHECKS; i++) {
        names[i] = tf_check_info[i].name;
        if (!strcmp(names[i], what))
            return 0;
    }
    if (is_id(what))
        return 0;
    const char *nearest = tf_nearest(what, strlen(what), names);
    return tf_error_set(error, "%s:%u: \"%.60s\" is neither a check nor an id of 16 digits%s%s%s", path, line,
                        what, nearest ? "; did you mean \"" : "", nearest ? nearest : "",
                        nearest ? "\"?" : "");
}

static int parse_line(struct tf_known *known, char *text, const char *path, unsigned number, unsigned today,
                      struct tf_error *error)
{
    struct rule rule = {.reason = NULL};
    unsigned year, month, day, until = 0;
    char *rest = text, *word = strsep(&rest, " \t");
    if (strlen(word) >= sizeof rule.what || check_what(word, path, number, error))
        return strlen(word) >= sizeof rule.what ? tf_error_set(error, "%s:%u: too long a name", path, number)
                                                : -1;
    strcpy(rule.what, word);
    for (; rest; rest += strcspn(rest, " \t")) {
        rest += strspn(rest, " \t");
        int length = 0;
        if (sscanf(rest, "until=%4u-%2u-%2u%n", &year, &month, &day, &length) == 3 && length == 16 &&
            month >= 1 && month <= 12 && day >= 1 && day <= 31)
            until = year * 10000 + month * 100 + day;
        else if (!strncmp(rest, "program=", 8))
            snprintf(rule.program, sizeof rule.program, "%.*s", (int)strcspn(rest + 8, " \t"), rest + 8);
        else
            break;
    }
    if (!until)
        return tf_error_set(error, "%s:%u: expected until=YYYY-MM-DD, the day on which it expires", path,
                            number);
    if (!rest || !*rest)
        return tf_error_set(error, "%s:%u: expected a reason behind it", path, number);
    if (until < today) /* expired: it excuses nothing any more */
        return 0;
    struct rule *grown = realloc(known->rule, (known->rules + 1) * sizeof *grown);
    if (!grown)
        return tf_error_set(error, "out of memory");
    known->rule = grown;
    rule.reason = strdup(rest);
    if (!rule.reason)
        return tf_error_set(error, "out of memory");
    known->rule[known->rules++] = rule;
    return 0;
}

static int load_suppressions(struct tf_known *known, const char *path, unsigned today, struct tf_error *error)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    unsigned number = 0;
    int result = file ? 0 : tf_error_errno(error, errno, "%s", path);
    for (ssize_t length; !result && file && (length = getline(&line, &room, file)) >= 0;) {
        char *start = line;
        number++;
        while (length > 0 && isspace((unsigned char)line[length - 1]))
            line[--length] = 0;
        start += strspn(start, " \t");
        if (*start && *start != '#')
            result = parse_line(known, start, path, number, today ? today : clock_today(), error);
    }
    free(line);
    if (file)
        fclose(file);
    return result;
}

struct tf_known *tf_known_load(const char *baseline, const char *suppressions, unsigned today,
                               struct tf_error *error)
{
    struct tf_known *known = calloc(1, sizeof *known);
    if (!known) {
        tf_error_set(error, "out of memory");
        return NULL;
    }
    if ((baseline && load_baseline(known, baseline, error)) ||
        (suppressions && load_suppressions(known, suppressions, today, error))) {
        tf_known_free(known);
        return NULL;
    }
    return known;
}

int tf_known_apply(const struct tf_known *known, struct tf_finding *finding)
{
    for (size_t i = 0; known && i < known->rules; i++) {
        const struct rule *rule = &known->rule[i];
        bool meant = !strcmp(rule->what, finding->check->name) || !strcmp(rule->what, finding->id);
        if (!meant || (*rule->program && strcmp(rule->program, finding->program)))
            continue;
        char *excuse = strdup(rule->reason);
        if (!excuse)
            return -1;
        free(finding->excuse);
        finding->excuse = excuse;
        finding->state = TF_FINDING_SUPPRESSED;
        return 0;
    }
    for (size_t i = 0; known && i < known->ids; i++)
        if (!strcmp(known->id[i], finding->id))
            finding->state = TF_FINDING_KNOWN;
    return 0;
}
