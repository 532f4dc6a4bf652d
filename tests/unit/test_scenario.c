/* What scenario files come to, and the small grammars in them. */
#include "plan.h"
#include "scenario.h"
#include "scenario_text.h"
#include "unit.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct tf_error error;

static struct tf_scenario *parse(const char *text)
{
    struct tf_scenario *scenario = tf_scenario_parse("s.yaml", text, strlen(text), &error);
    TF_CHECK(scenario != NULL, "refused: %s", error.text);
    return scenario;
}

static void defaults_are_those_of_the_manual(void)
{
    struct tf_scenario *s = parse("server: srv {port}\nclient: {run: cli, faults: '%in:eof'}\n");
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    const struct tf_case *one = &s->cases[0];
    CU_ASSERT_EQUAL(s->cases_count, 1);
    TF_SAME(s->name, "s");
    TF_SAME(one->name, "s");
    CU_ASSERT_EQUAL(one->timeout_ns, 10 * TF_SECOND_NS);
    CU_ASSERT(!one->has_seed && !one->allow_unfired);
    CU_ASSERT_EQUAL_FATAL(one->actors, 2);
    const struct tf_actor *server = &one->actor[tf_case_actor(one, "server")];
    const struct tf_actor *client = &one->actor[tf_case_actor(one, "client")];
    CU_ASSERT(server->role == TF_PART_SERVER && client->role == TF_PART_CLIENT);
    CU_ASSERT(server->ready == TF_READY_LISTEN && client->ready == TF_READY_NONE);
    CU_ASSERT(server->stop == SIGTERM && server->shim);
    CU_ASSERT(client->faults_count == 1 && client->faults[0].armed);
    CU_ASSERT_EQUAL(server->run_count, 2);
    TF_SAME(server->run[1], "{port}");
    tf_scenario_free(s);
}

static void roles_follow_from_names(void)
{
    static const struct {
        const char *name;
        int role;
    } names[] = {
        {"server", TF_PART_SERVER},     {"server2", TF_PART_SERVER}, {"echo-server", TF_PART_SERVER},
        {"web_server", TF_PART_SERVER}, {"client", TF_PART_CLIENT},  {"relay", TF_PART_CLIENT},
        {"observer", TF_PART_CLIENT},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char text[128];
        snprintf(text, sizeof(text), "programs: {%s: x}\n", names[i].name);
        struct tf_scenario *s = parse(text);
        CU_ASSERT_PTR_NOT_NULL_FATAL(s);
        TF_CHECK(s->cases[0].actor[0].role == names[i].role, "role of %s", names[i].name);
        tf_scenario_free(s);
    }
}

static void words_are_split_as_a_shell_does(void)
{
    struct tf_scenario *s = parse("client: |\n  a 'b c' \"d \\\"e\\\" \\x\" f\\ g ''\n  h\"i\"'j'\n");
    static const char *const words[] = {"a", "b c", "d \"e\" \\x", "f g", "", "hij"};
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    const struct tf_actor *client = &s->cases[0].actor[0];
    CU_ASSERT_EQUAL_FATAL(client->run_count, 6);
    for (int i = 0; i < 6; i++)
        TF_SAME(client->run[i], words[i]);
    tf_scenario_free(s);
}

static const char setup[] = "name: suite\n"
                            "about: of the file\n"
                            "tags: a\n"
                            "needs: [one]\n"
                            "timeout: 3s\n"
                            "allow: {hung: it may}\n"
                            "sandbox: {sysctl: {net.x: 1, net.y: 2}}\n"
                            "server: {run: srv, env: {A: 1}, faults: ['%in:eof']}\n"
                            "client: {run: cli, cwd: /}\n"
                            "expect:\n"
                            "  client: {exit: 1, stdout: x, within: 2s}\n"
                            "steps: [{pause: 1ms}]\n"
                            "cases:\n"
                            "- name: as the file\n"
                            "- name: all its own\n"
                            "  about: of the case\n"
                            "  tags: b\n"
                            "  needs: two\n"
                            "  timeout: 4s\n"
                            "  seed: 7\n"
                            "  allow: {killed: it may}\n"
                            "  allow_unfired: true\n"
                            "  sandbox: {sysctl: {net.y: 3}}\n"
                            "  server: {faults: []}\n"
                            "  programs: {third: thr, client: {run: other}}\n"
                            "  expect: {client: {signal: KILL}, third: {exit: any}}\n"
                            "  steps: [{pause: 2ms}, {pause: 3ms}]\n";

