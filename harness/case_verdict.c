/* What a case of a battery comes to: what its programs became, what was found and what
 * failed are made one verdict on the target. */
#include "case_verdict.h"
#include "check.h"
#include "findings.h"
#include "known.h"
#include "names.h"
#include "rule.h"
#include "show.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct verdict {
    struct tf_case_run *run;
    struct tf_result *result;
    const struct tf_running *target; /* the one that is looked at: a case may start it twice */
    char tolerated[400];             /* why; "": nothing is */
    size_t expected;                 /* findings that come from expectations */
};

/* ---- findings ---- */

static bool made_without_faults(const struct tf_baseline *baseline, const char *id)
{
    for (size_t i = 0; i < baseline->known_count; i++)
        if (strcmp(baseline->known[i], id) == 0)
            return true;
    return false;
}

/* Those on the target that are new beside the run without faults. */
static void keep_findings(struct verdict *verdict)
{
    struct tf_result *result = verdict->result;
    const struct tf_case_battery *battery = verdict->run->options->battery;
    size_t kept = 0;
    for (size_t i = 0; i < result->findings_count; i++) {
        struct tf_finding *finding = &result->findings[i];
        int of = tf_case_actor(verdict->run->one, finding->program);
        if (of < 0 || verdict->run->one->actor[of].stands != TF_STANDS_TARGET ||
            made_without_faults(battery->baseline, finding->id)) {
            tf_finding_fini(finding);
            continue;
        }
        free(finding->reproduce);
        finding->reproduce = strdup(battery->reproduce);
        if (kept < i)
            result->findings[kept] = *finding;
        kept++;
    }
    result->findings_count = kept;
}

