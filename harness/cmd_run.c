/* tcpfault run: scenarios, and what they came to. */
#include "cmd.h"
#include "known.h"
#include "run.h"
#include "sandbox.h"

#include <stdlib.h>
#include <string.h>

static const struct tf_option options[] = {
    {"jobs", 'j', TF_OPTION_NUMBER, "N", offsetof(struct tf_run_settings, jobs), NULL,
     "run N cases at a time (default: 1)"},
    {"filter", 0, TF_OPTION_TEXT, "TEXT", offsetof(struct tf_run_settings, filter), NULL,
     "only cases with TEXT in \"FILE'S NAME: CASE\", or a glob of it, or tag:WORD"},
    {"repeat", 0, TF_OPTION_NUMBER, "N", offsetof(struct tf_run_settings, repeat), NULL,
     "run each case N times, with seed, seed + 1, ..."},
    {"fail-fast", 0, TF_OPTION_FLAG, NULL, offsetof(struct tf_run_settings, fail_fast), NULL,
     "start no further case after the first that fails"},
    {"host", 0, TF_OPTION_FLAG, NULL, offsetof(struct tf_run_settings, host), NULL,
     "use the host's network even where each case could have its own"},
    {"fixtures", 0, TF_OPTION_TEXT, "DIR", offsetof(struct tf_run_settings, fixtures), NULL,
     "what {fixtures} stands for (default: fixtures/ beside this program)"},
    {"format", 0, TF_OPTION_TEXT, "FORMAT", offsetof(struct tf_run_settings, format), NULL,
     "write a report as term, tap, junit, json, sarif, markdown or html; may be given again"},
    {"report", 'o', TF_OPTION_TEXT, "FILE", offsetof(struct tf_run_settings, report), NULL,
     "where the --format before it goes (default: stdout)"},
    TF_COMMON_OPTIONS(struct tf_run_settings, common),
    {0},
};

const struct tf_command tf_command_run = {
    .name = "run",
    .synopsis = "[OPTION]... FILE|DIR...",
    .about = "run scenarios, and say what does not hold",
    .details = "Reads every scenario first (tcpfault-scenario(5)); of a directory all *.yaml in it.\n"
               "Exit status: 0 all hold, 1 something does not, 2 a scenario or the command line is\n"
               "wrong, 3 a fault never struck, the shim did not load, a program is missing, or\n"
               "nothing was run at all.",
    .options = options,
    .run = tf_cmd_run,
};

static int check_numbers(const struct tf_run_settings *settings, struct tf_error *error)
{
    if (settings->jobs.given && (settings->jobs.value < 1 || settings->jobs.value > TF_RUN_JOBS))
        return tf_error_set(error, "-j must be 1 to %d", TF_RUN_JOBS);
    if (settings->repeat.given && (settings->repeat.value < 1 || settings->repeat.value > TF_RUN_REPEAT))
        return tf_error_set(error, "--repeat must be 1 to %d", TF_RUN_REPEAT);
    return 0;
}

/* ---- all of it ---- */

static void say_line(const char *line)
{
    char *clean = tf_text_clean(line, strlen(line), strlen(line), false); /* names of files hold anything */
    fprintf(stderr, "%s\n", clean != NULL ? clean : "out of memory");
    free(clean);
}

static int prepare(struct tf_run_command *command, char *const *paths, size_t count)
{
    struct tf_error error;
    if (tf_run_files_load(&command->files, paths, count, say_line) != 0)
        return TF_EXIT_USAGE;
    if (!tf_sandbox_probe()->private_network && !command->settings.host && !command->settings.common.quiet)
        tf_say("on the host's network, with reserved ports: %s (tcpfault doctor says what would change that)",
               tf_sandbox_probe()->why);
    if (tf_run_make_jobs(command, &error) != 0) {
        tf_say("%s", error.text);
        return TF_EXIT_TOOL;
    }
    if (command->jobs.count == 0) {
        tf_say("no case is meant by --filter %s", command->settings.filter);
        return TF_EXIT_TOOL;
    }
    if (tf_outputs_open(&command->outputs, &command->settings.common, command->jobs.count, true, &error) !=
        0) {
        tf_say("%s", error.text);
        return TF_EXIT_TOOL;
    }
    return TF_EXIT_OK;
}

static void on_progress(void *data, const struct tf_job *job, bool begun, size_t done, size_t count)
{
    struct tf_run_command *command = data;
    tf_outputs_progress(&command->outputs, begun ? job->one->name : NULL, done, count);
}

static int run_jobs(struct tf_run_command *command)
{
    struct tf_run run;
    struct tf_error error;
    int ended = tf_run_jobs(command, on_progress, &run, &error);
    if (ended != 0) {
        if (ended < 0)
            tf_say("%s", error.text);
        return ended < 0 ? TF_EXIT_TOOL : 128 + ended;
    }
    if (run.counts[TF_BROKEN] > 0)
        return TF_EXIT_TOOL;
    if (run.counts[TF_FAILED] > 0)
        return TF_EXIT_FOUND;
    if (run.counts[TF_HELD] > 0)
        return TF_EXIT_OK;
    tf_say("every case was skipped: nothing was tried");
    return TF_EXIT_TOOL;
}

int tf_cmd_run(int argc, char **argv)
{
    struct tf_run_command command = {.line = tf_run_line(argc, argv)};
    struct tf_error error;
    int operands_end = 0, command_start = 0;
    int kept = tf_outputs_take(&command.outputs, argc, argv, &error);
    int first = kept < 0 ? -1
                         : tf_options_parse(&tf_command_run, kept, argv, &command.settings, &operands_end,
                                            &command_start, &error);
    if (first >= 0 && check_numbers(&command.settings, &error) != 0)
        first = -1;
    if (first >= 0 && operands_end == first && command_start == kept)
        first = tf_error_set(&error, "there is no FILE or DIR to run");
    if (first >= 0 && !(command.known = tf_known_load(command.settings.common.baseline,
                                                      command.settings.common.suppressions, 0, &error)))
        first = -1;
    if (first < 0) {
        free(command.line);
        return tf_cmd_usage(&tf_command_run, first, &error);
    }
    command.seed = tf_run_seed(&command.settings.common);
    int status = prepare(&command, argv + first, (size_t)(operands_end - first));
    if (status == TF_EXIT_OK)
        status = run_jobs(&command);
    tf_run_files_fini(&command.files);
    tf_run_fini(&command);
    return status;
}
