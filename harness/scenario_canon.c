#include "rule.h"
#include "scenario.h"
#include "scenario_keys.h"
#include "scenario_text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int tf_canon_fail(const struct tf_canon *canon, const struct tf_node *node, size_t offset, const char *format,
                  ...)
{
    char message[sizeof(canon->error->text)];
    va_list list;
    va_start(list, format);
    vsnprintf(message, sizeof(message), format, list);
    va_end(list);
    struct tf_mark mark = offset == 0 ? node->mark : tf_yaml_place(canon->yaml, node, offset);
    return tf_yaml_error(canon->yaml, mark, canon->error, "%s", message);
}

int tf_canon_scalar(const struct tf_canon *canon, const struct tf_key *key, const struct tf_node *node,
                    const char *what)
{
    if (node->kind == TF_NODE_SCALAR && !tf_node_is_null(node))
        return 0;
    return tf_canon_fail(canon, node, 0, "\"%s\" must be %s, not %s", key->name, what, tf_node_kind(node));
}

int tf_canon_unknown(const struct tf_canon *canon, const struct tf_node *node, const char *what,
                     const char *const *words)
{
    const char *nearest = tf_nearest(node->text, node->length, words);
    if (nearest != NULL)
        return tf_canon_fail(canon, node, 0, "unknown %s \"%.60s\"; did you mean \"%s\"?", what, node->text,
                             nearest);
    char all[256] = "";
    size_t length = 0;
    for (size_t i = 0; words[i] != NULL && length < sizeof(all); i++)
        length += (size_t)snprintf(all + length, sizeof(all) - length, "%s%s", i == 0 ? "" : ", ", words[i]);
    return tf_canon_fail(canon, node, 0, "unknown %s \"%.60s\"; expected one of %s", what, node->text, all);
}

/* ---- output: JSON with every character beyond ASCII escaped ---- */

/* Decodes one character of valid UTF-8. */
static uint32_t decode(const unsigned char **at)
{
    uint32_t c = *(*at)++;
    unsigned int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
    c &= more == 3 ? 0x07u : more == 2 ? 0x0fu : more == 1 ? 0x1fu : 0x7fu;
    while (more-- > 0)
        c = c << 6 | (*(*at)++ & 0x3fu);
    return c;
}

void tf_canon_string(const struct tf_canon *canon, const char *text)
{
    fputc('"', canon->out);
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0';) {
        uint32_t c = decode(&at);
        if (c == '"' || c == '\\')
            fprintf(canon->out, "\\%c", (int)c);
        else if (c >= 0x20 && c < 0x7f)
            fputc((int)c, canon->out);
        else if (c < 0x10000)
            fprintf(canon->out, "\\u%04x", c);
        else
            fprintf(canon->out, "\\U%08x", c);
    }
    fputc('"', canon->out);
}

void tf_canon_text(const struct tf_canon *canon, const char *key, const char *text)
{
    fprintf(canon->out, "\"%s\": ", key);
    tf_canon_string(canon, text);
    fputs(",\n", canon->out);
}

void tf_canon_number(const struct tf_canon *canon, const char *key, int64_t value)
{
    fprintf(canon->out, "\"%s\": %lld,\n", key, (long long)value);
}

void tf_canon_flag(const struct tf_canon *canon, const char *key, bool value)
{
    fprintf(canon->out, "\"%s\": %s,\n", key, value ? "true" : "false");
}

void tf_canon_place(const struct tf_canon *canon, const struct tf_node *node)
{
    tf_canon_number(canon, "line", node->mark.line);
    tf_canon_number(canon, "column", node->mark.column);
}

/* ---- how the file wrote it, on one line, cut ---- */

struct snippet {
    char text[200];
    size_t length;
};

static void append(struct snippet *snippet, const char *text)
{
    if (snippet->length == sizeof(snippet->text))
        return; /* full */
    for (; *text != '\0' && snippet->length < sizeof(snippet->text) - 4; text++)
        snippet->text[snippet->length++] = *text == '\n' ? ' ' : *text;
    snippet->text[snippet->length] = '\0';
    if (*text != '\0') {
        /* Not in the middle of a character. */
        while (snippet->length > 0 && (snippet->text[snippet->length - 1] & 0x80) != 0)
            snippet->length--;
        memcpy(snippet->text + snippet->length, "...", 4);
        snippet->length = sizeof(snippet->text);
    }
}

static void append_node(struct snippet *snippet, const struct tf_node *node)
{
    if (snippet->length >= sizeof(snippet->text))
        return;
    if (node->kind == TF_NODE_SCALAR) {
        append(snippet, node->text);
        return;
    }
    append(snippet, node->kind == TF_NODE_MAP ? "{" : "[");
    for (const struct tf_node *each = node->first; each != NULL && snippet->length < sizeof(snippet->text);
         each = each->next) {
        if (each != node->first)
            append(snippet, ", ");
        if (each->key != NULL) {
            append(snippet, each->key->text);
            /* {port}, not {port: } */
            if (each->length > 0 || !tf_node_is_null(each))
                append(snippet, ": ");
        }
        append_node(snippet, each);
    }
    append(snippet, node->kind == TF_NODE_MAP ? "}" : "]");
}

/* ---- lists and mappings ---- */

const struct tf_node *tf_canon_first(const struct tf_node *node)
{
    return node->kind == TF_NODE_LIST ? node->first : node;
}

const struct tf_node *tf_canon_next(const struct tf_node *list, const struct tf_node *entry)
{
    return list->kind == TF_NODE_LIST ? entry->next : NULL;
}

static const struct tf_key *find_key(const struct tf_mapping *shape, const char *name)
{
    for (const struct tf_key *key = shape->keys; key->name != NULL; key++)
        if (strcmp(key->name, name) == 0)
            return key;
    return NULL;
}

