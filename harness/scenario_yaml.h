/* A YAML document as nodes that know where they stood.
 *
 * Refuses what scenario files may not hold: anchors, aliases, tags, merge keys,
 * a second document, duplicate keys, keys that are no strings, NUL and control
 * characters, and anything beyond the limits in scenario.h.
 */
#ifndef TF_SCENARIO_YAML_H
#define TF_SCENARIO_YAML_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tf_mark {
    int line, column; /* from 1; columns in characters */
};

enum tf_node_kind { TF_NODE_SCALAR, TF_NODE_LIST, TF_NODE_MAP };

struct tf_node {
    enum tf_node_kind kind;
    bool plain;    /* a scalar without quotes */
    bool one_line; /* a scalar whose characters can be told apart in the source */
    struct tf_mark mark;
    const char *text; /* of a scalar; NUL-terminated and without other NULs */
    size_t length;
    const struct tf_node *key;          /* of a mapping's entry */
    const struct tf_node *first, *next; /* entries; siblings */
    size_t entries;
};

struct tf_yaml {
    const char *path;   /* the caller's; for messages */
    const char *source; /* the caller's */
    size_t source_size;
    const struct tf_node *root;
    struct tf_block *blocks; /* memory of the nodes */
};

/* 0, or -1 with *error filled. tf_yaml_free in either case. */
int tf_yaml_parse(struct tf_yaml *yaml, const char *path, const char *text, size_t size,
                  struct tf_error *error);
void tf_yaml_free(struct tf_yaml *yaml);

/* How long the UTF-8 character at `at` is; 0 where there is none. */
size_t tf_yaml_character(const unsigned char *at, size_t left);

/* The place of byte `offset` of a scalar's text; the scalar's own where its
 * spelling doesn't allow to say (blocks, several lines). */
struct tf_mark tf_yaml_place(const struct tf_yaml *yaml, const struct tf_node *node, size_t offset);

/* "PATH:LINE:COLUMN: " and the message. Returns -1. */
int tf_yaml_error(const struct tf_yaml *yaml, struct tf_mark mark, struct tf_error *error, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));

/* The same with the message as it is to stand there, but for control characters. */
int tf_yaml_place_error(const char *path, struct tf_mark mark, struct tf_error *error, const char *message);

/* `~`, `null`, or nothing at all. */
bool tf_node_is_null(const struct tf_node *node);

/* "a string", "a list", "a mapping", "nothing". */
const char *tf_node_kind(const struct tf_node *node);

#endif
