/* SARIF 2.1.0 (OASIS), for code hosts: a result a finding and a result a failed
 * expectation or a fault that was never delivered; what else says nothing about a
 * program (a case that is broken or skipped) is a notification of the invocation.
 */
#include "report_sarif.h"

#include "cmd.h"

#include <string.h>
#include <time.h>

#define SCHEMA "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

/* 3.20: one or more of "rules", in the order of their first use. */
static json_t *rule_of(const struct tf_check_info *check)
{
    const char *why = check->why != NULL ? check->why : "",
               *source = check->source != NULL ? check->source : "";
    const char *title = check->title != NULL && check->title[0] != '\0' ? check->title : check->name;
    return json_pack("{ss ss s{ss} s{ss} s{s s+++ s s+++} s{ss} s{s[ss]}}", "id", check->name, "name",
                     check->name, "shortDescription", "text", title, "fullDescription", "text",
                     why[0] != '\0' ? why : title, "help", "text", why, " (", source, ")", "markdown", why,
                     "\n\nSource: ", source, ".", "defaultConfiguration", "level",
                     tf_severity_name(check->severity), "properties", "tags", "tcp", "reliability");
}

/* Where the rule stands in the list, which it is appended to where it is not there. */
static int rule_index(json_t *rules, const struct tf_check_info *check)
{
    size_t i;
    json_t *each;
    json_array_foreach(rules, i, each)
    {
        if (strcmp(json_string_value(json_object_get(each, "id")), check->name) == 0)
            return (int)i;
    }
    json_array_append_new(rules, rule_of(check));
    return (int)json_array_size(rules) - 1;
}

/* ---- results ---- */

static json_t *result_of(json_t *rules, const struct tf_check_info *check, const char *message)
{
    int index = rule_index(rules, check);
    return json_pack("{ss si ss s{ss}}", "ruleId", check->name, "ruleIndex", index, "level",
                     tf_severity_name(check->severity), "message", "text", message);
}

static void suppress(json_t *sarif, const struct tf_finding *finding)
{
    if (finding->state == TF_FINDING_SUPPRESSED)
        json_object_set_new(sarif, "suppressions",
                            json_pack("[{ss ss ss}]", "kind", "external", "status", "accepted",
                                      "justification", finding->excuse));
}

/* The socket's life is a thread flow: its last step is where it went wrong. */
static json_t *flow_of(const struct tf_finding *finding)
{
    json_t *steps = json_array();
    for (size_t i = 0; i < finding->life_count; i++)
        json_array_append_new(steps, json_pack("{s{s{ss}} ss}", "location", "message", "text",
                                               finding->life[i], "importance",
                                               i + 1 == finding->life_count ? "essential" : "important"));
    return json_pack("[{s[{so}]}]", "threadFlows", "locations", steps);
}

