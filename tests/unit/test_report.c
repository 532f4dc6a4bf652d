/* Results, and how the reports tell them, also where programs wrote what they
 * should not. */
#include "sample.h"
#include "told.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static int has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

static void check_harmless(const char *format, const char *text)
{
    for (const char *at = text; *at != '\0'; at++)
        TF_CHECK((unsigned char)*at >= 0x20 ? *at != 0x7f : *at == '\n', "%s: byte %02x", format,
                 (unsigned char)*at);
    TF_CHECK(!has(text, "\xe2\x80\xae") && !has(text, "\xc2\x9b") && !has(text, "\xff"),
             "%s: hidden characters", format);
}

static void no_report_lets_control_characters_through(void)
{
    for (size_t i = 0; tf_reports[i] != NULL; i++) {
        char *text = tf_sample_written(tf_reports[i]->name, (struct tf_report_style){.verbose = true});
        check_harmless(tf_reports[i]->name, text);
        free(text);
    }
}

static void clean_text_is_bounded_and_escaped(void)
{
    char *text = tf_text_clean("a\0\x1b\xc3\xa9\xc3", 6, 100, false);
    TF_SAME(text, "a\\x00\\x1b\xc3\xa9\\xc3");
    free(text);
    text = tf_text_clean("0123456789", 10, 4, false);
    TF_SAME(text, "0123...");
    free(text);
    text = tf_text_clean("0123456789", 10, 4, true);
    TF_SAME(text, "...6789");
    free(text);
    text = tf_text_clean("a\xc3\xa9\xc3\xa9", 5, 2, false); /* never half a character */
    TF_SAME(text, "a...");
    free(text);
    text = tf_text_clean("\xc3\xa9\xc3\xa9z", 5, 2, true);
    TF_SAME(text, "...z");
    free(text);
    text = tf_text_clean("\xed\xa0\x80\xf4\x90\x80\x80\xc0\x80\xe0\x80\x80", 12, 100, false);
    TF_SAME(text, "\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80\\xc0\\x80\\xe0\\x80\\x80");
    free(text);
}

static void results_survive_json(void)
{
    struct tf_error error;
    struct tf_result copy;
    tf_sample_build();
    json_t *json = tf_result_json(&tf_sample[1]);
    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    CU_ASSERT_EQUAL_FATAL(tf_result_parse(&copy, json, &error), 0);
    json_t *again = tf_result_json(&copy);
    CU_ASSERT(json_equal(json, again));
    CU_ASSERT_EQUAL(copy.seed, UINT64_MAX);
    json_decref(json);
    json_decref(again);
    tf_result_fini(&copy);
    tf_sample_clear();
    json = json_object();
    CU_ASSERT_EQUAL(tf_result_parse(&copy, json, &error), -1);
    json_decref(json);
}

static void the_terminal_report_says_what_and_how_again(void)
{
    char *text = tf_sample_written("term", (struct tf_report_style){.color = false});
    CU_ASSERT(has(text, "ok     suite: one (1.23s)\n"));
    CU_ASSERT(has(text, "FAIL   suite: two (1.23s)\n    client exit\n      expected  exit status 0\n"
                        "      got       exited with status 7\n"));
    CU_ASSERT(has(text, "    again: tcpfault run 'dir/a & b.yaml' --filter 'two' --seed 7\n"));
    CU_ASSERT(has(text, "      | client connect(3<TCP>, ...) = -1 ECONNREFUSED\n"));
    CU_ASSERT(
        has(text, "    warning spin: server: accept4 failed 123456 times a second with EMFILE (6 times)\n"));
    CU_ASSERT(has(text, "src/ser ver.c:42\n      from  a b.so+0x1234\n      after accept4:error=EMFILE\n"));
    CU_ASSERT(has(text, "      why   It burns a processor. Wait, or give up. [accept(2), Error handling]\n"));
    CU_ASSERT(!has(text, "known <upstream>")); /* that case held */
    CU_ASSERT(has(text, "BROKEN suite: three"));
    CU_ASSERT(has(text, "skip   suite: four: it needs # nothing\n"));
    CU_ASSERT(has(text, "ok     other (2)"));
    CU_ASSERT(has(text, "5 cases: 2 ok, 1 failed, 1 broken, 1 skipped; 1 error, 2 warnings; 5.00s, seed "
                        "18446744073709551615\n"));
    CU_ASSERT(!has(text, "\n..."));
    free(text);
}

