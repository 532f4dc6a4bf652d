/* How a case of tcpfault run ends, and what success is worth. */
#include "check.h"
#include "place.h"
#include "suite.h"
#include "under.h"

#define HANGS                                                                                                \
    "name: hang\ntimeout: 1m\nserver: \"{fixtures}/reply-good -p {port}\"\n"                                 \
    "client: {run: \"{fixtures}/fetch-no-timeout -p {port}\", faults: [\"%in:drop\"]}\n"

static void a_case_does_not_wait_for_a_proven_hang(void)
{
    struct it_child *run = it_tool(ARGV(
        "run", it_file("hangs.yaml", HANGS "cases:\n- name: to the end\n- name: in a step\n"
                                           "  steps: [wait: {exit: client}, signal: {client: TERM}]\n")));
    CHECK_EXIT(run, 1);
    CHECK_HAS(run->out, "it would have waited for ever, and was killed");
    CHECK_HAS(run->out, "never: it was proven to wait for ever");
    CHECK_HAS(run->out, "2 cases: 2 failed; 2 errors");
}

static void a_case_goes_on_where_somebody_may_end_a_proven_hang(void)
{
    struct it_child *run = it_tool(ARGV(
        "run",
        it_file(
            "goes-on.yaml", HANGS
            "allow: {proven-hang: its mistake, hung: likewise}\ncases:\n"
            "- name: a later step\n"
            "  steps:\n  - wait: {event: {program: client, call: '%out'}}\n  - pause: 500ms\n"
            "  - signal: {client: TERM}\n"
            "  expect: {client: {signal: TERM}}\n"
            "- name: a process beside it\n"
            "  client: {run: [/bin/sh, -c, '{fixtures}/fetch-no-timeout -p {port} & sleep 1; kill $!; "
            "echo out']}\n"
            "  expect: {client: {stdout: out}}\n"
            "- name: another program\n"
            "  programs:\n"
            "    other: {run: '{fixtures}/fetch-good -p {port} -t 9000', faults: ['%in:delay=1s:when=1']}\n"
            "  expect: {other: {after: 1s}, client: {after: 30s}}\n")));
    CHECK_EXIT(run, 0);
    CHECK_HAS(run->out, "3 cases: 3 ok");
}

#define PYTHON(text) "{run: [/usr/bin/python3, -c, \"import socket, time; " text "\"]}\n"
#define LISTENS "s = socket.create_server(('127.0.0.1', {port})); c = s.accept()[0]; "
#define CONNECTS "s = socket.create_connection(('127.0.0.1', {port})); "

static void programs_that_wait_for_each_other_are_proven_to_hang(void)
{
    struct it_child *run =
        it_tool(ARGV("run", it_file("still.yaml",
                                    "name: still\ntimeout: 1m\ncases:\n"
                                    "- name: nobody serves\n"
                                    "  server: \"{fixtures}/stalls-forever -p {port}\"\n"
                                    "  client: \"{fixtures}/fetch-no-timeout -p {port}\"\n"
                                    "- name: both read\n"
                                    "  server: " PYTHON(LISTENS "c.recv(9); c.recv(9)")     //
                                    "  client: " PYTHON(CONNECTS "s.send(b'x'); s.recv(9)") //
                                    "- name: both write\n"
                                    "  server: " PYTHON(LISTENS "c.sendall(bytes(10**8))") //
                                    "  client: " PYTHON(CONNECTS "s.sendall(bytes(10**8))"))));
    CHECK_EXIT(run, 1);
    CHECK_HAS(run->out, "error proven-hang: client: it is blocked in recv, peer 127.0.0.1:20000, without a "
                        "time limit, while all others wait, too, without one: server for clients");
    CHECK_HAS(run->out, "fixtures/fetch-no-timeout.c:16");
    CHECK_HAS(run->out, "while all others wait, too, without one: server in recv");
    CHECK_HAS(run->out, "while all others wait, too, without one: server in send");
    CHECK_HAS(run->out, "3 cases: 3 failed; 3 errors");
}