static int unknown_key(const struct tf_canon *canon, const struct tf_mapping *shape,
                       const struct tf_node *key)
{
    const char *words[64];
    size_t count = 0;
    for (; shape->keys[count].name != NULL; count++)
        words[count] = shape->keys[count].name;
    words[count] = NULL;
    return tf_canon_unknown(canon, key, "key", words);
}

static int write_entry(const struct tf_canon *canon, const struct tf_mapping *shape,
                       const struct tf_node *entry)
{
    const struct tf_key *key = find_key(shape, entry->key->text);
    if (key == NULL)
        return unknown_key(canon, shape, entry->key);
    if (tf_node_is_null(entry))
        return tf_canon_fail(canon, entry->key, 0, "\"%s\" has no value", key->name);
    return key->write(canon, key, entry);
}

int tf_canon_mapping(const struct tf_canon *canon, const struct tf_mapping *shape, const struct tf_node *node,
                     const struct tf_node *name)
{
    bool shortened = node->kind != TF_NODE_MAP && shape->short_key != NULL && !tf_node_is_null(node);
    if (node->kind != TF_NODE_MAP && !shortened)
        return tf_canon_fail(canon, node, 0, "%s must be a mapping, not %s", shape->what, tf_node_kind(node));
    uint64_t given = shortened ? tf_key_bit(shape, shape->short_key) : 0;
    for (const struct tf_node *entry = shortened ? NULL : node->first; entry != NULL; entry = entry->next)
        given |= tf_key_bit(shape, entry->key->text);
    fputs("{", canon->out);
    tf_canon_number(canon, "given", (int64_t)given);
    tf_canon_place(canon, name != NULL ? name : node);
    if (name != NULL)
        tf_canon_text(canon, "name", name->text);
    if (shape->text) {
        struct snippet snippet = {.length = 0};
        append_node(&snippet, node);
        tf_canon_text(canon, "text", snippet.text);
    }
    if (shortened) {
        const struct tf_key *key = find_key(shape, shape->short_key);
        if (key->write(canon, key, node) != 0)
            return -1;
    }
    for (const struct tf_node *entry = shortened ? NULL : node->first; entry != NULL; entry = entry->next)
        if (write_entry(canon, shape, entry) != 0)
            return -1;
    for (const struct tf_key *key = shape->keys; key->name != NULL; key++)
        if (key->required && (given & tf_key_bit(shape, key->name)) == 0)
            return tf_canon_fail(canon, node, 0, "%s needs the key \"%s\"", shape->what, key->name);
    fputs("}", canon->out);
    return 0;
}

TF_WRITER(map)
{
    fprintf(canon->out, "\"%s\": ", key->name);
    if (tf_canon_mapping(canon, key->shape, node, NULL) != 0)
        return -1;
    fputs(",\n", canon->out);
    return 0;
}

TF_WRITER(list)
{
    if (key->shape == &tf_case_shape && node->kind == TF_NODE_LIST && node->entries == 0)
        return tf_canon_fail(canon, node, 0, "\"%s\" is empty", key->name);
    fprintf(canon->out, "\"%s\": [", key->name);
    for (const struct tf_node *entry = tf_canon_first(node); entry != NULL;
         entry = tf_canon_next(node, entry)) {
        if (tf_canon_mapping(canon, key->shape, entry, NULL) != 0)
            return -1;
        fputs(",\n", canon->out);
    }
    fputs("],\n", canon->out);
    return 0;
}

TF_WRITER(named)
{
    if (node->kind != TF_NODE_MAP)
        return tf_canon_fail(canon, node, 0, "\"%s\" must be a mapping of program names, not %s", key->name,
                             tf_node_kind(node));
    fprintf(canon->out, "\"%s\": [", key->name);
    for (const struct tf_node *entry = node->first; entry != NULL; entry = entry->next) {
        if (!tf_name_valid(entry->key->text))
            return tf_canon_fail(
                canon, entry->key, 0,
                "\"%.70s\" is no name for a program; expected letters, digits, _ and -, at most 64",
                entry->key->text);
        if (tf_node_is_null(entry))
            return tf_canon_fail(canon, entry->key, 0, "\"%s\" has no value", entry->key->text);
        if (tf_canon_mapping(canon, key->shape, entry, entry->key) != 0)
            return -1;
        fputs(",\n", canon->out);
    }
    fputs("],\n", canon->out);
    return 0;
}

TF_WRITER(server)
{
    fprintf(canon->out, "\"%s\": ", key->name);
    if (tf_canon_mapping(canon, key->shape, node, node->key) != 0)
        return -1;
    fputs(",\n", canon->out);
    return 0;
}

static bool is_battery(const struct tf_node *root)
{
    for (const struct tf_node *each = root->kind == TF_NODE_MAP ? root->first : NULL; each != NULL;
         each = each->next)
        if (strcmp(each->key->text, "battery") == 0)
            return true;
    return false;
}

char *tf_canon_write(const struct tf_yaml *yaml, size_t *size, struct tf_error *error)
{
    char *text = NULL;
    struct tf_canon canon = {
        .yaml = yaml, .out = open_memstream(&text, size), .error = error, .battery = is_battery(yaml->root)};
    if (canon.out == NULL) {
        tf_error_set(error, "%s: out of memory", yaml->path);
        return NULL;
    }
    int result = tf_canon_mapping(&canon, &tf_file_shape, yaml->root, NULL);
    if (fclose(canon.out) != 0 && result == 0)
        result = tf_error_set(error, "%s: out of memory", yaml->path);
    if (result == 0)
        return text;
    free(text);
    return NULL;
}
