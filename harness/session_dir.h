/* Where a run's files are. Internal to session.c. */
#ifndef TF_SESSION_DIR_H
#define TF_SESSION_DIR_H

#include "error.h"

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>

struct tf_session_dir {
    char path[PATH_MAX]; /* absolute; "" while there is none */
    bool temporary;      /* removed by tf_session_dir_close */
    int lock_fd;         /* with temporary: held while the run lives; else -1 */
    char segment[PATH_MAX + 32], jsonl[PATH_MAX + 32], run[PATH_MAX + 32];
};

/* `output`: a directory to make, or an empty one; NULL: a private temporary one,
 * that processes of the run which change user can still reach into; those that
 * killed runs of this user left behind are then removed. */
int tf_session_dir_open(struct tf_session_dir *dir, const char *output, struct tf_error *error);

/* Replaces run.json. */
int tf_session_dir_write(const struct tf_session_dir *dir, const json_t *run, struct tf_error *error);

void tf_session_dir_close(struct tf_session_dir *dir);

#endif
