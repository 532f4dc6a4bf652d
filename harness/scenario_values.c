/* One writer a kind of value: it checks what the file has and writes it in the
 * canonical spelling, numbers for times, signals, errnos and sets of calls. */
#include "names.h"
#include "rule.h"
#include "sandbox.h"
#include "scenario.h"
#include "scenario_keys.h"
#include "scenario_text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_NS (3600 * TF_SECOND_NS)

/* The text of a scalar stands at `skip` bytes into it. */
static int wrong_at(const struct tf_canon *canon, const struct tf_node *node, size_t skip,
                    const struct tf_wrong *wrong)
{
    return tf_canon_fail(canon, node, skip + wrong->at, "%s", wrong->message);
}

static int check_subst(const struct tf_canon *canon, const struct tf_node *node, size_t skip)
{
    struct tf_wrong wrong;
    char *text = tf_subst(node->text + skip, TF_SUBST_ALL, NULL, NULL, &wrong);
    free(text);
    return text != NULL ? 0 : wrong_at(canon, node, skip, &wrong);
}

/* ---- plain values ---- */

TF_WRITER(text)
{
    if (tf_canon_scalar(canon, key, node, "a string") != 0)
        return -1;
    if (node->length == 0)
        return tf_canon_fail(canon, node, 0, "\"%s\" is empty", key->name);
    tf_canon_text(canon, key->name, node->text);
    return 0;
}

TF_WRITER(subst)
{
    if (tf_canon_scalar(canon, key, node, "a string") != 0 || check_subst(canon, node, 0) != 0)
        return -1;
    tf_canon_text(canon, key->name, node->text);
    return 0;
}

TF_WRITER(flag)
{
    if (tf_canon_scalar(canon, key, node, "true or false") != 0)
        return -1;
    bool yes = strcmp(node->text, "true") == 0;
    if (!node->plain || (!yes && strcmp(node->text, "false") != 0))
        return tf_canon_fail(canon, node, 0, "\"%s\" must be true or false, not \"%.60s\"", key->name, node->text);
    tf_canon_flag(canon, key->name, yes);
    return 0;
}

TF_WRITER(seed)
{
    if (tf_canon_scalar(canon, key, node, "a number") != 0)
        return -1;
    char *end;
    errno = 0;
    uint64_t value = strtoull(node->text, &end, 10);
    if (!isdigit((unsigned char)*node->text) || *end != '\0' || errno != 0)
        return tf_canon_fail(canon, node, 0, "\"%s\" must be a number from 0 to 2^64 - 1, not \"%.60s\"", key->name,
                             node->text);
    fprintf(canon->out, "\"%s\": %" PRIu64 ",\n", key->name, value);
    return 0;
}

TF_WRITER(time)
{
    uint64_t ns;
    if (tf_canon_scalar(canon, key, node, "a time") != 0)
        return -1;
    if (tf_time_parse(node->text, node->length, &ns) != 0)
        return tf_canon_fail(canon, node, 0, "\"%.60s\" is no time; expected a number with us, ms, s or m: 200ms",
                             node->text);
    if (ns == 0 || ns > HOUR_NS)
        return tf_canon_fail(canon, node, 0, "\"%s\" must be more than 0 and at most an hour, not %.60s", key->name,
                             node->text);
    fprintf(canon->out, "\"%s\": %" PRIu64 ",\n", key->name, ns);
    return 0;
}

TF_WRITER(signal)
{
    int signal;
    struct tf_wrong wrong;
    if (tf_canon_scalar(canon, key, node, "a signal") != 0)
        return -1;
    if (tf_signal_parse(node->text, node->length, &signal, &wrong) != 0)
        return wrong_at(canon, node, 0, &wrong);
    tf_canon_number(canon, key->name, signal);
    return 0;
}

