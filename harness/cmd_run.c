/* tcpfault run: scenarios, and what they came to. */
#include "cmd.h"
#include "jobs.h"
#include "run_files.h"
#include "sandbox.h"
#include "shim.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { REPORTS_MAX = 8, REPEAT_MAX = 10000, JOBS_MAX = 64 };

struct settings {
    struct tf_common common;
    struct tf_number jobs, repeat;
    const char *filter, *fixtures;
    bool fail_fast, host;
    const char *format, *file; /* shown in --help only: taken out before */
};

static const struct tf_option options[] = {
    {"jobs", 'j', TF_OPTION_NUMBER, "N", offsetof(struct settings, jobs), NULL, "run N cases at a time (default: 1)"},
    {"filter", 0, TF_OPTION_TEXT, "TEXT", offsetof(struct settings, filter), NULL,
     "only cases with TEXT in \"FILE'S NAME: CASE\", or a glob of it, or tag:WORD"},
    {"repeat", 0, TF_OPTION_NUMBER, "N", offsetof(struct settings, repeat), NULL,
     "run each case N times, with seed, seed + 1, ..."},
    {"fail-fast", 0, TF_OPTION_FLAG, NULL, offsetof(struct settings, fail_fast), NULL,
     "start no further case after the first that fails"},
    {"host", 0, TF_OPTION_FLAG, NULL, offsetof(struct settings, host), NULL,
     "use the host's network even where each case could have its own"},
    {"fixtures", 0, TF_OPTION_TEXT, "DIR", offsetof(struct settings, fixtures), NULL,
     "what {fixtures} stands for (default: fixtures/ beside this program)"},
    {"format", 0, TF_OPTION_TEXT, "FORMAT", offsetof(struct settings, format), NULL,
     "write a report as term, tap, junit or json; may be given again"},
    {"report", 'o', TF_OPTION_TEXT, "FILE", offsetof(struct settings, file), NULL,
     "where the --format before it goes (default: stdout)"},
    TF_COMMON_OPTIONS(struct settings, common),
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

struct report {
    const struct tf_report *report;
    const char *path; /* NULL: stdout */
    FILE *out;
    struct tf_report_style style;
};

struct command {
    struct settings settings;
    struct report reports[REPORTS_MAX];
    size_t reports_count;
    struct tf_run_files files;
    struct tf_jobs jobs;
    char *directory;  /* of the run; absolute */
    bool temporary;   /* to be removed */
    bool progress;    /* a line of it may be on the terminal */
    char build[PATH_MAX], fixtures[PATH_MAX + 16], shim[PATH_MAX];
    uint64_t seed;
    char *line; /* the command line */
};

/* ---- the command line ---- */

static int add_report(struct command *command, const char *format, struct tf_error *error)
{
    const struct tf_report *report = tf_report_find(format);
    if (report == NULL)
        return tf_error_set(error, "unknown format \"%.40s\"; expected term, tap, junit or json", format);
    if (command->reports_count == REPORTS_MAX)
        return tf_error_set(error, "more than %d reports", REPORTS_MAX);
    command->reports[command->reports_count++] = (struct report){.report = report};
    return 0;
}

static int add_file(struct command *command, const char *path, struct tf_error *error)
{
    static const struct {
        const char *end, *format;
    } known[] = {{".xml", "junit"}, {".json", "json"}, {".tap", "tap"}, {".txt", "term"}};
    size_t count = command->reports_count;
    if (count == 0 || command->reports[count - 1].path != NULL) {
        const char *dot = strrchr(path, '.');
        const char *format = NULL;
        for (size_t i = 0; dot != NULL && i < sizeof(known) / sizeof(known[0]); i++)
            if (strcmp(dot, known[i].end) == 0)
                format = known[i].format;
        if (format == NULL)
            return tf_error_set(error, "-o %.200s: there is no --format before it", path);
        if (add_report(command, format, error) != 0)
            return -1;
    }
    command->reports[command->reports_count - 1].path = path;
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

/* --format and -o come in pairs, any number of them: they are taken out of argv,
 * whose new length is returned; -1 on an error. */
static int take_reports(struct command *command, int argc, char **argv, struct tf_error *error)
{
    int kept = 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            while (i < argc)
                argv[kept++] = argv[i++];
            break;
        }
        int at = i;
        const char *format = argument_of("--format", 0, argc, argv, &at);
        const char *file = format == NULL ? argument_of("--report", 'o', argc, argv, &at) : NULL;
        if (format == NULL && file == NULL)
            argv[kept++] = argv[i];
        else if (format != NULL ? add_report(command, format, error) != 0 : add_file(command, file, error) != 0)
            return -1;
        i = at;
    }
    argv[kept] = NULL;
    return kept;
}

