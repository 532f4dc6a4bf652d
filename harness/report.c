/* The table of formats, and what several of them say alike. */
#include "result.h"
#include "told.h"

#include <string.h>

const struct tf_report *const tf_reports[] = {
    &tf_report_term,  &tf_report_tap,      &tf_report_junit, &tf_report_json,
    &tf_report_sarif, &tf_report_markdown, &tf_report_html,  NULL};

const struct tf_report *tf_report_find(const char *name)
{
    for (size_t i = 0; tf_reports[i] != NULL; i++)
        if (strcmp(tf_reports[i]->name, name) == 0)
            return tf_reports[i];
    return NULL;
}

const struct tf_report *tf_report_of_file(const char *path)
{
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; tf_reports[i] != NULL && dot != NULL; i++)
        if (strcmp(tf_reports[i]->suffix, dot) == 0)
            return tf_reports[i];
    return NULL;
}

int tf_report_names(char *out, size_t size)
{
    int length = 0;
    for (size_t i = 0; tf_reports[i] != NULL; i++) {
        const char *before = i == 0 ? "" : tf_reports[i + 1] != NULL ? ", " : " or ";
        size_t used = (size_t)length < size ? (size_t)length : size;
        length += snprintf(out + used, size - used, "%s%s", before, tf_reports[i]->name);
    }
    return length;
}

enum { FRAMES = 6 }; /* that a terminal shows unless it is verbose */

static const char *color_of(const struct tf_report_style *style, const struct tf_finding *finding)
{
    static const char *const codes[] = {"\033[36m", "\033[33m", "\033[31m"};
    return !style->color                      ? ""
           : finding->state == TF_FINDING_NEW ? codes[finding->check->severity]
                                              : "\033[2m";
}

static void show_frames(FILE *out, const char *indent, const struct tf_finding *finding, size_t limit)
{
    for (size_t i = 0; i < finding->frames_count && i < limit; i++) {
        char site[1024];
        tf_frame_show(&finding->frames[i], site, sizeof(site));
        fprintf(out, "%s  %s %s\n", indent, i == 0 ? "at   " : "from ", site);
    }
    if (finding->frames_count > limit)
        fprintf(out, "%s  from  %zu more; --verbose shows them\n", indent, finding->frames_count - limit);
}

void tf_report_finding(FILE *out, const struct tf_report_style *style, const char *indent, const char *where,
                       const struct tf_finding *finding)
{
    const struct tf_check_info *check = finding->check;
    const char *plain = style->color ? "\033[0m" : "", *between = finding->program[0] != '\0' ? ": " : "";
    const char *word =
        tf_severity_name(finding->state == TF_FINDING_KNOWN ? TF_NOTE : (enum tf_severity)check->severity);
    fprintf(out, "%s%s%s%s %s: %s%s%s", indent, color_of(style, finding), word, plain, check->name,
            finding->program, between, finding->message);
    if (finding->times > 1)
        fprintf(out, " (%u times)", finding->times);
    if (finding->state != TF_FINDING_NEW)
        fprintf(out, " [%s%s%s]", tf_finding_state_name(finding->state),
                finding->excuse[0] != '\0' ? ": " : "", finding->excuse);
    fputc('\n', out);
    if (style->quiet || (finding->state != TF_FINDING_NEW && !style->verbose))
        return;
    const char *before =
        style->told != NULL && !style->verbose ? tf_told_before(style->told, finding, where) : NULL;
    if (before != NULL) {
        fprintf(out, "%s  as in %s\n", indent, before);
        return;
    }
    show_frames(out, indent, finding, style->verbose ? finding->frames_count : FRAMES);
    if (finding->rule[0] != '\0')
        fprintf(out, "%s  after %s\n", indent, finding->rule);
    for (size_t i = 0; i < finding->life_count; i++)
        fprintf(out, "%s  | %s\n", indent, finding->life[i]);
    fprintf(out, "%s  why   %s [%s]\n", indent, check->why, check->source);
    if (finding->reproduce[0] != '\0')
        fprintf(out, "%s  again %s\n", indent, finding->reproduce);
}