TF_WRITER(count)
{
    struct tf_range range;
    struct tf_wrong wrong;
    if (tf_canon_scalar(canon, key, node, "a count") != 0)
        return -1;
    if (tf_range_parse(node->text, node->length, 0, &range, &wrong) != 0)
        return wrong_at(canon, node, 0, &wrong);
    fprintf(canon->out, "\"%s\": {", key->name);
    tf_canon_number(canon, "min", range.min);
    tf_canon_number(canon, "max", range.max);
    fputs("},\n", canon->out);
    return 0;
}

TF_WRITER(result)
{
    struct tf_range range;
    struct tf_wrong wrong;
    if (tf_canon_scalar(canon, key, node, "a number or a range") != 0)
        return -1;
    if (tf_range_parse(node->text, node->length, -1, &range, &wrong) != 0)
        return wrong_at(canon, node, 0, &wrong);
    tf_canon_flag(canon, "has_result", true);
    fprintf(canon->out, "\"%s\": {", key->name);
    tf_canon_number(canon, "min", range.min);
    tf_canon_number(canon, "max", range.max);
    fputs("},\n", canon->out);
    return 0;
}

TF_WRITER(ordinal)
{
    struct tf_range range;
    struct tf_wrong wrong;
    if (tf_canon_scalar(canon, key, node, "a number") != 0)
        return -1;
    if (tf_range_parse(node->text, node->length, 1, &range, &wrong) != 0)
        return wrong_at(canon, node, 0, &wrong);
    if (range.min != range.max || range.min > TF_RULES_MAX)
        return tf_canon_fail(canon, node, 0, "\"%s\" must be a number from 1 to %d, not \"%.60s\"", key->name,
                             TF_RULES_MAX, node->text);
    tf_canon_number(canon, key->name, range.min);
    return 0;
}

/* ---- lists of strings ---- */

static int one_string(const struct tf_canon *canon, const struct tf_key *key, const struct tf_node *node)
{
    if (node->kind != TF_NODE_SCALAR || tf_node_is_null(node))
        return tf_canon_fail(canon, node, 0, "an entry of \"%s\" must be a string, not %s", key->name,
                             tf_node_kind(node));
    tf_canon_string(canon, node->text);
    fputs(",\n", canon->out);
    return 0;
}

static int one_name(const struct tf_canon *canon, const struct tf_key *key, const struct tf_node *node)
{
    if (node->kind == TF_NODE_SCALAR && !tf_node_is_null(node) && !tf_name_valid(node->text))
        return tf_canon_fail(canon, node, 0, "\"%.70s\" is no name; expected letters, digits, _ and -, at most 64",
                             node->text);
    return one_string(canon, key, node);
}

static int one_word(const struct tf_canon *canon, const struct tf_key *key, const struct tf_node *node)
{
    if (node->kind == TF_NODE_SCALAR && !tf_node_is_null(node) && check_subst(canon, node, 0) != 0)
        return -1;
    return one_string(canon, key, node);
}

static int write_strings(const struct tf_canon *canon, const struct tf_key *key, const struct tf_node *node,
                         int (*one)(const struct tf_canon *, const struct tf_key *, const struct tf_node *))
{
    if (node->kind == TF_NODE_MAP)
        return tf_canon_fail(canon, node, 0, "\"%s\" must be a string or a list of strings, not a mapping",
                             key->name);
    fprintf(canon->out, "\"%s\": [", key->name);
    for (const struct tf_node *each = tf_canon_first(node); each != NULL; each = tf_canon_next(node, each))
        if (one(canon, key, each) != 0)
            return -1;
    fputs("],\n", canon->out);
    return 0;
}

static int check_entries(const struct tf_canon *canon, const struct tf_key *key, const struct tf_node *node)
{
    if (node->entries > TF_SCENARIO_NAMES)
        return tf_canon_fail(canon, node, 0, "more than %d entries in \"%s\"", TF_SCENARIO_NAMES, key->name);
    return 0;
}

TF_WRITER(texts)
{
    if (check_entries(canon, key, node) != 0)
        return -1;
    return write_strings(canon, key, node, one_string);
}