static int check_numbers(const struct settings *settings, struct tf_error *error)
{
    if (settings->jobs.given && (settings->jobs.value < 1 || settings->jobs.value > JOBS_MAX))
        return tf_error_set(error, "-j must be 1 to %d", JOBS_MAX);
    if (settings->repeat.given && (settings->repeat.value < 1 || settings->repeat.value > REPEAT_MAX))
        return tf_error_set(error, "--repeat must be 1 to %d", REPEAT_MAX);
    return 0;
}

/* ---- where things are ---- */

static int find_places(struct command *command, struct tf_error *error)
{
    ssize_t length = readlink("/proc/self/exe", command->build, sizeof(command->build) - 1);
    if (length < 0)
        return tf_error_errno(error, errno, "/proc/self/exe");
    command->build[length] = '\0';
    *strrchr(command->build, '/') = '\0';
    if (command->settings.fixtures == NULL)
        snprintf(command->fixtures, sizeof(command->fixtures), "%s/fixtures", command->build);
    else if (realpath(command->settings.fixtures, command->fixtures) == NULL)
        return tf_error_errno(error, errno, "%s", command->settings.fixtures);
    return tf_shim_find(command->shim, sizeof(command->shim), error);
}

static int make_directory(struct command *command, struct tf_error *error)
{
    const char *wanted = command->settings.common.output, *tmp = getenv("TMPDIR");
    char *path;
    command->temporary = wanted == NULL;
    if (asprintf(&path, "%s/tcpfault-XXXXXX", tmp != NULL && tmp[0] == '/' ? tmp : "/tmp") < 0)
        return tf_error_set(error, "out of memory");
    if (wanted == NULL) {
        command->directory = mkdtemp(path);
        if (command->directory != NULL) {
            chmod(path, 0755); /* programs may change user */
            return 0;
        }
        tf_error_errno(error, errno, "%s", path);
        free(path);
        return -1;
    }
    free(path);
    if (mkdir(wanted, 0755) != 0 && errno != EEXIST)
        return tf_error_errno(error, errno, "%s", wanted);
    command->directory = realpath(wanted, NULL);
    if (command->directory == NULL)
        return tf_error_errno(error, errno, "%s", wanted);
    return 0;
}

/* DIR/cases, empty: what an earlier run left there goes. */
static int make_cases(const struct command *command, struct tf_error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/cases", command->directory);
    if (!command->temporary)
        tf_remove_tree(path);
    return mkdir(path, 0755) == 0 ? 0 : tf_error_errno(error, errno, "%s", path);
}

/* ---- jobs ---- */

static char *slug(const char *name)
{
    char *text = strndup(name, 40);
    for (char *at = text; text != NULL && *at != '\0'; at++)
        if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", *at) == NULL)
            *at = '-';
    return text;
}

static void quote(FILE *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%";
    bool quoted = word[0] == '\0' || strspn(word, plain) != strlen(word);
    if (!quoted) {
        fprintf(out, " %s", word);
        return;
    }
    fputs(" '", out);
    for (; *word != '\0'; word++)
        fputs(*word == '\'' ? "'\\''" : (char[]){*word, '\0'}, out);
    fputc('\'', out);
}

/* The command that runs this case again, with this seed. */
static char *reproduction(const struct command *command, const struct tf_case *one, uint64_t seed)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    fputs("tcpfault run", out);
    quote(out, one->file->path);
    if (one->file->cases_count > 1) {
        fputs(" --filter", out);
        quote(out, one->name);
    }
    fprintf(out, " --seed %llu", (unsigned long long)seed);
    if (command->settings.common.timeout_ns > 0)
        fprintf(out, " --timeout %lluus", (unsigned long long)command->settings.common.timeout_ns / 1000);
    if (command->settings.fixtures != NULL) {
        fputs(" --fixtures", out);
        quote(out, command->settings.fixtures);
    }
    if (command->settings.host)
        fputs(" --host", out);
    fclose(out);
    return text;
}

static uint64_t seed_of(const struct command *command, const struct tf_case *one, uint64_t repeat)
{
    uint64_t seed = one->has_seed && !command->settings.common.seed.given ? one->seed : command->seed;
    return seed + (repeat > 0 ? repeat - 1 : 0);
}

