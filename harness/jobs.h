/* Cases in processes of their own, some at a time; their results as they come.
 *
 * A case's process dies with this one, in whatever way it dies, and everything
 * that the case started with it (sandbox.h).
 */
#ifndef TF_JOBS_H
#define TF_JOBS_H

#include "case.h"
#include "result.h"

struct tf_job {
    const struct tf_case *one;
    struct tf_case_options options; /* directory: made when it starts */
    unsigned int repeat;            /* from 1; 0: cases run once */
    char *reproduce, *directory;    /* for the result; directory also absolute in options */
    struct tf_result result;        /* filled when it has run */
    bool done;                      /* it has; or from the beginning, with a result: it is not to be run */
};

/* A case has begun or ended. */
typedef void tf_job_progress(void *data, const struct tf_job *job, bool begun, size_t done, size_t count);

struct tf_jobs {
    struct tf_job *job;
    size_t count;
    unsigned int at_a_time;
    bool fail_fast;
    const char *results_path; /* results.jsonl: a line is appended as a job ends */
    /* Called in the order of `job`, each once its result and all before it are
     * there. May be NULL, as may on_progress. */
    void (*on_result)(void *data, const struct tf_job *job, size_t number);
    tf_job_progress *on_progress;
    void *data;
};

/* Runs them all. On SIGINT and SIGTERM ends what runs; what did not run is then
 * skipped with that reason. Returns 0, the signal that ended it, or -1 with *error
 * filled. */
int tf_jobs_run(struct tf_jobs *jobs, struct tf_error *error);

#endif
