/* tcpfault run: what it says of scenarios, and that nothing of them is left. */
#include "check.h"
#include "place.h"
#include "suite.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* A scenario file in the scratch directory. */
static const char *scenario(const char *text)
{
    return it_file("case.yaml", text);
}

#define RUN(...) it_run(&(struct it_command){.argv = ARGV(it_built("tcpfault"), "run", __VA_ARGS__)})

/* One failing server, one client that finds it or doesn't. */
#define LISTENER                                                                                             \
    "server: {run: [python3, -c, \"import socket; s=socket.create_server(('127.0.0.1', {port}));\\n"         \
    "while True: c=s.accept()[0]; c.sendall(b'hello'); c.close()\"]}\n"
#define CLIENT                                                                                               \
    "client: {run: [python3, -c, \"import socket; c=socket.create_connection(('127.0.0.1', {port}));\\n"     \
    "print(c.recv(99).decode())\"]}\n"

static json_t *json_of(const struct it_child *run)
{
    json_t *json = json_loads(run->out, 0, NULL);
    CHECK_SAYING(json != NULL, it_text("no JSON: %.500s", run->out));
    return json;
}

static const char *field(json_t *json, size_t number, const char *name)
{
    const char *text =
        json_string_value(json_object_get(json_array_get(json_object_get(json, "cases"), number), name));
    return text != NULL ? it_text("%s", text) : "";
}

static void what_holds_is_0(void)
{
    struct it_child *run = RUN(scenario(LISTENER CLIENT "expect: {client: {stdout: hello}}\n"));
    CHECK_EXIT(run, 0);
    CHECK_HAS(run->out, "1 case: 1 ok");
    CHECK_TEXT(run->err, "");
}

static void what_does_not_hold_is_1_and_can_be_run_again(void)
{
    const char *file =
        scenario(LISTENER CLIENT "cases:\n- name: it's quoted\n  expect: {client: {stdout: goodbye}}\n"
                                 "- name: other\n");
    struct it_child *run = RUN("--seed", "7", file);
    CHECK_EXIT(run, 1);
    CHECK_HAS(run->out, "FAIL   case: it's quoted");
    CHECK_HAS(run->out, "expected  \"goodbye\"\n      got       hello");
    CHECK_HAS(run->out, "recv(");
    CHECK_HAS(run->out, it_text("again: tcpfault run %s --filter 'it'\\''s quoted' --seed 7\n", file));
    CHECK_HAS(run->out, "2 cases: 1 ok, 1 failed");
    run = RUN("--filter", "it's quoted", "--seed", "7", file);
    CHECK_HAS(run->out, "1 case: 1 failed");
}

static void a_wrong_file_is_2_and_nothing_runs(void)
{
    const char *good = it_text("%s/good.yaml", it_scratch()), *trace = it_text("%s/ran", it_scratch());
    it_file("good.yaml", it_text("client: touch %s\n", trace));
    struct it_child *run =
        RUN(good, it_file("bad.yaml", "clinet: x\n"), it_file("bad2.yaml", "client: &a x\n"));
    CHECK_EXIT(run, 2);
    CHECK_TEXT(run->out, "");
    CHECK_HAS(run->err, "bad.yaml:1:1: unknown key \"clinet\"; did you mean \"client\"?\n");
    CHECK_HAS(run->err, "bad2.yaml:1:9: anchor \"&a\": anchors are not allowed here\n");
    struct stat status;
    CHECK(stat(trace, &status) != 0);
}

