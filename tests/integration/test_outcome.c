/* What success is worth, beside the same case without faults. */
#include "check.h"
#include "place.h"
#include "suite.h"
#include "under.h"

#include <jansson.h>

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
    CHECK_HAS(run->out, "1 connection, 512 bytes received, 4 sent; without faults 1 connection, 1012 bytes "
                        "received, 4 sent\n");
    CHECK_HAS(run->out, "1 connection, 4 bytes received, 1012 sent; as without faults\n");
}

/* Also where an expectation has failed: as the same case does without its faults. */
static void a_failed_case_shows_what_is_usual(void)
{
    static const char text[] = "name: told\n" REPLIES "expect: {client: {exit: 0, stdout: 1000}}\n"
                               "cases:\n- name: eintr\n" FETCH("fetch-eintr-is-fatal",
                                                               "%in:error=EINTR:when=1") //
        "- name: reset\n" FETCH("fetch-good", "%in:reset:bytes=512")                     //
        "- name: by itself\n  client: {run: [/bin/sh, -c, 'exit 3'], faults: [\"%in:short=1\"]}\n";
    struct it_child *run = it_tool(ARGV("run", "--format", "json", it_file("told.yaml", text)));
    CHECK_EXIT(run, 3); /* nothing struck in the last one */
    json_t *json = json_loads(run->out, 0, NULL), *cases = json_object_get(json, "cases");
    for (size_t i = 0; i < 3; i++) {
        json_t *client = json_array_get(json_object_get(json_array_get(cases, i), "programs"), 1);
        json_t *usual = json_object_get(client, "without_faults"), *tcp = json_object_get(usual, "tcp");
        const char *end = json_string_value(json_object_get(usual, "end"));
        CHECK_TEXT(end != NULL ? end : "", i < 2 ? "exited with status 0" : "");
        CHECK_INT(json_integer_value(json_object_get(tcp, "received")), i < 2 ? 1012 : 0);
        CHECK_INT(json_integer_value(json_object_get(json_object_get(client, "tcp"), "received")),
                  i == 1 ? 512 : 0);
    }
    json_decref(json);
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

IT_SUITE(outcome, TEST(success_with_another_output_than_without_faults_is_found),
         TEST(a_failed_case_shows_what_is_usual), TEST(success_with_the_usual_output_is_left_alone),
         TEST(output_that_varies_by_itself_is_not_judged))