static void found(struct verdict *verdict, enum tf_check_id id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void found(struct verdict *verdict, enum tf_check_id id, const char *format, ...)
{
    const struct tf_running *target = verdict->target;
    const struct tf_case_battery *battery = verdict->run->options->battery;
    const struct tf_rule_seen *struck = NULL;
    const char *rule = "", *call = "";
    char message[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(message, sizeof(message), format, list);
    va_end(list);
    for (uint32_t i = 0; i < target->seen.rules && struck == NULL; i++)
        if (tf_rule_fired(&target->seen.rule[i]) > 0) {
            struck = &target->seen.rule[i];
            rule = target->actor->faults[i].text;
        }
    for (int i = 0; struck != NULL && i < TF_CALLS && call[0] == '\0'; i++)
        call = (struck->calls & TF_BIT(i)) != 0 ? tf_call_info[i].name : "";
    struct tf_finding finding = {.check = &tf_check_info[id],
                                 .program = strdup(target->actor->name),
                                 .message = tf_text_clean(message, strlen(message), TF_RESULT_VALUE, false),
                                 .rule = strdup(rule),
                                 .call = strdup(call),
                                 .reproduce = strdup(battery->reproduce),
                                 .event = UINT64_MAX,
                                 .times = 1};
    tf_finding_id(finding.check->name, target->actor->run[0], call, "", battery->id, "", 0, finding.id);
    tf_known_apply(verdict->run->options->known, &finding);
    tf_result_finding(verdict->result, &finding);
    verdict->expected++;
}

static void tolerate(struct verdict *verdict, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void tolerate(struct verdict *verdict, const char *format, ...)
{
    va_list list;
    if (verdict->tolerated[0] != '\0')
        return;
    va_start(list, format);
    vsnprintf(verdict->tolerated, sizeof(verdict->tolerated), format, list);
    va_end(list);
}

/* ---- what the programs became ---- */

static enum tf_check_id check_of(enum tf_became became, bool server)
{
    return became == TF_BECAME_SAME      ? TF_CHECK_failure_ignored
           : became == TF_BECAME_PART    ? TF_CHECK_wrong_success
           : became == TF_BECAME_OTHER   ? TF_CHECK_wrong_success
           : became == TF_BECAME_UNAWARE ? TF_CHECK_wrong_success
           : became == TF_BECAME_KILLED  ? TF_CHECK_killed
           : became == TF_BECAME_HUNG    ? TF_CHECK_hung
           : server                      ? TF_CHECK_service_lost
                                         : TF_CHECK_transient_fatal;
}

/* Whether it went on as it may. */
static bool judge_target(struct verdict *verdict, uint32_t at)
{
    verdict->target = &verdict->run->running[at];
    const struct tf_expect *expect = &verdict->run->one->expect[at];
    const char *name = verdict->target->actor->name;
    char got[600];
    enum tf_became became = tf_case_became(verdict->run, at, got, sizeof(got));
    if (expect->outcome == 0 || tf_became_allowed(became, expect->outcome))
        return true;
    if (tf_became_allowed(became, expect->tolerated)) {
        tolerate(verdict, "%s %s", name, got);
        return true;
    }
    if (became == TF_BECAME_PATIENT) {
        tolerate(verdict, "%s still waited at the end, with a time limit of its own", name);
        return true;
    }
    if (became == TF_BECAME_SILENT && ((expect->outcome | expect->tolerated) & TF_OUTCOME_ERROR) != 0) {
        found(verdict, TF_CHECK_silent_failure, "%s", got);
        return true;
    }
    found(verdict, check_of(became, verdict->target->actor->role == TF_PART_SERVER), "%s", got);
    return false;
}

static void judge_peers(struct verdict *verdict)
{
    const struct tf_case *one = verdict->run->one;
    for (uint32_t i = 0; i < one->actors; i++) {
        const struct tf_expect *expect = &one->expect[i];
        char got[600];
        if (one->actor[i].stands == TF_STANDS_TARGET || expect->outcome == 0)
            continue;
        enum tf_became became = tf_case_became(verdict->run, i, got, sizeof(got));
        /* That it died of what the server did to it is its own mistake. */
        bool dead = became == TF_BECAME_KILLED && (expect->outcome & TF_OUTCOME_ANY) != 0;
        if (dead || tf_became_allowed(became, expect->outcome))
            continue;
        if (tf_became_allowed(became, expect->tolerated))
            tolerate(verdict, "%s %s", one->actor[i].name, got);
        else
            found(verdict, TF_CHECK_service_lost, "%s %s", one->actor[i].name, got);
    }
}

/* The expectations that are none of outcomes. Of a case that was ended by a step only
 * what is left when nothing else has been found. */
static void judge_failures(struct verdict *verdict, bool others)
{
    struct tf_result *result = verdict->result;
    for (size_t i = 0; i < result->failures_count; i++) {
        const struct tf_failure *failure = &result->failures[i];
        bool of_the_end = verdict->run->over || strcmp(failure->check, "killed") == 0;
        if (!of_the_end || (!others && verdict->expected == 0))
            found(verdict, TF_CHECK_broken_expectation, "%s%s%s: expected %s, got: %s", failure->program,
                  failure->program[0] != '\0' ? " " : "", failure->check, failure->expected, failure->got);
    }
}

/* What follows from a finding that says more is told, and no finding of its own. */
static void make_notes(struct verdict *verdict, size_t from)
{
    struct tf_result *result = verdict->result;
    for (size_t i = from; i < result->findings_count; i++) {
        char note[700];
        snprintf(note, sizeof(note), "%s: %.600s", result->findings[i].check->name,
                 result->findings[i].message);
        tf_result_note(result, note);
        tf_finding_fini(&result->findings[i]);
    }
    result->findings_count = from;
}

/* ---- the verdict ---- */

static const struct tf_failure *first_broken(const struct tf_result *result)
{
    for (size_t i = 0; i < result->failures_count; i++)
        if (result->failures[i].broken)
            return &result->failures[i];
    return NULL;
}

static bool judge_targets(struct verdict *verdict)
{
    const struct tf_case *one = verdict->run->one;
    bool go_on = true;
    for (uint32_t i = 0; i < one->actors; i++)
        if (one->actor[i].stands == TF_STANDS_TARGET)
            go_on &= judge_target(verdict, i);
    verdict->target = &verdict->run->running[tf_case_target(one)];
    return go_on;
}

static void judge(struct verdict *verdict)
{
    struct tf_result *result = verdict->result;
    keep_findings(verdict);
    size_t own = result->findings_count, serious = 0;
    for (size_t i = 0; i < own; i++)
        serious += result->findings[i].check->severity > TF_NOTE;
    bool goes_on = judge_targets(verdict);
    if (goes_on && !tf_case_settled(verdict->run))
        judge_peers(verdict);
    if (goes_on)
        judge_failures(verdict, serious > 0);
    if (serious > 0)
        make_notes(verdict, own);
}

static const struct tf_finding *first_counting(const struct tf_result *result)
{
    for (size_t i = 0; i < result->findings_count; i++)
        if (tf_finding_counts(&result->findings[i]))
            return &result->findings[i];
    return NULL;
}

/* The failures have become findings, or mean nothing. */
static void forget_failures(struct tf_result *result)
{
    for (size_t i = 0; i < result->failures_count; i++) {
        free(result->failures[i].program);
        free(result->failures[i].check);
        free(result->failures[i].expected);
        free(result->failures[i].got);
    }
    result->failures_count = 0;
}

static void forget_findings(struct tf_result *result)
{
    for (size_t i = 0; i < result->findings_count; i++)
        tf_finding_fini(&result->findings[i]);
    result->findings_count = 0;
}

static void decide(struct verdict *verdict, const struct tf_struck *struck)
{
    struct tf_result *result = verdict->result;
    const struct tf_finding *counting = first_counting(result), *note = result->findings;
    struct tf_struck peers = tf_case_struck(verdict->run, false);
    bool must_strike = !verdict->run->one->allow_unfired;
    if (counting != NULL)
        tf_case_conclude(result, TF_FINDING, "%s: %s", counting->check->name, counting->message);
    else if (struck->unfired != NULL && must_strike)
        tf_case_say_unfired(result, struck->unfired, struck->seen);
    else if (peers.unfired != NULL && must_strike)
        tf_case_conclude(result, TF_NOT_TESTED, "the fault on the other side never struck: %s",
                         peers.unfired);
    else if (verdict->tolerated[0] != '\0')
        tf_case_conclude(result, TF_TOLERATED, "%s", verdict->tolerated);
    else if (result->findings_count > 0 && note != NULL)
        tf_case_conclude(result, TF_TOLERATED, "%s: %s", note->check->name, note->message);
    else
        tf_case_conclude(result, TF_PASS, "%s", "");
}

void tf_case_verdict(struct tf_case_run *run)
{
    struct verdict verdict = {
        .run = run, .result = run->result, .target = &run->running[tf_case_target(run->one)]};
    struct tf_struck struck = tf_case_struck(run, true);
    bool unfired = struck.rules > 0 && struck.fired == 0 && !run->one->allow_unfired;
    const struct tf_failure *broken = first_broken(run->result);
    if (broken == NULL && unfired)
        broken = tf_case_cut_short(run);
    if (broken != NULL) {
        tf_case_conclude(run->result, TF_NOT_TESTED, "%s%s%s: expected %s, got: %s", broken->program,
                         broken->program[0] != '\0' ? " " : "", broken->check, broken->expected, broken->got);
        forget_findings(run->result);
    } else if (unfired) {
        forget_findings(run->result);
        tf_case_say_unfired(run->result, struck.unfired, struck.seen);
    } else {
        tf_case_usual_facts(run);
        judge(&verdict);
        decide(&verdict, &struck);
    }
    forget_failures(run->result);
}