static void every_bad_scenario_is_one_line_and_2(void)
{
    struct it_child *run = RUN(it_source("tests/scenarios-bad"));
    int lines = 0, files = 0;
    CHECK_EXIT(run, 2);
    CHECK_TEXT(run->out, "");
    for (const char *at = run->err; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    for (const char *at = run->err; (at = strstr(at, "tests/scenarios-bad/")) != NULL; at++)
        files++;
    CHECK_INT(lines, files);
    CHECK(lines >= 60);
}

static void a_fault_that_does_not_strike_is_3(void)
{
    struct it_child *run = RUN(scenario("client: {run: 'true', faults: ['%in:eof']}\n"));
    CHECK_EXIT(run, 3);
    CHECK_HAS(run->out, "BROKEN case");
    CHECK_HAS(run->out, "rule 1, %in:eof, to strike");
    CHECK_HAS(run->out, "no call met its selectors");
    CHECK_EXIT(RUN(scenario("allow_unfired: true\nclient: {run: 'true', faults: ['%in:eof']}\n")), 0);
}

static void a_missing_program_is_3_and_where_it_is_needed_a_skip(void)
{
    struct it_child *run = RUN(scenario("client: no-such-program-anywhere\n"));
    CHECK_EXIT(run, 3);
    CHECK_HAS(run->out, "no-such-program-anywhere");
    run = RUN(scenario(
        "cases:\n- {name: a, client: x, needs: no-such-program-anywhere}\n- {name: b, client: 'true'}\n"));
    CHECK_EXIT(run, 0);
    CHECK_HAS(run->out, "skip   case: a: it needs no-such-program-anywhere, which is not installed\n");
    CHECK_HAS(run->out, "2 cases: 1 ok, 1 skipped");
}

static void a_run_of_nothing_is_never_green(void)
{
    CHECK_EXIT(RUN(scenario("client: x\nneeds: no-such-program-anywhere\n")), 3);
    CHECK_EXIT(RUN("--filter", "nothing like it", scenario("client: 'true'\n")), 3);
    CHECK_EXIT(RUN(it_text("%s/nowhere", it_scratch())), 2);
}

static void reports_go_where_they_are_sent(void)
{
    const char *file = scenario("cases:\n- {name: a, client: 'true'}\n- {name: b, client: 'false'}\n");
    const char *xml = it_text("%s/r.xml", it_scratch()), *tap = it_text("%s/r.tap", it_scratch());
    struct it_child *run = RUN(file, "--format", "junit", "-o", xml, "-o", tap, "--format=json", "-j2");
    CHECK_EXIT(run, 1);
    json_t *json = json_of(run);
    CHECK_TEXT(field(json, 0, "status"), "ok");
    CHECK_TEXT(field(json, 1, "status"), "failed");
    json_decref(json);
    CHECK_HAS(it_read_file(tap), "TAP version 14\n1..2\nok 1 - case: a\nnot ok 2 - case: b\n  ---\n");
    struct it_child *lint = it_run(&(struct it_command){
        .argv = ARGV("xmllint", "--noout", "--schema", it_source("tests/junit.xsd"), xml)});
    CHECK_EXIT(lint, 0);
}

static void the_order_is_that_of_the_files(void)
{
    const char *file = scenario("cases:\n- {name: slow, client: sleep 0.5}\n- {name: fast, client: 'true'}\n"
                                "- {name: middle, client: sleep 0.2}\n");
    struct it_child *run = RUN(file, "-j3", "--format", "tap");
    CHECK_EXIT(run, 0);
    CHECK_HAS(run->out, "ok 1 - case: slow\nok 2 - case: fast\nok 3 - case: middle\n");
}

static void repeats_have_seeds_of_their_own(void)
{
    struct it_child *run =
        RUN(scenario("client: 'true'\n"), "--repeat", "3", "--seed", "5", "--format", "json");
    CHECK_EXIT(run, 0);
    json_t *json = json_of(run);
    for (size_t i = 0; i < 3; i++)
        CHECK_TEXT(field(json, i, "seed"), it_text("%zu", 5 + i));
    json_decref(json);
}

/* What a program may do to whoever runs it. Its processes are known by a mark. */
static const char nasty[] =
    "timeout: 3s\n"
    "cases:\n"
    "- name: ignores SIGTERM\n"
    "  client: {run: [bash, -c, \"trap '' TERM; while :; do sleep 0.1; done; : %1$s\"]}\n"
    "- name: forks a daemon\n"
    "  client: {run: [bash, -c, \"(setsid sleep 4711 %1$s & setsid bash -c 'sleep 4711; : %1$s' &) ; "
    "exit 0\"]}\n"
    "- name: fills its output\n"
    "  client: {run: [bash, -c, \"yes %1$s | head -c 1000000000; sleep 4711\"]}\n"
    "- name: crashes\n"
    "  client: {run: [bash, -c, 'kill -SEGV $$']}\n";

static void nasty_programs_end_at_their_deadline(void)
{
    uint64_t begin = it_now_ns();
    const char *mark = it_text("it-run-nasty-%d", (int)getpid());
    struct it_child *run = it_run(&(struct it_command){
        .argv = ARGV(it_built("tcpfault"), "run", "-j2", "--format", "json", scenario(it_text(nasty, mark))),
        .deadline_s = 30});
    CHECK_SAYING(run->peak_bytes < UINT64_C(400) << 20,
                 it_text("%llu bytes", (unsigned long long)run->peak_bytes));
    CHECK_EXIT(run, 1);
    json_t *json = json_of(run);
    CHECK_TEXT(field(json, 0, "status"), "failed");
    CHECK_TEXT(field(json, 1, "status"), "ok");
    CHECK_TEXT(field(json, 2, "status"), "failed");
    CHECK_TEXT(field(json, 3, "status"), "failed");
    json_decref(json);
    CHECK(it_now_ns() - begin < UINT64_C(20) * 1000000000);
    CHECK_INT(it_processes_with(mark), 0);
}

static void a_killed_run_leaves_results_and_no_process(void)
{
    const char *file =
        scenario("cases:\n- {name: a, client: 'true'}\n- {name: b, client: 'false'}\n"
                 "- name: c\n  client: {run: [bash, -c, \"(setsid sleep 4712.25 &); sleep 4712.25\"]}\n"
                 "- name: d\n  client: sleep 4712.25\n");
    const char *folder = it_text("%s/out", it_scratch());
    struct it_child *run = it_start(&(struct it_command){
        .argv = ARGV(it_built("tcpfault"), "run", "-j2", "--timeout", "15s", "--output", folder, file)});
    for (int i = 0; i < 1000 && it_processes_with("4712.25") < 3; i++)
        it_pause();
    kill(run->pid, SIGKILL);
    it_finish(run);
    /* The orphans are ours now, and a namespace ends only when all in it are reaped. */
    for (int i = 0; i < 500 && (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD); i++)
        it_pause();
    CHECK_INT(it_processes_with("4712.25"), 0);
    const char *results = it_read_file(it_text("%s/results.jsonl", folder));
    CHECK_HAS(results, "\"name\":\"a\"");
    CHECK_HAS(results, "\"name\":\"b\"");
    CHECK(results[strlen(results) - 1] == '\n');
}

static void output_keeps_everything(void)
{
    const char *folder = it_text("%s/out", it_scratch());
    struct it_child *run =
        RUN("--output", folder, scenario(LISTENER CLIENT "expect: {client: {stdout: hello}}\n"));
    CHECK_EXIT(run, 0);
    CHECK_TEXT(it_read_file(it_text("%s/cases/001-case/client.stdout", folder)), "hello\n");
    CHECK_HAS(it_read_file(it_text("%s/cases/001-case/events.jsonl", folder)), "\"program\":\"client\"");
    CHECK_HAS(it_read_file(it_text("%s/results.jsonl", folder)), "\"status\":\"ok\"");
    CHECK_EXIT(RUN("--output", folder, scenario("client: 'true'\n")), 0); /* once more, into the same */
    CHECK_TEXT(it_read_file(it_text("%s/cases/001-case/client.stdout", folder)), "");
}

static void steps_go_in_order(void)
{
    struct it_child *run = RUN(scenario(
        LISTENER
        "client: {run: [bash, -c, 'echo ready; read line; echo bye; sleep 60']}\n"
        "programs: {second: {run: [python3, -c, \"import socket; socket.create_connection(('127.0.0.1', "
        "{port}))\"], faults: [{rule: 'connect:error=ECONNREFUSED', armed: false}]}}\n"
        "steps:\n"
        "- wait: {stdout: {client: bye}}\n"
        "- expect_state: {port: {port}, state: LISTEN, count: 1}\n"
        "- arm: {program: second, rule: 1}\n"
        "- start: second\n"
        "- wait: {exit: second, within: 5s}\n"
        "- signal: {client: SIGUSR1}\n"
        "- wait: {exit: client}\n"
        "- restart: server\n"
        "- stop: server\n"
        "- wait: {gone: {port: {port}, state: LISTEN}}\n"
        "expect:\n"
        "  client: {signal: SIGUSR1}\n"
        "  second: {exit: 1, stderr: ConnectionRefusedError, fired: 1,\n"
        "           events: [{call: connect, error: ECONNREFUSED, rule: 1}], never: [recv]}\n"));
    CHECK_EXIT(run, 0);
}

static void a_step_that_does_not_come_true_fails(void)
{
    struct it_child *run =
        RUN(scenario("client: sleep 60\nsteps:\n- wait: {stdout: {client: never}, within: 100ms}\n"));
    CHECK_EXIT(run, 1);
    CHECK_HAS(run->out, "    step\n      expected  {wait: {stdout: {client: never}, within: 100ms}}\n"
                        "      got       not within that time\n");
}

static void on_the_host_ports_are_free_ones(void)
{
    struct it_child *run = RUN("--host", "-j2", "--repeat", "4",
                               scenario(LISTENER CLIENT "expect: {client: {stdout: hello}}\n"));
    CHECK_EXIT(run, 0);
    CHECK_HAS(run->out, "4 cases: 4 ok");
    run = RUN("--host", scenario("client: 'true'\nsandbox: {sysctl: {net.ipv4.tcp_syn_retries: 1}}\n"));
    CHECK_EXIT(run, 3);
    CHECK_HAS(run->out, "skip   case: it sets net.ipv4.tcp_syn_retries, which needs a network namespace");
}

IT_SUITE(run, TEST(what_holds_is_0), TEST(what_does_not_hold_is_1_and_can_be_run_again),
         TEST(a_wrong_file_is_2_and_nothing_runs), TEST(every_bad_scenario_is_one_line_and_2),
         TEST(a_fault_that_does_not_strike_is_3), TEST(a_missing_program_is_3_and_where_it_is_needed_a_skip),
         TEST(a_run_of_nothing_is_never_green), TEST(reports_go_where_they_are_sent),
         TEST(the_order_is_that_of_the_files), TEST(repeats_have_seeds_of_their_own),
         TEST(nasty_programs_end_at_their_deadline), TEST(a_killed_run_leaves_results_and_no_process),
         TEST(output_keeps_everything), TEST(steps_go_in_order), TEST(a_step_that_does_not_come_true_fails),
         TEST(on_the_host_ports_are_free_ones))
