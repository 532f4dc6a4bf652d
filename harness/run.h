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
    char sandbox[384]; /* for reports: where the cases ran */
    struct tf_result *results;
};

/* ---- run_jobs.c ---- */

/* Finds what the cases need, and makes their directory, with an empty one in it for
 * each of `folders` (ends with NULL). */
int tf_run_places(struct tf_run_command *command, const char *const *folders, struct tf_error *error);
/* Makes the cases jobs. */
int tf_run_make_jobs(struct tf_run_command *command, struct tf_error *error);
/* Adds a job for the case, in a directory of `folder`; takes `reproduce`. NULL with
 * *error filled. Valid until the next one is added. */
struct tf_job *tf_run_add_job(struct tf_run_command *command, struct tf_jobs *jobs, const char *folder,
                              const struct tf_case *one, uint64_t seed, char *reproduce,
                              struct tf_error *error);
void tf_run_free_jobs(struct tf_jobs *jobs);
/* A word behind a blank, as a shell wants it. */
void tf_run_quote(FILE *out, const char *word);
/* " --timeout 10s" */
void tf_run_print_time(FILE *out, uint64_t ns);

/* ---- run_whole.c: a run, once its jobs are made ---- */

/* "tcpfault run ...", as a report has it. NULL: no memory. */
char *tf_run_line(int argc, char **argv);
/* --seed, or a new one. */
uint64_t tf_run_seed(const struct tf_common *common);
/* Runs the jobs and writes the reports, which are open. The signal that ended it, 0,
 * or -1 with *error filled; *run, whose results end with the jobs, then says what it
 * came to. `on_progress`: as of jobs.h. */
int tf_run_jobs(struct tf_run_command *command, tf_job_progress *on_progress, struct tf_run *run,
                struct tf_error *error);
void tf_run_fini(struct tf_run_command *command);

#endif
