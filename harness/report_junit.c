/* JUnit's XML as CI systems read it: a testsuite a file, a testcase a case. */
#include "result.h"

#include <string.h>
#include <time.h>

/* Text that has been cleaned (tf_text_clean) holds no character that XML 1.0
 * forbids; markup is all that is left to escape. */
static void escape(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\n': /* an attribute's would become a blank */
            fputs("&#10;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

static void lines(FILE *out, const char *text)
{
    for (; *text != '\0'; text++)
        if (*text == '\n')
            fputc('\n', out);
        else
            escape(out, (char[]){*text, '\0'});
}

static void attribute(FILE *out, const char *name, const char *text)
{
    fprintf(out, " %s=\"", name);
    escape(out, text);
    fputc('"', out);
}

static void one_line(const struct tf_failure *failure, char *text, size_t size)
{
    snprintf(text, size, "%s%s%s: expected %s, got: %s", failure->program,
             failure->program[0] != '\0' ? " " : "", failure->check, failure->expected, failure->got);
}

static void line(FILE *out, const char *text)
{
    lines(out, text);
    fputc('\n', out);
}

/* What the one element is about: the first failure of the case's kind, else the
 * first finding that counts. */
static void head(const struct tf_result *result, char *text, size_t size, const char **type)
{
    for (size_t i = 0; i < result->failures_count; i++)
        if (result->status != TF_BROKEN || result->failures[i].broken) {
            one_line(&result->failures[i], text, size);
            *type = result->failures[i].check;
            return;
        }
    for (size_t i = 0; i < result->findings_count; i++)
        if (tf_finding_counts(&result->findings[i])) {
            tf_finding_show(&result->findings[i], text, size);
            *type = result->findings[i].check->name;
            return;
        }
    snprintf(text, size, "%s", result->reason);
    *type = "run";
}

/* All failures of a case are one element: more than one is not in every dialect. */
static void failures(FILE *out, const struct tf_result *result)
{
    const char *element = result->status == TF_BROKEN ? "error" : "failure", *type;
    char text[2 * TF_RESULT_VALUE + 1024];
    head(result, text, sizeof(text), &type);
    fprintf(out, "      <%s", element);
    attribute(out, "message", text);
    attribute(out, "type", type);
    fputc('>', out);
    for (size_t i = 0; i < result->failures_count; i++) {
        one_line(&result->failures[i], text, sizeof(text));
        line(out, text);
    }
    for (size_t i = 0; i < result->findings_count; i++) {
        const struct tf_finding *finding = &result->findings[i];
        tf_finding_show(finding, text, sizeof(text));
        line(out, text);
        for (size_t j = 0; j < finding->life_count; j++)
            line(out, finding->life[j]);
        line(out, finding->check->why);
        line(out, finding->check->source);
    }
    fputs("events:\n", out);
    for (size_t i = 0; i < result->events_count; i++)
        line(out, result->events[i]);
    fputs("again: ", out);
    lines(out, result->reproduce);
    fprintf(out, "</%s>\n", element);
}

static void output(FILE *out, const struct tf_result *result)
{
    fputs("      <system-out>", out);
    for (size_t i = 0; i < result->programs_count; i++) {
        const struct tf_program_result_text *program = &result->programs[i];
        lines(out, program->name);
        fputs(": ", out);
        lines(out, program->command);
        fputs(": ", out);
        lines(out, program->end);
        fputs("\n", out);
        lines(out, program->out);
    }
    for (size_t i = 0; i < result->findings_count && result->status == TF_HELD; i++) {
        char text[2 * TF_RESULT_VALUE];
        tf_finding_show(&result->findings[i], text, sizeof(text));
        line(out, text);
    }
    fputs("</system-out>\n      <system-err>", out);
    for (size_t i = 0; i < result->programs_count; i++)
        lines(out, result->programs[i].err);
    fputs("</system-err>\n", out);
}

static void testcase(FILE *out, const struct tf_result *result)
{
    char name[1200];
    snprintf(name, sizeof(name), result->repeat > 0 ? "%s (%u)" : "%s", result->name, result->repeat);
    fputs("    <testcase", out);
    attribute(out, "classname", result->suite);
    attribute(out, "name", name);
    attribute(out, "file", result->file);
    fprintf(out, " time=\"%.3f\">\n", (double)result->duration_ns / 1e9);
    if (result->status == TF_SKIPPED) {
        fputs("      <skipped", out);
        attribute(out, "message", result->reason);
        fputs("/>\n", out);
    } else if (result->status != TF_HELD) {
        failures(out, result);
    }
    if (result->status != TF_SKIPPED)
        output(out, result);
    fputs("    </testcase>\n", out);
}

static void totals(FILE *out, const struct tf_result *results, size_t count)
{
    size_t counts[TF_STATUSES] = {0};
    uint64_t ns = 0;
    for (size_t i = 0; i < count; i++) {
        counts[results[i].status]++;
        ns += results[i].duration_ns;
    }
    fprintf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" time=\"%.3f\"", count,
            counts[TF_FAILED], counts[TF_BROKEN], counts[TF_SKIPPED], (double)ns / 1e9);
}

static void testsuite(FILE *out, const struct tf_run *run, const struct tf_result *results, size_t count,
                      size_t number)
{
    char when[32] = "";
    time_t seconds = (time_t)(results[0].started_realtime_ns / 1000000000);
    struct tm time;
    if (gmtime_r(&seconds, &time) != NULL)
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &time);
    fprintf(out, "  <testsuite id=\"%zu\"", number);
    attribute(out, "name", results[0].suite);
    totals(out, results, count);
    attribute(out, "timestamp", when);
    attribute(out, "file", results[0].file);
    fprintf(out, ">\n    <properties>\n      <property name=\"seed\" value=\"%llu\"/>\n    </properties>\n",
            (unsigned long long)run->seed);
    for (size_t i = 0; i < count; i++)
        testcase(out, &results[i]);
    fputs("  </testsuite>\n", out);
}

static void end(FILE *out, const struct tf_report_style *style, const struct tf_run *run)
{
    (void)style;
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"tcpfault\"", out);
    totals(out, run->results, run->count);
    fputs(">\n", out);
    for (size_t i = 0, number = 0, next; i < run->count; i = next, number++) {
        next = i + 1;
        while (next < run->count && strcmp(run->results[next].file, run->results[i].file) == 0)
            next++;
        testsuite(out, run, &run->results[i], next - i, number);
    }
    fputs("</testsuites>\n", out);
}

const struct tf_report tf_report_junit = {"junit", ".xml", NULL, NULL, end};
