/* Runs without faults: does it work at all, on which port, with which output, and what
 * does the peer say? */
#include "battery_run.h"
#include "peer.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* In "alone" nothing answers: it shows the port of a target that is not told one. */
static const char of_server[] =
    "name: without faults\nbattery: server\nserver: '{target}'\nexpect: {server: {outcome: any}}\ncases:\n"
    "- name: alone\n"
    "- {name: first, programs: {peer: '{peer}'}, expect: {peer: {outcome: any}}}\n"
    "- {name: second, programs: {peer: '{peer}'}, expect: {peer: {outcome: any}}}\n"
    "- name: recorded\n"
    "  programs:\n"
    "    relay: {run: '{build}/tcpfault peer relay {port:relay} {port} --to-address {address} --record "
    "{dir}/bytes', role: server, after: server, shim: false}\n"
    "    peer: '{peer}'\n"
    "  expect: {peer: {outcome: any}}\n"
    "- {name: first tool, programs: {tool: {run: '{build}/tcpfault peer connect {port} --address {address} "
    "--send @{sent} --quiet-for 300ms', shim: false}}, expect: {tool: {outcome: any}}}\n"
    "- {name: second tool, programs: {tool: {run: '{build}/tcpfault peer connect {port} --address {address} "
    "--send @{sent} --quiet-for 300ms', shim: false}}, expect: {tool: {outcome: any}}}\n";

static const char of_client[] =
    "name: without faults\nbattery: client\nclient: '{target}'\nexpect: {client: {outcome: any}}\ncases:\n"
    "- name: alone\n"
    "- {name: first, server: '{peer}', expect: {server: {outcome: any}}}\n"
    "- {name: second, server: '{peer}', expect: {server: {outcome: any}}}\n"
    "- name: recorded\n"
    "  programs:\n"
    "    server: '{peer}'\n"
    "    relay: {run: '{build}/tcpfault peer relay {port} {port:relay} --address {address} --to-address "
    "{address} --record-reply {dir}/bytes', role: server, after: server, shim: false}\n"
    "  expect: {server: {outcome: any}}\n"
    "- {name: first tool, server: {run: '{build}/tcpfault peer listen {port} --address {address} --reply "
    "@{reply}', shim: false}, expect: {server: {outcome: any}}}\n";

enum { PHASE = 2 };

struct phase {
    struct tf_check *check;
    struct tf_scenario *scenario;
    struct tf_case_battery battery;
    struct tf_jobs jobs;
    json_t *observed[PHASE]; /* of each job, or NULL */
    void (*say)(const char *line);
};

/* ---- running some ---- */

static const struct tf_case *case_of(const struct tf_scenario *scenario, const char *name)
{
    for (size_t i = 0; i < scenario->cases_count; i++)
        if (strcmp(scenario->cases[i].name, name) == 0)
            return &scenario->cases[i];
    return NULL;
}

static void forget(struct phase *phase)
{
    for (int i = 0; i < PHASE; i++) {
        json_decref(phase->observed[i]);
        phase->observed[i] = NULL;
    }
    tf_run_free_jobs(&phase->jobs);
}

/* Cases of these names, at the same time. 0, the signal that ended them, or -1. */
static int run(struct phase *phase, const char *first, const char *second, struct tf_error *error)
{
    struct tf_check *check = phase->check;
    const char *names[PHASE] = {first, second};
    char path[PATH_MAX + 16];
    forget(phase);
    phase->battery = check->known;
    phase->battery.id = "without-faults";
    phase->battery.reproduce = "";
    for (int i = 0; i < PHASE && names[i] != NULL; i++) {
        char folder[64];
        snprintf(folder, sizeof(folder), "without-faults/%s", first);
        for (char *at = folder; *at != '\0'; at++)
            *at = *at == ' ' ? '-' : *at;
        if (i == 0)
            snprintf(path, sizeof(path), "%s/%s", check->run.directory, folder);
        if (i == 0 && mkdir(path, 0755) != 0)
            return tf_error_errno(error, errno, "%s", path);
        struct tf_job *job =
            tf_run_add_job(&check->run, &phase->jobs, folder, case_of(phase->scenario, names[i]),
                           check->run.seed, strdup(""), error);
        if (job == NULL)
            return -1;
        job->options.battery = &phase->battery;
        job->options.known = check->run.known;
    }
    strcat(path, "/results.jsonl");
    phase->jobs.results_path = path;
    phase->jobs.at_a_time = PHASE;
    int ended = tf_jobs_run(&phase->jobs, error);
    phase->jobs.results_path = NULL;
    for (size_t i = 0; ended == 0 && i < phase->jobs.count; i++) {
        snprintf(path, sizeof(path), "%s/observed.json", phase->jobs.job[i].options.directory);
        phase->observed[i] = json_load_file(path, 0, NULL);
    }
    return ended;
}

