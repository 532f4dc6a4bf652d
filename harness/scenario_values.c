/* One writer a kind of value: it checks what the file has and writes it in the
 * canonical spelling, numbers for times, signals, errnos and sets of calls. */
#include "rule.h"
#include "scenario.h"
#include "scenario_keys.h"
#include "scenario_text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_NS (3600 * TF_SECOND_NS)

int tf_canon_wrong(const struct tf_canon *canon, const struct tf_node *node, size_t skip,
                   const struct tf_wrong *wrong)
{
    return tf_canon_fail(canon, node, skip + wrong->at, "%s", wrong->message);
}

int tf_canon_subst(const struct tf_canon *canon, const struct tf_node *node, size_t skip)
{
    struct tf_wrong wrong;
    enum tf_subst which = canon->battery ? TF_SUBST_BATTERY : TF_SUBST_ALL;
    char *text = tf_subst(node->text + skip, which, NULL, NULL, &wrong);
    free(text);
    return text != NULL ? 0 : tf_canon_wrong(canon, node, skip, &wrong);
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
    if (tf_canon_scalar(canon, key, node, "a string") != 0 || tf_canon_subst(canon, node, 0) != 0)
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
        return tf_canon_fail(canon, node, 0, "\"%s\" must be true or false, not \"%.60s\"", key->name,
                             node->text);
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
        return tf_canon_fail(canon, node, 0, "\"%s\" must be a number from 0 to 2^64 - 1, not \"%.60s\"",
                             key->name, node->text);
    fprintf(canon->out, "\"%s\": %" PRIu64 ",\n", key->name, value);
    return 0;
}

TF_WRITER(time)
{
    uint64_t ns;
    if (tf_canon_scalar(canon, key, node, "a time") != 0)
        return -1;
    if (tf_time_parse(node->text, node->length, &ns) != 0)
        return tf_canon_fail(
            canon, node, 0, "\"%.60s\" is no time; expected a number with us, ms, s or m: 200ms", node->text);
    if (ns == 0 || ns > HOUR_NS)
        return tf_canon_fail(canon, node, 0, "\"%s\" must be more than 0 and at most an hour, not %.60s",
                             key->name, node->text);
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
        return tf_canon_wrong(canon, node, 0, &wrong);
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
        return tf_canon_wrong(canon, node, 0, &wrong);
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
        return tf_canon_wrong(canon, node, 0, &wrong);
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
        return tf_canon_wrong(canon, node, 0, &wrong);
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
        return tf_canon_fail(canon, node, 0,
                             "\"%.70s\" is no name; expected letters, digits, _ and -, at most 64",
                             node->text);
    return one_string(canon, key, node);
}

static int one_word(const struct tf_canon *canon, const struct tf_key *key, const struct tf_node *node)
{
    if (node->kind == TF_NODE_SCALAR && !tf_node_is_null(node) && tf_canon_subst(canon, node, 0) != 0)
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

int tf_canon_entries(const struct tf_canon *canon, const struct tf_key *key, const struct tf_node *node)
{
    if (node->entries > TF_SCENARIO_NAMES)
        return tf_canon_fail(canon, node, 0, "more than %d entries in \"%s\"", TF_SCENARIO_NAMES, key->name);
    return 0;
}

int tf_canon_by_program(const struct tf_canon *canon, const struct tf_key *key, const struct tf_node *node,
                        const struct tf_key *value, const char *example)
{
    if (node->kind != TF_NODE_MAP || node->entries == 0)
        return tf_canon_fail(canon, node, 0, "\"%s\" must be a mapping, such as %s, not %s", key->name,
                             example, tf_node_kind(node));
    if (tf_canon_entries(canon, key, node) != 0)
        return -1;
    fprintf(canon->out, "\"%s\": [", key->name);
    for (const struct tf_node *each = node->first; each != NULL; each = each->next) {
        fputs("{", canon->out);
        tf_canon_place(canon, each->key);
        tf_canon_text(canon, "program", each->key->text);
        if (value->write(canon, value, each) != 0)
            return -1;
        fputs("},\n", canon->out);
    }
    fputs("],\n", canon->out);
    return 0;
}

TF_WRITER(texts)
{
    if (tf_canon_entries(canon, key, node) != 0)
        return -1;
    return write_strings(canon, key, node, one_string);
}

TF_WRITER(names)
{
    if (tf_canon_entries(canon, key, node) != 0)
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
    enum tf_subst which = words->canon->battery ? TF_SUBST_BATTERY : TF_SUBST_ALL;
    char *text = tf_subst(word, which, NULL, NULL, &wrong);
    free(text);
    if (text == NULL)
        return tf_canon_fail(words->canon, words->node, at + wrong.at, "%s", wrong.message);
    tf_canon_string(words->canon, word);
    fputs(",\n", words->canon->out);
    words->count++;
    return 0;
}

/* In a battery a whole command may be the user's: enum tf_stands; or none, or -1. */
static int whose(const struct tf_canon *canon, const struct tf_node *node)
{
    static const char *const commands[] = {"{target}", "{peer}"};
    for (int i = 0; node->kind == TF_NODE_SCALAR && i < 2; i++) {
        if (strstr(node->text, commands[i]) == NULL)
            continue;
        if (!canon->battery)
            return tf_canon_fail(canon, node, 0,
                                 "%s is a command of tcpfault check; expected the key battery with it",
                                 commands[i]);
        if (strcmp(node->text, commands[i]) != 0)
            return tf_canon_fail(canon, node, 0, "%s must be the whole command, not a part of \"%.60s\"",
                                 commands[i], node->text);
        return TF_STANDS_TARGET + i;
    }
    return TF_STANDS_SELF;
}

TF_WRITER(words)
{
    int stands = whose(canon, node);
    if (stands < 0)
        return -1;
    if (stands != TF_STANDS_SELF) {
        fprintf(canon->out, "\"%s\": [\"%s\"],\n", key->name, node->text);
        tf_canon_number(canon, "stands", stands);
        return 0;
    }
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
        return wrong.message[0] == '\0' ? -1 : tf_canon_wrong(canon, node, 0, &wrong);
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
        return tf_canon_fail(canon, node, 0, "\"%s\" must be a mapping, not %s", key->name,
                             tf_node_kind(node));
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
        return tf_canon_fail(canon, entry->key, 0,
                             "\"%.60s\" is no setting of a network namespace; expected net.NAME", name);
    return tf_canon_subst(canon, entry, 0);
}

TF_WRITER(pairs)
{
    if (tf_canon_entries(canon, key, node) != 0)
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
    return tf_canon_subst(canon, entry, 0);
}

TF_WRITER(env)
{
    return write_pairs(canon, key, node, true, check_variable);
}

int tf_canon_file(const struct tf_canon *canon, const struct tf_node *node)
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
    return tf_canon_file(canon, entry->key) != 0 ? -1 : tf_canon_subst(canon, entry, 0);
}

TF_WRITER(files)
{
    return write_pairs(canon, key, node, false, check_file);
}

TF_WRITER(file)
{
    if (tf_canon_scalar(canon, key, node, "a file's name") != 0 || tf_canon_file(canon, node) != 0)
        return -1;
    tf_canon_text(canon, key->name, node->text);
    return 0;
}
