/* The batteries of tcpfault check: scenario files that are part of this program, or
 * files of the user's in their place. */
#ifndef TF_BATTERY_H
#define TF_BATTERY_H

#include "options.h"
#include "scenario.h"

enum { TF_BATTERY_ID = 200 };

enum { TF_BATTERY_FILES = 256 };

struct tf_batteries {
    struct tf_scenario *scenario[TF_BATTERY_FILES];
    char *text[TF_BATTERY_FILES]; /* of each, for tf_battery_explain */
    size_t count;
};

/* Those for targets of this part; TF_PART_DEFAULT: for both. `paths`, where it has
 * any: these files, and of these directories all *.yaml in them, instead of the ones
 * in this program. 0, or -1 with *error filled; tf_batteries_fini in either case. */
int tf_batteries_load(struct tf_batteries *batteries, int part, const struct tf_list *paths,
                      struct tf_error *error);
void tf_batteries_fini(struct tf_batteries *batteries);

/* "server/accept/emfile-passes". */
void tf_battery_id(const struct tf_case *one, char out[TF_BATTERY_ID]);

/* Is the case one of these: its whole id; else, where no case has it as its id, a part
 * of the id, or a glob(7) that matches it, topic/case, or the case? */
bool tf_battery_meant(const struct tf_batteries *batteries, const struct tf_case *one,
                      const struct tf_list *globs);

/* The case with this id, or the only one that is meant by it. NULL with *error filled. */
const struct tf_case *tf_battery_case(const struct tf_batteries *batteries, const char *id,
                                      struct tf_error *error);

/* Writes what the case does, why a good program holds, and a scenario to start one's
 * own from. `target`, `peer`: words, or NULL; `ready`: of --ready, or NULL. 0, or -1 with *error filled. */
int tf_battery_explain(const struct tf_batteries *batteries, const struct tf_case *one, char *const *target,
                       char *const *peer, const char *ready, FILE *out, struct tf_error *error);

#endif
