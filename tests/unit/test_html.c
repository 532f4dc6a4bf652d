/* The html report, as far as it can be tried without a browser; make web-check has one. */
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

static char *page(void)
{
    return tf_sample_written("html", (struct tf_report_style){.color = false});
}

/* What the element with the run holds. The caller frees it. */
static char *data_of(const char *text)
{
    static const char open[] = "<script type=\"application/json\" id=\"run\">";
    const char *start = strstr(text, open);
    CU_ASSERT_PTR_NOT_NULL_FATAL(start);
    start += strlen(open);
    const char *end = strstr(start, "</script>");
    CU_ASSERT_PTR_NOT_NULL_FATAL(end);
    return strndup(start, (size_t)(end - start));
}

static void it_holds_the_whole_run_as_json(void)
{
    char *text = page(), *data = data_of(text);
    json_t *json = json_loads(data, JSON_REJECT_DUPLICATES, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    tf_sample_build();
    json_t *run = tf_run_json(&tf_sample_run);
    tf_sample_clear();
    CU_ASSERT(json_equal(json, run));
    json_decref(json);
    json_decref(run);
    free(data);
    free(text);
}

static void nothing_of_the_run_can_end_its_element(void)
{
    char *text = NULL;
    size_t size;
    tf_sample_build();
    free(tf_sample[0].name);
    tf_sample[0].name =
        strdup("</script><script>alert(1)</script><!-- {{script}} {{data}} &amp; \xe2\x80\xa8");
    FILE *out = open_memstream(&text, &size);
    tf_report_html.end(out, &(struct tf_report_style){.color = false}, &tf_sample_run);
    fclose(out);
    tf_sample_clear();
    char *data = data_of(text);
    CU_ASSERT_EQUAL(strcspn(data, "<>&"), strlen(data));
    for (const char *at = data; *at != '\0'; at++)
        TF_CHECK(*at >= ' ' && *at < 0x7f, "byte %02x", (unsigned char)*at);
    CU_ASSERT_EQUAL(count(data, "{{data}}"), 1);
    CU_ASSERT_EQUAL(count(text, "</script>"), 2);
    free(data);
    free(text);
}

/* One file: a browser that opens it asks nobody for anything. */
static void it_refers_to_nothing_outside(void)
{
    char *text = page(), *data = data_of(text);
    CU_ASSERT_EQUAL(count(text, "src="), count(data, "src="));
    CU_ASSERT_EQUAL(count(text, "<link"), 0);
    CU_ASSERT_EQUAL(count(text, "@import"), 0);
    CU_ASSERT_EQUAL(count(text, "url("), 1); /* an arrow's head, by its id */
    CU_ASSERT_EQUAL(count(text, "url(#"), 1);
    CU_ASSERT_EQUAL(count(text, "://"), 1 + count(data, "://")); /* the name of SVG */
    CU_ASSERT_EQUAL(count(text, "default-src 'none'"), 1);
    CU_ASSERT_EQUAL(count(text, "innerHTML") + count(text, "outerHTML") + count(text, "insertAdjacent") +
                        count(text, "document.write") + count(text, "eval("),
                    0);
    CU_ASSERT_EQUAL(count(text, "{{"), 0);
    free(data);
    free(text);
}

TF_SUITE(html, TF_TEST(it_holds_the_whole_run_as_json), TF_TEST(nothing_of_the_run_can_end_its_element),
         TF_TEST(it_refers_to_nothing_outside))
