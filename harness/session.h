/* One command, run on the user's terminal under the shim: what inject and trace
 * have in common. Does not print.
 *
 *   tf_session_new       the command was looked at, the segment exists
 *   tf_session_run       it runs and ends
 *   ...                  the segment can be read
 *   tf_session_free
 */
#ifndef TF_SESSION_H
#define TF_SESSION_H

#include "collect.h"
#include "launch.h"
#include "options.h"
#include "preflight.h"

struct tf_finding; /* finding.h */
struct tf_known;

struct tf_session_options {
    char *const *argv;
    const struct tf_plan *plan;
    const char *output;  /* --output, or NULL: a private directory, removed at the end */
    const char *control; /* --control, or NULL */
    bool sandbox;        /* --sandbox */
    uint64_t timeout_ns; /* 0: none */
    uint64_t for_ns;     /* 0: none */
    bool blocked;        /* as in struct tf_collect_options */
    void (*on_event)(void *data, enum tf_collect_what what, const struct tf_event *event);
    void (*on_drained)(void *data); /* as in struct tf_collect_options */
    /* Judging: its findings are in tf_session_findings. */
    bool judge;
    bool stop_when_hung;          /* a proven hang ends it */
    const struct tf_known *known; /* known.h, or NULL */
    const char *reproduce;        /* the command line, for findings */
    void (*on_found)(void *data); /* there are more; from the loop. May be NULL */
    void *data;
};

struct tf_session_result {
    struct tf_program_result program;
    bool ended_by_for;      /* it was stopped because for_ns were over: its normal end */
    unsigned int processes; /* images that loaded the shim */
    uint64_t lost;          /* events */
};

struct tf_session;

/* NULL with *error filled: exit status 3, or 2 where *usage is set. */
struct tf_session *tf_session_new(const struct tf_session_options *options, bool *usage,
                                  struct tf_error *error);

const struct tf_preflight *tf_session_preflight(const struct tf_session *session);
struct tf_segment *tf_session_segment(const struct tf_session *session);

/* Returns 0 with *result filled, or -1. Either way every process is gone. */
int tf_session_run(struct tf_session *session, struct tf_session_result *result, struct tf_error *error);

/* What has been found so far; all of it after tf_session_run. Valid until the next call. */
const struct tf_finding *tf_session_findings(const struct tf_session *session, size_t *count);

/* With an output directory: writes run.json in it. `status` -1: not known yet.
 * `command`: the subcommand's name. 0 or -1. */
int tf_session_record(const struct tf_session *session, const char *command, int status,
                      struct tf_error *error);

void tf_session_free(struct tf_session *session);

#endif
