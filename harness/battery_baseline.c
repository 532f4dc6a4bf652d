/* Runs without faults: does it work at all, on which port, with which output, and what
 * does the peer say? */
#include "battery_phase.h"
#include "framing.h"
#include "peer.h"

#include <errno.h>
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
    "{dir}/bytes --record-reply {dir}/answer', role: server, after: server, shim: false}\n"
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

static void count_patterns(struct tf_baseline *baseline, const json_t *observed)
{
    const json_t *counts = json_object_get(observed, "counts");
    for (size_t i = 0; i < baseline->patterns; i++) {
        uint64_t count = (uint64_t)json_integer_value(json_array_get(counts, i));
        baseline->seen[i] = count > baseline->seen[i] ? count : baseline->seen[i];
    }
}

/* Findings on the target: they are no case's, and they are told once. Where --only leaves
 * that out, the cases tell them: nothing that was found may look like a pass. */
static int keep_findings(struct tf_check *check, struct tf_phase *phase, struct tf_error *error)
{
    struct tf_baseline *baseline = &check->baseline;
    if (!tf_check_shows_baseline(check))
        return 0;
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

/* Where the target listens, or connects to: which address the peers are to use. */
static void take_address(struct tf_check *check, const json_t *place)
{
    const char *address = json_string_value(json_object_get(place, "address"));
    bool any = strcmp(address, "::") == 0 && !json_is_true(json_object_get(place, "v6only"));
    bool v6 = strchr(address, ':') != NULL && !any;
    snprintf(check->address, sizeof(check->address), "%s", v6 ? "::1" : "127.0.0.1");
}

static int take_fixed_port(struct tf_phase *phase, struct tf_error *error)
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
    int ended = tf_phase_run(phase, "alone", NULL, error);
    if (ended != 0)
        return ended;
    if (server && tf_phase_check(phase, 0, nobody, error) != 0)
        return -1;
    const json_t *place = tf_phase_place(phase->observed[0], server, 0);
    if (place == NULL)
        return server ? tf_phase_fails(phase, 0, "server", "listens, but on no TCP port that was seen", error)
                      : tf_phase_fails(phase, 0, "client", "connects to nothing", error);
    check->known.port = (uint16_t)json_integer_value(json_object_get(place, "port"));
    take_address(check, place);
    return 0;
}

