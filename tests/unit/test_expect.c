/* What is judged of a program, from what was seen of it. */
#include "expect.h"
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct tf_scenario *scenario;
static struct tf_seen seen;
static struct tf_result result;

static uint16_t no_port(void *data, const char *name)
{
    (void)data, (void)name;
    return 4711;
}

static const struct tf_values values = {.dir = "/tmp", .fixtures = "/f", .build = "/b", .port = no_port};

/* A case with these programs; what was seen is an exit with status 0 after 1 s. */
static void given(const char *text)
{
    struct tf_error error = {.text = ""};
    tf_scenario_free(scenario);
    free(seen.watches);
    tf_result_fini(&result);
    scenario = tf_scenario_parse("s.yaml", text, strlen(text), &error);
    TF_CHECK(scenario != NULL, "refused: %s", error.text);
    seen = (struct tf_seen){.started = true,
                            .attached = true,
                            .out = "",
                            .err = "",
                            .timeout_ns = 5 * TF_SECOND_NS,
                            .watches = calloc(16, sizeof(struct tf_watch)),
                            .end = {.end = TF_END_EXITED, .started_ns = 1, .ended_ns = 1 + TF_SECOND_NS}};
    if (scenario == NULL)
        return;
    const struct tf_expect *expect = &scenario->cases[0].expect[0];
    for (uint32_t i = 0; i < expect->events_count; i++)
        seen.watches[seen.watches_count++].pattern = &expect->events[i];
    for (uint32_t i = 0; i < expect->never_count; i++)
        seen.watches[seen.watches_count++].pattern = &expect->never[i];
    seen.rules = scenario->cases[0].actor[0].faults_count;
}

/* The checks that fail, separated by blanks. */
static const char *judged(void)
{
    static char checks[256];
    tf_result_fini(&result);
    CU_ASSERT_EQUAL(tf_expect_judge(&scenario->cases[0], 0, &seen, &values, &result), 0);
    checks[0] = '\0';
    for (size_t i = 0; i < result.failures_count; i++)
        snprintf(checks + strlen(checks), sizeof(checks) - strlen(checks), "%s%s%s", i > 0 ? " " : "",
                 result.failures[i].check, result.failures[i].broken ? "!" : "");
    return checks;
}

static void wrote(const char *text)
{
    seen.out = (char *)text;
    seen.out_length = seen.out_bytes = strlen(text);
}

static void killed(int signal)
{
    seen.end.end = TF_END_SIGNALED;
    seen.end.status = signal;
}

static void a_client_must_exit_with_0(void)
{
    given("client: x\n");
    TF_SAME(judged(), "");
    seen.end.status = 3;
    TF_SAME(judged(), "exit");
    TF_SAME(result.failures[0].expected, "exit status 0");
    TF_SAME(result.failures[0].got, "exited with status 3");
    TF_SAME(result.failures[0].program, "client");
}

static void statuses_may_be_several_or_any(void)
{
    given("client: x\nexpect: {client: {exit: [1, 3]}}\n");
    TF_SAME(judged(), "exit");
    TF_SAME(result.failures[0].expected, "exit status 1 or 3");
    seen.end.status = 3;
    TF_SAME(judged(), "");
    given("client: x\nexpect: {client: {exit: any}}\n");
    seen.end.status = 77;
    TF_SAME(judged(), "");
}

static void an_unexpected_signal_is_one_failure(void)
{
    given("client: x\nexpect: {client: {exit: any}}\n");
    killed(SIGSEGV);
    TF_SAME(judged(), "killed");
    given("client: x\n");
    killed(SIGPIPE);
    TF_SAME(judged(), "killed");
    given("server: x\n");
    killed(SIGABRT);
    TF_SAME(judged(), "killed");
    given("client: x\nallow: {killed: it may}\nexpect: {client: {exit: any}}\n");
    killed(SIGSEGV);
    TF_SAME(judged(), "");
}

static void an_expected_signal_is_required(void)
{
    given("client: x\nexpect: {client: {signal: SIGPIPE}}\n");
    TF_SAME(judged(), "signal");
    killed(SIGPIPE);
    TF_SAME(judged(), "");
    killed(SIGSEGV);
    TF_SAME(judged(), "signal");
}

static void our_own_signals_are_no_finding(void)
{
    given("server: x\n");
    seen.alive = seen.stopping = true;
    seen.signalled = UINT64_C(1) << SIGTERM;
    killed(SIGTERM);
    TF_SAME(judged(), "");
    killed(SIGKILL); /* after the grace */
    TF_SAME(judged(), "");
    killed(SIGSEGV); /* at its end, by itself */
    TF_SAME(judged(), "killed");
}

static void a_server_must_live_until_it_is_stopped(void)
{
    given("server: x\n");
    TF_SAME(judged(), "alive");
    seen.alive = true;
    TF_SAME(judged(), "");
    given("server: x\nexpect: {server: {exit: 0}}\n");
    TF_SAME(judged(), "");
    given("server: x\nexpect: {server: {alive: false}}\n");
    TF_SAME(judged(), "");
    seen.alive = true;
    TF_SAME(judged(), "alive");
}