static void a_case_inherits_the_file(void)
{
    struct tf_scenario *s = parse(setup);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    CU_ASSERT_EQUAL_FATAL(s->cases_count, 2);
    const struct tf_case *one = &s->cases[0];
    TF_SAME(one->name, "as the file");
    TF_SAME(one->about, "of the file");
    CU_ASSERT_EQUAL(one->timeout_ns, 3 * TF_SECOND_NS);
    CU_ASSERT(one->actors == 2 && one->tags_count == 1 && one->needs_count == 1 && one->allow_count == 1);
    CU_ASSERT(one->steps_count == 1 && one->sysctl_count == 2 && !one->has_seed);
    const struct tf_expect *client = &one->expect[tf_case_actor(one, "client")];
    CU_ASSERT(client->exit_count == 1 && client->exit[0] == 1 && client->out_count == 1);
    CU_ASSERT_EQUAL(client->within_ns, 2 * TF_SECOND_NS);
    CU_ASSERT_EQUAL(one->actor[tf_case_actor(one, "server")].faults_count, 1);
    tf_scenario_free(s);
}

static void a_case_replaces_what_it_gives(void)
{
    struct tf_scenario *s = parse(setup);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    const struct tf_case *one = &s->cases[1];
    TF_SAME(one->about, "of the case");
    CU_ASSERT(one->timeout_ns == 4 * TF_SECOND_NS && one->has_seed && one->seed == 7 && one->allow_unfired);
    CU_ASSERT(one->actors == 3 && one->tags_count == 2 && one->needs_count == 2 && one->allow_count == 2);
    CU_ASSERT_EQUAL_FATAL(one->sysctl_count, 2);
    TF_SAME(one->sysctl[1].value, "3");
    CU_ASSERT(one->steps_count == 2 && one->steps[1].pause_ns == 3000000);
    const struct tf_actor *server = &one->actor[tf_case_actor(one, "server")];
    const struct tf_actor *client = &one->actor[tf_case_actor(one, "client")];
    CU_ASSERT(server->faults_count == 0 && server->env_count == 1 && server->run_count == 1);
    TF_SAME(client->run[0], "other");
    TF_SAME(client->cwd, "/");
    const struct tf_expect *expect = &one->expect[tf_case_actor(one, "client")];
    CU_ASSERT(expect->signal == SIGKILL && expect->exit_count == 0 && expect->out_count == 1);
    CU_ASSERT(one->expect[tf_case_actor(one, "third")].exit_any);
    tf_scenario_free(s);
}

static void patterns_hold_numbers_not_names(void)
{
    struct tf_scenario *s =
        parse("client: {run: x, faults: '%in:eof'}\nexpect:\n  client:\n    events:\n    - connect\n"
              "    - {call: '%accept,listen', error: none, role: listener, count: 1..3}\n"
              "    - {call: setsockopt, error: ENOPROTOOPT, opt: SO_REUSEADDR, result: -1, rule: 1}\n"
              "    never: {call: recv, error: any}\n");
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    const struct tf_expect *expect = &s->cases[0].expect[0];
    CU_ASSERT_EQUAL_FATAL(expect->events_count, 3);
    CU_ASSERT_EQUAL(expect->events[0].calls, TF_BIT(TF_connect));
    CU_ASSERT(expect->events[0].count.min == 1 && expect->events[0].count.max == INT64_MAX);
    CU_ASSERT_EQUAL(expect->events[1].calls, TF_BIT(TF_accept) | TF_BIT(TF_accept4) | TF_BIT(TF_listen));
    CU_ASSERT(expect->events[1].has_error && expect->events[1].error == 0 &&
              expect->events[1].count.max == 3);
    CU_ASSERT_EQUAL(expect->events[1].role, TF_ROLE_LISTENER);
    CU_ASSERT(expect->events[2].opt_level == SOL_SOCKET && expect->events[2].opt_name == SO_REUSEADDR);
    CU_ASSERT(expect->events[2].result.min == -1 && expect->events[2].rule == 1);
    TF_SAME(expect->events[1].text, "{call: %accept,listen, error: none, role: listener, count: 1..3}");
    CU_ASSERT(expect->never_count == 1 && expect->never[0].any_error);
    tf_scenario_free(s);
}

