/* SARIF 2.1.0. The whole of its schema is tried by make web-check; here, what code
 * hosts look at. Sections are those of the OASIS standard. */
#include "sample.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static json_t *log_of_sample(void)
{
    char *text = tf_sample_written("sarif", (struct tf_report_style){.color = false});
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    free(text);
    return json;
}

/* What stands at "runs/0/results": NULL where nothing does. */
static const json_t *at(const json_t *json, const char *path)
{
    char copy[200], *save = NULL;
    snprintf(copy, sizeof(copy), "%s", path);
    for (char *part = strtok_r(copy, "/", &save); part != NULL; part = strtok_r(NULL, "/", &save))
        json =
            json_is_array(json) ? json_array_get(json, strtoul(part, NULL, 10)) : json_object_get(json, part);
    return json;
}

static const char *text_at(const json_t *json, const char *path)
{
    return json_string_value(at(json, path));
}

static void findings_are_results_with_place_stack_and_flow(void)
{
    json_t *log = log_of_sample();
    CU_ASSERT_PTR_NOT_NULL_FATAL(log);
    TF_SAME(text_at(log, "version"), "2.1.0");
    const json_t *results = at(log, "runs/0/results");
    /* advice, spin, crash, two expectations, a fault that was never delivered, crash known; spin's second
     * case is the same result */
    CU_ASSERT_EQUAL(json_array_size(results), 7);
    TF_SAME(text_at(results, "5/ruleId"), "unfired");
    TF_SAME(text_at(results, "5/level"), "error");
    const json_t *spin = at(results, "1");
    TF_SAME(text_at(spin, "ruleId"), "spin");
    TF_SAME(text_at(spin, "level"), "warning");
    TF_SAME(text_at(spin, "message/text"),
            "server: accept4 failed 123456 times a second with EMFILE; after the fault accept4:error=EMFILE");
    TF_SAME(text_at(spin, "locations/0/physicalLocation/artifactLocation/uri"), "src/ser%20ver.c");
    TF_SAME(text_at(spin, "locations/0/physicalLocation/artifactLocation/uriBaseId"), "%SRCROOT%");
    CU_ASSERT_EQUAL(json_integer_value(at(spin, "locations/0/physicalLocation/region/startLine")), 42);
    TF_SAME(text_at(spin, "locations/0/logicalLocations/0/name"), "accept_loop");
    TF_SAME(text_at(spin, "locations/0/logicalLocations/1/fullyQualifiedName"), "a b.so+0x1234");
    CU_ASSERT_EQUAL(json_array_size(at(spin, "stacks/0/frames")), 2);
    CU_ASSERT_EQUAL(json_array_size(at(spin, "codeFlows/0/threadFlows/0/locations")), 2);
    TF_SAME(text_at(spin, "codeFlows/0/threadFlows/0/locations/1/importance"), "essential");
    TF_SAME(json_string_value(json_object_get(at(spin, "partialFingerprints"), "findingId/v1")),
            "0123456789abcdef");
    CU_ASSERT_EQUAL(json_integer_value(at(spin, "occurrenceCount")), 9);
    TF_SAME(text_at(spin, "properties/seed"), "18446744073709551615");
    TF_SAME(text_at(at(results, "2"), "locations/0/physicalLocation/artifactLocation/uri"),
            "file:///usr/src/other.c");
    json_decref(log);
}

static void rules_say_why_and_are_listed_once(void)
{
    json_t *log = log_of_sample();
    const json_t *rules = at(log, "runs/0/tool/driver/rules"), *results = at(log, "runs/0/results");
    CU_ASSERT_EQUAL(json_array_size(rules), 6);
    TF_SAME(text_at(rules, "1/id"), "spin");
    TF_SAME(text_at(rules, "1/shortDescription/text"), "The same call fails at machine speed");
    TF_SAME(text_at(rules, "1/help/text"),
            "It burns a processor. Wait, or give up. (accept(2), Error handling)");
    TF_SAME(text_at(rules, "1/defaultConfiguration/level"), "warning");
    for (size_t i = 0; i < json_array_size(results); i++) { /* 3.27.6 */
        const json_t *result = json_array_get(results, i);
        const json_t *rule = json_array_get(rules, (size_t)json_integer_value(at(result, "ruleIndex")));
        TF_SAME(text_at(result, "ruleId"), text_at(rule, "id"));
        CU_ASSERT(strlen(text_at(rule, "shortDescription/text")) > 0); /* also where the table has no title */
        CU_ASSERT(strlen(text_at(rule, "fullDescription/text")) > 0);
    }
    json_decref(log);
}

static void known_and_suppressed_ones_are_marked(void)
{
    json_t *log = log_of_sample();
    const json_t *results = at(log, "runs/0/results");
    TF_SAME(text_at(results, "0/suppressions/0/kind"), "external");
    TF_SAME(text_at(results, "0/suppressions/0/justification"), "known <upstream>");
    CU_ASSERT_PTR_NULL(at(results, "1/suppressions"));
    for (size_t i = 0; i < 6; i++) /* 3.27.24: all or none */
        TF_SAME(text_at(json_array_get(results, i), "baselineState"), "new");
    TF_SAME(text_at(results, "6/baselineState"), "unchanged");
    TF_SAME(text_at(results, "6/level"), "note");
    CU_ASSERT_PTR_NULL(at(results, "6/known"));
    json_decref(log);
}

static void failed_expectations_stand_at_their_scenario(void)
{
    json_t *log = log_of_sample();
    const json_t *results = at(log, "runs/0/results");
    TF_SAME(text_at(results, "3/ruleId"), "expect-exit");
    TF_SAME(text_at(results, "3/level"), "error");
    TF_SAME(text_at(results, "3/locations/0/physicalLocation/artifactLocation/uri"), "dir/a%20%26%20b.yaml");
    CU_ASSERT_EQUAL(json_integer_value(at(results, "3/locations/0/physicalLocation/region/startLine")), 12);
    const char *one =
        json_string_value(json_object_get(at(results, "3/partialFingerprints"), "expectationId/v1"));
    const char *two =
        json_string_value(json_object_get(at(results, "4/partialFingerprints"), "expectationId/v1"));
    CU_ASSERT(one != NULL && two != NULL && strlen(one) == 16 && strcmp(one, two) != 0);
    json_decref(log);
}

static void what_says_nothing_is_a_notification(void)
{
    json_t *log = log_of_sample();
    const json_t *invocation = at(log, "runs/0/invocations/0");
    CU_ASSERT(json_is_false(at(invocation, "executionSuccessful")));
    TF_SAME(text_at(invocation, "startTimeUtc"), "2023-11-14T22:13:20Z");
    TF_SAME(text_at(invocation, "endTimeUtc"), "2023-11-14T22:13:25Z");
    TF_SAME(text_at(invocation, "toolExecutionNotifications/0/level"), "error");
    TF_SAME(text_at(invocation, "toolExecutionNotifications/0/message/text"), "three: client unfired");
    TF_SAME(text_at(invocation, "toolExecutionNotifications/1/level"), "note");
    json_decref(log);
}

TF_SUITE(sarif, TF_TEST(findings_are_results_with_place_stack_and_flow),
         TF_TEST(rules_say_why_and_are_listed_once), TF_TEST(known_and_suppressed_ones_are_marked),
         TF_TEST(failed_expectations_stand_at_their_scenario), TF_TEST(what_says_nothing_is_a_notification))
