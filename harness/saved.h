/* Runs on disk: what --output left, or a json report, read back for reports. Does
 * not print.
 */
#ifndef TF_SAVED_H
#define TF_SAVED_H

#include "result.h"

struct tf_saved {
    struct tf_run run;         /* its texts and results are this struct's */
    struct tf_result *results; /* those of `run` */
    char *command, *sandbox;
};

/* Replaces DIRECTORY/run.json. 0 or -1. */
int tf_saved_write(const char *directory, const struct tf_run *run, struct tf_error *error);

/* `path`: the directory of a run, of an inject or of a trace; or a json report. Of
 * a run that did not get to its end, the cases that ended are taken. Returns 0, or
 * -1 with *error filled and nothing to free. */
int tf_saved_read(struct tf_saved *saved, const char *path, struct tf_error *error);
void tf_saved_fini(struct tf_saved *saved);

/* saved_session.c: *result becomes what an inject or trace came to, from its
 * run.json and the events.jsonl beside it. 0 or -1. */
int tf_saved_session(struct tf_result *result, const json_t *run, const char *directory,
                     struct tf_error *error);

#endif