static void programs_of_which_one_may_go_on_are_waited_for(void)
{
    struct it_child *run = it_tool(
        ARGV("run", it_file("goes-on.yaml",
                            "name: goes on\ntimeout: 1m\ncases:\n"
                            "- name: a limit\n"
                            "  server: " PYTHON(LISTENS "c.settimeout(1); c.recv(9)") //
                            "  client: " PYTHON(CONNECTS "s.recv(9)")                 //
                            "  expect: {server: {alive: false, exit: 1}}\n"
                            "- name: a limit of the listener's\n"
                            "  server: " PYTHON("s = socket.create_server(('127.0.0.1', {port})); "
                                                "s.setsockopt(1, 20, (1).to_bytes(8, 'little') + bytes(8)); "
                                                "c = s.accept()[0]; c.recv(9)") //
                            "  client: " PYTHON(CONNECTS "s.recv(9)")           //
                            "  expect: {server: {alive: false, exit: 1}}\n"
                            "- name: somebody who comes later\n"
                            "  programs:\n"
                            "    server: " PYTHON(LISTENS "s.accept()")     //
                            "    client: " PYTHON(CONNECTS "s.recv(9)")     //
                            "    late: " PYTHON("time.sleep(1); " CONNECTS) //
                            "  expect: {server: {alive: false, exit: 0}}\n")));
    CHECK_EXIT(run, 0);
    CHECK_HAS(run->out, "3 cases: 3 ok");
}

#define FETCH(fixture, fault)                                                                                \
    "  client: {run: \"{fixtures}/" fixture " -p {port}\", faults: [\"" fault "\"]}\n"
#define REPLIES "server: \"{fixtures}/reply-good -p {port}\"\n"

static void success_with_another_output_than_without_faults_is_found(void)
{
    static const char text[] = "name: wrong\n" REPLIES "cases:\n"
                               "- name: cut\n" FETCH("fetch-takes-cut-reply-as-whole", "%in:eof:bytes=512") //
        "- name: short\n" FETCH("fetch-takes-short-read-as-whole", "%in:short=112:when=1");
    struct it_child *run = it_tool(ARGV("run", it_file("wrong.yaml", text)));
    CHECK_EXIT(run, 1);
    CHECK_HAS(run->out,
              "error wrong-success: client: it ended with success, and its standard output is not what it is "
              "without faults: line 1 is \"received 500 bytes\", not \"received 1000 bytes\"");
    CHECK_HAS(run->out, it_text("main at fixtures/fetch-takes-cut-reply-as-whole.c:%u",
                                it_line_of("fixtures/fetch-takes-cut-reply-as-whole.c", "recv(fd")));
    CHECK_HAS(run->out, "line 1 is \"received 100 bytes\"");
    CHECK_HAS(run->out, "2 cases: 2 failed; 2 errors");
}

static void success_with_the_usual_output_is_left_alone(void)
{
    static const char text[] = "name: right\n" REPLIES "cases:\n"
                               "- name: the same\n" FETCH("fetch-good", "%in:short=1") //
        "- name: never the same\n"
        "  client: {run: [/bin/sh, -c, \"{fixtures}/fetch-good -p {port}; echo {dir}; "
        "od -An -N16 -tx1 /dev/urandom\"], faults: [\"%in:short=1\"]}\n"
        "- name: excused\n" FETCH("fetch-takes-cut-reply-as-whole", "%in:eof:bytes=512") //
        "  allow: {wrong-success: its mistake}\n"
        "- name: told\n" FETCH("fetch-takes-cut-reply-as-whole", "%in:eof:bytes=512") //
        "  expect: {client: {stdout: \"received 500 bytes\"}}\n"
        "- name: corrupted\n"
        "  server: \"{fixtures}/echo-good -p {port}\"\n"
        "  client: {run: [/usr/bin/python3, -c, \"import socket; "
        "s = socket.create_connection(('127.0.0.1', {port})); s.send(b'x'); print(s.recv(9))\"], "
        "faults: [\"%in:corrupt=1\"]}\n";
    struct it_child *run = it_tool(ARGV("run", it_file("right.yaml", text)));
    CHECK_EXIT(run, 0);
    CHECK_HAS(run->out, "5 cases: 5 ok");
}

static void output_that_varies_by_itself_is_not_judged(void)
{
    const char *count = it_file("count", "0");
    struct it_child *run = it_tool(
        ARGV("run",
             it_file("varies.yaml",
                     it_text("name: varies\n" REPLIES "cases:\n- name: measured\n"
                             "  client: {run: [/bin/sh, -c, \"{fixtures}/fetch-good -p {port}; n=$(cat %s); "
                             "echo $((n + 1)) >%s; test $n = 0 && echo slow || echo $n fast\"], "
                             "faults: [\"%%in:short=1\"]}\n",
                             count, count))));
    CHECK_EXIT(run, 0);
    CHECK_TEXT(it_read_file(count), "4\n");
}

IT_SUITE(outcome, TEST(a_case_does_not_wait_for_a_proven_hang),
         TEST(a_case_goes_on_where_somebody_may_end_a_proven_hang),
         TEST(programs_that_wait_for_each_other_are_proven_to_hang),
         TEST(programs_of_which_one_may_go_on_are_waited_for),
         TEST(success_with_another_output_than_without_faults_is_found),
         TEST(success_with_the_usual_output_is_left_alone), TEST(output_that_varies_by_itself_is_not_judged))
