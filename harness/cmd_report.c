/* tcpfault report: a run that was kept, in any format. */
#include "cmd.h"
#include "outputs.h"
#include "saved.h"

struct settings {
    struct tf_common common;
    const char *format, *report; /* in --help only: tf_outputs_take takes them out */
};

static const struct tf_option options[] = {
    {"format", 0, TF_OPTION_TEXT, "FORMAT", offsetof(struct settings, format), NULL,
     "term (the default), tap, junit, json, sarif, markdown or html; may be given again"},
    {"report", 'o', TF_OPTION_TEXT, "FILE", offsetof(struct settings, report), NULL,
     "where the --format before it goes (default: stdout)"},
    {"quiet", 'q', TF_OPTION_FLAG, NULL, offsetof(struct settings, common.quiet), NULL,
     "term: only what does not hold"},
    {"verbose", 'v', TF_OPTION_FLAG, NULL, offsetof(struct settings, common.verbose), NULL,
     "term: everything about every case"},
    {"color", 0, TF_OPTION_CHOICE, "WHEN", offsetof(struct settings, common.color), tf_color_choices,
     "auto, always or never (default: auto, on a terminal only)"},
    {0},
};

static int run(int argc, char **argv);

const struct tf_command tf_command_report = {
    .name = "report",
    .synopsis = "[OPTION]... RUN",
    .about = "render a run that was kept, in any format",
    .details = "RUN is the directory that --output of run, inject or trace left, also where the run\n"
               "was killed; or a report of --format json. The exit status says whether it could be\n"
               "rendered, not what the run came to.",
    .options = options,
    .run = run,
};

static int render(struct tf_outputs *outputs, const struct settings *settings, const char *path)
{
    struct tf_error error;
    struct tf_saved saved;
    if (tf_saved_read(&saved, path, &error) != 0) {
        tf_say("report: %s", error.text);
        return TF_EXIT_USAGE;
    }
    int result = tf_outputs_open(outputs, &settings->common, saved.run.count, outputs->count == 0, &error);
    for (size_t i = 0; i < saved.run.count && result == 0; i++)
        tf_outputs_each(outputs, &saved.run.results[i], i + 1);
    if (result == 0)
        result = tf_outputs_end(outputs, &saved.run, &error);
    if (result != 0)
        tf_say("report: %s", error.text);
    tf_outputs_close(outputs);
    tf_saved_fini(&saved);
    return result == 0 ? TF_EXIT_OK : TF_EXIT_TOOL;
}

static int run(int argc, char **argv)
{
    struct settings settings = {0};
    struct tf_outputs outputs = {0};
    struct tf_error error;
    int end, command;
    int kept = tf_outputs_take(&outputs, argc, argv, &error);
    int first =
        kept < 0 ? -1 : tf_options_parse(&tf_command_report, kept, argv, &settings, &end, &command, &error);
    if (first >= 0 && end - first != 1)
        first = tf_error_set(&error,
                             "expected one RUN: the directory of --output, or a json report; %d are given",
                             end - first);
    if (first < 0)
        return tf_cmd_usage(&tf_command_report, first, &error);
    return render(&outputs, &settings, argv[first]);
}
