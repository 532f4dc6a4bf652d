/* For people, of a battery: what was found, and how much of the syllabus was tried. */
#include "report_verdict.h"

#include <string.h>

static const char *color_of(const struct tf_report_style *style, enum tf_verdict verdict)
{
    static const char *const codes[TF_VERDICTS] = {
        [TF_NO_VERDICT] = "",        [TF_PASS] = "\033[32m",          [TF_FINDING] = "\033[31m",
        [TF_TOLERATED] = "\033[36m", [TF_NOT_APPLICABLE] = "\033[2m", [TF_NOT_TESTED] = "\033[33m",
    };
    return style->color ? codes[verdict] : "";
}

static const char *plain(const struct tf_report_style *style)
{
    return style->color ? "\033[0m" : "";
}

static void name_of(FILE *out, const struct tf_result *result)
{
    fprintf(out, "%s/%s", result->suite, result->name);
}

/* The socket's life is for --verbose. */
static void finding(FILE *out, const struct tf_report_style *style, const struct tf_result *result,
                    const struct tf_finding *finding)
{
    char where[256];
    snprintf(where, sizeof(where), "%s/%s", result->suite, result->name);
    struct tf_finding shown = *finding;
    if (!style->verbose)
        shown.life_count = 0;
    tf_report_finding(out, style, "    ", where, &shown);
}

void tf_report_verdict(FILE *out, const struct tf_report_style *style, const struct tf_result *result)
{
    enum tf_verdict verdict = result->verdict;
    bool found = verdict == TF_FINDING, known = false;
    for (size_t i = 0; i < result->findings_count; i++)
        known |= result->findings[i].state == TF_FINDING_KNOWN && !style->quiet;
    if (!found && !known && !style->verbose)
        return;
    fprintf(out, "%s%-14s%s ", color_of(style, verdict), tf_verdict_name(verdict), plain(style));
    name_of(out, result);
    if (found && result->about[0] != '\0')
        fprintf(out, "\n    %.*s", (int)strcspn(result->about, "\n"), result->about);
    else if (!found && result->reason[0] != '\0')
        fprintf(out, ": %s", result->reason);
    fputc('\n', out);
    for (size_t i = 0; i < result->findings_count; i++)
        if (tf_finding_counts(&result->findings[i]) || result->findings[i].state == TF_FINDING_KNOWN ||
            style->verbose)
            finding(out, style, result, &result->findings[i]);
    for (size_t i = 0; i < result->programs_count; i++) {
        const struct tf_program_result_text *program = &result->programs[i];
        char traffic[400];
        if ((style->verbose || tf_program_differs(program)) &&
            tf_program_traffic(program, traffic, sizeof(traffic)) == 0)
            fprintf(out, "    %s: %s; %s\n", program->name, program->end, traffic);
    }
    for (size_t i = 0; i < result->notes_count; i++)
        fprintf(out, "    note: %s\n", result->notes[i]);
    fflush(out);
}

/* ---- at the end ---- */

static const char *topic_of(const struct tf_result *result)
{
    const char *slash = strchr(result->suite, '/');
    return slash != NULL ? slash + 1 : result->suite;
}

static void count(const struct tf_run *run, const char *suite, size_t counts[TF_VERDICTS])
{
    memset(counts, 0, TF_VERDICTS * sizeof(*counts));
    for (size_t i = 0; i < run->count; i++)
        if (suite == NULL || strcmp(run->results[i].suite, suite) == 0)
            counts[run->results[i].verdict]++;
}

static bool seen_before(const struct tf_run *run, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (strcmp(run->results[i].suite, run->results[at].suite) == 0)
            return true;
    return false;
}

static void cell(FILE *out, const struct tf_report_style *style, enum tf_verdict verdict, int width,
                 size_t number)
{
    if (number == 0)
        fprintf(out, "  %*s", width, "-");
    else
        fprintf(out, "  %s%*zu%s", color_of(style, verdict), width, number, plain(style));
}

static void table(FILE *out, const struct tf_report_style *style, const struct tf_run *run)
{
    int width = 5;
    for (size_t i = 0; i < run->count; i++) {
        int length = (int)strlen(topic_of(&run->results[i]));
        width = length > width ? length : width;
    }
    fprintf(out, "%-*s", width, "topic");
    for (int verdict = TF_PASS; verdict < TF_VERDICTS; verdict++)
        fprintf(out, "  %s", tf_verdict_name(verdict));
    fputc('\n', out);
    for (size_t i = 0; i < run->count; i++) {
        size_t counts[TF_VERDICTS];
        if (seen_before(run, i))
            continue;
        count(run, run->results[i].suite, counts);
        fprintf(out, "%-*s", width, topic_of(&run->results[i]));
        for (int verdict = TF_PASS; verdict < TF_VERDICTS; verdict++)
            cell(out, style, verdict, (int)strlen(tf_verdict_name(verdict)), counts[verdict]);
        fputc('\n', out);
    }
}

/* Each reason once: they are the machine's and the tool's. */
static void not_tested(FILE *out, const struct tf_run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        const struct tf_result *result = &run->results[i];
        size_t times = 0, before = 0;
        for (size_t j = 0; j < run->count; j++) {
            bool same = run->results[j].verdict == TF_NOT_TESTED &&
                        strcmp(run->results[j].reason, result->reason) == 0;
            times += same;
            before += same && j < i;
        }
        if (result->verdict != TF_NOT_TESTED || before > 0)
            continue;
        fprintf(out, "not tested, ");
        if (times > 1)
            fprintf(out, "%zu cases", times);
        else
            name_of(out, result);
        fprintf(out, ": %s\n", result->reason);
    }
}

void tf_report_verdicts(FILE *out, const struct tf_report_style *style, const struct tf_run *run)
{
    size_t counts[TF_VERDICTS];
    count(run, NULL, counts);
    size_t applied = counts[TF_PASS] + counts[TF_FINDING] + counts[TF_TOLERATED];
    if (style->quiet && counts[TF_FINDING] == 0)
        return;
    if (run->count > 1 && !style->quiet)
        table(out, style, run);
    if (!style->quiet)
        not_tested(out, run);
    fprintf(out,
            "%zu of %zu case%s applied: %zu pass, %zu finding%s, %zu tolerated; %zu not applicable, %zu not "
            "tested; %.1f s, seed %llu\n",
            applied, run->count, run->count == 1 ? "" : "s", counts[TF_PASS], counts[TF_FINDING],
            counts[TF_FINDING] == 1 ? "" : "s", counts[TF_TOLERATED], counts[TF_NOT_APPLICABLE],
            counts[TF_NOT_TESTED], (double)run->duration_ns / 1e9, (unsigned long long)run->seed);
    if (style->verbose && run->sandbox != NULL)
        fprintf(out, "%s\n", run->sandbox);
}
