/* Inside `tcpfault run`: what cmd_run.c, run_reports.c and run_jobs.c share. */
#ifndef TF_RUN_H
#define TF_RUN_H

#include "jobs.h"
#include "options.h"
#include "run_files.h"

#include <limits.h>

enum { TF_RUN_REPORTS = 8, TF_RUN_REPEAT = 10000, TF_RUN_JOBS = 64 };

struct tf_run_settings {
    struct tf_common common;
    struct tf_number jobs, repeat;
    const char *filter, *fixtures;
    bool fail_fast, host;
    const char *format, *report; /* in --help only: tf_run_take_reports takes them out */
};

struct tf_run_report {
    const struct tf_report *report;
    const char *path; /* NULL: stdout */
    FILE *out;
    struct tf_report_style style;
};

struct tf_run_command {
    struct tf_run_settings settings;
    struct tf_run_report reports[TF_RUN_REPORTS];
    size_t reports_count;
    struct tf_run_files files;
    struct tf_jobs jobs;
    char *directory; /* of the run; absolute */
    bool temporary;  /* to be removed */
    bool progress;   /* a line of it may be on the terminal */
    char build[PATH_MAX], fixtures[PATH_MAX + 16], shim[PATH_MAX];
    uint64_t seed;
    char *line; /* the command line */
};

/* ---- run_reports.c ---- */

/* --format and -o come in pairs, any number of them: they are taken out of argv,
 * whose new length is returned; -1 with *error filled. */
int tf_run_take_reports(struct tf_run_command *command, int argc, char **argv, struct tf_error *error);
/* Opens their files, and adds one for the terminal where none goes there. */
int tf_run_open_reports(struct tf_run_command *command, struct tf_error *error);
void tf_run_on_result(void *data, const struct tf_job *job, size_t number);       /* tf_jobs.on_result */
void tf_run_on_progress(void *data, const char *name, size_t done, size_t count); /* tf_jobs.on_progress */
/* 0, or -1 with *error filled: one could not be written. */
int tf_run_end_reports(struct tf_run_command *command, const struct tf_run *run, struct tf_error *error);

/* ---- run_jobs.c ---- */

/* Finds what the cases need, makes their directory, and makes them jobs. */
int tf_run_make_jobs(struct tf_run_command *command, struct tf_error *error);
/* A word behind a blank, as a shell wants it. */
void tf_run_quote(FILE *out, const char *word);

#endif
