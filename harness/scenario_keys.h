/* The keys of scenario files: one row a key, in one table a mapping.
 *
 * The man page, the JSON Schema and scenario_schema.c have the same keys; tests
 * hold them together.
 */
#ifndef TF_SCENARIO_KEYS_H
#define TF_SCENARIO_KEYS_H

#include "scenario_text.h"
#include "scenario_yaml.h"

#include <stdio.h>

struct tf_canon { /* what the writers below write to */
    const struct tf_yaml *yaml;
    FILE *out;
    struct tf_error *error;
    bool battery; /* the file is one */
};

struct tf_key {
    const char *name; /* NULL ends the table */
    /* Checks the value and writes it under its name in the canonical spelling.
     * 0, or -1 with canon->error filled. */
    int (*write)(const struct tf_canon *canon, const struct tf_key *key, const struct tf_node *node);
    const struct tf_mapping *shape; /* of the mapping, or of the list's mappings, in it */
    bool required;
};

struct tf_mapping {
    const char *what;      /* "a program": for messages */
    const char *short_key; /* a value that is no mapping stands for this key; or NULL */
    bool text;             /* the struct keeps how the file wrote it */
    const struct tf_key *keys;
};

extern const struct tf_mapping tf_file_shape, tf_case_shape, tf_actor_shape, tf_expect_shape, tf_step_shape,
    tf_wait_shape, tf_pattern_shape, tf_event_shape, tf_state_shape, tf_fault_shape, tf_arming_shape,
    tf_sandbox_shape, tf_occupy_shape, tf_time_wait_shape, tf_late_segment_shape, tf_fill_shape;

/* All of them; ends with NULL. */
extern const struct tf_mapping *const tf_mappings[];

/* The bit of a key in `given`; 0 where the shape has no such key. */
uint64_t tf_key_bit(const struct tf_mapping *shape, const char *name);

/* The whole document in canonical spelling: JSON, so libcyaml needs to know
 * nothing of short forms. The caller frees it. NULL with *error filled. */
char *tf_canon_write(const struct tf_yaml *yaml, size_t *size, struct tf_error *error);

/* ---- for the writers: scenario_canon.c ---- */

int tf_canon_fail(const struct tf_canon *canon, const struct tf_node *node, size_t offset, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));
int tf_canon_scalar(const struct tf_canon *canon, const struct tf_key *key, const struct tf_node *node,
                    const char *what);
void tf_canon_string(const struct tf_canon *canon, const char *text);
void tf_canon_text(const struct tf_canon *canon, const char *key, const char *text);
void tf_canon_number(const struct tf_canon *canon, const char *key, int64_t value);
void tf_canon_flag(const struct tf_canon *canon, const char *key, bool value);
void tf_canon_place(const struct tf_canon *canon, const struct tf_node *node);
int tf_canon_mapping(const struct tf_canon *canon, const struct tf_mapping *shape, const struct tf_node *node,
                     const struct tf_node *name);
/* `word` was not found among `words`: an error that suggests or lists them. */
int tf_canon_unknown(const struct tf_canon *canon, const struct tf_node *node, const char *what,
                     const char *const *words);
/* What scenario_text.h found wrong with the text that stands at byte `skip` of a scalar. */
int tf_canon_wrong(const struct tf_canon *canon, const struct tf_node *node, size_t skip,
                   const struct tf_wrong *wrong);
/* 0, or -1: there is a wrong substitution in it. */
int tf_canon_subst(const struct tf_canon *canon, const struct tf_node *node, size_t skip);
/* 0, or -1: it is no name for a file in {dir}. */
int tf_canon_file(const struct tf_canon *canon, const struct tf_node *node);
/* 0, or -1: more than TF_SCENARIO_NAMES entries. */
int tf_canon_entries(const struct tf_canon *canon, const struct tf_key *key, const struct tf_node *node);
/* A mapping of program names, as `example` shows, to what `value` writes: a list of objects. */
int tf_canon_by_program(const struct tf_canon *canon, const struct tf_key *key, const struct tf_node *node,
                        const struct tf_key *value, const char *example);
/* Walks a value that is a list or stands for a list of one. */
const struct tf_node *tf_canon_first(const struct tf_node *node);
const struct tf_node *tf_canon_next(const struct tf_node *list, const struct tf_node *entry);

/* ---- the writers: scenario_values.c, scenario_texts.c, scenario_terms.c ---- */

#define TF_WRITER(name)                                                                                      \
    int tf_write_##name(const struct tf_canon *canon, const struct tf_key *key, const struct tf_node *node)
TF_WRITER(text);
TF_WRITER(subst);
TF_WRITER(flag);
TF_WRITER(seed);
TF_WRITER(time);
TF_WRITER(signal);
TF_WRITER(words);
TF_WRITER(texts);
TF_WRITER(names);
TF_WRITER(name);
TF_WRITER(pairs);
TF_WRITER(allow);
TF_WRITER(env);
TF_WRITER(files);
TF_WRITER(file);
TF_WRITER(finds);
TF_WRITER(find_in);
TF_WRITER(fault_text);
TF_WRITER(part);
TF_WRITER(ready);
TF_WRITER(exit);
TF_WRITER(count);
TF_WRITER(calls);
TF_WRITER(errno);
TF_WRITER(result);
TF_WRITER(role);
TF_WRITER(family);
TF_WRITER(option);
TF_WRITER(ordinal);
TF_WRITER(port);
TF_WRITER(states);
TF_WRITER(signals);
TF_WRITER(address);
TF_WRITER(loopback);
TF_WRITER(queue);
TF_WRITER(rule_ref);
TF_WRITER(outcomes);
TF_WRITER(requires);
/* scenario_canon.c */
TF_WRITER(map);    /* a mapping of key->shape */
TF_WRITER(list);   /* a list of such mappings */
TF_WRITER(named);  /* NAME: mapping, ... */
TF_WRITER(server); /* a mapping named after its key */

#endif
