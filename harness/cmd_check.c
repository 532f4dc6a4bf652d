/* tcpfault check: the batteries, on a command of the user's. */
#include "battery_run.h"
#include "cmd.h"
#include "known.h"
#include "sandbox.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { AT_A_TIME = 4 };

#define SETTING(member) offsetof(struct tf_check_settings, member)

static const struct tf_option options[] = {
    {"peer", 0, TF_OPTION_TEXT, "COMMAND", SETTING(peer), NULL,
     "the other side, with its arguments (default: one of the tool's own)"},
    {"send", 0, TF_OPTION_TEXT, "TEXT", SETTING(send), NULL,
     "what to send to a server, with \\r \\n \\t \\0 \\xNN \\\\; or @FILE"},
    {"reply", 0, TF_OPTION_TEXT, "TEXT", SETTING(reply), NULL, "what to answer a client; TEXT as for --send"},
    {"ready", 0, TF_OPTION_TEXT, "TEXT", SETTING(ready), NULL,
     "the server is ready when it has written TEXT, and not when it listens"},
    {"config", 0, TF_OPTION_TEXT, "FILE", SETTING(config), NULL,
     "copy FILE with its {port} and {dir} replaced; {config} is the copy"},
    {"env", 0, TF_OPTION_LIST, "NAME=VALUE", SETTING(env), NULL,
     "set it in the command's environment; may be given again"},
    {"only", 0, TF_OPTION_LIST, "CASES", SETTING(only), NULL,
     "only cases with this in their id, or whose id this glob matches; may be given again"},
    {"skip", 0, TF_OPTION_LIST, "CASES", SETTING(skip), NULL, "all cases but these; may be given again"},
    {"explain", 0, TF_OPTION_TEXT, "CASE", SETTING(explain), NULL,
     "print what a case does, why, and as a scenario of its own; run nothing"},
    {"battery", 0, TF_OPTION_LIST, "FILE|DIR", SETTING(battery), NULL,
     "these batteries instead of the ones in this program; may be given again"},
    {"jobs", 'j', TF_OPTION_NUMBER, "N", SETTING(run.jobs), NULL, "run N cases at a time (default: 4)"},
    {"host", 0, TF_OPTION_FLAG, NULL, SETTING(run.host), NULL,
     "use the host's network even where each case could have its own"},
    {"fixtures", 0, TF_OPTION_TEXT, "DIR", SETTING(run.fixtures), NULL,
     "what {fixtures} stands for (default: fixtures/ beside this program)"},
    {"format", 0, TF_OPTION_TEXT, "FORMAT", SETTING(run.format), NULL,
     "write a report as term, tap, junit, json, sarif, markdown or html; may be given again"},
    {"report", 'o', TF_OPTION_TEXT, "FILE", SETTING(run.report), NULL,
     "where the --format before it goes (default: stdout)"},
    TF_COMMON_OPTIONS(struct tf_check_settings, run.common),
    {0},
};

static int run(int argc, char **argv);

const struct tf_command tf_command_check = {
    .name = "check",
    .synopsis = "server|client [OPTION]... -- COMMAND [ARGUMENT]...",
    .about = "try the built-in cases on a server or a client",
    .details = "{port}, {dir} and {config} are replaced in the command and in --env; without a {port}\n"
               "the port is seen. Exit status: 0 nothing was found, 1 something was, 2 the command\n"
               "line is wrong, 3 nothing could be tried, as where it does not work without faults.",
    .options = options,
    .run = run,
};

/* ---- the command line ---- */

static int take_words(struct tf_check *check, struct tf_error *error)
{
    const struct tf_check_settings *settings = &check->settings;
    struct tf_bound *bound = &check->bound;
    const char *config = bound->config.name;
    if (tf_words_take(&bound->target, check->words, config) != 0)
        return tf_error_set(error, "out of memory");
    check->has_port = bound->target.port;
    for (uint32_t i = 0; i < bound->env_count; i++)
        check->has_port |= strstr(bound->env[i].value, "{port}") != NULL;
    check->has_port |= bound->config.value != NULL && strstr(bound->config.value, "{port}") != NULL;
    bound->own_peer = settings->peer != NULL;
    if (settings->peer == NULL)
        return 0;
    char message[256];
    if (tf_words_split_line(&bound->peer, settings->peer, NULL, error) == 0)
        return 0;
    snprintf(message, sizeof(message), "%.200s", error->text);
    return tf_error_set(error, "--peer: %s", message);
}