static void steps_are_taken_in_all_their_forms(void)
{
    struct tf_scenario *s =
        parse("server: {run: x, faults: ['%in:eof', {rule: '%out:short=1', armed: false}]}\n"
              "client: y\n"
              "steps:\n"
              "- wait: {listen: server}\n"
              "- start: [client]\n"
              "- arm: {program: server, rule: '%out:short=1'}\n"
              "- disarm: server\n"
              "- signal: {server: HUP, client: SIGSTOP}\n"
              "- wait: {stdout: {client: [/a/, {not: b}]}, within: 2s}\n"
              "- wait: {event: {program: client, call: connect}}\n"
              "- wait: {gone: {port: {port:x}, state: [TIME_WAIT, LISTEN]}}\n"
              "- expect_state: {port: 80, peer: {port}, count: 2+, within: 1s}\n"
              "- restart: server\n"
              "- stop: server\n");
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    const struct tf_case *one = &s->cases[0];
    const struct tf_actor *server = &one->actor[tf_case_actor(one, "server")];
    CU_ASSERT_EQUAL_FATAL(one->steps_count, 11);
    CU_ASSERT(server->faults[0].armed && !server->faults[1].armed);
    CU_ASSERT_EQUAL(tf_case_fault(server, &one->steps[2].arm[0]), 2);
    CU_ASSERT_EQUAL(tf_case_fault(server, &one->steps[3].disarm[0]), 0);
    CU_ASSERT(one->steps[4].signal_count == 2 && one->steps[4].signal[0].signal == SIGHUP);
    CU_ASSERT(one->steps[5].wait->out_count == 1 && one->steps[5].wait->out[0].finds_count == 2);
    CU_ASSERT(one->steps[5].wait->out[0].finds[0].regex && one->steps[5].wait->out[0].finds[1].absent);
    TF_SAME(one->steps[7].wait->gone->port, "{port:x}");
    CU_ASSERT_EQUAL(one->steps[7].wait->gone->states_count, 2);
    CU_ASSERT(one->steps[8].expect_state->count.min == 2 &&
              one->steps[8].expect_state->within_ns == TF_SECOND_NS);
    tf_scenario_free(s);
}

static void steps_that_hold_ports_are_taken_in_all_their_forms(void)
{
    struct tf_scenario *s =
        parse("server: x\n"
              "sandbox: {sysctl: {net.ipv4.tcp_syncookies: 0, net.ipv4.tcp_timestamps: 0}}\n"
              "steps:\n"
              "- occupy: {port: {port}}\n"
              "- occupy: {port: 80, address: '::', listen: true, reuseaddr: true, reuseport: true, for: 2s}\n"
              "- vacate: {port}\n"
              "- time_wait: {port: '{port:a}'}\n"
              "- time_wait: {port: 80, peer: {port}, address: '::1', first: client, "
              "reuseaddr: true, data: 'old one'}\n"
              "- fill: {port: {port}}\n"
              "- fill: {port: 80, address: '::1', queue: syn, for: 1s}\n"
              "- drain: 80\n"
              "- late_segment: {port: 80, peer: {port}, address: '::1'}\n"
              "- late_segment: {port: 80, peer: {port}, address: '::1', to: client, acceptable: true}\n"
              "- late_segment: {port: 80, peer: {port}, address: '::1', acceptable: true, reset: true}\n");
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    const struct tf_step *steps = s->cases[0].steps;
    const struct tf_occupy *plain = steps[0].occupy, *full = steps[1].occupy;
    TF_SAME(plain->port, "{port}");
    CU_ASSERT(plain->address == NULL && !plain->listen && !plain->reuseaddr && !plain->reuseport &&
              plain->for_ns == 0);
    TF_SAME(full->port, "80");
    TF_SAME(full->address, "::");
    CU_ASSERT(full->listen && full->reuseaddr && full->reuseport && full->for_ns == 2 * TF_SECOND_NS);
    TF_SAME(steps[2].vacate, "{port}");
    TF_SAME(steps[3].time_wait->port, "{port:a}");
    CU_ASSERT(steps[3].time_wait->peer == NULL && steps[3].time_wait->first != TF_PART_CLIENT);
    TF_SAME(steps[4].time_wait->peer, "{port}");
    CU_ASSERT(steps[4].time_wait->first == TF_PART_CLIENT && steps[4].time_wait->reuseaddr);
    CU_ASSERT(steps[5].fill->queue == TF_QUEUE_ACCEPT && steps[6].fill->queue == TF_QUEUE_SYN);
    TF_SAME(steps[6].fill->address, "::1");
    TF_SAME(steps[7].drain, "80");
    CU_ASSERT(steps[3].time_wait->data == NULL);
    TF_SAME(steps[4].time_wait->data, "old one");
    const struct tf_late *old = steps[8].late_segment, *next = steps[9].late_segment;
    TF_SAME(old->port, "80");
    TF_SAME(old->peer, "{port}");
    TF_SAME(old->address, "::1");
    CU_ASSERT(old->to != TF_PART_CLIENT && !old->acceptable && !old->reset);
    CU_ASSERT(next->to == TF_PART_CLIENT && next->acceptable && !next->reset);
    CU_ASSERT(steps[10].late_segment->acceptable && steps[10].late_segment->reset);
    TF_SAME(steps[1].text, "{occupy: {port: 80, address: ::, listen: true, reuseaddr: true, "
                           "reuseport: true, for: 2s}}");
    TF_SAME(steps[2].text, "{vacate: {port}}");
    tf_scenario_free(s);
}

