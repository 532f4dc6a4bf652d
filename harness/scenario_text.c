#include "scenario_text.h"

#include "names.h"
#include "rule.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int tf_wrong_set(struct tf_wrong *wrong, size_t at, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    wrong->at = at;
    vsnprintf(wrong->message, sizeof(wrong->message), format, list);
    va_end(list);
    return -1;
}

/* ---- ranges ---- */

static const char *number(const char *at, const char *end, int64_t *value)
{
    const char *digit = at < end && *at == '-' ? at + 1 : at;
    if (digit == end || !isdigit((unsigned char)*digit))
        return NULL;
    char *rest;
    errno = 0;
    *value = strtoll(at, &rest, 10);
    return errno != 0 || rest > end ? NULL : rest;
}

int tf_range_parse(const char *text, size_t length, int64_t floor, struct tf_range *range,
                   struct tf_wrong *wrong)
{
    const char *end = text + length, *at = number(text, end, &range->min);
    if (at == NULL)
        return tf_wrong_set(wrong, 0, "\"%.60s\" is no count; expected N, N..M or N+", text);
    range->max = range->min;
    if (end - at == 1 && *at == '+') {
        range->max = INT64_MAX;
        at++;
    } else if (end - at > 2 && at[0] == '.' && at[1] == '.') {
        const char *second = at + 2;
        at = number(second, end, &range->max);
        if (at == NULL)
            return tf_wrong_set(wrong, (size_t)(second - text), "\"%.60s\" is no number", second);
    }
    if (at != end)
        return tf_wrong_set(wrong, (size_t)(at - text), "\"%.60s\" is no count; expected N, N..M or N+",
                            text);
    if (range->min < floor)
        return tf_wrong_set(wrong, 0, "%lld is too small; the least is %lld", (long long)range->min,
                            (long long)floor);
    if (range->max < range->min)
        return tf_wrong_set(wrong, 0, "the range \"%.60s\" ends before it begins", text);
    return 0;
}

void tf_range_format(struct tf_range range, char *out, size_t size)
{
    if (range.max == INT64_MAX)
        snprintf(out, size, "%lld+", (long long)range.min);
    else if (range.max == range.min)
        snprintf(out, size, "%lld", (long long)range.min);
    else
        snprintf(out, size, "%lld..%lld", (long long)range.min, (long long)range.max);
}

/* ---- signals ---- */

int tf_signal_parse(const char *text, size_t length, int *signal, struct tf_wrong *wrong)
{
    *signal = tf_signal_number(text, length);
    if (*signal > 0)
        return 0;
    const char *nearest = tf_nearest(text, length, tf_signal_words);
    if (nearest != NULL)
        return tf_wrong_set(wrong, 0, "unknown signal \"%.60s\"; did you mean \"%s\"?", text, nearest);
    return tf_wrong_set(wrong, 0, "unknown signal \"%.60s\"; expected a name of signal(7), such as SIGTERM",
                        text);
}

/* ---- words ---- */

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Appends the word at *at to `out`; leaves *at behind it. */
static int one_word(const char *text, size_t length, size_t *at, char *out, struct tf_wrong *wrong)
{
    char quote = '\0';
    size_t opened = 0;
    while (*at < length && (quote != '\0' || !blank(text[*at]))) {
        char c = text[(*at)++];
        if (quote == '\0' && (c == '\'' || c == '"')) {
            quote = c;
            opened = *at - 1;
        } else if (c == quote && c != '\0') {
            quote = '\0';
        } else if (c == '\\' && quote != '\'') {
            if (*at == length)
                return tf_wrong_set(wrong, *at - 1, "a backslash at the end quotes nothing");
            /* Inside "" a shell leaves a backslash before other characters alone. */
            if (quote == '"' && strchr("\"\\$`", text[*at]) == NULL)
                *out++ = c;
            *out++ = text[(*at)++];
        } else {
            *out++ = c;
        }
    }
    *out = '\0';
    if (quote != '\0')
        return tf_wrong_set(wrong, opened, "the quote %c is not closed", quote);
    return 0;
}

int tf_words_split(const char *text, size_t length, int (*word)(void *data, const char *word, size_t at),
                   void *data, struct tf_wrong *wrong)
{
    char *out = malloc(length + 1);
    if (out == NULL)
        return tf_wrong_set(wrong, 0, "out of memory");
    int result = 0;
    for (size_t at = 0; result == 0;) {
        while (at < length && blank(text[at]))
            at++;
        if (at == length)
            break;
        size_t begin = at;
        result = one_word(text, length, &at, out, wrong);
        if (result == 0)
            result = word(data, out, begin);
    }
    free(out);
    return result;
}

