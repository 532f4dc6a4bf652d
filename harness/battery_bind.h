/* The user's commands in the place of {target} and {peer}.
 *
 * Of the user's words {port}, {port:NAME}, {dir} and {config} are replaced, when a case
 * runs; every other brace stays as it is.
 */
#ifndef TF_BATTERY_BIND_H
#define TF_BATTERY_BIND_H

#include "battery.h"

#include <stdio.h>

struct tf_words { /* as a scenario has them */
    char **word;
    uint32_t count;
    bool port; /* {port} is among them */
};

struct tf_bound {
    struct tf_words target, peer;
    bool own_peer; /* the peer is the user's, not the tool's */
    struct tf_pair *env;
    uint32_t env_count;
    struct tf_pair config; /* a file for {dir}; name NULL: none */
    char *cwd;
    const char *ready; /* what the user's server writes when it is; NULL: it listens then */
    void **freed;      /* what was allocated for the scenarios that were bound */
    size_t freed_count;
};

/* The command of a battery, `words` ending with NULL. 0, or -1: no memory. */
int tf_words_take(struct tf_words *words, char *const *user, const char *config);
/* The same, as a command line that is split as a scenario's `run`. 0, or -1 with *error
 * filled. */
int tf_words_split_line(struct tf_words *words, const char *line, const char *config, struct tf_error *error);
/* Words of the tool's own, substitutions and all. */
int tf_words_own(struct tf_words *words, const char *const *own);
/* {port} in them becomes {port:NAME}. */
int tf_words_rename_port(struct tf_words *words, const char *name);
void tf_words_fini(struct tf_words *words);

/* NAME=VALUE of --env, and --config FILE. 0, or -1 with *error filled. */
int tf_bound_settings(struct tf_bound *bound, const struct tf_list *env, const char *config,
                      struct tf_error *error);

/* Puts them into every case of the file. 0, or -1 with *error filled. `bound` must
 * outlive it. */
int tf_bind(struct tf_bound *bound, struct tf_scenario *scenario, struct tf_error *error);
/* After the scenarios. */
void tf_bound_fini(struct tf_bound *bound);

/* A user's word as a scenario has it; the caller frees it. NULL: no memory. `config`:
 * the name of the file that {config} stands for, or NULL: it is left alone. */
char *tf_battery_word(const char *word, const char *config);

#endif