static struct tf_finding spinning(struct tf_frame *frames, size_t count)
{
    static const struct tf_check_info check = {.name = "spin", .why = "It burns.", .source = "recv(2)"};
    return (struct tf_finding){.check = &check,
                               .program = "server",
                               .message = "it spins",
                               .rule = "",
                               .excuse = "",
                               .reproduce = "",
                               .frames = frames,
                               .frames_count = count};
}

static void a_deep_stack_is_cut_unless_all_is_wanted(void)
{
    struct tf_frame frames[9];
    struct tf_finding finding = spinning(frames, 9);
    for (size_t i = 0; i < finding.frames_count; i++)
        frames[i] = (struct tf_frame){.module = "server", .offset = i, .function = "", .file = ""};
    for (int verbose = 0; verbose <= 1; verbose++) {
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        tf_report_finding(out, &(struct tf_report_style){.verbose = verbose}, "", "", &finding);
        fclose(out);
        CU_ASSERT(has(text, "server+0x5\n") && has(text, "server+0x8\n") == verbose);
        CU_ASSERT(has(text, "  from  3 more; --verbose shows them\n") != verbose);
        free(text);
    }
}

static void a_bug_is_explained_once(void)
{
    struct tf_frame here = {.module = "server", .offset = 1, .function = "", .file = ""};
    struct tf_frame there = {.module = "server", .offset = 2, .function = "", .file = ""};
    struct tf_finding finding = spinning(&here, 1);
    struct tf_told told = {0};
    const struct tf_report_style style = {.told = &told};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    tf_report_finding(out, &style, "", "one", &finding);
    tf_report_finding(out, &style, "", "two", &finding);
    finding.frames = &there;
    tf_report_finding(out, &style, "", "three", &finding);
    finding.frames_count = 0;
    tf_report_finding(out, &style, "", "four", &finding);
    tf_report_finding(out, &style, "", "five", &finding);
    fclose(out);
    CU_ASSERT_STRING_EQUAL(text,
                           "note spin: server: it spins\n  at    server+0x1\n  why   It burns. [recv(2)]\n"
                           "note spin: server: it spins\n  as in one\n"
                           "note spin: server: it spins\n  at    server+0x2\n  why   It burns. [recv(2)]\n"
                           "note spin: server: it spins\n  why   It burns. [recv(2)]\n"
                           "note spin: server: it spins\n  why   It burns. [recv(2)]\n");
    free(text);
    tf_told_fini(&told);
}

static void quiet_leaves_only_what_is_wrong(void)
{
    char *text = tf_sample_written("term", (struct tf_report_style){.quiet = true});
    CU_ASSERT(!has(text, "suite: one") && !has(text, "skip ") && has(text, "FAIL ") && has(text, "BROKEN "));
    free(text);
}

static void color_only_where_wanted(void)
{
    char *text = tf_sample_written("term", (struct tf_report_style){.color = true});
    CU_ASSERT(has(text, "\x1b[31mFAIL"));
    CU_ASSERT(!has(text, "\x1b[31mred"));
    free(text);
}

static int lines_that_begin(const char *text, const char *start)
{
    int count = strncmp(text, start, strlen(start)) == 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL;)
        count += strncmp(++at, start, strlen(start)) == 0;
    return count;
}

static void tap_has_a_plan_and_a_line_a_case(void)
{
    char *text = tf_sample_written("tap", (struct tf_report_style){.color = false});
    CU_ASSERT_EQUAL(strncmp(text, "TAP version 14\n1..5\nok 1 - suite: one\n", 38), 0);
    CU_ASSERT_EQUAL(lines_that_begin(text, "ok "), 3);
    CU_ASSERT_EQUAL(lines_that_begin(text, "not ok "), 2); /* none forged */
    CU_ASSERT(has(text, "\nok 4 - suite: four # SKIP it needs \\# nothing\n"));
    CU_ASSERT_EQUAL(lines_that_begin(text, "  ---"), 4); /* two for findings alone */
    CU_ASSERT_EQUAL(lines_that_begin(text, "  ..."), 4);
    CU_ASSERT(has(text, "  findings:\n    - check: \"spin\"\n      severity: \"warning\"\n"));
    CU_ASSERT(has(text, "      expected: \"exit status 0\"\n"));
    free(text);
}

