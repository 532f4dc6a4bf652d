/* The writers of text to find, and of what is peculiar to programs. */
#include "rule.h"
#include "scenario.h"
#include "scenario_keys.h"
#include "scenario_text.h"

#include <stdlib.h>
#include <string.h>

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
    tf_canon_wrong(canon, node, 1, &wrong);
    free(inner);
    return NULL;
}

static int one_find(const struct tf_canon *canon, const struct tf_key *key, const struct tf_node *node,
                    bool absent)
{
    if (node->kind == TF_NODE_MAP && !absent && node->entries == 1) {
        static const char *const words[] = {"not", NULL};
        if (strcmp(node->first->key->text, "not") != 0)
            return tf_canon_unknown(canon, node->first->key, "key", words);
        return one_find(canon, key, node->first, true);
    }
    if (node->kind != TF_NODE_SCALAR || tf_node_is_null(node))
        return tf_canon_fail(canon, node, 0, "\"%s\" must be a string, /regex/ or {not: ...}, not %s",
                             key->name, tf_node_kind(node));
    bool regex = is_regex(node);
    char *inner = regex ? regex_of(canon, node) : NULL;
    if (regex ? inner == NULL : tf_canon_subst(canon, node, 0) != 0)
        return -1;
    if (node->length == 0) {
        free(inner);
        return tf_canon_fail(canon, node, 0,
                             "an empty string is found everywhere; stdout_is: \"\" means no output");
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
    return tf_canon_by_program(canon, key, node, &finds, "{client: text}");
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
        return tf_canon_wrong(canon, node, 0, &wrong);
    struct tf_rule rule;
    struct tf_rule_error error;
    int result = tf_rule_parse(text, strlen(text), &rule, &error);
    if (result != 0)
        result =
            tf_canon_fail(canon, node, map[error.at <= strlen(text) ? error.at : 0], "%s", error.message);
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
    return tf_canon_unknown(canon, node, key->name, words);
}

static int write_text(const struct tf_canon *canon, const struct tf_node *entry)
{
    if (entry->kind != TF_NODE_SCALAR || entry->text[0] == '\0')
        return tf_canon_fail(canon, entry, 0, "\"%s\" must be a text here, as the program writes it",
                             entry->key->text);
    tf_canon_text(canon, "ready_text", entry->text);
    return 0;
}

static int write_ready_text(const struct tf_canon *canon, const struct tf_node *entry)
{
    static const char *const words[] = {"stdout", "stderr", "file", "text", NULL};
    static const struct tf_key file = {"ready_text", tf_write_file, NULL, false};
    int which = 0;
    while (words[which] != NULL && strcmp(words[which], entry->key->text) != 0)
        which++;
    if (words[which] == NULL)
        return tf_canon_unknown(canon, entry->key, "key", words);
    tf_canon_number(canon, "ready", TF_READY_STDOUT + which);
    if (which == 2)
        return tf_write_file(canon, &file, entry);
    if (which == 3)
        return write_text(canon, entry);
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
        return tf_canon_fail(
            canon, node, 0,
            "\"%s\" must be listen, none, {stdout: /regex/}, {stderr: /regex/}, {text: text} or "
            "{file: name}",
            key->name);
    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(node->text, words[i]) == 0) {
            tf_canon_number(canon, key->name, TF_READY_LISTEN + i);
            return 0;
        }
    return tf_canon_unknown(canon, node, "readiness", words);
}
