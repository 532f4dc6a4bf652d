/* Did a program do what the scenario expects? Judged from what was seen of it.
 *
 * Pure: looks at nothing but its arguments (and files in {dir}); does not print.
 */
#ifndef TF_EXPECT_H
#define TF_EXPECT_H

#include "event.h"
#include "launch.h"
#include "plan.h"
#include "result.h"
#include "scenario.h"
#include "scenario_text.h"

/* Counts the events that a pattern means. */
struct tf_watch {
    const struct tf_pattern *pattern;
    uint64_t count;
};

/* What was seen of one program, over all its starts. */
struct tf_seen {
    bool started;
    bool hung;                    /* it was waited for, and did not end */
    bool proven;                  /* and never would have: its deadline was not waited for */
    bool alive;                   /* it ran when all clients had ended */
    bool stopping;                /* we asked it to end */
    uint64_t signalled;           /* signals that we sent it: 1 << number */
    struct tf_program_result end; /* of the last start */
    char *out, *err;              /* NUL-terminated; not kept bytes are missing */
    size_t out_length, err_length;
    uint64_t out_bytes, err_bytes; /* of all that was written */
    struct tf_traffic tcp;
    bool attached;            /* the shim loaded */
    uint64_t timeout_ns;      /* the case's deadline, from its start */
    struct tf_watch *watches; /* the expectation's events, then its nevers, then the steps' */
    size_t watches_count;
    uint32_t rules;
    struct tf_rule_seen {
        uint64_t counted, fired, undelivered;
        uint64_t begun;  /* struck calls that never returned: not in fired */
        uint64_t calls;  /* those that it struck: TF_BITs */
        uint32_t reason; /* enum tf_reason */
    } rule[TF_RULES_MAX];
};

/* Is this one of the events that the pattern means (its count aside)? */
bool tf_pattern_matches(const struct tf_pattern *pattern, const struct tf_event *event);

/* Does the text hold what is to be found? {..} in it is replaced from `values`. */
bool tf_find_holds(const struct tf_find *find, const char *text, size_t length,
                   const struct tf_values *values);

/* For messages: `/timeout/`, `not "x"`. The caller frees it; NULL: no memory. */
char *tf_find_describe(const struct tf_find *find, const struct tf_values *values);

/* Appends to *result a failure for everything about actor `at` of the case that
 * does not hold. 0, or -1: no memory. */
int tf_expect_judge(const struct tf_case *one, uint32_t at, const struct tf_seen *seen,
                    const struct tf_values *values, struct tf_result *result);

/* The same for nothing but an unexpected signal. */
int tf_expect_judge_killed(const struct tf_case *one, uint32_t at, const struct tf_seen *seen,
                           struct tf_result *result);

#endif