/* ---- what came of it ---- */

static const struct tf_program_result_text *program_of(const struct tf_result *result, const char *name)
{
    for (size_t i = 0; i < result->programs_count; i++)
        if (strcmp(result->programs[i].name, name) == 0)
            return &result->programs[i];
    return NULL;
}

/* The last lines that a program wrote. */
static void tell(const struct phase *phase, const char *text)
{
    enum { LINES = 6 };
    const char *at = text + strlen(text);
    for (int lines = 0; at > text && lines < LINES; at--)
        lines += at[-1] == '\n' && at[0] != '\0';
    while (*at == '\n')
        at++;
    while (*at != '\0') {
        size_t length = strcspn(at, "\n");
        char *line = strndup(at, length);
        if (line != NULL && phase->say != NULL)
            phase->say(line);
        free(line);
        at += length + (at[length] == '\n');
    }
}

static int does_not_work(const struct phase *phase, size_t job, const char *program, const char *what,
                         struct tf_error *error)
{
    const struct tf_program_result_text *text = program_of(&phase->jobs.job[job].result, program);
    bool target = strcmp(program, tf_check_part(phase->check)) == 0;
    if (text != NULL)
        tell(phase, text->err[0] != '\0' ? text->err : text->out);
    return tf_error_set(error, "without faults, the %s%s (%.200s) %s: nothing was tried",
                        target ? program : "peer", target ? "" : "", text != NULL ? text->command : "", what);
}

/* How a program ended: exit status, or -1 with `how` filled. */
static int status_of(const json_t *observed, const char *program, char *how, size_t size)
{
    const json_t *end = json_object_get(json_object_get(observed, "programs"), program);
    const json_t *status = json_object_get(end, "status");
    snprintf(how, size, "%s",
             end != NULL ? json_string_value(json_object_get(end, "how")) : "was not started");
    return json_is_integer(status) ? (int)json_integer_value(status) : -1;
}

/* The case ran, and its programs did what they are for. */
static int check_job(const struct phase *phase, size_t job, const char *const *clients,
                     struct tf_error *error)
{
    const struct tf_result *result = &phase->jobs.job[job].result;
    char how[200], what[256];
    for (size_t i = 0; i < result->failures_count; i++) {
        const struct tf_failure *failure = &result->failures[i];
        if (strcmp(failure->check, "ready") != 0)
            continue;
        snprintf(what, sizeof(what), "did not listen: %.150s", failure->got);
        return does_not_work(phase, job, failure->program, what, error);
    }
    if (result->status == TF_BROKEN || result->status == TF_SKIPPED)
        return tf_error_set(error, "without faults: %.400s", result->reason);
    status_of(phase->observed[job], "server", how, sizeof(how));
    if (phase->check->part == TF_PART_SERVER && strcmp(how, "ran to the end") != 0)
        return does_not_work(phase, job, "server", how, error);
    for (; *clients != NULL; clients++) {
        int status = status_of(phase->observed[job], *clients, how, sizeof(how));
        if (status == 0)
            continue;
        snprintf(what, sizeof(what), "%.200s", how);
        return does_not_work(phase, job, *clients, what, error);
    }
    return 0;
}

/* ---- learning ---- */

