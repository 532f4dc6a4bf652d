#include "check.h"
#include "known.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *file_of(const char *name, const char *text)
{
    const char *path = tf_scratch(name);
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
    return path;
}

/* The state that a finding of accept-spin in "server" with that id gets: "new", ... */
static const char *state_of(const char *baseline, const char *suppressions, const char *id)
{
    static char said[1200];
    struct tf_error error = {.text = "?"};
    struct tf_finding finding = {
        .check = &tf_check_info[TF_CHECK_accept_spin], .program = strdup("server"), .excuse = strdup("")};
    snprintf(finding.id, sizeof finding.id, "%s", id);
    struct tf_known *known = tf_known_load(baseline, suppressions, 20260615, &error);
    if (known)
        tf_known_apply(known, &finding);
    snprintf(said, sizeof said, "%s%s%s", known ? tf_finding_state_name(finding.state) : error.text,
             known && *finding.excuse ? ": " : "", known ? finding.excuse : "");
    tf_known_free(known);
    tf_finding_fini(&finding);
    return said;
}

static void what_a_report_holds_is_known(void)
{
    const char *report =
        file_of("report", "{\"results\": [{\"findings\": [{\"id\": \"0123456789abcdef\"}]}]}");
    TF_SAME(state_of(report, NULL, "0123456789abcdef"), "known");
    TF_SAME(state_of(report, NULL, "0123456789abcde0"), "new");
    TF_SAME(state_of(NULL, NULL, "0123456789abcdef"), "new");
}

static void a_suppression_holds_until_its_day(void)
{
    TF_SAME(state_of(NULL, file_of("s", "# theirs\n\naccept-spin until=2026-06-15 known upstream\n"), "0"),
            "suppressed: known upstream");
    TF_SAME(state_of(NULL, file_of("s", "accept-spin until=2026-06-14 known upstream\n"), "0"), "new");
    TF_SAME(state_of(NULL, file_of("s", "accept-spin program=other until=2030-01-01 x\n"), "0"), "new");
    TF_SAME(state_of(NULL, file_of("s", "0123456789abcdef until=2030-01-01 by id\n"), "0123456789abcdef"),
            "suppressed: by id");
}

static void what_is_wrong_is_told_with_its_place(void)
{
    const char *path = file_of("s", "accept-spim until=2030-01-01 x\n");
    char expected[1000];
    snprintf(expected, sizeof expected,
             "%s:1: \"accept-spim\" is neither a check nor an id of 16 digits; did you mean \"accept-spin\"?",
             path);
    TF_SAME(state_of(NULL, path, "0"), expected);
    path = file_of("s", "\naccept-spin because\n");
    snprintf(expected, sizeof expected, "%s:2: expected until=YYYY-MM-DD, the day on which it expires", path);
    TF_SAME(state_of(NULL, path, "0"), expected);
    path = file_of("s", "accept-spin until=2030-01-01\n");
    snprintf(expected, sizeof expected, "%s:1: expected a reason behind it", path);
    TF_SAME(state_of(NULL, path, "0"), expected);
}

TF_SUITE(known, TF_TEST(what_a_report_holds_is_known), TF_TEST(a_suppression_holds_until_its_day),
         TF_TEST(what_is_wrong_is_told_with_its_place))
