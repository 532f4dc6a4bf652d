/* Judging a program: its events, its end and the kernel's socket table become findings.
 *
 *   tf_judge_new
 *   tf_judge_event       every event, as it is delivered (collect.h)
 *   tf_judge_tick        every 20 ms or so while it runs
 *   tf_judge_disturb     whenever somebody interferes
 *   tf_judge_before_end  just before it is asked to end: its sockets are still there
 *   tf_judge_outlived    when it has ended, before what it left behind is killed
 *   tf_judge_finish      after its end: every check
 *   tf_judge_free
 *
 * One thread at a time. Does not print.
 */
#ifndef TF_JUDGE_H
#define TF_JUDGE_H

#include "collect.h"
#include "finding.h"
#include "launch.h"
#include "lifecycle.h"

struct tf_hang;
struct tf_judge;
struct tf_known;

struct tf_judge_options {
    const struct tf_segment *segment;
    const char *program;              /* its name for reports */
    const char *binary;               /* and what it is, for ids: a path will do */
    const char *reproduce;            /* a command line, or "" */
    bool serves_for_ever;             /* it is stopped from outside: its normal end */
    const char *const *allow;         /* names of checks that are excused; ends with NULL. NULL: none */
    const struct tf_known *known;     /* known.h; NULL: nothing is */
    const struct tf_sandbox *sandbox; /* where it runs; NULL: no socket table, no /proc */
    bool kernel_gives_up; /* tcp_retries2 was lowered: what is not acknowledged has a time limit */
};

/* How it ended. */
struct tf_judge_end {
    const struct tf_program_result *result;
    uint32_t pid;  /* as in its events */
    bool stopped;  /* it was asked to end */
    bool captured; /* out_bytes, err and err_bytes are known */
    uint64_t out_bytes, err_bytes;
    const char *err; /* the last of its standard error */
    size_t err_length;
};

/* NULL: no memory. What the options point to must live as long. */
struct tf_judge *tf_judge_new(const struct tf_judge_options *options);

void tf_judge_event(struct tf_judge *judge, enum tf_collect_what what, const struct tf_event *event);
void tf_judge_tick(struct tf_judge *judge, struct tf_collect *collect);
/* It was sent a signal from outside that need not end it. */
void tf_judge_disturb(struct tf_judge *judge);
/* May be called again: the first time counts as when it was asked. */
void tf_judge_before_end(struct tf_judge *judge);
/* The program has ended, and what it left running is still there. */
void tf_judge_outlived(struct tf_judge *judge);

/* Is it proven that the program, whose first process is `first` (as the host numbers
 * it), never ends by itself? Also where that is excused. To be asked again. */
bool tf_judge_ends_never(struct tf_judge *judge, struct tf_collect *collect, pid_t first);

/* Told by who has compared its output; after tf_judge_finish. The event may be NULL. */
void tf_judge_wrong(struct tf_judge *judge, const struct tf_event *event, const char *message);

/* For standstill.h, which proves hangs of several programs; and what it has proven:
 * the call that waits, and a sentence. */
struct tf_hang *tf_judge_hang(const struct tf_judge *judge);
void tf_judge_hangs(struct tf_judge *judge, const struct tf_event *event, const char *message);

/* What has been found by now: a proven hang, before the end. Valid until the next
 * call. */
const struct tf_finding *tf_judge_findings(const struct tf_judge *judge, size_t *count);

/* Runs the checks. 0, or -1: no memory, findings are missing. */
int tf_judge_finish(struct tf_judge *judge, const struct tf_judge_end *end);

/* After tf_judge_finish. */
const struct tf_lives *tf_judge_lives(const struct tf_judge *judge);
bool tf_judge_partial(const struct tf_judge *judge); /* there were too many events to keep all */

void tf_judge_free(struct tf_judge *judge); /* NULL is fine */

#endif