static int learn(struct tf_usual *usual, const struct tf_job *job, const json_t *observed,
                 const char *program)
{
    static const char *const streams[] = {"stdout", "stderr"};
    struct tf_alike **alike[] = {&usual->out, &usual->err};
    char path[PATH_MAX + 80], how[200];
    struct tf_error error;
    for (int i = 0; i < 2; i++) {
        size_t size = 0;
        snprintf(path, sizeof(path), "%s/%s.%s", job->options.directory, program, streams[i]);
        char *text = tf_scenario_read(path, &size, &error);
        if (*alike[i] == NULL)
            *alike[i] = tf_alike_new();
        int learned = *alike[i] != NULL && text != NULL
                          ? tf_alike_learn(*alike[i], text, size, job->options.directory)
                          : -1;
        free(text);
        if (learned != 0)
            return -1;
    }
    usual->status = status_of(observed, program, how, sizeof(how));
    usual->runs++;
    return 0;
}

static void count_patterns(struct tf_baseline *baseline, const json_t *observed)
{
    const json_t *counts = json_object_get(observed, "counts");
    for (size_t i = 0; i < baseline->patterns; i++) {
        uint64_t count = (uint64_t)json_integer_value(json_array_get(counts, i));
        baseline->seen[i] = count > baseline->seen[i] ? count : baseline->seen[i];
    }
}

/* Findings on the target: they are no case's, and they are told once. */
static int keep_findings(struct tf_check *check, struct phase *phase, struct tf_error *error)
{
    struct tf_baseline *baseline = &check->baseline;
    for (size_t i = 0; i < phase->jobs.count; i++) {
        const struct tf_result *result = &phase->jobs.job[i].result;
        for (size_t j = 0; j < result->findings_count; j++) {
            const struct tf_finding *finding = &result->findings[j];
            if (strcmp(finding->program, tf_check_part(check)) != 0)
                continue;
            char(*grown)[17] = realloc(baseline->known, (baseline->known_count + 1) * sizeof(*grown));
            if (grown == NULL)
                return tf_error_set(error, "out of memory");
            baseline->known = grown;
            memcpy(grown[baseline->known_count++], finding->id, sizeof(finding->id));
            json_t *json = tf_finding_json(finding);
            struct tf_finding own;
            if (tf_finding_parse(&own, json, error) == 0) {
                free(own.reproduce);
                own.reproduce = tf_check_reproduction(check, "without-faults");
                tf_result_finding(&check->without, &own);
            }
            json_decref(json);
        }
    }
    return 0;
}

/* ---- where ---- */

static const json_t *place_of(const json_t *observed, bool listens, int port)
{
    const json_t *found = NULL;
    size_t i;
    json_t *place;
    json_array_foreach(json_object_get(observed, "places"), i, place)
    {
        bool v6 = strchr(json_string_value(json_object_get(place, "address")), ':') != NULL;
        if (json_is_true(json_object_get(place, "listens")) != listens ||
            (port != 0 && json_integer_value(json_object_get(place, "port")) != port))
            continue;
        if (found == NULL || !v6)
            found = place;
        if (!v6)
            break;
    }
    return found;
}

/* Where the target listens, or connects to: which address the peers are to use. */
static void take_address(struct tf_check *check, const json_t *place)
{
    const char *address = json_string_value(json_object_get(place, "address"));
    bool any = strcmp(address, "::") == 0 && !json_is_true(json_object_get(place, "v6only"));
    bool v6 = strchr(address, ':') != NULL && !any;
    snprintf(check->address, sizeof(check->address), "%s", v6 ? "::1" : "127.0.0.1");
}

static int take_fixed_port(struct phase *phase, struct tf_error *error)
{
    struct tf_check *check = phase->check;
    bool server = check->part == TF_PART_SERVER;
    const struct tf_permits *permits = tf_sandbox_probe();
    if (!permits->private_network || check->settings.run.host)
        return tf_error_set(error,
                            "{port} is nowhere in the command of the %s, and each case needs a port of its "
                            "own where it has no network of its own: %s",
                            tf_check_part(check), check->settings.run.host ? "--host" : permits->why);
    static const char *const nobody[] = {NULL};
    int ended = run(phase, "alone", NULL, error);
    if (ended != 0)
        return ended;
    if (server && check_job(phase, 0, nobody, error) != 0)
        return -1;
    const json_t *place = place_of(phase->observed[0], server, 0);
    if (place == NULL)
        return server ? does_not_work(phase, 0, "server", "listens, but on no TCP port that was seen", error)
                      : does_not_work(phase, 0, "client", "connects to nothing", error);
    check->known.port = (uint16_t)json_integer_value(json_object_get(place, "port"));
    take_address(check, place);
    return 0;
}

