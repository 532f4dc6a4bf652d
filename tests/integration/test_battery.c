/* Each case of a battery is passed by a good fixture, and finds the one with the bug
 * that it is for. */
#include "battery.h"
#include "check.h"
#include "child.h"
#include "place.h"
#include "suite.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct row {
    const char *id, *peer, *send, *good, *buggy;
};

static const struct row rows[] = {
#define BATTERY(id, ...) {id, __VA_ARGS__},
#include "battery.def"
#include "battery_client.def"
#undef BATTERY
};

enum { ROWS = sizeof rows / sizeof *rows, AT_A_TIME = 12, ARGUMENTS = 2 * TF_LIST + 40, DEADLINE_S = 150 };

/* One run of the tool: rows that have the fixture and its peer in common. */
struct group {
    const struct row *row[TF_LIST];
    const char *report;
    struct it_child *child;
    size_t count;
};

static const char *fixture_of(const struct row *row, bool good)
{
    return good ? row->good : row->buggy;
}

static bool together(const struct row *a, const struct row *b, bool good)
{
    return strncmp(a->id, b->id, 6) == 0 && strcmp(a->peer, b->peer) == 0 && strcmp(a->send, b->send) == 0 &&
           strcmp(fixture_of(a, good), fixture_of(b, good)) == 0;
}

/* "echo-good -t 500": its words behind the path of the fixture, and the port. */
static size_t add_command(const char **argv, size_t count, const char *fixture)
{
    char *words = strdup(fixture), *rest = words;
    const char *word = strsep(&rest, " ");
    argv[count++] = it_built(it_text("fixtures/%s", word));
    argv[count++] = "-p";
    argv[count++] = "{port}";
    while ((word = strsep(&rest, " ")))
        argv[count++] = it_text("%s", word);
    free(words);
    return count;
}

static void start(struct group *group, bool good, size_t number)
{
    const char *argv[ARGUMENTS] = {it_built("tcpfault"), "check"};
    const struct row *first = group->row[0];
    size_t count = 2;
    argv[count++] = strncmp(first->id, "server", 6) == 0 ? "server" : "client";
    argv[count++] = "-j1";
    if (*first->peer) {
        const char *peer[8];
        size_t words = add_command(peer, 0, first->peer);
        const char *line = "";
        for (size_t i = 0; i < words; i++)
            line = it_text("%s %s", line, peer[i]);
        argv[count++] = "--peer";
        argv[count++] = line;
    }
    if (*first->send) {
        argv[count++] = "--send";
        argv[count++] = first->send;
    }
    for (size_t i = 0; i < group->count; i++) {
        argv[count++] = "--only";
        argv[count++] = group->row[i]->id;
    }
    group->report = it_text("%s/%zu.json", it_scratch(), number);
    argv[count++] = "-q";
    argv[count++] = "-o";
    argv[count++] = group->report;
    argv[count++] = "--";
    count = add_command(argv, count, fixture_of(first, good));
    argv[count] = NULL;
    struct it_command command = {.argv = argv, .deadline_s = DEADLINE_S};
    group->child = it_start(&command);
}

static const json_t *result_of(const json_t *run, const char *id)
{
    size_t i;
    json_t *each;
    json_array_foreach(json_object_get(run, "cases"), i, each)
    {
        const char *suite = json_string_value(json_object_get(each, "suite"));
        const char *name = json_string_value(json_object_get(each, "name"));
        if (suite && name && !strcmp(it_text("%s/%s", suite, name), id))
            return each;
    }
    return NULL;
}

static void judge(struct group *group, bool good)
{
    it_finish(group->child);
    json_t *run = json_load_file(group->report, 0, NULL);
    for (size_t i = 0; i < group->count; i++) {
        const struct row *row = group->row[i];
        const json_t *result = result_of(run, row->id);
        const char *verdict = json_string_value(json_object_get(result, "verdict"));
        const char *reason = json_string_value(json_object_get(result, "reason"));
        CHECK_SAYING(verdict && !strcmp(verdict, good ? "pass" : "finding"),
                     it_text("%s on %s: %s: %s", row->id, fixture_of(row, good),
                             verdict ? verdict : "no result", verdict ? reason : group->child->err));
    }
    json_decref(run);
}