static void a_hang_is_told_once(void)
{
    given("client: x\n");
    seen.hung = seen.alive = true;
    seen.end.stopped = true;
    killed(SIGKILL);
    TF_SAME(judged(), "hung");
    TF_SAME(result.failures[0].expected, "an end within 5s");
    given("client: x\nallow: {hung: it may}\n");
    seen.hung = seen.alive = true;
    killed(SIGKILL);
    TF_SAME(judged(), "");
}

static void times_are_held(void)
{
    given("client: x\nexpect: {client: {within: 500ms}}\n");
    TF_SAME(judged(), "within");
    TF_SAME(result.failures[0].got, "after 1s");
    given("client: x\nexpect: {client: {after: 2s, within: 3s}}\n");
    TF_SAME(judged(), "after");
    given("client: x\nexpect: {client: {after: 1s, within: 1s}}\n");
    TF_SAME(judged(), "");
}

static void output_is_searched(void)
{
    given("client: x\nexpect:\n  client:\n    stdout: ['port {port}', '/^li.e$/', {not: gone}, {not: "
          "'/x{3}/'}]\n");
    wrote("a port 4711\nline\nxx\n");
    TF_SAME(judged(), "");
    wrote("a port 4712\nthe line\ngone xxx");
    TF_SAME(judged(), "stdout stdout stdout stdout");
    TF_SAME(result.failures[0].expected, "\"port 4711\"");
    TF_SAME(result.failures[1].expected, "/^li.e$/");
    TF_SAME(result.failures[2].expected, "not \"gone\"");
    TF_SAME(result.failures[3].expected, "not /x{3}/");
    TF_SAME(result.failures[0].got, "a port 4712\nthe line\ngone xxx");
}

static void output_with_nul_is_searched_to_its_end(void)
{
    given("client: x\nexpect: {client: {stdout: [end, /d$/]}}\n");
    seen.out = "a\0b end";
    seen.out_length = seen.out_bytes = 7;
    TF_SAME(judged(), "");
}

static void whole_output_is_compared(void)
{
    given("client: x\nexpect: {client: {stdout_is: \"a {port}\\n\"}}\n");
    wrote("a 4711\n");
    TF_SAME(judged(), "");
    wrote("a 4711");
    TF_SAME(judged(), "stdout_is");
    TF_SAME(result.failures[0].got, "6 bytes: it ends at byte 6, in line 1");
    wrote("a 4711\nb");
    TF_SAME(judged(), "stdout_is");
    TF_SAME(result.failures[0].got, "8 bytes: at byte 7, in line 2, comes \"b\"");
    wrote("a 4711\n"); /* but more was written than was kept */
    seen.out_bytes = 1000;
    TF_SAME(judged(), "stdout_is");
}

static void output_is_compared_with_a_file(void)
{
    struct tf_values here = values;
    char folder[256];
    snprintf(folder, sizeof(folder), "%s", tf_scratch(""));
    FILE *file = fopen(tf_scratch("wanted"), "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs("text\n", file);
    fclose(file);
    here.dir = folder;
    given("client: x\nexpect: {client: {stdout_file: wanted}}\n");
    wrote("text\n");
    CU_ASSERT_EQUAL(tf_expect_judge(&scenario->cases[0], 0, &seen, &here, &result), 0);
    CU_ASSERT_EQUAL(result.failures_count, 0);
    wrote("test\n");
    CU_ASSERT_EQUAL(tf_expect_judge(&scenario->cases[0], 0, &seen, &here, &result), 0);
    CU_ASSERT_EQUAL_FATAL(result.failures_count, 1);
    TF_SAME(result.failures[0].check, "stdout_file");
}

static void events_are_counted(void)
{
    given("client: x\nexpect: {client: {events: [connect, {call: recv, count: 2..3}], never: [bind]}}\n");
    seen.watches[0].count = 5;
    seen.watches[1].count = 2;
    TF_SAME(judged(), "");
    seen.watches[0].count = 0;
    seen.watches[1].count = 4;
    seen.watches[2].count = 1;
    TF_SAME(judged(), "events events never");
    TF_SAME(result.failures[1].expected, "count 2..3 of {call: recv, count: 2..3}");
    TF_SAME(result.failures[1].got, "seen 4 times");
    TF_SAME(result.failures[2].expected, "never bind");
}

static void patterns_match_what_they_say(void)
{
    given("client: {run: x, faults: ['%in:eof']}\nexpect:\n  client:\n    events:\n"
          "    - {call: connect, error: ECONNREFUSED}\n    - {call: connect, error: none}\n"
          "    - {call: connect, error: any}\n    - {call: recv, result: 1..9}\n"
          "    - {call: accept, role: listener}\n    - {call: getsockopt, opt: SO_ERROR}\n"
          "    - {call: recv, rule: 1}\n    - {call: 'socket,bind', family: inet6}\n");
    static const struct {
        struct tf_event event;
        unsigned int matches; /* bits, by pattern */
    } events[] = {
        {{.call = TF_connect, .error = 111, .result = -1}, 1 << 0 | 1 << 2},
        {{.call = TF_connect, .error = 110, .result = -1}, 1 << 2},
        {{.call = TF_connect}, 1 << 1},
        {{.call = TF_connect, .duration_ns = UINT64_MAX}, 0},
        {{.call = TF_recv, .result = 9}, 1 << 3},
        {{.call = TF_recv, .result = 10}, 0},
        {{.call = TF_recv, .rule = 1, .flags = TF_EVENT_FIRED}, 1 << 6},
        {{.call = TF_recv, .rule = 1}, 0},
        {{.call = TF_recv, .rule = 1, .duration_ns = UINT64_MAX}, 1 << 6},
        {{.call = TF_socket, .arg = {AF_INET6}}, 1 << 7},
        {{.call = TF_socket, .arg = {AF_INET}}, 0},
        {{.call = TF_bind, .cookie = 1, .flags = TF_EVENT_INET6}, 1 << 7},
        {{.call = TF_bind, .cookie = 1}, 0},
        {{.call = TF_accept, .role = TF_ROLE_LISTENER}, 1 << 4},
        {{.call = TF_accept, .role = TF_ROLE_SERVER}, 0},
        {{.call = TF_getsockopt, .arg = {3, 1, 4}}, 1 << 5},
        {{.call = TF_getsockopt, .arg = {3, 1, 2}}, 0},
    };
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        unsigned int matches = 0;
        for (size_t j = 0; j < seen.watches_count; j++)
            matches |= (unsigned int)tf_pattern_matches(seen.watches[j].pattern, &events[i].event) << j;
        TF_CHECK(matches == events[i].matches, "event %zu matches %x, not %x", i, matches, events[i].matches);
    }
}