static int take_place(struct phase *phase, struct tf_error *error)
{
    struct tf_check *check = phase->check;
    bool server = check->part == TF_PART_SERVER;
    int port = (int)json_integer_value(json_object_get(phase->observed[0], "port"));
    const json_t *place = place_of(phase->observed[0], server, port);
    const json_t *other = place_of(phase->observed[0], server, 0);
    char what[200];
    if (place != NULL) {
        take_address(check, place);
        return 0;
    }
    if (other == NULL)
        return 0;
    snprintf(what, sizeof(what), "%s port %d, not the {port} %d that it was given",
             server ? "listens on" : "connects to", (int)json_integer_value(json_object_get(other, "port")),
             port);
    return does_not_work(phase, 0, tf_check_part(check), what, error);
}

/* ---- bytes ---- */

/* --send, --reply: into a file of the run's directory. */
static int write_bytes(struct tf_check *check, const char *given, const char *option, char *path, size_t size,
                       struct tf_error *error)
{
    struct tf_peer_text text;
    if (tf_peer_text_read(&text, given, option, error) != 0) {
        free(text.bytes);
        return -1;
    }
    snprintf(path, size, "%s/%s", check->run.directory, option);
    FILE *file = fopen(path, "we");
    bool written = file != NULL && fwrite(text.bytes, 1, text.length, file) == text.length;
    int number = errno;
    written &= file != NULL && fclose(file) == 0;
    free(text.bytes);
    return written ? 0 : tf_error_errno(error, number, "%s", path);
}

static uint64_t bytes_in(const char *directory, const char *name)
{
    char path[PATH_MAX + 80];
    struct stat status;
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return stat(path, &status) == 0 ? (uint64_t)status.st_size : 0;
}

/* What the user's peer says, by a relay between it and the other side. Needs a {port}
 * in its command that can be another one. */
static int record(struct phase *phase, char *path, size_t size, char *why, size_t why_size,
                  struct tf_error *error)
{
    struct tf_check *check = phase->check;
    struct tf_words own = check->bound.peer, renamed = {0};
    const char *no_memory = "out of memory";
    if (!own.port) {
        snprintf(why, why_size,
                 "what --peer says is not known, since its command has no {port}; --%s gives it",
                 check->part == TF_PART_SERVER ? "send" : "reply");
        return 0;
    }
    for (uint32_t i = 0; i < own.count; i++) {
        const char *words[] = {own.word[i], NULL};
        if (tf_words_own(&renamed, words) != 0)
            return tf_error_set(error, "%s", no_memory);
    }
    if (tf_words_rename_port(&renamed, "relay") != 0)
        return tf_error_set(error, "%s", no_memory);
    check->bound.peer = renamed;
    int ended =
        tf_bind(&check->bound, phase->scenario, error) != 0 ? -1 : run(phase, "recorded", NULL, error);
    check->bound.peer = own;
    tf_words_fini(&renamed);
    if (tf_bind(&check->bound, phase->scenario, error) != 0)
        return -1;
    if (ended != 0)
        return ended;
    const char *directory = phase->jobs.job[0].options.directory;
    if (bytes_in(directory, "dir/bytes") == 0)
        snprintf(why, why_size, "what --peer says could not be recorded");
    else
        snprintf(path, size, "%s/dir/bytes", directory);
    return 0;
}

/* ---- all of it ---- */

