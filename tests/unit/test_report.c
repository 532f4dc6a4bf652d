/* Results, and how the reports tell them, also where programs wrote what they
 * should not. */
#include "result.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* Everything that could escape from a report. */
static const char hostile[] =
    "\x1b[31mred\x1b[0m ]]> <b>&amp;\"' \xff\xfe \xc2\x9b \xe2\x80\xae \xef\xbf\xbe # \\ \r\x7f\n"
    "not ok 1 - forged\n  ...\n";

enum { CASES = 5 };

static struct tf_result results[CASES];
static struct tf_run run;

static void fill(struct tf_result *result, const char *suite, const char *name, enum tf_status status)
{
    memset(result, 0, sizeof(*result));
    result->file = strdup("dir/a & b.yaml");
    result->suite = strdup(suite);
    result->name = strdup(name);
    result->about = strdup("");
    result->reason = strdup(status == TF_SKIPPED ? "it needs # nothing" : "");
    result->reproduce = strdup("tcpfault run 'dir/a & b.yaml' --filter 'two' --seed 7");
    result->directory = strdup("");
    result->status = status;
    result->seed = UINT64_MAX;
    result->duration_ns = 1234567890;
    result->started_realtime_ns = UINT64_C(1700000000000000000);
}

static void add_program(struct tf_result *result)
{
    struct tf_program_result_text *program = tf_result_program(result);
    CU_ASSERT_PTR_NOT_NULL(program);
    if (program == NULL)
        return;
    program->name = strdup("client");
    program->command = strdup("curl 'a b'");
    program->end = strdup("exited with status 7");
    program->out = tf_text_clean(hostile, sizeof(hostile) - 1, TF_RESULT_OUTPUT, true);
    program->err = strdup("an error\n");
    program->out_bytes = 12345678;
    program->fired = 1;
}

static void build(void)
{
    fill(&results[0], "suite", "one", TF_HELD);
    add_program(&results[0]);
    fill(&results[1], "suite", "two", TF_FAILED);
    add_program(&results[1]);
    tf_result_failure(&results[1], false, "client", "exit", "exit status 0", "exited with status 7");
    tf_result_failure(&results[1], false, "client", "stdout", "\"x\"", hostile);
    tf_result_event(&results[1], "client connect(3<TCP>, ...) = -1 ECONNREFUSED");
    tf_result_event(&results[1], hostile);
    tf_result_note(&results[1], hostile);
    fill(&results[2], "suite", "three", TF_BROKEN);
    free(results[2].reason);
    results[2].reason = strdup("client unfired");
    tf_result_failure(&results[2], true, "client", "unfired", "rule 1 to strike",
                      "no call met its selectors");
    fill(&results[3], "suite", "four", TF_SKIPPED);
    fill(&results[4], "other", "other", TF_HELD);
    free(results[4].file);
    results[4].file = strdup("other.yaml");
    results[4].repeat = 2;
    run = (struct tf_run){.results = results,
                          .count = CASES,
                          .counts = {2, 1, 1, 1},
                          .seed = UINT64_MAX,
                          .duration_ns = 5000000000,
                          .started_realtime_ns = UINT64_C(1700000000000000000),
                          .command = "tcpfault run x",
                          .sandbox = "of its own"};
}

static void clear(void)
{
    for (int i = 0; i < CASES; i++)
        tf_result_fini(&results[i]);
}

/* The whole report; the caller frees it. */
static char *written(const char *format, struct tf_report_style style)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    const struct tf_report *report = tf_report_find(format);
    CU_ASSERT_PTR_NOT_NULL(report);
    build();
    if (report != NULL && report->begin != NULL)
        report->begin(out, &style, CASES);
    for (int i = 0; report != NULL && i < CASES && report->each != NULL; i++)
        report->each(out, &style, &results[i], (size_t)i + 1);
    if (report != NULL && report->end != NULL)
        report->end(out, &style, &run);
    fclose(out);
    clear();
    return text;
}

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
        char *text = written(tf_reports[i]->name, (struct tf_report_style){.verbose = true});
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
    build();
    json_t *json = tf_result_json(&results[1]);
    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    CU_ASSERT_EQUAL_FATAL(tf_result_parse(&copy, json, &error), 0);
    json_t *again = tf_result_json(&copy);
    CU_ASSERT(json_equal(json, again));
    CU_ASSERT_EQUAL(copy.seed, UINT64_MAX);
    json_decref(json);
    json_decref(again);
    tf_result_fini(&copy);
    clear();
    json = json_object();
    CU_ASSERT_EQUAL(tf_result_parse(&copy, json, &error), -1);
    json_decref(json);
}