/* ---- regular expressions ---- */

/* glibc unrolls what is repeated: x+ is xx*, x{9} nine of it, and nested ones
 * multiply. So the size that an expression will have is bounded before. */
enum { REGEX_BYTES = 1024, REGEX_SIZE = 10000, REGEX_DEPTH = 64 };

/* Behind a bracket expression, whose [ is at `at`. */
static size_t behind_bracket(const char *text, size_t at)
{
    at += text[at + 1] == '^' ? 2 : 1;
    at += text[at] == ']';
    while (text[at] != '\0' && text[at] != ']') {
        char kind = text[at] == '[' ? text[at + 1] : '\0';
        const char end[] = {kind, ']', '\0'};
        const char *close = kind != '\0' && strchr(".:=", kind) != NULL ? strstr(text + at + 2, end) : NULL;
        at = close != NULL ? (size_t)(close - text) + 2 : at + 1;
    }
    return at + (text[at] == ']');
}

/* How often what stands before {n}, {n,} or {n,m} is written out. */
static unsigned long repeats(const char *brace)
{
    unsigned long most = 1;
    for (const char *at = brace + 1; isdigit((unsigned char)*at) || *at == ','; at++)
        if (isdigit((unsigned char)*at) && !isdigit((unsigned char)at[-1])) {
            unsigned long bound = strtoul(at, NULL, 10);
            most = bound > most ? bound : most;
        }
    return most;
}

static int check_size(const char *text, struct tf_wrong *wrong)
{
    unsigned long before[REGEX_DEPTH], all = 0,
                                       last = 0; /* sizes: outside the group, in it, of the last atom */
    int depth = 0;
    for (size_t at = 0; text[at] != '\0';) {
        unsigned long times = text[at] == '+' ? 2 : text[at] == '{' ? repeats(text + at) : 1;
        size_t next = at + 1;
        if (times > REGEX_SIZE || all + last * (times - 1) > REGEX_SIZE)
            return tf_wrong_set(wrong, at, "too much repetition for a regular expression");
        all += last * (times - 1);
        last *= times;
        if (text[at] == '(') {
            if (depth == REGEX_DEPTH)
                return tf_wrong_set(wrong, at, "groups nested more than %d deep", REGEX_DEPTH);
            before[depth++] = all;
            all = last = 0;
        } else if (text[at] == ')' && depth > 0) {
            last = all + 1;
            all = before[--depth] + last;
        } else if (text[at] == '{') {
            next += strspn(text + next, "0123456789,");
            next += text[next] == '}';
        } else if (strchr("+*?", text[at]) == NULL) {
            if (text[at] == '[')
                next = behind_bracket(text, at);
            else if (text[at] == '\\' && text[at + 1] != '\0')
                next++;
            last = 1;
            all++;
        }
        at = next;
    }
    return 0;
}

int tf_regex_compile(regex_t *regex, const char *text, struct tf_wrong *wrong)
{
    if (strlen(text) > REGEX_BYTES)
        return tf_wrong_set(wrong, 0, "a regular expression may have %d bytes at most", REGEX_BYTES);
    if (check_size(text, wrong) != 0)
        return -1;
    int code = regcomp(regex, text, REG_EXTENDED | REG_NOSUB | REG_NEWLINE);
    if (code == 0)
        return 0;
    char why[128];
    regerror(code, regex, why, sizeof(why));
    return tf_wrong_set(wrong, 0, "bad regular expression: %s", why);
}

bool tf_name_valid(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return length > 0 && length <= 64 && name[length] == '\0';
}

/* ---- substitutions ---- */

struct output {
    char *text;
    size_t *map;
    size_t length, room;
};

static int put(struct output *out, const char *text, size_t length, size_t from, bool one_place)
{
    if (out->length + length + 1 > out->room) {
        size_t room = 2 * (out->length + length) + 64;
        char *grown = realloc(out->text, room);
        if (grown == NULL)
            return -1;
        out->text = grown;
        size_t *map = realloc(out->map, room * sizeof(*map));
        if (map == NULL)
            return -1;
        out->map = map;
        out->room = room;
    }
    for (size_t i = 0; i < length; i++) {
        out->map[out->length + i] = one_place ? from : from + i;
        out->text[out->length + i] = text[i];
    }
    out->length += length;
    out->text[out->length] = '\0';
    out->map[out->length] = one_place ? from + 1 : from + length;
    return 0;
}

