/* The summary of a CI job. */
#include "sample.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static int count(const char *text, const char *part)
{
    int found = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part))
        found++;
    return found;
}

static void it_counts_and_tells_of_each_finding_once(void)
{
    char *text = tf_sample_written("markdown", (struct tf_report_style){.color = false});
    CU_ASSERT_EQUAL(count(text, "# tcpfault: something does not hold\n"), 1);
    CU_ASSERT_EQUAL(count(text, "| 5 | 2 | 1 | 1 | 1 | 1 | 2 | 0 | 5.00 s | 18446744073709551615 |\n"), 1);
    CU_ASSERT_EQUAL(count(text, "### warning: spin\n"), 1);
    CU_ASSERT_EQUAL(count(text, "### error: crash\n"), 1); /* the known one is only counted */
    CU_ASSERT_EQUAL(count(text, "\n2 known or suppressed findings are not shown.\n"), 1);
    CU_ASSERT(strstr(text, "### error: crash") < strstr(text, "### warning: spin"));
    CU_ASSERT_EQUAL(count(text, "* after the fault ` accept4:error=EMFILE `\n"), 2);
    CU_ASSERT_EQUAL(count(text, "```text\ntcpfault inject accept4:error=EMFILE -- server\n```\n"), 2);
    CU_ASSERT_EQUAL(count(text, "\n| client exit | exit status 0 | exited with status 7 |\n"), 1);
    free(text);
}

/* Outside of fences and code spans no character of a program's is markup. */
static void programs_cannot_write_markup(void)
{
    tf_sample_build();
    free(tf_sample[1].name);
    tf_sample[1].name = strdup("<img src=x> **bold** @you [a](b) | ```");
    free(tf_sample[1].programs[0].out);
    tf_sample[1].programs[0].out = strdup("```\n````\n# forged\n");
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    tf_report_markdown.end(out, &(struct tf_report_style){.color = false}, &tf_sample_run);
    fclose(out);
    CU_ASSERT_PTR_NULL(strstr(text, "<img"));
    CU_ASSERT_EQUAL(count(text, "&lt;img src=x&gt; \\*\\*bold\\*\\* &#64;you \\[a\\]\\(b\\) \\| \\`\\`\\`\n"),
                    3);
    CU_ASSERT_EQUAL(count(text, "\n`````text\n```\n````\n# forged\n`````\n"), 1);
    free(text);
    tf_sample_clear();
}

static void a_run_of_ten_thousand_failures_stays_below_a_megabyte(void)
{
    enum { MANY = 10000 };
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct tf_result *many = calloc(MANY, sizeof(*many));
    CU_ASSERT_PTR_NOT_NULL_FATAL(many);
    tf_sample_build();
    for (int i = 0; i < MANY; i++)
        many[i] = tf_sample[1];
    struct tf_run run = tf_sample_run;
    run.results = many;
    run.count = MANY;
    tf_report_markdown.end(out, &(struct tf_report_style){.color = false}, &run);
    fclose(out);
    CU_ASSERT(size < 1 << 20);
    CU_ASSERT_EQUAL(count(text, "\nand 9800 more.\n"), 1);
    free(text);
    free(many);
    tf_sample_clear();
}

TF_SUITE(markdown, TF_TEST(it_counts_and_tells_of_each_finding_once), TF_TEST(programs_cannot_write_markup),
         TF_TEST(a_run_of_ten_thousand_failures_stays_below_a_megabyte))
