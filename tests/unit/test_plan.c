/* Several rules in one text. */
#include "rule.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct tf_plan plan;
static struct tf_rule_error error;

static int add(const char *text)
{
    memset(&plan, 0, sizeof(plan));
    return tf_plan_add(&plan, text, &error);
}

static void rules_are_separated_by_semicolons(void)
{
    CU_ASSERT_EQUAL(add("read:eof; write:short=1;connect:error=EINTR"), 0);
    CU_ASSERT_EQUAL(plan.rules, 3);
    TF_SAME(plan.rule[0].text, "read:eof");
    TF_SAME(plan.rule[1].text, "write:short=1");
    TF_SAME(plan.rule[2].text, "connect:error=EINTR");
}

static void newlines_are_blanks_and_empty_rules_are_skipped(void)
{
    CU_ASSERT_EQUAL(add("\n ;; read:eof ;\n\t;write:short=1\n;\n"), 0);
    CU_ASSERT_EQUAL(plan.rules, 2);
    CU_ASSERT_EQUAL(add(""), 0);
    CU_ASSERT_EQUAL(plan.rules, 0);
    CU_ASSERT_EQUAL(add(" ; "), 0);
    CU_ASSERT_EQUAL(plan.rules, 0);
}

static void an_error_counts_from_the_start_of_the_whole_text(void)
{
    CU_ASSERT_EQUAL(add("read:eof;\n  wriet:short=1"), -1);
    CU_ASSERT_EQUAL(error.at, 12);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "did you mean \"write\"?"));
    CU_ASSERT_EQUAL(plan.rules, 1);
}

static void a_newline_does_not_separate(void)
{
    CU_ASSERT_EQUAL(add("read:eof\nwrite:short=1"), -1);
    CU_ASSERT_EQUAL(error.at, 8);
}

static void rules_are_added_to_those_that_are_there(void)
{
    CU_ASSERT_EQUAL(add("read:eof"), 0);
    CU_ASSERT_EQUAL(tf_plan_add(&plan, "write:short=1", &error), 0);
    CU_ASSERT_EQUAL(plan.rules, 2);
    TF_SAME(plan.rule[1].text, "write:short=1");
}

static void a_plan_has_at_most_64_rules(void)
{
    CU_ASSERT_EQUAL(add(""), 0);
    for (int i = 0; i < TF_RULES_MAX; i++)
        CU_ASSERT_EQUAL(tf_plan_add(&plan, "read:eof", &error), 0);
    CU_ASSERT_EQUAL(tf_plan_add(&plan, ";;", &error), 0);
    CU_ASSERT_EQUAL(tf_plan_add(&plan, " read:eof", &error), -1);
    CU_ASSERT_EQUAL(error.at, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "more than 64 rules"));
    CU_ASSERT_EQUAL(plan.rules, TF_RULES_MAX);
}

static void each_rule_per_connection_has_its_own_counter(void)
{
    CU_ASSERT_EQUAL(
        add("read:eof;read:eof:per=connection;write:short=1:per=run;write:per=connection:short=1"), 0);
    CU_ASSERT_EQUAL(plan.per_connection, 2);
    CU_ASSERT_EQUAL(plan.rule[1].per_slot, 0);
    CU_ASSERT_EQUAL(plan.rule[3].per_slot, 1);
}

static void a_plan_has_at_most_8_rules_per_connection(void)
{
    CU_ASSERT_EQUAL(add(""), 0);
    for (int i = 0; i < TF_PER_CONNECTION_MAX; i++)
        CU_ASSERT_EQUAL(tf_plan_add(&plan, "read:eof:per=connection", &error), 0);
    CU_ASSERT_EQUAL(tf_plan_add(&plan, "read:eof:per=connection", &error), -1);
    CU_ASSERT_EQUAL(error.at, 9);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "more than 8 rules with per=connection"));
    CU_ASSERT_EQUAL(tf_plan_add(&plan, "read:eof", &error), 0);
}

TF_SUITE(plan, TF_TEST(rules_are_separated_by_semicolons),
         TF_TEST(newlines_are_blanks_and_empty_rules_are_skipped),
         TF_TEST(an_error_counts_from_the_start_of_the_whole_text), TF_TEST(a_newline_does_not_separate),
         TF_TEST(rules_are_added_to_those_that_are_there), TF_TEST(a_plan_has_at_most_64_rules),
         TF_TEST(each_rule_per_connection_has_its_own_counter),
         TF_TEST(a_plan_has_at_most_8_rules_per_connection))