/* All rows, in as few runs as will do, some at a time. */
static void try_all(bool good)
{
    static struct group groups[ROWS];
    bool taken[ROWS] = {false};
    size_t count = 0, judged = 0;
    memset(groups, 0, sizeof groups);
    for (size_t i = 0; i < ROWS; i++) {
        if (taken[i] || !*fixture_of(&rows[i], good))
            continue;
        struct group *group = &groups[count];
        for (size_t j = i; j < ROWS && group->count < TF_LIST; j++)
            if (!taken[j] && together(&rows[i], &rows[j], good)) {
                group->row[group->count++] = &rows[j];
                taken[j] = true;
            }
        start(group, good, count++);
        if (count - judged >= AT_A_TIME)
            judge(&groups[judged++], good);
    }
    while (judged < count)
        judge(&groups[judged++], good);
}

static void good_fixtures_pass(void)
{
    try_all(true);
}

static void each_bug_is_found_by_the_case_for_it(void)
{
    try_all(false);
}

static void every_case_has_a_fixture(void)
{
    struct tf_batteries all;
    struct tf_error error;
    int loaded = tf_batteries_load(&all, TF_PART_DEFAULT, NULL, &error);
    CHECK_SAYING(loaded == 0, error.text);
    for (size_t i = 0; i < all.count; i++)
        for (size_t j = 0; j < all.scenario[i]->cases_count; j++) {
            char id[TF_BATTERY_ID];
            bool passed = false, failed = false;
            tf_battery_id(&all.scenario[i]->cases[j], id);
            for (size_t k = 0; k < ROWS; k++) {
                bool its = strcmp(rows[k].id, id) == 0;
                passed |= its;
                failed |= its && *rows[k].buggy;
            }
            CHECK_SAYING(passed, it_text("%s has no row", id));
            if (strncmp(id, "server/", 7) == 0)
                CHECK_SAYING(failed, it_text("no fixture fails %s", id));
            CHECK_SAYING(
                all.scenario[i]->cases[j].why && all.scenario[i]->cases[j].source &&
                    all.scenario[i]->cases[j].about,
                it_text("%s does not say what it does, why a good program holds, and its source", id));
        }
    tf_batteries_fini(&all);
}

static struct it_child *check_with(const char *const *arguments)
{
    const char *argv[40] = {it_built("tcpfault"), "check"};
    for (size_t i = 0; arguments[i]; i++)
        argv[i + 2] = arguments[i];
    struct it_command command = {.argv = argv, .deadline_s = 60};
    return it_run(&command);
}

#define FIXTURE(name) it_built("fixtures/" name)
#define CHECK_WITH(...) check_with((const char *const[]){__VA_ARGS__, NULL})

static void run_says_that_a_battery_is_none_of_its(void)
{
    const char *path = it_source("harness/battery/server-accept.yaml");
    struct it_command command = {.argv = ARGV(it_built("tcpfault"), "run", path)};
    struct it_child *child = it_run(&command);
    CHECK_INT(child->exit, 2);
    CHECK_HAS(child->err, "a battery");
    CHECK_HAS(child->err, "tcpfault check server --battery");
}

static void what_does_not_work_without_faults_is_not_tried(void)
{
    struct it_child *child = CHECK_WITH("server", "--send", "x", "--", FIXTURE("echo-good"), "-x");
    CHECK_INT(child->exit, 3);
    CHECK_HAS(child->err, "invalid option -- 'x'");
    CHECK_HAS(child->err, "without faults, the server");
    child = CHECK_WITH("client", "--", FIXTURE("fetch-good"), "-p", "{port}");
    CHECK_INT(child->exit, 3);
    CHECK_HAS(child->err, "without faults, the client");
    child = CHECK_WITH("server", "--peer", it_text("%s -p {port}", FIXTURE("fetch-good")), "--",
                       FIXTURE("echo-good"), "-p", "{port}");
    CHECK_INT(child->exit, 3);
    CHECK_HAS(child->err, "without faults, the peer");
    CHECK_HAS(child->err, "needs --ready");
}