static void a_fault_that_did_not_strike_breaks_the_case(void)
{
    given("client: {run: x, faults: ['%in:eof', '%out:short=1', 'connect:error=EINTR']}\n");
    seen.rule[0] = (struct tf_rule_seen){.counted = 1, .fired = 1};
    seen.rule[1] = (struct tf_rule_seen){.counted = 2};
    seen.rule[2] =
        (struct tf_rule_seen){.counted = 1, .undelivered = 1, .reason = TF_REASON_eintr_nonblocking};
    TF_SAME(judged(), "unfired! unfired!");
    CU_ASSERT_PTR_NOT_NULL(strstr(result.failures[0].got, "2 calls met its selectors"));
    CU_ASSERT_PTR_NOT_NULL(strstr(result.failures[1].got, "it could not happen: EINTR cannot happen"));
    seen.rule[1].begun = 1; /* the call never returned, but the fault had struck */
    seen.rule[2].fired = 1;
    TF_SAME(judged(), "");
    given("allow_unfired: true\nclient: {run: x, faults: ['%in:eof']}\n");
    TF_SAME(judged(), "");
}

static void strikes_are_counted_where_that_is_expected(void)
{
    given("client: {run: x, faults: ['%in:eof', '%out:short=1']}\nexpect: {client: {fired: 2..3}}\n");
    seen.rule[0].fired = 2;
    TF_SAME(judged(), "");
    seen.rule[1].fired = 2;
    TF_SAME(judged(), "fired");
    TF_SAME(result.failures[0].got, "4");
    given("client: {run: x, faults: ['%in:eof']}\nexpect: {client: {fired: 0}}\n");
    TF_SAME(judged(), "");
}

static void without_the_shim_nothing_is_judged(void)
{
    given("client: {run: x, faults: ['%in:eof']}\n");
    seen.attached = false;
    seen.end.status = 1;
    TF_SAME(judged(), "shim!");
    given("client: {run: x, shim: false}\n");
    seen.attached = false;
    TF_SAME(judged(), "");
}

/* Not a claim about the program: frees what the last one left. */
static void nothing_is_left(void)
{
    tf_scenario_free(scenario);
    scenario = NULL;
    free(seen.watches);
    seen.watches = NULL;
    tf_result_fini(&result);
}

TF_SUITE(expect, TF_TEST(a_client_must_exit_with_0), TF_TEST(statuses_may_be_several_or_any),
         TF_TEST(an_unexpected_signal_is_one_failure), TF_TEST(an_expected_signal_is_required),
         TF_TEST(our_own_signals_are_no_finding), TF_TEST(a_server_must_live_until_it_is_stopped),
         TF_TEST(a_hang_is_told_once), TF_TEST(times_are_held), TF_TEST(output_is_searched),
         TF_TEST(output_with_nul_is_searched_to_its_end), TF_TEST(whole_output_is_compared),
         TF_TEST(output_is_compared_with_a_file), TF_TEST(events_are_counted),
         TF_TEST(patterns_match_what_they_say), TF_TEST(a_fault_that_did_not_strike_breaks_the_case),
         TF_TEST(strikes_are_counted_where_that_is_expected), TF_TEST(without_the_shim_nothing_is_judged),
         TF_TEST(nothing_is_left))
