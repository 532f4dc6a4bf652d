/* A scenario file as libcyaml loads it from the canonical spelling: nothing
 * inherited yet, nothing looked up. */
#ifndef TF_SCENARIO_SCHEMA_H
#define TF_SCENARIO_SCHEMA_H

#include "scenario.h"

struct tf_settings { /* sandbox: */
    struct tf_pair *sysctl;
    uint32_t sysctl_count;
    uint64_t given;
    int line, column;
};

struct tf_setup { /* a file, or one of its cases */
    uint64_t given;
    int line, column;
    char *name, *about, *why, *source;
    int battery; /* of a file */
    struct tf_pattern *requires;
    uint32_t requires_count;
    char **tags, **needs;
    uint32_t tags_count, needs_count;
    struct tf_actor *programs;
    uint32_t programs_count;
    struct tf_actor *server, *client;
    struct tf_step *steps;
    uint32_t steps_count;
    struct tf_expect *expect;
    uint32_t expect_count;
    uint64_t timeout_ns, seed;
    bool allow_unfired;
    struct tf_pair *allow;
    uint32_t allow_count;
    struct tf_settings *sandbox;
    struct tf_setup *cases; /* of a file */
    uint32_t cases_count;
};

/* Loads a canonical text (tf_canon_write). NULL with *error filled, which is then
 * a fault of this program, not of the file. */
struct tf_setup *tf_setup_load(const char *canonical, size_t size, struct tf_error *error);
void tf_setup_free(struct tf_setup *setup); /* NULL is fine */

#endif