TF_WRITER(names)
{
    if (check_entries(canon, key, node) != 0)
        return -1;
    return write_strings(canon, key, node, one_name);
}

TF_WRITER(name)
{
    if (tf_canon_scalar(canon, key, node, "a program's name") != 0)
        return -1;
    tf_canon_text(canon, key->name, node->text);
    return 0;
}

struct words {
    const struct tf_canon *canon;
    const struct tf_node *node;
    size_t count;
};

static int one_split_word(void *data, const char *word, size_t at)
{
    struct words *words = data;
    struct tf_wrong wrong;
    char *text = tf_subst(word, TF_SUBST_ALL, NULL, NULL, &wrong);
    free(text);
    if (text == NULL)
        return tf_canon_fail(words->canon, words->node, at + wrong.at, "%s", wrong.message);
    tf_canon_string(words->canon, word);
    fputs(",\n", words->canon->out);
    words->count++;
    return 0;
}

TF_WRITER(words)
{
    if (node->kind == TF_NODE_LIST) {
        if (node->entries == 0)
            return tf_canon_fail(canon, node, 0, "\"%s\" is empty", key->name);
        return write_strings(canon, key, node, one_word);
    }
    if (tf_canon_scalar(canon, key, node, "a string or a list of strings") != 0)
        return -1;
    struct words words = {.canon = canon, .node = node};
    struct tf_wrong wrong = {.message = ""};
    fprintf(canon->out, "\"%s\": [", key->name);
    if (tf_words_split(node->text, node->length, one_split_word, &words, &wrong) != 0)
        return wrong.message[0] == '\0' ? -1 : wrong_at(canon, node, 0, &wrong);
    if (words.count == 0)
        return tf_canon_fail(canon, node, 0, "\"%s\" is empty", key->name);
    fputs("],\n", canon->out);
    return 0;
}

/* ---- mappings of strings ---- */

/* `check` looks at an entry (its name is entry->key) before it is written. */
static int write_pairs(const struct tf_canon *canon, const struct tf_key *key, const struct tf_node *node,
                       bool null_allowed, int (*check)(const struct tf_canon *, const struct tf_node *))
{
    if (node->kind != TF_NODE_MAP)
        return tf_canon_fail(canon, node, 0, "\"%s\" must be a mapping, not %s", key->name, tf_node_kind(node));
    fprintf(canon->out, "\"%s\": [", key->name);
    for (const struct tf_node *each = node->first; each != NULL; each = each->next) {
        bool null = tf_node_is_null(each);
        if (each->kind != TF_NODE_SCALAR || (null && !null_allowed))
            return tf_canon_fail(canon, each, 0, "\"%.60s\" must be a string, not %s", each->key->text,
                                 tf_node_kind(each));
        if (check(canon, each) != 0)
            return -1;
        fputs("{", canon->out);
        tf_canon_place(canon, each->key);
        tf_canon_text(canon, "name", each->key->text);
        if (!null)
            tf_canon_text(canon, "value", each->text);
        fputs("},\n", canon->out);
    }
    fputs("],\n", canon->out);
    return 0;
}

static int check_sysctl(const struct tf_canon *canon, const struct tf_node *entry)
{
    const char *name = entry->key->text;
    if (strncmp(name, "net.", 4) != 0 || strstr(name, "..") != NULL || strchr(name, '/') != NULL)
        return tf_canon_fail(canon, entry->key, 0, "\"%.60s\" is no setting of a network namespace; expected net.…",
                             name);
    return 0;
}

TF_WRITER(pairs)
{
    if (check_entries(canon, key, node) != 0)
        return -1;
    return write_pairs(canon, key, node, false, check_sysctl);
}