static int two_runs(struct phase *phase, struct tf_error *error)
{
    struct tf_check *check = phase->check;
    bool server = check->part == TF_PART_SERVER;
    const char *const clients[] = {server ? "peer" : "client", NULL};
    int ended = run(phase, "first", "second", error);
    if (ended != 0)
        return ended;
    for (size_t i = 0; i < PHASE; i++) {
        if (check_job(phase, i, clients, error) != 0)
            return -1;
        const struct tf_job *job = &phase->jobs.job[i];
        count_patterns(&check->baseline, phase->observed[i]);
        if (learn(&check->baseline.of[TF_BASELINE_TARGET], job, phase->observed[i],
                  server ? "server" : "client") != 0 ||
            learn(&check->baseline.of[TF_BASELINE_PEER], job, phase->observed[i],
                  server ? "peer" : "server") != 0)
            return tf_error_set(error, "what the programs wrote without faults could not be read again");
    }
    if (keep_findings(check, phase, error) != 0)
        return -1;
    return take_place(phase, error);
}

/* The tool's own peer says what the user's does: is it answered alike? */
static int tool_for_server(struct phase *phase, struct tf_error *error)
{
    struct tf_check *check = phase->check;
    struct tf_usual *usual = &check->baseline.of[TF_BASELINE_TOOL];
    char how[200];
    int ended = run(phase, "first tool", "second tool", error);
    for (size_t i = 0; ended == 0 && i < PHASE; i++) {
        if (status_of(phase->observed[i], "tool", how, sizeof(how)) != 0) {
            snprintf(check->baseline.no_sent, sizeof(check->baseline.no_sent),
                     "what --peer sends is not answered when it is sent again");
            usual->runs = 0;
            break;
        }
        if (learn(usual, &phase->jobs.job[i], phase->observed[i], "tool") != 0)
            return tf_error_set(error, "what the programs wrote without faults could not be read again");
    }
    return ended;
}

static void take_length(struct phase *phase, const char *program)
{
    struct tf_check *check = phase->check;
    char name[80];
    snprintf(name, sizeof(name), "%s.stdout", program);
    uint64_t first = bytes_in(phase->jobs.job[0].options.directory, name);
    uint64_t second = bytes_in(phase->jobs.job[1].options.directory, name);
    if (first == 0 || second == 0)
        return;
    snprintf(check->expect, sizeof(check->expect), "%llu",
             (unsigned long long)(first < second ? first : second));
    check->known.expect = check->expect;
}

static int of_the_server(struct phase *phase, struct tf_error *error)
{
    struct tf_check *check = phase->check;
    struct tf_baseline *baseline = &check->baseline;
    int ended = two_runs(phase, error);
    if (ended != 0)
        return ended;
    if (!check->bound.own_peer) { /* the peer is the tool's */
        baseline->of[TF_BASELINE_TOOL] = baseline->of[TF_BASELINE_PEER];
        take_length(phase, "peer");
        return 0;
    }
    if (check->known.sent == NULL) {
        ended = record(phase, check->sent, sizeof(check->sent), baseline->no_sent, sizeof(baseline->no_sent),
                       error);
        check->known.sent = check->sent[0] != '\0' ? check->sent : NULL;
    }
    if (ended == 0 && check->known.sent != NULL) {
        ended = tool_for_server(phase, error);
        if (ended == 0 && baseline->no_sent[0] == '\0')
            take_length(phase, "tool");
    }
    return ended;
}

static int of_the_client(struct phase *phase, struct tf_error *error)
{
    struct tf_check *check = phase->check;
    struct tf_baseline *baseline = &check->baseline;
    char path[PATH_MAX + 80];
    struct tf_error ignored;
    size_t size = 0;
    int ended = two_runs(phase, error);
    if (ended != 0 || !check->bound.own_peer)
        return ended;
    if (check->known.reply == NULL) {
        ended = record(phase, check->reply, sizeof(check->reply), baseline->no_reply,
                       sizeof(baseline->no_reply), error);
        check->known.reply = check->reply[0] != '\0' ? check->reply : NULL;
    }
    if (ended != 0 || check->known.reply == NULL)
        return ended;
    ended = run(phase, "first tool", NULL, error);
    if (ended != 0)
        return ended;
    snprintf(path, sizeof(path), "%s/client.stdout", phase->jobs.job[0].options.directory);
    char *text = tf_scenario_read(path, &size, &ignored), how[200];
    bool same = text != NULL && status_of(phase->observed[0], "client", how, sizeof(how)) == 0 &&
                tf_alike_same(baseline->of[TF_BASELINE_TARGET].out, text, size,
                              phase->jobs.job[0].options.directory, NULL);
    free(text);
    if (!same)
        snprintf(baseline->no_reply, sizeof(baseline->no_reply),
                 "what --peer replies is not enough for the client when it is replied again");
    return 0;
}

