#include "scenario_yaml.h"

#include "result.h"
#include "scenario.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

/* Memory for nodes and their texts: freed all at once. */
struct tf_block {
    struct tf_block *next;
    _Alignas(max_align_t) char bytes[];
};

struct reader {
    struct tf_yaml *yaml;
    yaml_parser_t parser;
    struct tf_error *error;
    size_t nodes;
};

int tf_yaml_place_error(const char *path, struct tf_mark mark, struct tf_error *error, const char *message)
{
    /* What is quoted from the file may hold anything. */
    char *clean = tf_text_clean(message, strlen(message), sizeof(error->text), false);
    for (char *at = clean; clean != NULL && *at != '\0'; at++)
        *at = *at == '\n' || *at == '\t' ? ' ' : *at;
    tf_error_set(error, "%s:%d:%d: %s", path, mark.line, mark.column,
                 clean != NULL ? clean : "out of memory");
    free(clean);
    return -1;
}

int tf_yaml_error(const struct tf_yaml *yaml, struct tf_mark mark, struct tf_error *error, const char *format,
                  ...)
{
    char message[sizeof(error->text)];
    va_list list;
    va_start(list, format);
    vsnprintf(message, sizeof(message), format, list);
    va_end(list);
    return tf_yaml_place_error(yaml->path, mark, error, message);
}

static void *allocate(struct tf_yaml *yaml, size_t size)
{
    struct tf_block *block = calloc(1, sizeof(*block) + size);
    if (block == NULL)
        return NULL;
    block->next = yaml->blocks;
    yaml->blocks = block;
    return block->bytes;
}

static struct tf_mark mark_of(yaml_mark_t mark)
{
    return (struct tf_mark){(int)mark.line + 1, (int)mark.column + 1};
}

static int no_memory(struct reader *reader)
{
    return tf_error_set(reader->error, "%s: out of memory", reader->yaml->path);
}

/* ---- the bytes, before YAML sees them ---- */

static int check_bytes(const struct tf_yaml *yaml, struct tf_error *error)
{
    struct tf_mark mark = {1, 1};
    for (size_t i = 0; i < yaml->source_size;) {
        const unsigned char *at = (const unsigned char *)yaml->source + i;
        size_t length = tf_yaml_character(at, yaml->source_size - i);
        if (length == 0)
            return tf_yaml_error(yaml, mark, error, "byte 0x%02x is not UTF-8 text", *at);
        if ((*at < 0x20 && *at != '\n' && *at != '\r' && *at != '\t') || *at == 0x7f)
            return tf_yaml_error(yaml, mark, error, "byte 0x%02x has no place in a text file", *at);
        mark =
            *at == '\n' ? (struct tf_mark){mark.line + 1, 1} : (struct tf_mark){mark.line, mark.column + 1};
        i += length;
    }
    return 0;
}

/* ---- libyaml's events ---- */

/* libyaml's messages are about its grammar; these say what to do. */
static int syntax_error(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    if (parser->error == YAML_MEMORY_ERROR)
        return no_memory(reader);
    struct tf_mark mark = mark_of(parser->problem_mark);
    const char *problem = parser->problem != NULL ? parser->problem : "not YAML";
    if (parser->error == YAML_READER_ERROR)
        return tf_error_set(reader->error, "%s:1:1: %s", reader->yaml->path, problem);
    const char *hint = "";
    if (strstr(problem, "expected ',' or '}'") || strstr(problem, "did not find expected key") ||
        strstr(problem, "did not find expected '-'"))
        hint = "; check the indentation, and quote a value that begins with { [ % @ ` & * ! or holds \": \"";
    else if (strstr(problem, "cannot start any token"))
        hint = "; quote the value (and indent with blanks, not with tabs)";
    if (parser->context != NULL)
        return tf_yaml_error(reader->yaml, mark, reader->error, "%s, %s%s", problem, parser->context, hint);
    return tf_yaml_error(reader->yaml, mark, reader->error, "%s%s", problem, hint);
}