static int check_allowed(const struct tf_canon *canon, const struct tf_node *entry)
{
    for (size_t i = 0; tf_scenario_checks[i] != NULL; i++)
        if (strcmp(tf_scenario_checks[i], entry->key->text) == 0)
            return entry->length > 0
                       ? 0
                       : tf_canon_fail(canon, entry, 0, "\"%s\" needs a reason", entry->key->text);
    return tf_canon_unknown(canon, entry->key, "check", tf_scenario_checks);
}

TF_WRITER(allow)
{
    return write_pairs(canon, key, node, false, check_allowed);
}

static int check_variable(const struct tf_canon *canon, const struct tf_node *entry)
{
    if (entry->key->length == 0 || strchr(entry->key->text, '=') != NULL)
        return tf_canon_fail(canon, entry->key, 0, "\"%.60s\" is no name for a variable", entry->key->text);
    return check_subst(canon, entry, 0);
}

TF_WRITER(env)
{
    return write_pairs(canon, key, node, true, check_variable);
}

static int check_name(const struct tf_canon *canon, const struct tf_node *node)
{
    const char *name = node->text;
    size_t length = node->length;
    bool climbs = strcmp(name, "..") == 0 || strncmp(name, "../", 3) == 0 || strstr(name, "/../") != NULL ||
                  (length >= 3 && strcmp(name + length - 3, "/..") == 0);
    if (length == 0 || length > 200 || name[0] == '/' || name[length - 1] == '/' || climbs)
        return tf_canon_fail(canon, node, 0, "\"%.60s\" is no name for a file in {dir}", name);
    return 0;
}

static int check_file(const struct tf_canon *canon, const struct tf_node *entry)
{
    return check_name(canon, entry->key) != 0 ? -1 : check_subst(canon, entry, 0);
}

TF_WRITER(files)
{
    return write_pairs(canon, key, node, false, check_file);
}

TF_WRITER(file)
{
    if (tf_canon_scalar(canon, key, node, "a file's name") != 0 || check_name(canon, node) != 0)
        return -1;
    tf_canon_text(canon, key->name, node->text);
    return 0;
}

/* ---- text to find ---- */

static bool is_regex(const struct tf_node *node)
{
    return node->length >= 2 && node->text[0] == '/' && node->text[node->length - 1] == '/';
}

/* The expression between the slashes, checked; the caller frees it. */
static char *regex_of(const struct tf_canon *canon, const struct tf_node *node)
{
    struct tf_wrong wrong;
    regex_t regex;
    char *inner = strndup(node->text + 1, node->length - 2);
    if (inner == NULL) {
        tf_canon_fail(canon, node, 0, "out of memory");
        return NULL;
    }
    if (tf_regex_compile(&regex, inner, &wrong) == 0) {
        regfree(&regex);
        return inner;
    }
    wrong_at(canon, node, 1, &wrong);
    free(inner);
    return NULL;
}

static int one_find(const struct tf_canon *canon, const struct tf_key *key, const struct tf_node *node, bool absent)
{
    if (node->kind == TF_NODE_MAP && !absent && node->entries == 1) {
        static const char *const words[] = {"not", NULL};
        if (strcmp(node->first->key->text, "not") != 0)
            return tf_canon_unknown(canon, node->first->key, "key", words);
        return one_find(canon, key, node->first, true);
    }
    if (node->kind != TF_NODE_SCALAR || tf_node_is_null(node))
        return tf_canon_fail(canon, node, 0, "\"%s\" must be a string, /regex/ or {not: ...}, not %s", key->name,
                             tf_node_kind(node));
    bool regex = is_regex(node);
    char *inner = regex ? regex_of(canon, node) : NULL;
    if (regex ? inner == NULL : check_subst(canon, node, 0) != 0)
        return -1;
    if (node->length == 0) {
        free(inner);
        return tf_canon_fail(canon, node, 0, "an empty string is found everywhere; stdout_is: \"\" means no output");
    }
    fputs("{", canon->out);
    tf_canon_place(canon, node);
    tf_canon_text(canon, "text", regex ? inner : node->text);
    tf_canon_flag(canon, "regex", regex);
    tf_canon_flag(canon, "absent", absent);
    fputs("},\n", canon->out);
    free(inner);
    return 0;
}

