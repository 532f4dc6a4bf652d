/* GitHub's Markdown, for the summary of a CI job: counts, then what was found, then
 * the cases that do not hold. Job summaries are cut at 1 MiB: what is shown in full
 * is bounded.
 */
#include "result.h"

#include <string.h>

enum { FULL = 40, NAMED = 200, OUTPUT_LINES = 15 };

/* ---- text of programs ---- */

/* As it stands, on one line: everything that Markdown or HTML could read is
 * escaped, also in a table. */
static void plain(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n' || *text == '\t')
            fputc(' ', out);
        else if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '>')
            fputs("&gt;", out);
        else if (*text == '&')
            fputs("&amp;", out);
        else if (*text == '@') /* mentions nobody */
            fputs("&#64;", out);
        else if (strchr("\\`*_{}[]()#+-.!|~$:", *text) != NULL)
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
    }
}

static size_t longest_run(const char *text, char of)
{
    size_t longest = 0;
    for (size_t run = 0; *text != '\0'; text++) {
        run = *text == of ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

/* A code span: behind more backticks than stand in it. */
static void code(FILE *out, const char *text)
{
    size_t ticks = longest_run(text, '`') + 1;
    for (size_t i = 0; i < ticks; i++)
        fputc('`', out);
    fputc(' ', out);
    for (; *text != '\0'; text++)
        fputc(*text == '\n' || *text == '\t' ? ' ' : *text, out);
    fputc(' ', out);
    for (size_t i = 0; i < ticks; i++)
        fputc('`', out);
}

struct fence {
    size_t length;
};

static void open_fence(FILE *out, struct fence *fence)
{
    fence->length = fence->length < 3 ? 3 : fence->length + 1;
    fputs("\n", out);
    for (size_t i = 0; i < fence->length; i++)
        fputc('`', out);
    fputs("text\n", out);
}

static void close_fence(FILE *out, const struct fence *fence)
{
    for (size_t i = 0; i < fence->length; i++)
        fputc('`', out);
    fputs("\n", out);
}

static void block(FILE *out, char *const *lines, size_t count)
{
    struct fence fence = {.length = 0};
    for (size_t i = 0; i < count; i++) {
        size_t run = longest_run(lines[i], '`');
        fence.length = run > fence.length ? run : fence.length;
    }
    open_fence(out, &fence);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s\n", lines[i]);
    close_fence(out, &fence);
}

/* The last lines of a text. */
static void tail(FILE *out, const char *text)
{
    const char *end = text + strlen(text), *at;
    while (end > text && end[-1] == '\n')
        end--;
    at = end;
    for (int lines = 0; at > text; at--)
        if (at[-1] == '\n' && ++lines == OUTPUT_LINES)
            break;
    struct fence fence = {.length = longest_run(at, '`')};
    open_fence(out, &fence);
    fprintf(out, "%.*s\n", (int)(end - at), at);
    close_fence(out, &fence);
}

static void command(FILE *out, const char *text)
{
    char *lines[] = {(char *)text};
    block(out, lines, 1);
}

/* ---- findings ---- */

static void name_of(FILE *out, const struct tf_result *result)
{
    if (strcmp(result->suite, result->name) != 0 && result->suite[0] != '\0') {
        plain(out, result->suite);
        fputs(": ", out);
    }
    plain(out, result->name);
    if (result->repeat > 0)
        fprintf(out, " \\(%u\\)", result->repeat);
}

static void finding(FILE *out, const struct tf_result *result, const struct tf_finding *one)
{
    char site[1024];
    fprintf(out, "\n### %s: %s\n\n", tf_severity_name(one->check->severity), one->check->name);
    if (one->program[0] != '\0') {
        code(out, one->program);
        fputs(" ", out);
    }
    plain(out, one->message);
    if (one->times > 1)
        fprintf(out, " (%u times)", one->times);
    fputs("\n\n", out);
    for (size_t i = 0; i < one->frames_count; i++) {
        tf_frame_show(&one->frames[i], site, sizeof(site));
        fputs(i == 0 ? "* at " : "* called from ", out);
        code(out, site);
        fputc('\n', out);
    }
    if (one->rule[0] != '\0') {
        fputs("* after the fault ", out);
        code(out, one->rule);
        fputc('\n', out);
    }
    fputs("* in ", out);
    name_of(out, result);
    fprintf(out, "\n* id `%s`\n\n", one->id);
    plain(out, one->check->why);
    fputs(" *", out);
    plain(out, one->check->source);
    fputs("*\n", out);
    if (one->life_count > 0) {
        fputs("\n<details><summary>The socket's life</summary>\n", out);
        block(out, one->life, one->life_count);
        fputs("\n</details>\n", out);
    }
    command(out, one->reproduce[0] != '\0' ? one->reproduce : result->reproduce);
}

/* The same bug in another case is the same finding. */
static bool told(const struct tf_run *run, size_t result, size_t number)
{
    const char *id = run->results[result].findings[number].id;
    for (size_t i = 0; i <= result; i++)
        for (size_t j = 0; j < (i < result ? run->results[i].findings_count : number); j++)
            if (strcmp(run->results[i].findings[j].id, id) == 0)
                return true;
    return false;
}

static void findings(FILE *out, const struct tf_run *run)
{
    size_t shown = 0, more = 0, excused = 0;
    for (int severity = TF_ERROR; severity >= TF_NOTE; severity--)
        for (size_t i = 0; i < run->count; i++)
            for (size_t j = 0; j < run->results[i].findings_count; j++) {
                const struct tf_finding *one = &run->results[i].findings[j];
                if ((int)one->check->severity != severity || told(run, i, j))
                    continue;
                if (one->state != TF_FINDING_NEW) {
                    excused++;
                    continue;
                }
                if (shown == 0)
                    fputs("\n## Findings\n", out);
                if (shown < FULL) {
                    finding(out, &run->results[i], one);
                    shown++;
                } else {
                    more++;
                }
            }
    if (more > 0)
        fprintf(out, "\nAnd %zu more.\n", more);
    if (excused > 0)
        fprintf(out, "\n%zu known or suppressed finding%s not shown.\n", excused,
                excused == 1 ? " is" : "s are");
}

/* ---- cases ---- */

static void details(FILE *out, const struct tf_result *result)
{
    char traffic[400];
    fputs("\n<details><summary>Programs and events</summary>\n", out);
    for (size_t i = 0; i < result->programs_count; i++) {
        const struct tf_program_result_text *program = &result->programs[i];
        fputs("\n", out);
        code(out, program->command);
        fputs(" ", out);
        plain(out, program->end);
        if (tf_program_traffic(program, traffic, sizeof(traffic)) == 0) {
            fputs("; ", out);
            plain(out, traffic);
        }
        fputs("\n", out);
        if (program->out[0] != '\0')
            tail(out, program->out);
        if (program->err[0] != '\0')
            tail(out, program->err);
    }
    if (result->events_count > 0)
        block(out, result->events, result->events_count);
    fputs("\n</details>\n", out);
}

static void failed(FILE *out, const struct tf_result *result)
{
    fprintf(out, "\n### %s: ", tf_status_name(result->status));
    name_of(out, result);
    fputs("\n", out);
    if (result->failures_count > 0)
        fputs("\n| | expected | got |\n|---|---|---|\n", out);
    for (size_t i = 0; i < result->failures_count; i++) {
        const struct tf_failure *failure = &result->failures[i];
        fputs("| ", out);
        plain(out, failure->program);
        fputs(" ", out);
        plain(out, failure->check);
        fputs(" | ", out);
        plain(out, failure->expected);
        fputs(" | ", out);
        plain(out, failure->got);
        fputs(" |\n", out);
    }
    if (result->failures_count == 0 && result->reason[0] != '\0') {
        fputs("\n", out);
        plain(out, result->reason);
        fputs("\n", out);
    }
    command(out, result->reproduce);
    details(out, result);
}

static void cases(FILE *out, const struct tf_run *run)
{
    size_t bad = 0;
    for (size_t i = 0; i < run->count; i++) {
        const struct tf_result *result = &run->results[i];
        if (result->status != TF_FAILED && result->status != TF_BROKEN)
            continue;
        if (bad == 0)
            fputs("\n## Cases that do not hold\n", out);
        if (bad < FULL) {
            failed(out, result);
        } else if (bad < NAMED) {
            fprintf(out, "%s* %s: ", bad == FULL ? "\nand\n\n" : "", tf_status_name(result->status));
            name_of(out, result);
            fputs("\n", out);
        }
        bad++;
    }
    if (bad > NAMED)
        fprintf(out, "\nand %zu more.\n", bad - NAMED);
}

static void end(FILE *out, const struct tf_report_style *style, const struct tf_run *run)
{
    (void)style;
    bool bad = run->counts[TF_FAILED] + run->counts[TF_BROKEN] > 0;
    size_t counts[TF_ERROR + 1] = {0};
    for (size_t i = 0; i < run->count; i++)
        for (int severity = TF_NOTE; severity <= TF_ERROR; severity++)
            counts[severity] += tf_result_findings(&run->results[i], severity);
    fprintf(out, "# tcpfault: %s\n\n", bad ? "something does not hold" : "all held");
    fputs("| cases | ok | failed | broken | skipped | errors | warnings | notes | time | seed |\n"
          "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
          out);
    fprintf(out, "| %zu ", run->count);
    for (int i = 0; i < TF_STATUSES; i++)
        fprintf(out, "| %zu ", run->counts[i]);
    for (int severity = TF_ERROR; severity >= TF_NOTE; severity--)
        fprintf(out, "| %zu ", counts[severity]);
    fprintf(out, "| %.2f s | %llu |\n", (double)run->duration_ns / 1e9, (unsigned long long)run->seed);
    findings(out, run);
    cases(out, run);
}

const struct tf_report tf_report_markdown = {"markdown", ".md", NULL, NULL, end};
