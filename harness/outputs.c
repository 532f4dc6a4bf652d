#include "outputs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int add_report(struct tf_outputs *outputs, const char *format, struct tf_error *error)
{
    const struct tf_report *report = tf_report_find(format);
    if (report == NULL) {
        char names[128];
        tf_report_names(names, sizeof(names));
        return tf_error_set(error, "unknown format \"%.40s\"; expected %s", format, names);
    }
    if (outputs->count == TF_OUTPUTS)
        return tf_error_set(error, "more than %d reports", TF_OUTPUTS);
    outputs->output[outputs->count++] = (struct tf_output){.report = report};
    return 0;
}

static int add_file(struct tf_outputs *outputs, const char *path, struct tf_error *error)
{
    size_t count = outputs->count;
    if (count == 0 || outputs->output[count - 1].path != NULL) {
        const struct tf_report *report = tf_report_of_file(path);
        if (report == NULL)
            return tf_error_set(error, "-o %.200s: there is no --format before it", path);
        if (add_report(outputs, report->name, error) != 0)
            return -1;
    }
    outputs->output[outputs->count - 1].path = path;
    return 0;
}

/* The argument of an option that stands at argv[*at], or NULL where that is none. */
static const char *argument_of(const char *option, char letter, int argc, char **argv, int *at)
{
    const char *word = argv[*at];
    size_t length = strlen(option);
    bool is_long = strcmp(word, option) == 0;
    bool is_short = letter != 0 && word[0] == '-' && word[1] == letter;
    if (strncmp(word, option, length) == 0 && word[length] == '=')
        return word + length + 1;
    if (is_short && word[2] != '\0')
        return word + 2;
    return (is_long || is_short) && *at + 1 < argc ? argv[++*at] : NULL;
}

int tf_outputs_take(struct tf_outputs *outputs, int argc, char **argv, struct tf_error *error)
{
    int kept = 1, end = 1;
    while (end < argc && strcmp(argv[end], "--") != 0)
        end++;
    for (int i = 1; i < end; i++) {
        int at = i, result = 0;
        const char *format = argument_of("--format", 0, end, argv, &at);
        const char *file = format == NULL ? argument_of("--report", 'o', end, argv, &at) : NULL;
        if (format != NULL)
            result = add_report(outputs, format, error);
        else if (file != NULL)
            result = add_file(outputs, file, error);
        else
            argv[kept++] = argv[i];
        if (result != 0)
            return -1;
        i = at;
    }
    while (end < argc)
        argv[kept++] = argv[end++];
    argv[kept] = NULL;
    return kept;
}

/* ---- reports ---- */

int tf_outputs_open(struct tf_outputs *outputs, const struct tf_common *common, size_t cases, bool terminal,
                    struct tf_error *error)
{
    bool on_stdout = false;
    for (size_t i = 0; i < outputs->count; i++)
        on_stdout |= outputs->output[i].path == NULL || strcmp(outputs->output[i].path, "-") == 0;
    if (terminal && !on_stdout && add_report(outputs, "term", error) != 0)
        return -1;
    for (size_t i = 0; i < outputs->count; i++) {
        struct tf_output *report = &outputs->output[i];
        bool to_file = report->path != NULL && strcmp(report->path, "-") != 0;
        report->out = to_file ? fopen(report->path, "we") : stdout;
        if (report->out == NULL)
            return tf_error_errno(error, errno, "%s", report->path);
        bool term = report->report == &tf_report_term;
        report->style = (struct tf_report_style){
            .color = term &&
                     (to_file ? common->color == TF_COLOR_ALWAYS : tf_color_on(common->color, STDOUT_FILENO)),
            .quiet = common->quiet,
            .verbose = common->verbose,
            .told = &report->told,
        };
        outputs->progress |= term && !to_file && !common->quiet && isatty(STDOUT_FILENO);
        if (report->report->begin != NULL)
            report->report->begin(report->out, &report->style, cases);
    }
    return 0;
}

static void clear_progress(const struct tf_outputs *outputs)
{
    if (outputs->progress)
        fputs("\r\033[K", stdout);
}

void tf_outputs_each(struct tf_outputs *outputs, const struct tf_result *result, size_t number)
{
    clear_progress(outputs);
    for (size_t i = 0; i < outputs->count; i++) {
        const struct tf_output *report = &outputs->output[i];
        if (report->report->each != NULL)
            report->report->each(report->out, &report->style, result, number);
    }
}

void tf_outputs_progress_text(const struct tf_outputs *outputs, const char *text)
{
    if (!outputs->progress)
        return;
    clear_progress(outputs);
    fputs(text, stdout);
    fflush(stdout);
}

void tf_outputs_progress(struct tf_outputs *outputs, const char *name, size_t done, size_t count)
{
    if (!outputs->progress)
        return;
    char *clean = name != NULL ? tf_text_clean(name, strlen(name), 50, false) : NULL;
    for (char *at = clean; clean != NULL && *at != '\0'; at++)
        *at = *at == '\n' || *at == '\t' ? ' ' : *at;
    char text[120];
    snprintf(text, sizeof(text), "%zu of %zu%s%s", done, count, clean != NULL ? ": " : "",
             clean != NULL ? clean : "");
    tf_outputs_progress_text(outputs, text);
    free(clean);
}

int tf_outputs_end(struct tf_outputs *outputs, const struct tf_run *run, struct tf_error *error)
{
    int result = 0;
    clear_progress(outputs);
    for (size_t i = 0; i < outputs->count; i++) {
        struct tf_output *report = &outputs->output[i];
        if (report->out == NULL)
            continue;
        if (report->report->end != NULL)
            report->report->end(report->out, &report->style, run);
        bool failed = fflush(report->out) != 0 || ferror(report->out);
        int number = errno;
        if (report->out != stdout && fclose(report->out) != 0 && !failed) {
            failed = true;
            number = errno;
        }
        if (failed)
            result = tf_error_errno(error, number, "%s", report->path != NULL ? report->path : "stdout");
        report->out = NULL;
    }
    return result;
}

void tf_outputs_close(struct tf_outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++) {
        if (outputs->output[i].out != NULL && outputs->output[i].out != stdout)
            fclose(outputs->output[i].out);
        tf_told_fini(&outputs->output[i].told);
    }
    outputs->count = 0;
}
