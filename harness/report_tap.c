/* The Test Anything Protocol, version 14, with YAML diagnostics. */
#include "result.h"

#include <stdlib.h>
#include <string.h>

static void begin(FILE *out, const struct tf_report_style *style, size_t cases)
{
    (void)style;
    fprintf(out, "TAP version 14\n1..%zu\n", cases);
}

/* A description: one line, in which # and \ are escaped. */
static void describe(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '#' || *text == '\\')
            fputc('\\', out);
        fputc(*text == '\n' || *text == '\t' ? ' ' : *text, out);
    }
}

/* A YAML double-quoted string is a JSON string. */
static void quoted(FILE *out, const char *before, const char *text)
{
    json_t *string = json_string(text);
    char *dumped = string != NULL ? json_dumps(string, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;
    fprintf(out, "%s%s\n", before, dumped != NULL ? dumped : "\"\"");
    json_decref(string);
    free(dumped);
}

static void list(FILE *out, const char *name, char *const *lines, size_t count)
{
    if (count > 0)
        fprintf(out, "  %s:\n", name);
    for (size_t i = 0; i < count; i++)
        quoted(out, "    - ", lines[i]);
}

static void findings(FILE *out, const struct tf_result *result)
{
    if (result->findings_count > 0)
        fprintf(out, "  findings:\n");
    for (size_t i = 0; i < result->findings_count; i++) {
        const struct tf_finding *finding = &result->findings[i];
        char site[1024] = "";
        if (finding->frames_count > 0)
            tf_frame_show(&finding->frames[0], site, sizeof(site));
        quoted(out, "    - check: ", finding->check->name);
        quoted(out, "      severity: ", tf_severity_name(finding->check->severity));
        quoted(out, "      state: ", tf_finding_state_name(finding->state));
        quoted(out, "      program: ", finding->program);
        quoted(out, "      message: ", finding->message);
        quoted(out, "      at: ", site);
        quoted(out, "      id: ", finding->id);
    }
}

static void diagnose(FILE *out, const struct tf_result *result)
{
    fprintf(out, "  ---\n");
    quoted(out, "  message: ", result->reason[0] != '\0' ? result->reason : "expectations do not hold");
    fprintf(out, "  severity: %s\n", result->status == TF_BROKEN ? "broken" : "fail");
    fprintf(out, "  duration_ms: %.3f\n", (double)result->duration_ns / 1e6);
    quoted(out, "  reproduce: ", result->reproduce);
    if (result->failures_count > 0)
        fprintf(out, "  failures:\n");
    for (size_t i = 0; i < result->failures_count; i++) {
        quoted(out, "    - program: ", result->failures[i].program);
        quoted(out, "      check: ", result->failures[i].check);
        quoted(out, "      expected: ", result->failures[i].expected);
        quoted(out, "      got: ", result->failures[i].got);
    }
    findings(out, result);
    if (result->programs_count > 0)
        fprintf(out, "  programs:\n");
    for (size_t i = 0; i < result->programs_count; i++) {
        quoted(out, "    - name: ", result->programs[i].name);
        quoted(out, "      command: ", result->programs[i].command);
        quoted(out, "      end: ", result->programs[i].end);
        quoted(out, "      stdout: ", result->programs[i].out);
        quoted(out, "      stderr: ", result->programs[i].err);
    }
    list(out, "events", result->events, result->events_count);
    list(out, "notes", result->notes, result->notes_count);
    fprintf(out, "  ...\n");
}

static void each(FILE *out, const struct tf_report_style *style, const struct tf_result *result,
                 size_t number)
{
    bool bad = result->status == TF_FAILED || result->status == TF_BROKEN;
    (void)style;
    fprintf(out, "%s %zu - ", bad ? "not ok" : "ok", number);
    describe(out, result->suite);
    if (strcmp(result->suite, result->name) != 0) {
        fputs(": ", out);
        describe(out, result->name);
    }
    if (result->repeat > 0)
        fprintf(out, " (%u)", result->repeat);
    if (result->status == TF_SKIPPED) {
        fputs(" # SKIP ", out);
        describe(out, result->reason);
    }
    fputc('\n', out);
    if (bad) {
        diagnose(out, result);
    } else if (result->findings_count > 0) {
        fprintf(out, "  ---\n");
        findings(out, result);
        fprintf(out, "  ...\n");
    }
    fflush(out);
}

const struct tf_report tf_report_tap = {"tap", ".tap", begin, each, NULL};