static json_t *properties_of(const struct tf_result *result, const struct tf_finding *finding)
{
    char seed[24];
    snprintf(seed, sizeof(seed), "%llu", (unsigned long long)result->seed);
    json_t *properties = json_pack("{ss ss}", "case", result->name, "seed", seed);
    const char *reproduce =
        finding != NULL && finding->reproduce[0] != '\0' ? finding->reproduce : result->reproduce;
    const char *const pairs[][2] = {
        {"reproduce", reproduce},
        {"program", finding != NULL ? finding->program : ""},
        {"fault", finding != NULL ? finding->rule : ""},
        {"call", finding != NULL ? finding->call : ""},
        {"errno", finding != NULL ? finding->error : ""},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (pairs[i][1] != NULL && pairs[i][1][0] != '\0')
            json_object_set_new(properties, pairs[i][0], json_string(pairs[i][1]));
    return properties;
}

static json_t *finding_result(json_t *rules, const struct tf_result *result, const struct tf_finding *finding)
{
    char message[2 * TF_RESULT_VALUE + 64];
    snprintf(message, sizeof(message), "%s%s%s%s%s", finding->program,
             finding->program[0] != '\0' ? ": " : "", finding->message,
             finding->rule[0] != '\0' ? "; after the fault " : "", finding->rule);
    json_t *sarif = result_of(rules, finding->check, message);
    json_object_set_new(sarif, "locations", tf_sarif_locations(finding, result));
    json_object_set_new(sarif, "partialFingerprints", json_pack("{ss}", "findingId/v1", finding->id));
    json_object_set_new(sarif, "occurrenceCount", json_integer(finding->times > 0 ? finding->times : 1));
    if (finding->frames_count > 0)
        json_object_set_new(sarif, "stacks", tf_sarif_stacks(finding));
    if (finding->life_count > 0)
        json_object_set_new(sarif, "codeFlows", flow_of(finding));
    suppress(sarif, finding);
    json_object_set_new(sarif, "properties", properties_of(result, finding));
    return sarif;
}

static json_t *failure_result(json_t *rules, const struct tf_result *result, const struct tf_failure *failure)
{
    char name[160], title[160], message[4 * TF_RESULT_VALUE], id[17];
    bool unfired = strcmp(failure->check, TF_UNFIRED) == 0;
    snprintf(name, sizeof(name), "expect-%.100s", failure->check);
    snprintf(title, sizeof(title), "An expectation of a scenario does not hold: %.100s", failure->check);
    static const struct tf_check_info undelivered = {
        .name = TF_UNFIRED,
        .title = "A fault was never delivered",
        .severity = TF_ERROR,
        .why =
            "What did not happen tests nothing, however well the program did. The rule's selectors have to "
            "meet a call that the program makes, or the fault is to be left out.",
        .source = "tcpfault-rules(7)"};
    struct tf_check_info check = {
        .name = name,
        .title = title,
        .severity = TF_ERROR,
        .why = "The scenario says what must hold, and it did not. The case's page in "
               "the other reports has what the programs wrote and the calls they made.",
        .source = "tcpfault-scenario(5), expect"};
    snprintf(message, sizeof(message), "%s: %s%s%s: expected %s, got: %s", result->name, failure->program,
             failure->program[0] != '\0' ? " " : "", failure->check, failure->expected, failure->got);
    const char *const parts[] = {result->file, result->name, failure->program, failure->check};
    tf_sarif_fingerprint(parts, 4, id);
    json_t *sarif = result_of(rules, unfired ? &undelivered : &check, message);
    json_object_set_new(sarif, "locations", json_pack("[o]", tf_sarif_scenario(result)));
    json_object_set_new(sarif, "partialFingerprints", json_pack("{ss}", "expectationId/v1", id));
    json_object_set_new(sarif, "properties", properties_of(result, NULL));
    return sarif;
}

/* The same bug in another case is the same result, met once more. */
static bool seen_before(json_t *results, const struct tf_finding *finding)
{
    size_t i;
    json_t *each;
    json_array_foreach(results, i, each)
    {
        const json_t *prints = json_object_get(each, "partialFingerprints");
        const char *id = json_string_value(json_object_get(prints, "findingId/v1"));
        if (id == NULL || strcmp(id, finding->id) != 0)
            continue;
        json_int_t count = json_integer_value(json_object_get(each, "occurrenceCount"));
        json_object_set_new(each, "occurrenceCount",
                            json_integer(count + (finding->times > 0 ? finding->times : 1)));
        return true;
    }
    return false;
}

/* All results have a baselineState, or none has (3.27.24). */
static void set_baseline(json_t *results, const struct tf_run *run)
{
    bool any = false;
    for (size_t i = 0; i < run->count; i++)
        for (size_t j = 0; j < run->results[i].findings_count; j++)
            any |= run->results[i].findings[j].state == TF_FINDING_KNOWN;
    size_t i;
    json_t *each;
    json_array_foreach(results, i, each)
    {
        const char *was = json_is_true(json_object_get(each, "known")) ? "unchanged" : "new";
        json_object_del(each, "known");
        if (any)
            json_object_set_new(each, "baselineState", json_string(was));
    }
}

static json_t *results_of(json_t *rules, const struct tf_run *run)
{
    json_t *results = json_array();
    for (size_t i = 0; i < run->count; i++) {
        const struct tf_result *result = &run->results[i];
        for (size_t j = 0; j < result->findings_count; j++) {
            const struct tf_finding *finding = &result->findings[j];
            if (seen_before(results, finding))
                continue;
            json_t *sarif = finding_result(rules, result, finding);
            json_object_set_new(sarif, "known", json_boolean(finding->state == TF_FINDING_KNOWN));
            if (finding->state == TF_FINDING_KNOWN)
                json_object_set_new(sarif, "level", json_string(tf_severity_name(TF_NOTE)));
            json_array_append_new(results, sarif);
        }
        for (size_t j = 0; j < result->failures_count; j++)
            if (!result->failures[j].broken || strcmp(result->failures[j].check, TF_UNFIRED) == 0)
                json_array_append_new(results, failure_result(rules, result, &result->failures[j]));
    }
    set_baseline(results, run);
    return results;
}

/* ---- the run ---- */

static void utc(uint64_t realtime_ns, char *out, size_t size)
{
    time_t seconds = (time_t)(realtime_ns / 1000000000);
    struct tm time;
    if (gmtime_r(&seconds, &time) == NULL || strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &time) == 0)
        snprintf(out, size, "1970-01-01T00:00:00Z");
}

static json_t *invocation_of(const struct tf_run *run)
{
    char start[32], stop[32], text[4 * TF_RESULT_VALUE];
    json_t *notifications = json_array();
    for (size_t i = 0; i < run->count; i++) {
        const struct tf_result *result = &run->results[i];
        bool broken = result->status == TF_BROKEN;
        if (!broken && result->status != TF_SKIPPED)
            continue;
        snprintf(text, sizeof(text), "%s: %s", result->name, result->reason);
        json_array_append_new(notifications,
                              json_pack("{ss s{ss} s[o]}", "level", broken ? "error" : "note", "message",
                                        "text", text, "locations", tf_sarif_scenario(result)));
    }
    utc(run->started_realtime_ns, start, sizeof(start));
    utc(run->started_realtime_ns + run->duration_ns, stop, sizeof(stop));
    return json_pack("[{ss sb ss ss so}]", "commandLine", run->command, "executionSuccessful",
                     run->counts[TF_BROKEN] == 0, "startTimeUtc", start, "endTimeUtc", stop,
                     "toolExecutionNotifications", notifications);
}

static void end(FILE *out, const struct tf_report_style *style, const struct tf_run *run)
{
    (void)style;
    json_t *rules = json_array(), *results = results_of(rules, run);
    json_t *document = json_pack(
        "{ss ss s[{s{s{ss ss ss so}} so s{s{s{ss}}} ss so}]}", "$schema", SCHEMA, "version", "2.1.0", "runs",
        "tool", "driver", "name", "tcpfault", "version", TF_VERSION, "semanticVersion", TF_VERSION, "rules",
        rules, "invocations", invocation_of(run), "originalUriBaseIds", TF_SARIF_BASE, "description", "text",
        "The directory that the run was started in.", "columnKind", "unicodeCodePoints", "results", results);
    if (document != NULL)
        json_dumpf(document, out, JSON_INDENT(1));
    fputc('\n', out);
    json_decref(document);
}

const struct tf_report tf_report_sarif = {"sarif", ".sarif", NULL, NULL, end};