static int put_port(struct output *out, const char *name, size_t from, const struct tf_values *values,
                    struct tf_wrong *wrong)
{
    char digits[8];
    unsigned int port = 65535;
    if (name[0] != '\0' && !tf_name_valid(name + 1))
        return tf_wrong_set(wrong, from, "\"%.60s\" is no name for a port; expected letters, digits, _ and -",
                            name + 1);
    if (values != NULL && (port = values->port(values->data, name[0] == '\0' ? "" : name + 1)) == 0)
        return tf_wrong_set(wrong, from, "no free port");
    snprintf(digits, sizeof(digits), "%u", port);
    return put(out, digits, strlen(digits), from, true) != 0 ? tf_wrong_set(wrong, from, "out of memory") : 0;
}

struct named {
    const char *name, *value;
    bool battery;
};

static int put_value(struct output *out, const char *name, size_t from, enum tf_subst which,
                     const struct tf_values *values, struct tf_wrong *wrong)
{
    static const struct tf_values nowhere = {.dir = "/",
                                             .fixtures = "/",
                                             .build = "/",
                                             .sent = "/",
                                             .reply = "/",
                                             .expect = "1",
                                             .address = "127.0.0.1"};
    const struct tf_values *at = values != NULL ? values : &nowhere;
    bool battery =
        which == TF_SUBST_BATTERY || (which == TF_SUBST_ALL && values != NULL && values->address != NULL);
    const struct named all[] = {{"dir", at->dir, false},       {"fixtures", at->fixtures, false},
                                {"build", at->build, false},   {"sent", at->sent, true},
                                {"reply", at->reply, true},    {"expect", at->expect, true},
                                {"address", at->address, true}};
    const char *words[9] = {"port"};
    size_t count = 1;
    if (strcmp(name, "port") == 0 || strncmp(name, "port:", 5) == 0)
        return put_port(out, name + 4, from, values, wrong);
    for (size_t i = 0; which != TF_SUBST_PORTS && i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i].battery && !battery)
            continue;
        words[count++] = all[i].name;
        if (strcmp(all[i].name, name) != 0)
            continue;
        if (all[i].value == NULL)
            return tf_wrong_set(wrong, from, "{%s} is not known here", name);
        return put(out, all[i].value, strlen(all[i].value), from, true) != 0
                   ? tf_wrong_set(wrong, from, "out of memory")
                   : 0;
    }
    words[count] = NULL;
    const char *nearest = tf_nearest(name, strlen(name), words);
    if (nearest != NULL)
        return tf_wrong_set(wrong, from, "unknown substitution \"{%.60s}\"; did you mean \"{%s}\"?", name,
                            nearest);
    return tf_wrong_set(wrong, from,
                        "unknown substitution \"{%.60s}\"; expected %s; a brace itself is written {{", name,
                        which == TF_SUBST_PORTS ? "{port} or {port:NAME}"
                        : battery ? "{port}, {port:NAME}, {dir}, {fixtures}, {build}, {sent}, {reply}, "
                                    "{expect} or {address}"
                                  : "{port}, {port:NAME}, {dir}, {fixtures} or {build}");
}

char *tf_subst(const char *text, enum tf_subst which, const struct tf_values *values, size_t **map,
               struct tf_wrong *wrong)
{
    struct output out = {0};
    if (put(&out, "", 0, 0, false) != 0)
        goto memory;
    for (const char *at = text; *at != '\0';) {
        size_t from = (size_t)(at - text), plain = strcspn(at, "{");
        if (plain > 0) {
            if (put(&out, at, plain, from, false) != 0)
                goto memory;
            at += plain;
        } else if (at[1] == '{') {
            if (put(&out, "{", 1, from, true) != 0)
                goto memory;
            at += 2;
        } else {
            char name[128];
            size_t length = strcspn(at + 1, "{}\n");
            if (at[1 + length] != '}' || length >= sizeof(name)) {
                tf_wrong_set(wrong, from, "\"{\" begins no substitution; a brace itself is written {{");
                goto fail;
            }
            memcpy(name, at + 1, length);
            name[length] = '\0';
            if (put_value(&out, name, from, which, values, wrong) != 0)
                goto fail;
            at += length + 2;
        }
    }
    if (map != NULL)
        *map = out.map;
    else
        free(out.map);
    return out.text;
memory:
    tf_wrong_set(wrong, 0, "out of memory");
fail:
    free(out.text);
    free(out.map);
    return NULL;
}