static int make_patterns(struct tf_check *check, struct tf_error *error)
{
    struct tf_baseline *baseline = &check->baseline;
    size_t count = 0;
    for (size_t i = 0; i < check->batteries.count; i++)
        for (size_t j = 0; j < check->batteries.scenario[i]->cases_count; j++)
            count += check->batteries.scenario[i]->cases[j].requires_count;
    baseline->pattern = calloc(count + 1, sizeof(*baseline->pattern));
    baseline->seen = calloc(count + 1, sizeof(*baseline->seen));
    if (baseline->pattern == NULL || baseline->seen == NULL)
        return tf_error_set(error, "out of memory");
    for (size_t i = 0; i < check->batteries.count; i++)
        for (size_t j = 0; j < check->batteries.scenario[i]->cases_count; j++) {
            const struct tf_case *one = &check->batteries.scenario[i]->cases[j];
            for (uint32_t k = 0; k < one->requires_count; k++)
            baseline->pattern[baseline->patterns++] = &one->requires[k];
        }
    check->known.watch = baseline->pattern;
    check->known.watches = baseline->patterns;
    return 0;
}

/* --send and --reply; and of the peer that is the tool's own, what it says. */
static int make_bytes(struct tf_check *check, struct tf_error *error)
{
    const struct tf_check_settings *settings = &check->settings;
    struct tf_baseline *baseline = &check->baseline;
    if (settings->send != NULL &&
        write_bytes(check, settings->send, "send", check->sent, sizeof(check->sent), error) != 0)
        return -1;
    if (settings->reply != NULL &&
        write_bytes(check, settings->reply, "reply", check->reply, sizeof(check->reply), error) != 0)
        return -1;
    check->known.sent = settings->send != NULL ? check->sent : NULL;
    check->known.reply = settings->reply != NULL ? check->reply : NULL;
    if (settings->send == NULL && !check->bound.own_peer)
        snprintf(baseline->no_sent, sizeof(baseline->no_sent),
                 "it is not known what to send; --send or --peer says it");
    if (settings->reply == NULL && !check->bound.own_peer)
        snprintf(baseline->no_reply, sizeof(baseline->no_reply),
                 "it is not known what to reply; --reply or --peer says it");
    return 0;
}

int tf_check_baseline(struct tf_check *check, void (*say)(const char *line), struct tf_error *error)
{
    bool server = check->part == TF_PART_SERVER;
    const char *text = server ? of_server : of_client;
    struct phase phase = {.check = check, .say = say};
    snprintf(check->address, sizeof(check->address), "127.0.0.1");
    check->known.address = check->address;
    if (make_patterns(check, error) != 0 || make_bytes(check, error) != 0)
        return -1;
    phase.scenario = tf_scenario_parse("without-faults", text, strlen(text), error);
    int ended = phase.scenario == NULL || tf_bind(&check->bound, phase.scenario, error) != 0 ? -1 : 0;
    if (ended == 0 && !check->has_port)
        ended = take_fixed_port(&phase, error);
    if (ended == 0)
        ended = server ? of_the_server(&phase, error) : of_the_client(&phase, error);
    forget(&phase);
    tf_scenario_free(phase.scenario);
    return ended;
}

void tf_baseline_fini(struct tf_baseline *baseline)
{
    bool shared = baseline->of[TF_BASELINE_TOOL].out == baseline->of[TF_BASELINE_PEER].out;
    for (int i = 0; i < TF_BASELINES - shared; i++) {
        tf_alike_free(baseline->of[i].out);
        tf_alike_free(baseline->of[i].err);
    }
    free(baseline->pattern);
    free(baseline->seen);
    free(baseline->known);
}
