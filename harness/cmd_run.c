/* tcpfault run: scenarios, and what they came to. */
#include "cmd.h"
#include "known.h"
#include "run.h"
#include "sandbox.h"
#include "saved.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

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

static uint64_t realtime(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * TF_SECOND_NS + (uint64_t)now.tv_nsec;
}

static struct tf_run whole_run(const struct tf_run_command *command, uint64_t started, char *sandbox,
                               size_t size)
{
    const struct tf_permits *permits = tf_sandbox_probe();
    if (permits->private_network && !command->settings.host)
        snprintf(sandbox, size, "each case had its own network namespace");
    else
        snprintf(sandbox, size, "on the host's network: %s",
                 command->settings.host ? "--host" : permits->why);
    return (struct tf_run){.seed = command->seed,
                           .duration_ns = realtime() - started,
                           .started_realtime_ns = started,
                           .command = command->line,
                           .sandbox = sandbox};
}

static int conclude(struct tf_run_command *command, uint64_t started, int ended)
{
    struct tf_jobs *jobs = &command->jobs;
    char sandbox[384];
    struct tf_result *results = calloc(jobs->count, sizeof(*results));
    if (results == NULL) {
        tf_say("out of memory");
        return TF_EXIT_TOOL;
    }
    struct tf_run run = whole_run(command, started, sandbox, sizeof(sandbox));
    run.results = results;
    run.count = jobs->count;
    for (size_t i = 0; i < jobs->count; i++) {
        results[i] = jobs->job[i].result; /* the job keeps what it points to */
        run.counts[results[i].status]++;
    }
    struct tf_error error;
    int written = tf_outputs_end(&command->outputs, &run, &error);
    if (!command->temporary && tf_saved_write(command->directory, &run, &error) != 0)
        written = -1;
    if (written != 0)
        tf_say("%s", error.text);
    free(results);
    if (ended > 0)
        return 128 + ended;
    if (run.counts[TF_BROKEN] > 0 || written != 0)
        return TF_EXIT_TOOL;
    if (run.counts[TF_FAILED] > 0)
        return TF_EXIT_FOUND;
    if (run.counts[TF_HELD] > 0)
        return TF_EXIT_OK;
    tf_say("every case was skipped: nothing was tried");
    return TF_EXIT_TOOL;
}

static void on_result(void *data, const struct tf_job *job, size_t number)
{
    struct tf_run_command *command = data;
    tf_outputs_each(&command->outputs, &job->result, number);
}

static void on_progress(void *data, const char *name, size_t done, size_t count)
{
    struct tf_run_command *command = data;
    tf_outputs_progress(&command->outputs, name, done, count);
}

static int run_jobs(struct tf_run_command *command, struct tf_error *error)
{
    struct tf_jobs *jobs = &command->jobs;
    char results[PATH_MAX];
    uint64_t started = realtime();
    const struct tf_permits *permits = tf_sandbox_probe();
    if (!permits->private_network && !command->settings.host && !command->settings.common.quiet)
        tf_say("on the host's network, with reserved ports: %s (tcpfault doctor says what would change that)",
               permits->why);
    snprintf(results, sizeof(results), "%s/results.jsonl", command->directory);
    char sandbox[384];
    struct tf_run begun = whole_run(command, started, sandbox, sizeof(sandbox));
    if (!command->temporary && tf_saved_write(command->directory, &begun, error) != 0)
        return -1;
    jobs->at_a_time = command->settings.jobs.given ? (unsigned int)command->settings.jobs.value : 1;
    jobs->fail_fast = command->settings.fail_fast;
    jobs->results_path = results;
    jobs->on_result = on_result;
    jobs->on_progress = on_progress;
    jobs->data = command;
    int ended = tf_jobs_run(jobs, error);
    if (ended < 0)
        return -1;
    return conclude(command, started, ended);
}

static int prepare(struct tf_run_command *command, char *const *paths, size_t count)
{
    struct tf_error error;
    if (tf_run_files_load(&command->files, paths, count, say_line) != 0)
        return TF_EXIT_USAGE;
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

static void clean_up(struct tf_run_command *command)
{
    for (size_t i = 0; i < command->jobs.count; i++) {
        struct tf_job *job = &command->jobs.job[i];
        tf_result_fini(&job->result);
        free(job->reproduce);
        free(job->directory);
        free((char *)job->options.directory);
    }
    tf_outputs_close(&command->outputs);
    free(command->jobs.job);
    tf_run_files_fini(&command->files);
    if (command->temporary && command->directory != NULL)
        tf_remove_tree(command->directory);
    free(command->directory);
    free(command->line);
    tf_known_free(command->known);
}

static char *whole_line(int argc, char **argv)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    fputs("tcpfault", out);
    for (int i = 0; i < argc; i++)
        tf_run_quote(out, argv[i]);
    fclose(out);
    char *clean = tf_text_clean(text, strlen(text), 4096, false);
    free(text);
    return clean;
}

int tf_cmd_run(int argc, char **argv)
{
    struct tf_run_command command = {.line = whole_line(argc, argv)};
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
    if (command.settings.common.seed.given)
        command.seed = command.settings.common.seed.value;
    else if (getrandom(&command.seed, 4, 0) != 4) /* short enough to be typed again */
        command.seed = (uint64_t)time(NULL);
    int status = prepare(&command, argv + first, (size_t)(operands_end - first));
    if (status == TF_EXIT_OK) {
        int ran = run_jobs(&command, &error);
        if (ran < 0)
            tf_say("%s", error.text);
        status = ran < 0 ? TF_EXIT_TOOL : ran;
    }
    clean_up(&command);
    return status;
}
