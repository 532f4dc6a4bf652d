/* One HTML file, for people: the parts of harness/html around the run as JSON, from
 * which they draw. It loads nothing.
 */
#include "html_assets.h"
#include "result.h"

#include <stdlib.h>
#include <string.h>

/* JSON in a script element: without "<" nothing in it can end the element or begin a
 * comment (HTML, 4.12.1.3), and within a JSON string \u003c is the same. */
static int write_data(const char *bytes, size_t length, void *data)
{
    FILE *out = data;
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '<' || bytes[i] == '>' || bytes[i] == '&')
            fprintf(out, "\\u%04x", (unsigned int)bytes[i]);
        else
            fputc(bytes[i], out);
    }
    return 0;
}

static void write_part(FILE *out, const char *name, size_t length, const struct tf_run *run)
{
    if (strncmp(name, "style", length) == 0) {
        fputs(tf_html_style, out);
    } else if (strncmp(name, "script", length) == 0) {
        for (size_t i = 0; tf_html_scripts[i] != NULL; i++)
            fputs(tf_html_scripts[i], out);
    } else if (strncmp(name, "data", length) == 0) {
        json_t *json = tf_run_json(run);
        if (json != NULL)
            json_dump_callback(json, write_data, out, JSON_COMPACT | JSON_ENSURE_ASCII);
        json_decref(json);
    }
}

static void end(FILE *out, const struct tf_report_style *style, const struct tf_run *run)
{
    (void)style;
    const char *at = tf_html_page, *open;
    while ((open = strstr(at, "{{")) != NULL) {
        const char *close = strstr(open, "}}");
        fwrite(at, 1, (size_t)(open - at), out);
        write_part(out, open + 2, (size_t)(close - open - 2), run);
        at = close + 2;
    }
    fputs(at, out);
}

const struct tf_report tf_report_html = {"html", ".html", NULL, NULL, end};