static void limits_of_descriptors_are_for_one_program_or_several(void)
{
    struct tf_scenario *s = parse("programs: {server: x, other-server: y}\n"
                                  "steps:\n"
                                  "- limit_nofile: [server, other-server]\n"
                                  "- restore_nofile: server\n");
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    const struct tf_step *steps = s->cases[0].steps;
    CU_ASSERT_EQUAL_FATAL(steps[0].limit_nofile_count, 2);
    CU_ASSERT_EQUAL_FATAL(steps[1].restore_nofile_count, 1);
    TF_SAME(steps[0].limit_nofile[1], "other-server");
    TF_SAME(steps[1].restore_nofile[0], "server");
    tf_scenario_free(s);
}

static void braces_and_slashes_are_literal_where_said(void)
{
    struct tf_scenario *s;
    s = parse("client: {run: [x, '{{}'], stdin: '{{\"a\": 1}'}\n"
              "expect: {client: {stdout: ['/', '/a{2}/', '/a', '{{b}']}}\n");
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    const struct tf_expect *expect = &s->cases[0].expect[0];
    CU_ASSERT(!expect->out[0].regex && expect->out[1].regex && !expect->out[2].regex &&
              !expect->out[3].regex);
    TF_SAME(expect->out[1].text, "a{2}");
    tf_scenario_free(s);
}

static void what_reports_quote_is_bounded(void)
{
    char text[2048] = "client: x\nexpect: {client: {events: [{error: none, call: \"recv";
    for (int i = 0; i < 60; i++)
        strcat(text, i == 30 ? ",connect" : ",listen");
    strcat(text, "\", count: 1+, result: 1+}]}}\n");
    struct tf_scenario *s = parse(text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    const char *quoted = s->cases[0].expect[0].events[0].text;
    TF_CHECK(strlen(quoted) < 200 && strcmp(quoted + strlen(quoted) - 3, "...") == 0, "quotes \"%s\"",
             quoted);
    tf_scenario_free(s);
}

/* ---- the small grammars ---- */

static uint16_t some_port(void *data, const char *name)
{
    (void)data;
    return name[0] == '\0' ? 80 : 443;
}

static void substitutions_are_replaced(void)
{
    const struct tf_values values = {.dir = "/d", .fixtures = "/f", .build = "/b", .port = some_port};
    struct tf_wrong wrong;
    size_t *map = NULL;
    char *text = tf_subst("{dir}:{port}:{port:x}:{{{fixtures}}{build}", TF_SUBST_ALL, &values, NULL, &wrong);
    TF_SAME(text, "/d:80:443:{/f}/b");
    free(text);
    text = tf_subst("a{port}b", TF_SUBST_PORTS, NULL, &map, &wrong);
    TF_SAME(text, "a65535b");
    CU_ASSERT(map != NULL && map[0] == 0 && map[1] == 1 && map[5] == 1 && map[6] == 7 && map[7] == 8);
    free(text);
    free(map);
    CU_ASSERT_PTR_NULL(tf_subst("ab{dir}", TF_SUBST_PORTS, &values, NULL, &wrong));
    CU_ASSERT_EQUAL(wrong.at, 2);
}

static void expressions_that_would_grow_too_large_are_refused(void)
{
    static const char *const good[] = {"a",       "^x+y*$", "(a|b)+",        "[]x+*{]{3}", "[[:alpha:]+]+",
                                       "a{2000}", "\\+\\{", "((((x+)+)+)+)+"};
    static const char *const large[] = {"((a{200}){200}){200}", "n++++++++++++++++++++", "x{20000}",
                                        "(((((((((((((((x+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+",
                                        "[[:alpha:]]{101}{101}"};
    struct tf_wrong wrong;
    regex_t regex;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int result = tf_regex_compile(&regex, good[i], &wrong);
        TF_CHECK(result == 0, "%s was refused: %s", good[i], wrong.message);
        if (result == 0)
            regfree(&regex);
    }
    for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
        TF_CHECK(tf_regex_compile(&regex, large[i], &wrong) == -1, "%s was taken", large[i]);
        TF_SAME(wrong.message, "too much repetition for a regular expression");
    }
}