/* Whoever leaves the runs without faults out is told of it by the case. */
static void a_bug_that_needs_no_fault_is_told_once(void)
{
    const char *leaks = FIXTURE("echo-leaks-listener-to-child");
    struct it_child *child = CHECK_WITH("server", "--send", "hello", "--only", "server/accept/emfile-passes",
                                        "--", leaks, "-p", "{port}");
    CHECK_INT(child->exit, 1);
    CHECK_HAS(child->out, "exec-leak");
    CHECK_HAS(child->out, "1 of 1 case applied: 0 pass, 1 finding");
    child = CHECK_WITH("server", "--send", "hello", "--only", "without-faults", "--only",
                       "server/accept/emfile-passes", "--", leaks, "-p", "{port}");
    CHECK_INT(child->exit, 1);
    CHECK_HAS(child->out, "server/without-faults");
    CHECK_HAS(child->out, "2 of 2 cases applied: 1 pass, 1 finding");
}

static void a_wrong_command_line_is_refused(void)
{
    static const struct {
        const char *arguments[8], *message;
    } wrong[] = {
        {{"--", "true"}, "expected server or client"},
        {{"servr", "--", "true"}, "not \"servr\""},
        {{"server"}, "there is no command"},
        {{"server", "true", "--", "true"}, "expected -- before the command"},
        {{"server", "--reply", "x", "--", "true"}, "--reply is what a client is answered"},
        {{"client", "--send", "x", "--", "true"}, "--send is what a server is sent"},
        {{"server", "--env", "x", "--", "true"}, "--env: expected NAME=VALUE"},
        {{"server", "--config", "/nonexistent", "--", "true"}, "/nonexistent: No such file"},
        {{"server", "--ready", "", "--", "true"}, "--ready is empty"},
        {{"client", "--ready", "x", "--", "true"}, "--ready is about a server of yours"},
        {{"server", "--peer", "'", "--", "true"}, "--peer: the quote"},
        {{"server", "--explain", "no-such"}, "no case is called \"no-such\""},
        {{"server", "--explain", "server/"}, "cases are meant by"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct it_child *child = check_with(wrong[i].arguments);
        CHECK_INT(child->exit, 2);
        CHECK_HAS(child->err, wrong[i].message);
    }
}

static void a_port_in_the_command_is_seen(void)
{
    struct it_child *child = CHECK_WITH("server", "-v", "--only", "server/accept/econnaborted", "--send",
                                        "hello", "--", FIXTURE("echo-good"), "-p", "4711");
    CHECK_INT(child->exit, 0);
    CHECK_HAS(child->out, "pass           server/accept/econnaborted");
    CHECK_HAS(child->out, "1 of 1 case applied: 1 pass");
}

static void words_environment_and_configuration_hold_the_port(void)
{
    const char *config = it_file("a.conf", "-p {port} {{x} {dir}\n");
    const char *script = it_file("serve.sh", "test \"$1\" = '{a}{{b' || exit 9\n"
                                             "grep -q '{{x} /' \"$2\" || exit 8\n"
                                             "test \"-p $PORT\" = \"$(cut -d' ' -f1-2 \"$2\")\" || exit 7\n"
                                             "exec \"$3\" -p \"$PORT\"\n");
    struct it_child *child = CHECK_WITH("server", "--only", "server/accept/econnaborted", "--send", "hello",
                                        "--config", config, "--env", "PORT={port}", "--", "/bin/sh", script,
                                        "{a}{{b", "{config}", FIXTURE("echo-good"));
    CHECK_INT(child->exit, 0);
    CHECK_HAS(child->out, "1 pass, 0 findings");
}

static void a_server_may_say_when_it_is_ready(void)
{
    const char *slow = FIXTURE("echo-good-starts-slowly");
    struct it_child *child =
        CHECK_WITH("server", "--only", "econnaborted", "--send", "hello", "--ready", "ready for", "--only",
                   "close-on-exec", "--", slow, "-p", "{port}", "-t", "400");
    CHECK_INT(child->exit, 0);
    CHECK_HAS(child->out, "2 of 2 cases applied: 2 pass");
    child = CHECK_WITH("server", "--only", "econnaborted", "--send", "hello", "--timeout", "1s", "--ready",
                       "no such text", "--", slow, "-p", "{port}", "-t", "10");
    CHECK_INT(child->exit, 3);
    CHECK_HAS(child->err, "did not listen and write the text of --ready");
    child = CHECK_WITH("server", "--explain", "server/accept/econnaborted", "--ready", "ready \"for\" {a}",
                       "--", slow, "{port}");
    CHECK_HAS(child->out, "ready: {text: \"ready \\\"for\\\" {a}\"}}");
    const char *waits = "{run: \"%s -p {port} -t 400\", ready: {text: \"%s\"}}";
    const char *path = it_file("ready.yaml", it_text("server: %s\nclient: {run: \"true\", shim: false}\n",
                                                     it_text(waits, slow, "ready for")));
    child = it_run(&(struct it_command){.argv = ARGV(it_built("tcpfault"), "run", path)});
    CHECK_INT(child->exit, 0);
    path = it_file("never.yaml", it_text("timeout: 1s\nserver: %s\nclient: {run: \"true\", shim: false}\n",
                                         it_text(waits, slow, "no such text")));
    child = it_run(&(struct it_command){.argv = ARGV(it_built("tcpfault"), "run", path)});
    CHECK_INT(child->exit, 1);
}

static void a_peer_that_dies_of_a_fault_is_no_finding_in_the_server(void)
{
    const char *peer =
        it_text("%s peer connect \"$1\" --send hello --half-close || kill -9 $$", it_built("tcpfault"));
    struct it_child *child = CHECK_WITH(
        "server", "--only", "eof-in-the-middle", "--only", "reset-in-the-middle", "--peer",
        it_text("/bin/sh %s {port}", it_file("peer.sh", peer)), "--", FIXTURE("echo-good"), "-p", "{port}");
    CHECK_INT(child->exit, 0);
    CHECK_HAS(child->out, "2 of 2 cases applied: 2 pass");
}

static void what_does_not_apply_is_no_pass(void)
{
    struct it_child *child = CHECK_WITH("server", "-v", "--only", "nodelay-ignored", "--send", "hello", "--",
                                        FIXTURE("echo-good"), "-p", "{port}");
    CHECK_INT(child->exit, 3);
    CHECK_HAS(child->out,
              "not applicable server/setsockopt/nodelay-ignored: it never calls setsockopt with TCP_NODELAY");
    CHECK_HAS(child->out, "0 of 1 case applied: 0 pass");
    CHECK_HAS(child->err, "no case was tried");
}

/* It starts without faults, and in a case never. */
static void what_could_not_begin_is_not_tested(void)
{
    const char *script =
        it_file("starts.sh", "case $TCPFAULT_TRACE in *without-faults*) exec \"$@\" ;; esac\n"
                             "exec sleep 60\n");
    struct it_child *child = CHECK_WITH("server", "--only", "econnaborted", "--send", "hello", "--timeout",
                                        "2s", "--", "/bin/sh", script, FIXTURE("echo-good"), "-p", "{port}");
    CHECK_INT(child->exit, 3);
    CHECK_HAS(child->out, "not tested, server/accept/econnaborted: server ready: expected to listen, got: "
                          "not until the deadline");
}

/* The end of its request is the client's half-close, which the tool does not know of. */
static void what_was_not_answered_is_not_asked_again(void)
{
    struct it_child *child = CHECK_WITH("server", "-v", "--only", "server/half-close/answer-is-whole",
                                        "--peer", it_text("%s -p {port}", FIXTURE("half-close-client")), "--",
                                        FIXTURE("echo-half-close-good"), "-p", "{port}", "-t", "300");
    CHECK_HAS(child->out, "not answered when it is sent again");
    CHECK_INT(child->exit, 3);
}

/* A server that answers a part of it would be to blame for what the client makes of that. */
static void the_tools_own_peer_answers_a_whole_request(void)
{
    const char *script =
        it_file("ask.py", "import select, socket, sys\n"
                          "peer = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
                          "left = b'request'\n"
                          "while left:\n"
                          "    left = left[peer.send(left):]\n"
                          "    if left and select.select([peer], [], [], 0.1)[0]:\n"
                          "        sys.exit('answered too soon')\n"
                          "print(peer.recv(100))\n");
    struct it_child *child = CHECK_WITH("client", "--only", "client/writing/one-byte-at-a-time", "--reply",
                                        "hello", "--", "/usr/bin/python3", script, "{port}");
    CHECK_HAS(child->out, "1 of 1 case applied: 1 pass");
    CHECK_INT(child->exit, 0);
}

/* With and without a command of the user's. */
static void an_explained_case_is_a_scenario(void)
{
    static char *target[] = {"serve", "{port}", "{a}", "it's \"x\"", NULL}, *peer[] = {"ask", "{port}", NULL};
    struct tf_batteries all;
    struct tf_error error = {.text = ""};
    CHECK_SAYING(tf_batteries_load(&all, TF_PART_DEFAULT, NULL, &error) == 0, error.text);
    for (size_t i = 0; i < 2 * all.count; i++)
        for (size_t j = 0; j < all.scenario[i / 2]->cases_count; j++) {
            char *text = NULL;
            size_t size;
            FILE *out = open_memstream(&text, &size);
            const struct tf_case *one = &all.scenario[i / 2]->cases[j];
            int written = tf_battery_explain(&all, one, i % 2 ? target : NULL, i % 2 ? peer : NULL,
                                             i % 2 ? "it's \"up\" {a} /at" : NULL, out, &error);
            fclose(out);
            struct tf_scenario *scenario =
                written == 0 ? tf_scenario_parse("s.yaml", text, size, &error) : NULL;
            CHECK_SAYING(scenario && scenario->cases_count == 1 && scenario->battery == TF_PART_DEFAULT,
                         it_text("%s\n%s", error.text, text));
            tf_scenario_free(scenario);
            free(text);
        }
    tf_batteries_fini(&all);
}

/* Whoever has heard it before says no, in one byte. */
static void a_refusal_is_no_answer(void)
{
    const char *serves =
        it_file("once.py", "import os, socket, sys\n"
                           "listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
                           "while True:\n"
                           "    client, _ = listener.accept()\n"
                           "    said = client.recv(100)\n"
                           "    try:\n"
                           "        os.mkdir(os.path.join(sys.argv[2], said.decode().strip() or 'nothing'))\n"
                           "        client.sendall(b'y' * 100)\n"
                           "    except OSError:\n"
                           "        client.sendall(b'n')\n"
                           "    client.close()\n");
    const char *peer =
        it_file("peer.sh", it_text("%s peer connect \"$1\" --send $(cat /proc/sys/kernel/random/uuid)",
                                   it_built("tcpfault")));
    struct it_child *child = CHECK_WITH("server", "-v", "--only", "server/half-close/answer-is-whole",
                                        "--peer", it_text("/bin/sh %s {port}", peer), "--",
                                        "/usr/bin/python3", serves, "{port}", it_scratch());
    CHECK_HAS(child->out, "not answered when it is sent again");
    CHECK_INT(child->exit, 3);
}

IT_SUITE(battery, TEST(every_case_has_a_fixture), TEST(an_explained_case_is_a_scenario),
         TEST(run_says_that_a_battery_is_none_of_its), TEST(a_wrong_command_line_is_refused),
         TEST(what_does_not_work_without_faults_is_not_tried), TEST(a_port_in_the_command_is_seen),
         TEST(a_bug_that_needs_no_fault_is_told_once),
         TEST(words_environment_and_configuration_hold_the_port), TEST(a_server_may_say_when_it_is_ready),
         TEST(a_peer_that_dies_of_a_fault_is_no_finding_in_the_server), TEST(what_does_not_apply_is_no_pass),
         TEST(what_could_not_begin_is_not_tested), TEST(what_was_not_answered_is_not_asked_again),
         TEST(a_refusal_is_no_answer), TEST(the_tools_own_peer_answers_a_whole_request),
         TEST(good_fixtures_pass), TEST(each_bug_is_found_by_the_case_for_it))