static int check_settings(const struct tf_check *check, struct tf_error *error)
{
    const struct tf_check_settings *settings = &check->settings;
    const struct tf_run_settings *common = &settings->run;
    if (common->jobs.given && (common->jobs.value < 1 || common->jobs.value > TF_RUN_JOBS))
        return tf_error_set(error, "-j must be 1 to %d", TF_RUN_JOBS);
    if (settings->send != NULL && check->part == TF_PART_CLIENT)
        return tf_error_set(error, "--send is what a server is sent; a client is answered by --reply");
    if (settings->reply != NULL && check->part == TF_PART_SERVER)
        return tf_error_set(error, "--reply is what a client is answered; a server is sent --send");
    if (settings->ready != NULL && settings->ready[0] == '\0')
        return tf_error_set(error, "--ready is empty; expected what the server writes when it is ready");
    if (settings->ready != NULL && check->part == TF_PART_CLIENT && settings->peer == NULL)
        return tf_error_set(error, "--ready is about a server of yours, and there is none: --peer gives it");
    return 0;
}

static int take_part(struct tf_check *check, const char *word, struct tf_error *error)
{
    if (word != NULL && strcmp(word, "server") == 0)
        check->part = TF_PART_SERVER;
    else if (word != NULL && strcmp(word, "client") == 0)
        check->part = TF_PART_CLIENT;
    else if (word != NULL)
        return tf_error_set(error, "expected server or client, what the command is, not \"%.60s\"", word);
    else
        return tf_error_set(error, "expected server or client, what the command is");
    return 0;
}

/* ---- progress ---- */

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * TF_SECOND_NS + (uint64_t)now.tv_nsec;
}

static void note_running(struct tf_check *check, const struct tf_job *job, bool begun)
{
    size_t at = 0;
    while (at < check->runnings && check->running[at] != job)
        at++;
    if (begun && at == check->runnings && at < TF_RUN_JOBS)
        check->running[check->runnings++] = job;
    if (!begun && at < check->runnings) {
        check->running[at] = check->running[--check->runnings];
        check->findings += job->result.verdict == TF_FINDING;
    }
}

static void on_progress(void *data, const struct tf_job *job, bool begun, size_t done, size_t count)
{
    struct tf_run_command *command = data;
    struct tf_check *check = (struct tf_check *)((char *)command - offsetof(struct tf_check, run));
    char text[400];
    uint64_t spent = now_ns() - check->begun_ns;
    note_running(check, job, begun);
    int length = snprintf(text, sizeof(text), "%zu of %zu", done, count);
    if (check->findings > 0)
        length += snprintf(text + length, sizeof(text) - (size_t)length, ", %zu finding%s", check->findings,
                           check->findings == 1 ? "" : "s");
    if (done > 3 && done < count)
        length += snprintf(text + length, sizeof(text) - (size_t)length, ", %.0f s left",
                           (double)spent / 1e9 / (double)done * (double)(count - done) + 0.5);
    for (size_t i = 0; i < check->runnings && length < 90; i++)
        length += snprintf(text + length, sizeof(text) - (size_t)length, "%s%.40s", i == 0 ? ": " : ", ",
                           check->running[i]->one->name);
    tf_outputs_progress_text(&check->run.outputs, text);
}

/* ---- all of it ---- */

static void say_line(const char *line)
{
    char *clean = tf_text_clean(line, strlen(line), 400, false);
    fprintf(stderr, "  | %s\n", clean != NULL ? clean : "out of memory");
    free(clean);
}

static int explain(struct tf_check *check, struct tf_error *error)
{
    const struct tf_case *one = tf_battery_case(&check->batteries, check->settings.explain, error);
    const char *problem = NULL;
    struct tf_words *peer = &check->bound.peer;
    char **words = calloc(peer->count + 1, sizeof(*words));
    for (uint32_t i = 0; words != NULL && i < peer->count; i++)
        words[i] = peer->word[i];
    if (one == NULL || tf_battery_explain(&check->batteries, one, check->words, words, check->settings.ready,
                                          stdout, error) != 0)
        problem = error->text;
    free(words);
    if (problem != NULL)
        tf_say("check: %s", problem);
    return problem != NULL ? TF_EXIT_USAGE : TF_EXIT_OK;
}

/* The peer of the tool's own, once it is known what it has to say. */
static int make_own_peer(struct tf_check *check, struct tf_error *error)
{
    struct tf_words *peer = &check->bound.peer;
    const char *server[16] = {"{build}/tcpfault", "peer", "connect", "{port}", "--address", "{address}"};
    const char *client[16] = {"{build}/tcpfault", "peer", "listen", "{port}", "--address", "{address}"};
    const char **words = check->part == TF_PART_SERVER ? server : client;
    size_t count = 6;
    if (check->bound.own_peer)
        return 0;
    tf_words_fini(peer);
    if (check->part == TF_PART_SERVER && check->settings.send != NULL) {
        words[count++] = "--send";
        words[count++] = "@{sent}";
        words[count++] = check->known.expect != NULL ? "--expect" : "--quiet-for";
        words[count++] = check->known.expect != NULL ? "{expect}" : "300ms";
    } else if (check->part == TF_PART_SERVER) {
        words[count++] = "--half-close";
    } else {
        if (check->settings.reply != NULL) {
            words[count++] = "--reply";
            words[count++] = "@{reply}";
        }
        if (check->request[0] != '\0') {
            words[count++] = "--request-bytes";
            words[count++] = check->request;
        }
    }
    words[count] = NULL;
    return tf_words_own(peer, words) == 0 ? 0 : tf_error_set(error, "out of memory");
}