static void ranges_are_read_and_written(void)
{
    static const char *const good[] = {"0", "7", "1..3", "2+", "-1", "-5..-1"};
    static const char *const wrong_ones[] = {
        "", "+", "1..", "..3", "a", "1-3", "1+2", "3..1", "99999999999999999999"};
    struct tf_range range;
    struct tf_wrong wrong;
    char text[64];
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        CU_ASSERT_EQUAL(tf_range_parse(good[i], strlen(good[i]), -10, &range, &wrong), 0);
        tf_range_format(range, text, sizeof(text));
        TF_SAME(text, good[i]);
    }
    for (size_t i = 0; i < sizeof(wrong_ones) / sizeof(wrong_ones[0]); i++)
        TF_CHECK(tf_range_parse(wrong_ones[i], strlen(wrong_ones[i]), -10, &range, &wrong) == -1,
                 "%s was taken", wrong_ones[i]);
}

static void a_battery_says_what_may_become_of_its_target(void)
{
    static const char text[] =
        "battery: client\nsource: tcp(7)\nrequires: [connect, reply]\n"
        "server: {run: \"{peer}\"}\nclient: {run: \"{target}\"}\n"
        "expect: {client: {outcome: [same, error]}}\ncases:\n"
        "- {name: a, why: Because., expect: {client: {outcome: same, tolerated: [error, part]}}}\n"
        "- {name: b, server: 'x --file {sent} {reply} {address}', requires: {call: send, "
        "count: 2+}}\n";
    struct tf_scenario *scenario = tf_scenario_parse("s.yaml", text, sizeof(text) - 1, &error);
    TF_CHECK(scenario != NULL, "%s", error.text);
    if (scenario == NULL)
        return;
    const struct tf_case *a = &scenario->cases[0], *b = &scenario->cases[1];
    CU_ASSERT_EQUAL(scenario->battery, TF_PART_CLIENT);
    CU_ASSERT_EQUAL(a->actor[0].stands, TF_STANDS_PEER);
    CU_ASSERT_EQUAL(a->actor[1].stands, TF_STANDS_TARGET);
    CU_ASSERT_EQUAL(a->expect[1].outcome, TF_OUTCOME_SAME);
    CU_ASSERT_EQUAL(a->expect[1].tolerated, TF_OUTCOME_ERROR | TF_OUTCOME_PART);
    TF_SAME(a->why, "Because.");
    TF_SAME(a->source, "tcp(7)");
    CU_ASSERT_EQUAL(a->requires_count, 2);
    CU_ASSERT_EQUAL(a->requires[0].bytes, TF_BYTES_NONE);
    CU_ASSERT_EQUAL(a->requires[0].count.max, INT64_MAX);
    CU_ASSERT_EQUAL(a->requires[1].bytes, TF_BYTES_REPLY);
    CU_ASSERT_EQUAL(b->actor[0].stands, TF_STANDS_SELF);
    CU_ASSERT_EQUAL(b->actor[0].run_count, 5);
    CU_ASSERT_EQUAL(b->expect[1].outcome, TF_OUTCOME_SAME | TF_OUTCOME_ERROR);
    CU_ASSERT_EQUAL(b->requires_count, 3);
    CU_ASSERT_EQUAL(b->requires[2].count.min, 2);
    tf_scenario_free(scenario);
}

TF_SUITE(scenario, TF_TEST(a_battery_says_what_may_become_of_its_target),
         TF_TEST(defaults_are_those_of_the_manual), TF_TEST(roles_follow_from_names),
         TF_TEST(words_are_split_as_a_shell_does), TF_TEST(a_case_inherits_the_file),
         TF_TEST(a_case_replaces_what_it_gives), TF_TEST(patterns_hold_numbers_not_names),
         TF_TEST(steps_are_taken_in_all_their_forms),
         TF_TEST(steps_that_hold_ports_are_taken_in_all_their_forms),
         TF_TEST(limits_of_descriptors_are_for_one_program_or_several),
         TF_TEST(braces_and_slashes_are_literal_where_said), TF_TEST(what_reports_quote_is_bounded),
         TF_TEST(substitutions_are_replaced), TF_TEST(expressions_that_would_grow_too_large_are_refused),
         TF_TEST(ranges_are_read_and_written))
