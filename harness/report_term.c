/* For people: a line a case, and for those that failed what, where and how to see
 * it again. */
#include "report_verdict.h"

#include <string.h>

enum { OUTPUT_LINES = 8 };

static const char *color_of(const struct tf_report_style *style, enum tf_status status)
{
    static const char *const codes[TF_STATUSES] = {"\033[32m", "\033[31m", "\033[35m", "\033[33m"};
    return style->color ? codes[status] : "";
}

static const char *plain(const struct tf_report_style *style)
{
    return style->color ? "\033[0m" : "";
}

static const char *faint(const struct tf_report_style *style)
{
    return style->color ? "\033[2m" : "";
}

/* Each line of a text behind `before`; only the last ones. */
static void print_lines(FILE *out, const char *before, const char *text)
{
    const char *end = text + strlen(text), *at;
    while (end > text && end[-1] == '\n')
        end--;
    at = end;
    for (int lines = 0; at > text; at--)
        if (at[-1] == '\n' && ++lines == OUTPUT_LINES)
            break;
    while (at < end) {
        size_t length = strcspn(at, "\n");
        length = length < (size_t)(end - at) ? length : (size_t)(end - at);
        fprintf(out, "%s%.*s\n", before, (int)length, at);
        at += length + (at + length < end);
    }
}

static void print_failure(FILE *out, const struct tf_failure *failure)
{
    const char *between = failure->program[0] != '\0' ? " " : "";
    fprintf(out, "    %s%s%s\n", failure->program, between, failure->check);
    fprintf(out, "      expected  ");
    for (const char *at = failure->expected; *at != '\0'; at++)
        fputs(*at == '\n' ? "\\n" : (char[]){*at, '\0'}, out);
    fprintf(out, "\n      got       ");
    size_t line = strcspn(failure->got, "\n");
    if (failure->got[line] == '\0' || failure->got[line + 1] == '\0') {
        fprintf(out, "%.*s\n", (int)line, failure->got);
    } else {
        fputc('\n', out);
        print_lines(out, "      | ", failure->got);
    }
}

static void print_output(FILE *out, const struct tf_report_style *style, const char *name, const char *stream,
                         const char *text, uint64_t bytes)
{
    if (text[0] == '\0')
        return;
    fprintf(out, "    %s%s %s%s, %llu bytes%s\n", faint(style), name, stream,
            bytes > TF_RESULT_OUTPUT ? ", its end" : "", (unsigned long long)bytes, plain(style));
    print_lines(out, "      | ", text);
}

static void print_details(FILE *out, const struct tf_report_style *style, const struct tf_result *result)
{
    char traffic[400];
    for (size_t i = 0; i < result->failures_count; i++)
        print_failure(out, &result->failures[i]);
    if (result->failures_count == 0 && result->findings_count == 0 && result->reason[0] != '\0')
        fprintf(out, "    %s\n", result->reason);
    if (result->about[0] != '\0')
        print_lines(out, "    ", result->about);
    for (size_t i = 0; i < result->programs_count; i++) {
        const struct tf_program_result_text *program = &result->programs[i];
        fprintf(out, "    %s%s: %s%s: %s\n", faint(style), program->name, program->command, plain(style),
                program->end);
        if (tf_program_traffic(program, traffic, sizeof(traffic)) == 0)
            fprintf(out, "      %s\n", traffic);
        print_output(out, style, program->name, "stdout", program->out, program->out_bytes);
        print_output(out, style, program->name, "stderr", program->err, program->err_bytes);
    }
    if (result->events_count > 0)
        fprintf(out, "    %sevents%s\n", faint(style), plain(style));
    for (size_t i = 0; i < result->events_count; i++)
        fprintf(out, "      | %s\n", result->events[i]);
    if (result->directory[0] != '\0')
        fprintf(out, "    all of it: %s\n", result->directory);
    if (result->reproduce[0] != '\0')
        fprintf(out, "    again: %s\n", result->reproduce);
}

static void each(FILE *out, const struct tf_report_style *style, const struct tf_result *result,
                 size_t number)
{
    static const char *const words[TF_STATUSES] = {"ok", "FAIL", "BROKEN", "skip"};
    bool bad = result->status == TF_FAILED || result->status == TF_BROKEN;
    (void)number;
    if (result->verdict != TF_NO_VERDICT) {
        tf_report_verdict(out, style, result);
        return;
    }
    if (style->quiet && !bad)
        return;
    fprintf(out, "%s%-6s%s %s", color_of(style, result->status), words[result->status], plain(style),
            result->suite);
    if (strcmp(result->suite, result->name) != 0)
        fprintf(out, ": %s", result->name);
    if (result->repeat > 0)
        fprintf(out, " (%u)", result->repeat);
    if (result->status == TF_SKIPPED)
        fprintf(out, ": %s\n", result->reason);
    else
        fprintf(out, " %s(%.2fs)%s\n", faint(style), (double)result->duration_ns / 1e9, plain(style));
    if (bad || style->verbose)
        print_details(out, style, result);
    for (size_t i = 0; i < result->notes_count && (bad || style->verbose); i++)
        fprintf(out, "    note: %s\n", result->notes[i]);
    for (size_t i = 0; i < result->findings_count; i++)
        if (tf_finding_counts(&result->findings[i]) || result->findings[i].state == TF_FINDING_KNOWN || bad ||
            style->verbose)
            tf_report_finding(out, style, "    ", result->name, &result->findings[i]);
    fflush(out);
}

static void print_findings(FILE *out, const struct tf_run *run)
{
    const char *before = "; ";
    for (int severity = TF_ERROR; severity >= TF_NOTE; severity--) {
        size_t count = 0;
        for (size_t i = 0; i < run->count; i++)
            count += tf_result_findings(&run->results[i], severity);
        if (count == 0)
            continue;
        fprintf(out, "%s%zu %s%s", before, count, tf_severity_name(severity), count == 1 ? "" : "s");
        before = ", ";
    }
}

static void end(FILE *out, const struct tf_report_style *style, const struct tf_run *run)
{
    bool bad = run->counts[TF_FAILED] + run->counts[TF_BROKEN] > 0;
    if (run->count > 0 && run->results[0].verdict != TF_NO_VERDICT) {
        tf_report_verdicts(out, style, run);
        return;
    }
    if (style->quiet && !bad)
        return;
    fprintf(out, "%zu case%s:", run->count, run->count == 1 ? "" : "s");
    const char *comma = " ";
    for (int i = 0; i < TF_STATUSES; i++) {
        if (run->counts[i] == 0)
            continue;
        fprintf(out, "%s%s%zu %s%s", comma, color_of(style, i), run->counts[i], tf_status_name(i),
                plain(style));
        comma = ", ";
    }
    print_findings(out, run);
    fprintf(out, "; %.2fs, seed %llu\n", (double)run->duration_ns / 1e9, (unsigned long long)run->seed);
    if (style->verbose && run->sandbox != NULL)
        fprintf(out, "%s\n", run->sandbox);
}

const struct tf_report tf_report_term = {"term", ".txt", NULL, each, end};