static int add_job(struct command *command, const struct tf_case *one, unsigned int repeat, struct tf_error *error)
{
    struct tf_jobs *jobs = &command->jobs;
    struct tf_job *grown = realloc(jobs->job, (jobs->count + 1) * sizeof(*jobs->job));
    char *name = slug(one->name), *directory = NULL;
    if (grown != NULL)
        jobs->job = grown;
    if (grown == NULL || name == NULL ||
        asprintf(&directory, "%s/cases/%03zu-%s", command->directory, jobs->count + 1, name) < 0) {
        free(name);
        return tf_error_set(error, "out of memory");
    }
    free(name);
    const struct tf_permits *permits = tf_sandbox_probe();
    bool private = permits->private_network && !command->settings.host;
    uint64_t seed = seed_of(command, one, repeat), timeout_ns = command->settings.common.timeout_ns;
    grown[jobs->count++] = (struct tf_job){
        .one = one,
        .repeat = repeat,
        .reproduce = reproduction(command, one, seed),
        .directory = command->temporary ? strdup("") : strdup(directory),
        .options = {.directory = directory,
                    .fixtures = command->fixtures,
                    .build = command->build,
                    .shim = command->shim,
                    .seed = seed,
                    .timeout_ns = timeout_ns > 0 ? timeout_ns : one->timeout_ns,
                    .kind = private ? TF_SANDBOX_PRIVATE : TF_SANDBOX_HOST,
                    .why_host = command->settings.host ? "--host" : permits->why},
    };
    return 0;
}

static int add_jobs(struct command *command, struct tf_error *error)
{
    const char *filter = command->settings.filter;
    uint64_t repeat = command->settings.repeat.given ? command->settings.repeat.value : 1;
    bool exact = false; /* a whole name means that case, not all that begin like it */
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < command->files.count; i++) {
            const struct tf_scenario *scenario = command->files.scenario[i];
            for (size_t j = 0; j < scenario->cases_count; j++) {
                if (pass == 0)
                    exact |= filter != NULL && strncmp(filter, "tag:", 4) != 0 &&
                             tf_run_filter(&scenario->cases[j], filter, true);
                else if (tf_run_filter(&scenario->cases[j], filter, exact))
                    for (uint64_t k = 1; k <= repeat; k++)
                        if (add_job(command, &scenario->cases[j], repeat > 1 ? (unsigned int)k : 0, error) != 0)
                            return -1;
            }
        }
    return 0;
}

/* ---- reports ---- */

static int open_reports(struct command *command, struct tf_error *error)
{
    const struct settings *settings = &command->settings;
    bool on_stdout = false;
    for (size_t i = 0; i < command->reports_count; i++)
        on_stdout |= command->reports[i].path == NULL || strcmp(command->reports[i].path, "-") == 0;
    if (!on_stdout && add_report(command, "term", error) != 0)
        return -1;
    for (size_t i = 0; i < command->reports_count; i++) {
        struct report *report = &command->reports[i];
        bool to_file = report->path != NULL && strcmp(report->path, "-") != 0;
        report->out = to_file ? fopen(report->path, "we") : stdout;
        if (report->out == NULL)
            return tf_error_errno(error, errno, "%s", report->path);
        bool term = report->report == &tf_report_term;
        report->style = (struct tf_report_style){
            .color = term && (to_file ? settings->common.color == TF_COLOR_ALWAYS
                                      : tf_color_on(settings->common.color, STDOUT_FILENO)),
            .quiet = settings->common.quiet,
            .verbose = settings->common.verbose,
        };
        command->progress |= term && !to_file && !settings->common.quiet && isatty(STDOUT_FILENO);
        if (report->report->begin != NULL)
            report->report->begin(report->out, &report->style, command->jobs.count);
    }
    return 0;
}

static void clear_progress(const struct command *command)
{
    if (command->progress)
        fputs("\r\033[K", stdout);
}

static void on_result(void *data, const struct tf_job *job, size_t number)
{
    struct command *command = data;
    clear_progress(command);
    for (size_t i = 0; i < command->reports_count; i++) {
        const struct report *report = &command->reports[i];
        if (report->report->each != NULL)
            report->report->each(report->out, &report->style, &job->result, number);
    }
}

static void on_progress(void *data, const char *name, size_t done, size_t count)
{
    struct command *command = data;
    if (!command->progress)
        return;
    char *clean = name != NULL ? tf_text_clean(name, strlen(name), 50, false) : NULL;
    for (char *at = clean; clean != NULL && *at != '\0'; at++)
        *at = *at == '\n' || *at == '\t' ? ' ' : *at;
    clear_progress(command);
    printf("%zu of %zu%s%s", done, count, clean != NULL ? ": " : "", clean != NULL ? clean : "");
    fflush(stdout);
    free(clean);
}