static int next_event(struct reader *reader, yaml_event_t *event)
{
    if (!yaml_parser_parse(&reader->parser, event))
        return syntax_error(reader);
    return 0;
}

static int refuse_decoration(struct reader *reader, const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    }
    struct tf_mark mark = mark_of(event->start_mark);
    if (anchor != NULL)
        return tf_yaml_error(reader->yaml, mark, reader->error,
                             "anchor \"&%.60s\": anchors are not allowed here", (const char *)anchor);
    if (tag != NULL)
        return tf_yaml_error(reader->yaml, mark, reader->error, "tag \"%.60s\": tags are not allowed here",
                             (const char *)tag);
    return 0;
}

static struct tf_node *read_node(struct reader *reader, const yaml_event_t *event, int depth);

static int fill_scalar(struct reader *reader, struct tf_node *node, const yaml_event_t *event)
{
    size_t length = event->data.scalar.length;
    const char *value = (const char *)event->data.scalar.value;
    if (memchr(value, '\0', length) != NULL)
        return tf_yaml_error(reader->yaml, node->mark, reader->error, "a value cannot hold a NUL byte");
    char *copy = allocate(reader->yaml, length + 1);
    if (copy == NULL)
        return no_memory(reader);
    memcpy(copy, value, length);
    node->text = copy;
    node->length = length;
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->one_line = event->start_mark.line == event->end_mark.line &&
                     event->data.scalar.style != YAML_LITERAL_SCALAR_STYLE &&
                     event->data.scalar.style != YAML_FOLDED_SCALAR_STYLE;
    return 0;
}

static int refuse_duplicate(struct reader *reader, const struct tf_node *map, const struct tf_node *key)
{
    for (const struct tf_node *each = map->first; each != NULL; each = each->next)
        if (strcmp(each->key->text, key->text) == 0)
            return tf_yaml_error(reader->yaml, key->mark, reader->error,
                                 "key \"%.60s\" is given twice; the first is in line %d", key->text,
                                 each->key->mark.line);
    return 0;
}

static const struct tf_node *read_key(struct reader *reader, const struct tf_node *map,
                                      const yaml_event_t *event, int depth)
{
    struct tf_node *key = read_node(reader, event, depth);
    if (key == NULL)
        return NULL;
    if (key->kind != TF_NODE_SCALAR) {
        tf_yaml_error(reader->yaml, key->mark, reader->error, "a key must be a string, not %s",
                      tf_node_kind(key));
        return NULL;
    }
    if (key->plain && strcmp(key->text, "<<") == 0) {
        tf_yaml_error(reader->yaml, key->mark, reader->error, "merge keys are not allowed here");
        return NULL;
    }
    if (map->entries == TF_SCENARIO_KEYS) {
        tf_yaml_error(reader->yaml, key->mark, reader->error, "more than %d keys in one mapping",
                      TF_SCENARIO_KEYS);
        return NULL;
    }
    return refuse_duplicate(reader, map, key) != 0 ? NULL : key;
}

static int read_entries(struct reader *reader, struct tf_node *node, int depth)
{
    const struct tf_node **end = &node->first;
    for (;;) {
        yaml_event_t event;
        const struct tf_node *key = NULL;
        if (next_event(reader, &event) != 0)
            return -1;
        bool last = event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
        if (!last && node->kind == TF_NODE_MAP) {
            key = read_key(reader, node, &event, depth);
            yaml_event_delete(&event);
            if (key == NULL || next_event(reader, &event) != 0)
                return -1;
        }
        struct tf_node *entry = last ? NULL : read_node(reader, &event, depth);
        yaml_event_delete(&event);
        if (last)
            return 0;
        if (entry == NULL)
            return -1;
        entry->key = key;
        *end = entry;
        end = &entry->next;
        node->entries++;
    }
}