TF_WRITER(finds)
{
    fprintf(canon->out, "\"%s\": [", key->name);
    for (const struct tf_node *each = tf_canon_first(node); each != NULL; each = tf_canon_next(node, each))
        if (one_find(canon, key, each, false) != 0)
            return -1;
    fputs("],\n", canon->out);
    return 0;
}

TF_WRITER(find_in)
{
    static const struct tf_key finds = {"finds", tf_write_finds, NULL, false};
    if (node->kind != TF_NODE_MAP || node->entries == 0)
        return tf_canon_fail(canon, node, 0, "\"%s\" must be a mapping of program names, such as {client: text}",
                             key->name);
    if (check_entries(canon, key, node) != 0)
        return -1;
    fprintf(canon->out, "\"%s\": [", key->name);
    for (const struct tf_node *each = node->first; each != NULL; each = each->next) {
        fputs("{", canon->out);
        tf_canon_place(canon, each->key);
        tf_canon_text(canon, "program", each->key->text);
        if (tf_write_finds(canon, &finds, each) != 0)
            return -1;
        fputs("},\n", canon->out);
    }
    fputs("],\n", canon->out);
    return 0;
}

/* ---- programs ---- */

TF_WRITER(fault_text)
{
    if (tf_canon_scalar(canon, key, node, "a rule") != 0)
        return -1;
    struct tf_wrong wrong;
    size_t *map;
    char *text = tf_subst(node->text, TF_SUBST_PORTS, NULL, &map, &wrong);
    if (text == NULL)
        return wrong_at(canon, node, 0, &wrong);
    struct tf_rule rule;
    struct tf_rule_error error;
    int result = tf_rule_parse(text, strlen(text), &rule, &error);
    if (result != 0)
        result = tf_canon_fail(canon, node, map[error.at <= strlen(text) ? error.at : 0], "%s", error.message);
    free(text);
    free(map);
    if (result == 0)
        tf_canon_text(canon, key->name, node->text);
    return result;
}

TF_WRITER(part)
{
    static const char *const words[] = {"server", "client", NULL};
    if (tf_canon_scalar(canon, key, node, "server or client") != 0)
        return -1;
    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(node->text, words[i]) == 0) {
            tf_canon_number(canon, key->name, TF_PART_SERVER + i);
            return 0;
        }
    return tf_canon_unknown(canon, node, "role", words);
}

static int write_ready_text(const struct tf_canon *canon, const struct tf_node *entry)
{
    static const char *const words[] = {"stdout", "stderr", "file", NULL};
    static const struct tf_key file = {"ready_text", tf_write_file, NULL, false};
    int which = 0;
    while (words[which] != NULL && strcmp(words[which], entry->key->text) != 0)
        which++;
    if (words[which] == NULL)
        return tf_canon_unknown(canon, entry->key, "key", words);
    tf_canon_number(canon, "ready", TF_READY_STDOUT + which);
    if (which == 2)
        return tf_write_file(canon, &file, entry);
    if (entry->kind != TF_NODE_SCALAR || !is_regex(entry))
        return tf_canon_fail(canon, entry, 0, "\"%s\" must be a /regex/ here", entry->key->text);
    char *inner = regex_of(canon, entry);
    if (inner == NULL)
        return -1;
    tf_canon_text(canon, "ready_text", inner);
    free(inner);
    return 0;
}

TF_WRITER(ready)
{
    static const char *const words[] = {"listen", "none", NULL};
    if (node->kind == TF_NODE_MAP && node->entries == 1)
        return write_ready_text(canon, node->first);
    if (node->kind != TF_NODE_SCALAR)
        return tf_canon_fail(canon, node, 0,
                             "\"%s\" must be listen, none, {stdout: /regex/}, {stderr: /regex/} or {file: name}",
                             key->name);
    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(node->text, words[i]) == 0) {
            tf_canon_number(canon, key->name, TF_READY_LISTEN + i);
            return 0;
        }
    return tf_canon_unknown(canon, node, "readiness", words);
}