/* 0, or -1 where a report could not be written. */
static int end_reports(struct command *command, const struct tf_run *run)
{
    int result = 0;
    clear_progress(command);
    for (size_t i = 0; i < command->reports_count; i++) {
        struct report *report = &command->reports[i];
        if (report->out == NULL)
            continue;
        if (report->report->end != NULL)
            report->report->end(report->out, &report->style, run);
        bool failed = fflush(report->out) != 0 || ferror(report->out);
        if (report->out != stdout && fclose(report->out) != 0)
            failed = true;
        if (failed) {
            tf_say("%s: %s", report->path != NULL ? report->path : "stdout", strerror(errno));
            result = -1;
        }
        report->out = NULL;
    }
    return result;
}

/* ---- all of it ---- */

static void say_line(const char *line)
{
    fprintf(stderr, "%s\n", line);
}

static uint64_t realtime(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * TF_SECOND_NS + (uint64_t)now.tv_nsec;
}

static int conclude(struct command *command, uint64_t started, int ended)
{
    struct tf_jobs *jobs = &command->jobs;
    const struct tf_permits *permits = tf_sandbox_probe();
    char sandbox[384] = "each case had its own network namespace";
    struct tf_result *results = calloc(jobs->count, sizeof(*results));
    if (results == NULL) {
        tf_say("out of memory");
        return TF_EXIT_TOOL;
    }
    if (!permits->private_network || command->settings.host)
        snprintf(sandbox, sizeof(sandbox), "on the host's network: %s",
                 command->settings.host ? "--host" : permits->why);
    struct tf_run run = {.results = results,
                         .count = jobs->count,
                         .seed = command->seed,
                         .duration_ns = realtime() - started,
                         .started_realtime_ns = started,
                         .command = command->line,
                         .sandbox = sandbox};
    for (size_t i = 0; i < jobs->count; i++) {
        results[i] = jobs->job[i].result; /* the job keeps what it points to */
        run.counts[results[i].status]++;
    }
    int written = end_reports(command, &run);
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

static int run_jobs(struct command *command, struct tf_error *error)
{
    struct tf_jobs *jobs = &command->jobs;
    char results[PATH_MAX];
    uint64_t started = realtime();
    const struct tf_permits *permits = tf_sandbox_probe();
    if (!permits->private_network && !command->settings.host && !command->settings.common.quiet)
        tf_say("on the host's network, with reserved ports: %s", permits->why);
    snprintf(results, sizeof(results), "%s/results.jsonl", command->directory);
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

static int prepare(struct command *command, char *const *paths, size_t count)
{
    struct tf_error error;
    if (tf_run_files_load(&command->files, paths, count, say_line) != 0)
        return TF_EXIT_USAGE;
    if (find_places(command, &error) != 0 || make_directory(command, &error) != 0 ||
        make_cases(command, &error) != 0 || add_jobs(command, &error) != 0) {
        tf_say("%s", error.text);
        return TF_EXIT_TOOL;
    }
    if (command->jobs.count == 0) {
        tf_say("no case is meant by --filter %s", command->settings.filter);
        return TF_EXIT_TOOL;
    }
    if (open_reports(command, &error) != 0) {
        tf_say("%s", error.text);
        return TF_EXIT_TOOL;
    }
    return TF_EXIT_OK;
}

static void clean_up(struct command *command)
{
    for (size_t i = 0; i < command->jobs.count; i++) {
        struct tf_job *job = &command->jobs.job[i];
        tf_result_fini(&job->result);
        free(job->reproduce);
        free(job->directory);
        free((char *)job->options.directory);
    }
    for (size_t i = 0; i < command->reports_count; i++)
        if (command->reports[i].out != NULL && command->reports[i].out != stdout)
            fclose(command->reports[i].out);
    free(command->jobs.job);
    tf_run_files_fini(&command->files);
    if (command->temporary && command->directory != NULL)
        tf_remove_tree(command->directory);
    free(command->directory);
    free(command->line);
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
        quote(out, argv[i]);
    fclose(out);
    char *clean = tf_text_clean(text, strlen(text), 4096, false);
    free(text);
    return clean;
}

int tf_cmd_run(int argc, char **argv)
{
    struct command command = {.line = whole_line(argc, argv)};
    struct tf_error error;
    int operands_end = 0, command_start = 0;
    int kept = take_reports(&command, argc, argv, &error);
    int first = kept < 0 ? -1 : tf_options_parse(&tf_command_run, kept, argv, &command.settings, &operands_end,
                                                 &command_start, &error);
    if (first >= 0 && check_numbers(&command.settings, &error) != 0)
        first = -1;
    if (first >= 0 && operands_end == first && command_start == kept)
        first = tf_error_set(&error, "there is no FILE or DIR to run");
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
