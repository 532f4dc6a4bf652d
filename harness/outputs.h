/* Where the reports of a run go: the pairs of --format and -o of a command line,
 * and the line of progress on a terminal.
 *
 *   tf_outputs_take    the options, out of argv
 *   tf_outputs_open    the files; reports begin
 *   tf_outputs_each    for each result, in order
 *   tf_outputs_end     reports end, and the files are closed
 *   tf_outputs_close   whatever happened
 */
#ifndef TF_OUTPUTS_H
#define TF_OUTPUTS_H

#include "options.h"
#include "result.h"
#include "told.h"

enum { TF_OUTPUTS = 8 };

struct tf_outputs {
    struct tf_output {
        const struct tf_report *report;
        const char *path; /* NULL: stdout */
        FILE *out;
        struct tf_report_style style;
        struct tf_told told;
    } output[TF_OUTPUTS];
    size_t count;
    bool progress; /* a line of it may be on the terminal */
};

/* Any number of pairs: they are taken out of argv, whose new length is returned;
 * -1 with *error filled. */
int tf_outputs_take(struct tf_outputs *outputs, int argc, char **argv, struct tf_error *error);

/* `terminal`: one for the terminal is added where none goes to stdout. 0 or -1. */
int tf_outputs_open(struct tf_outputs *outputs, const struct tf_common *common, size_t cases, bool terminal,
                    struct tf_error *error);

void tf_outputs_each(struct tf_outputs *outputs, const struct tf_result *result, size_t number);
/* Any text, instead. */
void tf_outputs_progress_text(const struct tf_outputs *outputs, const char *text);
void tf_outputs_progress(struct tf_outputs *outputs, const char *name, size_t done, size_t count);

/* 0, or -1 with *error filled: one could not be written. */
int tf_outputs_end(struct tf_outputs *outputs, const struct tf_run *run, struct tf_error *error);
void tf_outputs_close(struct tf_outputs *outputs);

#endif