/* ---- expectations ---- */

TF_WRITER(exit)
{
    if (node->kind == TF_NODE_SCALAR && strcmp(node->text, "any") == 0) {
        tf_canon_flag(canon, "exit_any", true);
        return 0;
    }
    if (node->kind == TF_NODE_LIST && node->entries == 0)
        return tf_canon_fail(canon, node, 0, "\"%s\" is empty", key->name);
    fprintf(canon->out, "\"%s\": [", key->name);
    for (const struct tf_node *each = tf_canon_first(node); each != NULL; each = tf_canon_next(node, each)) {
        char *end = NULL;
        long status = each->kind == TF_NODE_SCALAR ? strtol(each->text, &end, 10) : -1;
        if (end == NULL || !isdigit((unsigned char)each->text[0]) || *end != '\0' || status > 255)
            return tf_canon_fail(canon, each, 0, "\"%s\" must be a status from 0 to 255, a list of them, or any",
                                 key->name);
        fprintf(canon->out, "%ld,\n", status);
    }
    fputs("],\n", canon->out);
    return 0;
}

TF_WRITER(calls)
{
    if (tf_canon_scalar(canon, key, node, "a call's name") != 0)
        return -1;
    uint64_t calls = 0;
    for (const char *at = node->text;; at++) {
        size_t length = strcspn(at, ",");
        uint64_t named = tf_calls_named(at, length);
        if (named == 0) {
            const char *nearest = tf_nearest(at, length, tf_call_words);
            return tf_canon_fail(canon, node, (size_t)(at - node->text),
                                 nearest != NULL ? "unknown call \"%.*s\"; did you mean \"%s\"?"
                                                 : "unknown call \"%.*s\"; see tcpfault list calls",
                                 (int)(length < 60 ? length : 60), at, nearest);
        }
        calls |= named;
        at += length;
        if (*at == '\0')
            break;
    }
    fprintf(canon->out, "\"%s\": %" PRIu64 ",\n", key->name, calls);
    return 0;
}

TF_WRITER(errno)
{
    if (tf_canon_scalar(canon, key, node, "the name of an errno") != 0)
        return -1;
    int number = 0;
    bool any = strcmp(node->text, "any") == 0;
    if (!any && strcmp(node->text, "none") != 0)
        number = tf_errno_number(node->text, node->length);
    if (number < 0) {
        const char *nearest = tf_nearest(node->text, node->length, tf_errno_words);
        if (nearest != NULL)
            return tf_canon_fail(canon, node, 0, "unknown errno \"%.60s\"; did you mean \"%s\"?", node->text,
                                 nearest);
        return tf_canon_fail(canon, node, 0, "unknown errno \"%.60s\"; expected a name of errno(3), none or any",
                             node->text);
    }
    tf_canon_flag(canon, "has_error", true);
    tf_canon_flag(canon, "any_error", any);
    tf_canon_number(canon, key->name, number);
    return 0;
}

TF_WRITER(role)
{
    static const char *const words[] = {"client", "server", "listener", NULL};
    if (tf_canon_scalar(canon, key, node, "client, server or listener") != 0)
        return -1;
    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(node->text, words[i]) == 0) {
            tf_canon_number(canon, key->name, TF_ROLE_CLIENT + i);
            return 0;
        }
    return tf_canon_unknown(canon, node, "role", words);
}