static int take_place(struct tf_phase *phase, struct tf_error *error)
{
    struct tf_check *check = phase->check;
    bool server = check->part == TF_PART_SERVER;
    int port = (int)json_integer_value(json_object_get(phase->observed[0], "port"));
    const json_t *place = tf_phase_place(phase->observed[0], server, port);
    const json_t *other = tf_phase_place(phase->observed[0], server, 0);
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
    return tf_phase_fails(phase, 0, tf_check_part(check), what, error);
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

/* What the user's peer says, by a relay between it and the other side. Needs a {port}
 * in its command that can be another one. */
static int record(struct tf_phase *phase, char *path, size_t size, char *why, size_t why_size,
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
    int ended = tf_bind(&check->bound, phase->scenario, error) != 0
                    ? -1
                    : tf_phase_run(phase, "recorded", NULL, error);
    check->bound.peer = own;
    tf_words_fini(&renamed);
    if (tf_bind(&check->bound, phase->scenario, error) != 0)
        return -1;
    if (ended != 0)
        return ended;
    const char *directory = phase->jobs.job[0].options.directory;
    if (tf_phase_bytes(directory, "dir/bytes") == 0)
        snprintf(why, why_size, "what --peer says could not be recorded");
    else
        snprintf(path, size, "%s/dir/bytes", directory);
    phase->answered = tf_phase_bytes(directory, "dir/answer");
    return 0;
}

/* ---- all of it ---- */

static int two_runs(struct tf_phase *phase, struct tf_error *error)
{
    struct tf_check *check = phase->check;
    bool server = check->part == TF_PART_SERVER;
    const char *const clients[] = {server ? "peer" : "client", NULL};
    int ended = tf_phase_run(phase, "first", "second", error);
    if (ended != 0)
        return ended;
    for (size_t i = 0; i < TF_PHASE; i++) {
        if (tf_phase_check(phase, i, clients, error) != 0)
            return -1;
        const struct tf_job *job = &phase->jobs.job[i];
        count_patterns(&check->baseline, phase->observed[i]);
        if (tf_phase_learn(&check->baseline.of[TF_BASELINE_TARGET], job, phase->observed[i],
                           server ? "server" : "client") != 0 ||
            tf_phase_learn(&check->baseline.of[TF_BASELINE_PEER], job, phase->observed[i],
                           server ? "peer" : "server") != 0)
            return tf_error_set(error, "what the programs wrote without faults could not be read again");
    }
    if (keep_findings(check, phase, error) != 0)
        return -1;
    return take_place(phase, error);
}

/* The tool's own peer says what the user's does: is it answered alike? Not where much
 * of the answer is missing: a server that is in the middle of something else, or refuses
 * what it has heard before, says that in a few bytes. */
static bool is_answered(const struct tf_phase *phase, size_t job)
{
    char how[200];
    uint64_t bytes = tf_phase_bytes(phase->jobs.job[job].options.directory, "tool.stdout");
    return tf_phase_status(phase->observed[job], "tool", how, sizeof(how)) == 0 && bytes > 0 &&
           bytes >= phase->answered / 2;
}

static int tool_for_server(struct tf_phase *phase, struct tf_error *error)
{
    struct tf_check *check = phase->check;
    struct tf_usual *usual = &check->baseline.of[TF_BASELINE_TOOL];
    int ended = tf_phase_run(phase, "first tool", "second tool", error);
    for (size_t i = 0; ended == 0 && i < TF_PHASE; i++) {
        if (!is_answered(phase, i)) {
            snprintf(check->baseline.no_sent, sizeof(check->baseline.no_sent),
                     "what --peer sends is not answered when it is sent again");
            usual->runs = 0;
            break;
        }
        if (tf_phase_learn(usual, &phase->jobs.job[i], phase->observed[i], "tool") != 0)
            return tf_error_set(error, "what the programs wrote without faults could not be read again");
    }
    return ended;
}

static void take_length(struct tf_phase *phase, const char *program)
{
    struct tf_check *check = phase->check;
    char name[80];
    snprintf(name, sizeof(name), "%s.stdout", program);
    uint64_t first = tf_phase_bytes(phase->jobs.job[0].options.directory, name);
    uint64_t second = tf_phase_bytes(phase->jobs.job[1].options.directory, name);
    if (first == 0 || second == 0)
        return;
    snprintf(check->expect, sizeof(check->expect), "%llu",
             (unsigned long long)(first < second ? first : second));
    check->known.expect = check->expect;
}

static int of_the_server(struct tf_phase *phase, struct tf_error *error)
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

/* For how much of it the tool's own peer is to wait before it answers. */
static void take_request(struct tf_phase *phase)
{
    struct tf_check *check = phase->check;
    json_int_t bytes[TF_PHASE];
    for (int i = 0; i < TF_PHASE; i++)
        bytes[i] = json_integer_value(json_object_get(phase->observed[i], "request"));
    json_int_t least = bytes[0] < bytes[1] ? bytes[0] : bytes[1];
    if (least > 0)
        snprintf(check->request, sizeof(check->request), "%" JSON_INTEGER_FORMAT, least);
}

static bool says_its_length(const char *path)
{
    struct tf_error ignored;
    size_t size = 0;
    char *reply = path != NULL ? tf_scenario_read(path, &size, &ignored) : NULL;
    bool told = reply != NULL && tf_framing_told(reply, size);
    free(reply);
    return told;
}

static int of_the_client(struct tf_phase *phase, struct tf_error *error)
{
    struct tf_check *check = phase->check;
    struct tf_baseline *baseline = &check->baseline;
    char path[PATH_MAX + 80];
    struct tf_error ignored;
    size_t size = 0;
    int ended = two_runs(phase, error);
    if (ended != 0)
        return ended;
    take_request(phase);
    bool read_end = json_is_true(json_object_get(phase->observed[0], "read_end"));
    if (check->bound.own_peer && check->known.reply == NULL) {
        ended = record(phase, check->reply, sizeof(check->reply), baseline->no_reply,
                       sizeof(baseline->no_reply), error);
        check->known.reply = check->reply[0] != '\0' ? check->reply : NULL;
    }
    baseline->ends_with_file = read_end && !says_its_length(check->known.reply);
    if (ended != 0 || !check->bound.own_peer || check->known.reply == NULL)
        return ended;
    ended = tf_phase_run(phase, "first tool", NULL, error);
    if (ended != 0)
        return ended;
    snprintf(path, sizeof(path), "%s/client.stdout", phase->jobs.job[0].options.directory);
    char *text = tf_scenario_read(path, &size, &ignored), how[200];
    bool same = text != NULL && tf_phase_status(phase->observed[0], "client", how, sizeof(how)) == 0 &&
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
    struct tf_phase phase = {.check = check, .say = say};
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
    tf_phase_forget(&phase);
    tf_scenario_free(phase.scenario);
    return ended;
}

void tf_baseline_fini(struct tf_baseline *baseline)
{
    bool shared = baseline->of[TF_BASELINE_TOOL].out == baseline->of[TF_BASELINE_PEER].out;
    for (int i = 0; i < TF_BASELINES - shared; i++) {
        tf_alike_free(baseline->of[i].out);
        tf_alike_free(baseline->of[i].err);
        tf_result_forget_usual(&baseline->of[i].told);
    }
    free(baseline->pattern);
    free(baseline->seen);
    free(baseline->known);
}
