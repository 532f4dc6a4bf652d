/* Inside `tcpfault run`: what cmd_run.c and run_jobs.c share. */
#ifndef TF_RUN_H
#define TF_RUN_H

#include "jobs.h"
#include "options.h"
#include "outputs.h"
#include "run_files.h"

#include <limits.h>

enum { TF_RUN_REPEAT = 10000, TF_RUN_JOBS = 64 };

struct tf_run_settings {
    struct tf_common common;
    struct tf_number jobs, repeat;
    const char *filter, *fixtures;
    bool fail_fast, host;
    const char *format, *report; /* in --help only: tf_outputs_take takes them out */
};

struct tf_run_command {
    struct tf_run_settings settings;
    struct tf_outputs outputs;
    struct tf_run_files files;
    struct tf_jobs jobs;
    char *directory; /* of the run; absolute */
    bool temporary;  /* to be removed */
    char build[PATH_MAX], fixtures[PATH_MAX + 16], shim[PATH_MAX];
    uint64_t seed;
    char *line; /* the command line */
    struct tf_known *known;
};

/* ---- run_jobs.c ---- */

/* Finds what the cases need, makes their directory, and makes them jobs. */
int tf_run_make_jobs(struct tf_run_command *command, struct tf_error *error);
/* A word behind a blank, as a shell wants it. */
void tf_run_quote(FILE *out, const char *word);

#endif