static int bind_all(struct tf_check *check, struct tf_error *error)
{
    for (size_t i = 0; i < check->batteries.count; i++)
        if (tf_bind(&check->bound, check->batteries.scenario[i], error) != 0)
            return -1;
    return 0;
}

static int prepare(struct tf_check *check, struct tf_error *error)
{
    static const char *const folders[] = {"cases", "without-faults", NULL};
    if (tf_run_places(&check->run, folders, error) != 0 || make_own_peer(check, error) != 0)
        return -1;
    int ended = tf_check_baseline(check, say_line, error);
    if (ended != 0)
        return ended;
    return make_own_peer(check, error) != 0 || bind_all(check, error) != 0 ||
                   tf_check_make_jobs(check, error) != 0
               ? -1
               : 0;
}

static int exit_status(const struct tf_run *run)
{
    size_t tried = run->counts[TF_HELD] + run->counts[TF_FAILED];
    if (run->counts[TF_FAILED] > 0)
        return TF_EXIT_FOUND;
    if (tried > 0)
        return TF_EXIT_OK;
    tf_say("no case was tried");
    return TF_EXIT_TOOL;
}

static int try_all(struct tf_check *check)
{
    struct tf_error error;
    struct tf_run run;
    int ended = prepare(check, &error);
    if (ended == 0 && check->run.jobs.count == 0) {
        tf_say("no case is meant by --only and --skip; tcpfault list batteries shows them all");
        return TF_EXIT_TOOL;
    }
    if (ended == 0 && tf_outputs_open(&check->run.outputs, &check->run.settings.common, check->run.jobs.count,
                                      true, &error) != 0)
        ended = -1;
    check->begun_ns = now_ns();
    if (ended == 0)
        ended = tf_run_jobs(&check->run, on_progress, &run, &error);
    if (ended < 0)
        tf_say("check: %s", error.text);
    return ended < 0 ? TF_EXIT_TOOL : ended > 0 ? 128 + ended : exit_status(&run);
}

static void clean_up(struct tf_check *check)
{
    tf_run_fini(&check->run);
    tf_result_fini(&check->without);
    tf_batteries_fini(&check->batteries);
    tf_baseline_fini(&check->baseline);
    tf_bound_fini(&check->bound);
    free(check->of);
    free(check->ids);
}

static int parse(struct tf_check *check, int argc, char **argv, struct tf_error *error)
{
    int operands_end = 0, command_start = 0;
    int kept = tf_outputs_take(&check->run.outputs, argc, argv, error);
    int first = kept < 0 ? -1
                         : tf_options_parse(&tf_command_check, kept, argv, &check->settings, &operands_end,
                                            &command_start, error);
    if (first < 0)
        return first;
    if (take_part(check, first < operands_end ? argv[first] : NULL, error) != 0)
        return -1;
    if (operands_end - first > 1)
        return tf_error_set(error, "expected -- before the command, got \"%.60s\"", argv[first + 1]);
    check->words = argv + command_start;
    if (command_start == kept && check->settings.explain == NULL)
        return tf_error_set(error, "there is no command; expected -- COMMAND behind the options");
    if (check_settings(check, error) != 0 ||
        tf_bound_settings(&check->bound, &check->settings.env, check->settings.config, error) != 0 ||
        take_words(check, error) != 0 ||
        tf_batteries_load(&check->batteries, check->part, &check->settings.battery, error) != 0)
        return -1;
    check->bound.ready = check->settings.ready;
    const struct tf_common *common = &check->settings.run.common;
    check->run.known = tf_known_load(common->baseline, common->suppressions, 0, error);
    return check->run.known != NULL ? 0 : -1;
}

static int run(int argc, char **argv)
{
    struct tf_check *check = calloc(1, sizeof(*check));
    struct tf_error error;
    if (check == NULL) {
        tf_say("out of memory");
        return TF_EXIT_TOOL;
    }
    check->run.line = tf_run_line(argc, argv);
    int parsed = parse(check, argc, argv, &error);
    check->run.settings = check->settings.run;
    if (!check->run.settings.jobs.given)
        check->run.settings.jobs = (struct tf_number){true, AT_A_TIME};
    check->run.seed = tf_run_seed(&check->settings.run.common);
    int status = parsed < 0                        ? tf_cmd_usage(&tf_command_check, parsed, &error)
                 : check->settings.explain != NULL ? explain(check, &error)
                                                   : try_all(check);
    clean_up(check);
    free(check);
    return status;
}
