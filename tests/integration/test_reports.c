/* JUnit, as CI systems read it. */
#include "check.h"
#include "place.h"
#include "suite.h"

#include <stdlib.h>

static const char *xpath(const char *file, const char *path)
{
    struct it_child *child = it_run(&(struct it_command){.argv = ARGV("xmllint", "--xpath", path, file)});
    CHECK_EXIT(child, 0);
    return child->out;
}

static void junit_has_a_testcase_for_each_case_with_time_message_and_output(void)
{
    const char *scenario =
        it_file("three.yaml", "name: three\n"
                              "client: {run: [sh, -c, 'echo said; echo complained >&2; exit 4']}\n"
                              "cases:\n"
                              "- name: good\n"
                              "  expect: {client: {exit: 4}}\n"
                              "- name: bad <&\"> \\x01\n"
                              "  expect: {client: {exit: 0}}\n"
                              "- name: unfired\n"
                              "  client: {faults: ['%in:eof']}\n"
                              "  expect: {client: {exit: 4}}\n"
                              "- name: skipped\n"
                              "  needs: no-such-program-anywhere\n");
    const char *report = it_text("%s/report.xml", it_scratch());
    struct it_child *child = it_run(&(struct it_command){
        .argv = ARGV(it_built("tcpfault"), "run", "--format", "junit", "-o", report, scenario)});
    CHECK(child->exit == 1 || child->exit == 3);
    CHECK_EXIT(it_run(&(struct it_command){
                   .argv = ARGV("xmllint", "--noout", "--schema", it_source("tests/junit.xsd"), report)}),
               0);
    CHECK_TEXT(xpath(report, "count(//testcase)"), "4\n");
    CHECK_TEXT(xpath(report, "count(//testcase[not(skipped)][@time > 0])"), "3\n");
    CHECK_TEXT(xpath(report, "count(//testcase/failure)"), "1\n");
    CHECK_TEXT(
        xpath(report, "count(//testcase[@name='good']/*[self::failure or self::error or self::skipped])"),
        "0\n");
    CHECK_TEXT(xpath(report, "count(//testcase[@name='unfired']/error)"), "1\n");
    CHECK_TEXT(xpath(report, "count(//testcase[@name='skipped']/skipped)"), "1\n");
    CHECK_HAS(xpath(report, "string(//failure/@message)"), "exit");
    CHECK_HAS(xpath(report, "string(//testcase[failure]/system-out)"), "said");
    CHECK_HAS(xpath(report, "string(//testcase[failure]/system-err | //testcase[failure]/system-out)"),
              "said");
    CHECK_HAS(xpath(report, "string(//testcase[failure])"), "complained");
}

static void a_gigabyte_of_output_needs_little_memory_and_disk(void)
{
    const char *scenario =
        it_file("flood.yaml", "client: {run: [head, -c, '1000000000', /dev/zero]}\ntimeout: 15s\n");
    const char *folder = it_text("%s/out", it_scratch());
    struct it_child *child = it_run(&(struct it_command){
        .argv = ARGV(it_built("tcpfault"), "run", "--output", folder, scenario), .deadline_s = 30});
    CHECK_EXIT(child, 0);
    CHECK_SAYING(child->peak_bytes < UINT64_C(400) << 20,
                 it_text("%llu bytes", (unsigned long long)child->peak_bytes));
    child = it_run(&(struct it_command){.argv = ARGV("du", "-sk", folder)});
    CHECK_SAYING(atoi(child->out) < 20000, child->out);
    CHECK(child->out_bytes > 0);
}

IT_SUITE(reports, TEST(junit_has_a_testcase_for_each_case_with_time_message_and_output),
         TEST(a_gigabyte_of_output_needs_little_memory_and_disk))