TF_WRITER(option)
{
    if (tf_canon_scalar(canon, key, node, "a socket option") != 0)
        return -1;
    int level, name;
    if (tf_option_find(node->text, node->length, &level, &name) != 0) {
        const char *nearest = tf_nearest(node->text, node->length, tf_option_words);
        if (nearest != NULL)
            return tf_canon_fail(canon, node, 0, "unknown option \"%.60s\"; did you mean \"%s\"?", node->text,
                                 nearest);
        return tf_canon_fail(canon, node, 0, "unknown option \"%.60s\"; expected a name such as SO_REUSEADDR",
                             node->text);
    }
    tf_canon_flag(canon, "has_opt", true);
    tf_canon_number(canon, "opt_level", level);
    tf_canon_number(canon, "opt_name", name);
    return 0;
}

/* ---- steps ---- */

TF_WRITER(port)
{
    /* In a flow mapping YAML reads {port} as a mapping: port, with no value. */
    bool bare = node->kind == TF_NODE_MAP && node->entries == 1 && tf_node_is_null(node->first);
    char text[96];
    if (bare) {
        snprintf(text, sizeof(text), "{%.80s}", node->first->key->text);
    } else {
        if (tf_canon_scalar(canon, key, node, "a port: a number, {port} or {port:NAME}") != 0)
            return -1;
        snprintf(text, sizeof(text), "%.90s", node->text);
    }
    struct tf_wrong wrong;
    char *digits = tf_subst(text, TF_SUBST_PORTS, NULL, NULL, &wrong);
    if (digits == NULL)
        return tf_canon_fail(canon, node, bare ? 0 : wrong.at, "%s", wrong.message);
    char *end;
    unsigned long port = strtoul(digits, &end, 10);
    bool valid = isdigit((unsigned char)digits[0]) && *end == '\0' && port >= 1 && port <= 65535;
    free(digits);
    if (!valid)
        return tf_canon_fail(canon, node, 0, "\"%.60s\" is no port; expected 1 to 65535, {port} or {port:NAME}",
                             text);
    tf_canon_text(canon, key->name, text);
    return 0;
}

TF_WRITER(states)
{
    const char *words[32];
    size_t count = 0;
    for (unsigned int i = 1; i < 16; i++)
        if ((words[count] = tf_net_state_name(i)) != NULL)
            count++;
    words[count] = NULL;
    if (node->kind == TF_NODE_MAP)
        return tf_canon_fail(canon, node, 0, "\"%s\" must be a string or a list of strings, not a mapping",
                             key->name);
    fprintf(canon->out, "\"%s\": [", key->name);
    for (const struct tf_node *each = tf_canon_first(node); each != NULL; each = tf_canon_next(node, each)) {
        if (tf_canon_scalar(canon, key, each, "a state of TCP") != 0)
            return -1;
        if (tf_net_state_number(each->text) == 0)
            return tf_canon_unknown(canon, each, "state", words);
        tf_canon_string(canon, each->text);
        fputs(",\n", canon->out);
    }
    fputs("],\n", canon->out);
    return 0;
}

TF_WRITER(signals)
{
    static const struct tf_key signal = {"signal", tf_write_signal, NULL, false};
    if (node->kind != TF_NODE_MAP || node->entries == 0)
        return tf_canon_fail(canon, node, 0, "\"%s\" must be a mapping, such as {server: SIGTERM}, not %s",
                             key->name, tf_node_kind(node));
    if (check_entries(canon, key, node) != 0)
        return -1;
    fprintf(canon->out, "\"%s\": [", key->name);
    for (const struct tf_node *each = node->first; each != NULL; each = each->next) {
        fputs("{", canon->out);
        tf_canon_place(canon, each->key);
        tf_canon_text(canon, "program", each->key->text);
        if (tf_write_signal(canon, &signal, each) != 0)
            return -1;
        fputs("},\n", canon->out);
    }
    fputs("],\n", canon->out);
    return 0;
}

TF_WRITER(rule_ref)
{
    if (tf_canon_scalar(canon, key, node, "a fault's number or text") != 0)
        return -1;
    if (strspn(node->text, "0123456789") == node->length)
        return tf_write_ordinal(canon, key, node);
    tf_canon_text(canon, "rule_text", node->text);
    return 0;
}