static void the_terminal_report_says_what_and_how_again(void)
{
    char *text = written("term", (struct tf_report_style){.color = false});
    CU_ASSERT(has(text, "ok     suite: one (1.23s)\n"));
    CU_ASSERT(has(text, "FAIL   suite: two (1.23s)\n    client exit\n      expected  exit status 0\n"
                        "      got       exited with status 7\n"));
    CU_ASSERT(has(text, "    again: tcpfault run 'dir/a & b.yaml' --filter 'two' --seed 7\n"));
    CU_ASSERT(has(text, "      | client connect(3<TCP>, ...) = -1 ECONNREFUSED\n"));
    CU_ASSERT(has(text, "BROKEN suite: three"));
    CU_ASSERT(has(text, "skip   suite: four: it needs # nothing\n"));
    CU_ASSERT(has(text, "ok     other (2)"));
    CU_ASSERT(has(text, "5 cases: 2 ok, 1 failed, 1 broken, 1 skipped; 5.00s, seed 18446744073709551615\n"));
    CU_ASSERT(!has(text, "\n..."));
    free(text);
}

static void quiet_leaves_only_what_is_wrong(void)
{
    char *text = written("term", (struct tf_report_style){.quiet = true});
    CU_ASSERT(!has(text, "suite: one") && !has(text, "skip ") && has(text, "FAIL ") && has(text, "BROKEN "));
    free(text);
}

static void color_only_where_wanted(void)
{
    char *text = written("term", (struct tf_report_style){.color = true});
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
    char *text = written("tap", (struct tf_report_style){.color = false});
    CU_ASSERT_EQUAL(strncmp(text, "TAP version 14\n1..5\nok 1 - suite: one\n", 38), 0);
    CU_ASSERT_EQUAL(lines_that_begin(text, "ok "), 3);
    CU_ASSERT_EQUAL(lines_that_begin(text, "not ok "), 2); /* none forged */
    CU_ASSERT(has(text, "\nok 4 - suite: four # SKIP it needs \\# nothing\n"));
    CU_ASSERT_EQUAL(lines_that_begin(text, "  ---"), 2);
    CU_ASSERT_EQUAL(lines_that_begin(text, "  ..."), 2);
    CU_ASSERT(has(text, "      expected: \"exit status 0\"\n"));
    free(text);
}

static void json_is_one_document_with_a_version(void)
{
    char *text = written("json", (struct tf_report_style){.color = false});
    json_error_t error;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(json, "version")), TF_RESULT_VERSION);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(json, "cases")), CASES);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(json_object_get(json, "counts"), "failed")), 1);
    TF_SAME(json_string_value(json_object_get(json, "seed")), "18446744073709551615");
    json_decref(json);
    free(text);
}

static void junit_is_valid(void)
{
    char *text = written("junit", (struct tf_report_style){.color = false}), command[1024];
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
    CU_ASSERT(has(text, "<system-out>client: curl 'a b': exited with status 7\n"));
    free(text);
}

TF_SUITE(report, TF_TEST(no_report_lets_control_characters_through),
         TF_TEST(clean_text_is_bounded_and_escaped), TF_TEST(results_survive_json),
         TF_TEST(the_terminal_report_says_what_and_how_again), TF_TEST(quiet_leaves_only_what_is_wrong),
         TF_TEST(color_only_where_wanted), TF_TEST(tap_has_a_plan_and_a_line_a_case),
         TF_TEST(json_is_one_document_with_a_version), TF_TEST(junit_is_valid))
