/* Inside a running case of a battery: what became of its programs, and what that
 * comes to. */
#ifndef TF_CASE_VERDICT_H
#define TF_CASE_VERDICT_H

#include "baseline.h"
#include "case_run.h"

/* ---- case_outcome.c ---- */

enum tf_became {
    TF_BECAME_NOTHING, /* it was not started */
    TF_BECAME_SAME,    /* as without faults */
    TF_BECAME_ERROR,   /* it ended by itself, with a status that is not 0, and said something */
    TF_BECAME_SILENT,  /* the same, without a word */
    TF_BECAME_PART,    /* it ended with success, as without faults, but its output is cut short */
    TF_BECAME_UNAWARE, /* it ended with success, and could not know that its output is another */
    TF_BECAME_OTHER,   /* it ended with success, but is not as without faults */
    TF_BECAME_KILLED,  /* by a signal that nobody sent */
    TF_BECAME_HUNG,    /* it still ran at the end */
    TF_BECAME_PATIENT, /* the same, in a wait with a time limit of its own */
};

/* `got`: in words, what it did. */
enum tf_became tf_case_became(const struct tf_case_run *run, uint32_t at, char *got, size_t size);
/* Is this among the outcomes (bits of enum tf_outcome)? */
bool tf_became_allowed(enum tf_became became, unsigned outcomes);
const struct tf_usual *tf_case_usual(const struct tf_case_run *run, uint32_t at); /* NULL: not known */
/* Into the result, beside what the programs did, what they do without faults. */
void tf_case_usual_facts(struct tf_case_run *run);
int tf_case_target(const struct tf_case *one);
/* May it end before the case does? */
bool tf_outcome_may_end(const struct tf_expect *expect);

/* ---- case_applies.c ---- */

/* Does the case apply to the target at all? Otherwise the result says why not. */
bool tf_case_applies(struct tf_case_run *run);

static inline uint64_t tf_rule_fired(const struct tf_rule_seen *rule)
{
    return rule->fired + rule->begun;
}

struct tf_struck { /* what came of the faults on the target, or on the others */
    size_t rules, fired;
    const char *unfired; /* the first that did not strike; NULL: all did */
    const struct tf_rule_seen *seen;
};

struct tf_struck tf_case_struck(const struct tf_case_run *run, bool target);
/* Not applicable, for this rule of the target's did not strike. */
void tf_case_say_unfired(struct tf_result *result, const char *text, const struct tf_rule_seen *rule);
/* The failure for which the case was over before there was a client, though the target
 * went on: nothing has asked it to make the calls that a rule is for. NULL: none. */
const struct tf_failure *tf_case_cut_short(const struct tf_case_run *run);

void tf_case_conclude(struct tf_result *result, enum tf_verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- case_verdict.c ---- */

/* Turns what was found and what failed into the result's verdict. */
void tf_case_verdict(struct tf_case_run *run);

/* ---- case_observe.c ---- */

/* Of a run without faults: observed.json in its directory, with how often the target
 * made each watched event, where it listened, what it connected to, and how many bytes
 * it sends before it is answered. */
void tf_case_observe(struct tf_case_run *run);
void tf_case_observe_event(struct tf_running *running, const struct tf_event *event);

#endif