static void json_is_one_document_with_a_version(void)
{
    char *text = tf_sample_written("json", (struct tf_report_style){.color = false});
    json_error_t error;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(json, "version")), TF_RESULT_VERSION);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(json, "cases")), TF_SAMPLES);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(json_object_get(json, "counts"), "failed")), 1);
    TF_SAME(json_string_value(json_object_get(json, "seed")), "18446744073709551615");
    json_decref(json);
    free(text);
}

static void files_tell_their_format_by_their_names(void)
{
    char names[100], cut[10];
    CU_ASSERT_PTR_EQUAL(tf_report_of_file("a.b/c.xml"), &tf_report_junit);
    CU_ASSERT_PTR_EQUAL(tf_report_of_file("c.sarif"), &tf_report_sarif);
    CU_ASSERT_PTR_NULL(tf_report_of_file("xml"));
    CU_ASSERT_PTR_NULL(tf_report_of_file("a.xml/c"));
    int length = tf_report_names(names, sizeof(names));
    CU_ASSERT(has(names, "term, tap, ") && has(names, " or "));
    CU_ASSERT_EQUAL(tf_report_names(cut, sizeof(cut)), length);
    TF_SAME(cut, "term, tap");
}

/* Findings need not fail a case by an expectation. */
static void a_case_that_failed_by_a_finding_alone_names_it(void)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    tf_sample_build();
    tf_sample[4].status = TF_FAILED;
    tf_report_junit.end(out, &(struct tf_report_style){.color = false}, &tf_sample_run);
    fclose(out);
    CU_ASSERT(has(text, "<failure message=\"warning: spin: accept4 failed"));
    CU_ASSERT(has(text, " type=\"spin\">"));
    free(text);
    tf_sample_clear();
}

static void junit_is_valid(void)
{
    char *text = tf_sample_written("junit", (struct tf_report_style){.color = false}), command[1024];
    const char *path = tf_scratch("report.xml");
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
    snprintf(command, sizeof(command), "xmllint --noout --schema '%s/tests/junit.xsd' '%s' >/dev/null 2>&1",
             TF_SOURCE, path);
    int status = system(command); /* NOLINT(cert-env33-c) */
    TF_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "xmllint does not take it (status %x)",
             (unsigned int)status);
    CU_ASSERT(
        has(text, "<testsuites name=\"tcpfault\" tests=\"5\" failures=\"1\" errors=\"1\" skipped=\"1\""));
    CU_ASSERT(has(text, "<testsuite id=\"1\" name=\"other\" tests=\"1\""));
    CU_ASSERT(
        has(text, "<testcase classname=\"suite\" name=\"two\" file=\"dir/a &amp; b.yaml\" time=\"1.235\">"));
    CU_ASSERT(has(text, "<failure message=\"client exit: expected exit status 0, got: exited with status 7\" "
                        "type=\"exit\">"));
    CU_ASSERT(has(text, "<error message=\"client unfired: expected rule 1 to strike"));
    CU_ASSERT(has(text, "<skipped message=\"it needs # nothing\"/>"));
    CU_ASSERT(has(text, "warning: spin: accept4 failed 123456 times a second with EMFILE (accept_loop at "));
    CU_ASSERT(has(text, "<system-out>client: curl 'a b': exited with status 7\n"));
    free(text);
}

TF_SUITE(report, TF_TEST(no_report_lets_control_characters_through),
         TF_TEST(clean_text_is_bounded_and_escaped), TF_TEST(results_survive_json),
         TF_TEST(the_terminal_report_says_what_and_how_again), TF_TEST(quiet_leaves_only_what_is_wrong),
         TF_TEST(a_deep_stack_is_cut_unless_all_is_wanted), TF_TEST(a_bug_is_explained_once),
         TF_TEST(color_only_where_wanted), TF_TEST(tap_has_a_plan_and_a_line_a_case),
         TF_TEST(json_is_one_document_with_a_version), TF_TEST(files_tell_their_format_by_their_names),
         TF_TEST(a_case_that_failed_by_a_finding_alone_names_it), TF_TEST(junit_is_valid))