/* The node that begins with *event, or NULL with the error filled. */
static struct tf_node *read_node(struct reader *reader, const yaml_event_t *event, int depth)
{
    struct tf_mark mark = mark_of(event->start_mark);
    if (event->type == YAML_ALIAS_EVENT) {
        tf_yaml_error(reader->yaml, mark, reader->error, "alias \"*%.60s\": aliases are not allowed here",
                      (const char *)event->data.alias.anchor);
        return NULL;
    }
    if (refuse_decoration(reader, event) != 0)
        return NULL;
    if (depth > TF_SCENARIO_DEPTH) {
        tf_yaml_error(reader->yaml, mark, reader->error, "nested more than %d levels deep",
                      TF_SCENARIO_DEPTH);
        return NULL;
    }
    if (++reader->nodes > TF_SCENARIO_NODES) {
        tf_yaml_error(reader->yaml, mark, reader->error, "more than %d values in one file",
                      TF_SCENARIO_NODES);
        return NULL;
    }
    struct tf_node *node = allocate(reader->yaml, sizeof(*node));
    if (node == NULL) {
        no_memory(reader);
        return NULL;
    }
    node->mark = mark;
    node->kind = event->type == YAML_SCALAR_EVENT           ? TF_NODE_SCALAR
                 : event->type == YAML_SEQUENCE_START_EVENT ? TF_NODE_LIST
                                                            : TF_NODE_MAP;
    int failed = node->kind == TF_NODE_SCALAR ? fill_scalar(reader, node, event)
                                              : read_entries(reader, node, depth + 1);
    return failed ? NULL : node;
}

/* Reads one event that must be there; where it is not of `type`, fails. */
static int expect_event(struct reader *reader, yaml_event_type_t type, const char *otherwise)
{
    yaml_event_t event;
    if (next_event(reader, &event) != 0)
        return -1;
    struct tf_mark mark = mark_of(event.start_mark);
    bool right = event.type == type;
    yaml_event_delete(&event);
    return right ? 0 : tf_yaml_error(reader->yaml, mark, reader->error, "%s", otherwise);
}

static int read_document(struct reader *reader)
{
    yaml_event_t event;
    if (expect_event(reader, YAML_STREAM_START_EVENT, "not YAML") != 0 ||
        expect_event(reader, YAML_DOCUMENT_START_EVENT, "the file is empty") != 0 ||
        next_event(reader, &event) != 0)
        return -1;
    reader->yaml->root = read_node(reader, &event, 1);
    yaml_event_delete(&event);
    if (reader->yaml->root == NULL || expect_event(reader, YAML_DOCUMENT_END_EVENT, "not YAML") != 0)
        return -1;
    return expect_event(reader, YAML_STREAM_END_EVENT, "a second document: a file holds one scenario");
}

int tf_yaml_parse(struct tf_yaml *yaml, const char *path, const char *text, size_t size,
                  struct tf_error *error)
{
    *yaml = (struct tf_yaml){.path = path, .source = text, .source_size = size};
    if (size > TF_SCENARIO_BYTES)
        return tf_yaml_error(yaml, (struct tf_mark){1, 1}, error, "larger than %d KiB",
                             TF_SCENARIO_BYTES / 1024);
    if (check_bytes(yaml, error) != 0)
        return -1;
    struct reader reader = {.yaml = yaml, .error = error};
    if (!yaml_parser_initialize(&reader.parser))
        return no_memory(&reader);
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, size);
    int result = read_document(&reader);
    yaml_parser_delete(&reader.parser);
    return result;
}

void tf_yaml_free(struct tf_yaml *yaml)
{
    while (yaml->blocks != NULL) {
        struct tf_block *next = yaml->blocks->next;
        free(yaml->blocks);
        yaml->blocks = next;
    }
    yaml->root = NULL;
}

bool tf_node_is_null(const struct tf_node *node)
{
    return node->kind == TF_NODE_SCALAR && node->plain &&
           (node->length == 0 || strcmp(node->text, "~") == 0 || strcasecmp(node->text, "null") == 0);
}

const char *tf_node_kind(const struct tf_node *node)
{
    if (tf_node_is_null(node))
        return "nothing";
    return node->kind == TF_NODE_SCALAR ? "a string" : node->kind == TF_NODE_LIST ? "a list" : "a mapping";
}
