/* tcpfault report: what was kept says the same again; and nothing that programs
 * write gets out of a format. */
#include "check.h"
#include "place.h"
#include "suite.h"
#include "under.h"

#include <jansson.h>
#include <signal.h>

static const char *const formats[] = {"term", "tap", "junit", "json", "sarif", "markdown", "html"};

enum { FORMATS = sizeof(formats) / sizeof(formats[0]) };

static const char three[] = "name: three\n"
                            "client: {run: [sh, -c, 'echo said; exit 4']}\n"
                            "cases:\n"
                            "- {name: good, expect: {client: {exit: 4}}}\n"
                            "- {name: bad, expect: {client: {exit: 0}}}\n"
                            "- {name: skipped, needs: no-such-program-anywhere}\n";

static const char *kept(void)
{
    return it_text("%s/kept", it_scratch());
}

static struct it_child *report(const char *run, const char *format)
{
    return it_run(
        &(struct it_command){.argv = ARGV(it_built("tcpfault"), "report", run, "--format", format)});
}

static void conforms(const char *json)
{
    CHECK_EXIT(
        it_run(&(struct it_command){
            .argv = ARGV("/usr/bin/python3", "-c",
                         "import json, sys, jsonschema\n"
                         "jsonschema.validate(json.load(open(sys.argv[2])), json.load(open(sys.argv[1])))",
                         it_source("harness/run.schema.json"), json)}),
        0);
}

static void a_kept_run_is_told_as_it_was(void)
{
    const char *scenario = it_file("three.yaml", three);
    struct it_child *run = it_run(&(struct it_command){
        .argv = ARGV(it_built("tcpfault"), "run", "--output", kept(), "--format", "json", scenario)});
    CHECK_EXIT(run, 1);
    const char *json = it_file("run.json", run->out);
    conforms(json);
    for (int i = 0; i < FORMATS; i++) {
        struct it_child *first = report(kept(), formats[i]), *second = report(json, formats[i]);
        CHECK_EXIT(first, 0);
        CHECK_TEXT(second->out, first->out);
        CHECK_HAS(first->out, "bad");
    }
    CHECK_TEXT(report(kept(), "json")->out, run->out);
    const char *tap = it_text("%s/r.tap", it_scratch()), *xml = it_text("%s/r.xml", it_scratch());
    struct it_child *several = it_run(
        &(struct it_command){.argv = ARGV(it_built("tcpfault"), "report", "-o", tap, "-o", xml, kept())});
    CHECK_EXIT(several, 0);
    CHECK_TEXT(several->out, "");
    CHECK_HAS(it_read_file(tap), "not ok 2 - three: bad\n");
    CHECK_HAS(it_read_file(xml), "<testsuites name=\"tcpfault\" tests=\"3\" failures=\"1\"");
}

/* It is on disk as it happens: what a killed run had done can be told. */
static void a_run_that_was_killed_tells_of_what_had_ended(void)
{
    const char *scenario =
        it_file("slow.yaml", "cases:\n- {name: a, client: 'true'}\n- {name: b, client: 'true'}\n"
                             "- {name: slow, client: sleep 60}\n");
    struct it_child *run = it_start(&(struct it_command){
        .argv = ARGV(it_built("tcpfault"), "run", "--output", kept(), "--format", "tap", scenario)});
    CHECK(it_says(run, "ok 2 - slow: b\n"));
    kill(run->pid, SIGKILL);
    it_finish(run);
    struct it_child *told = report(kept(), "term");
    CHECK_EXIT(told, 0);
    CHECK_HAS(told->out, "2 cases: 2 ok; ");
}

static void what_inject_kept_is_told_too(void)
{
    struct it_child *inject = it_run(
        &(struct it_command){.argv = ARGV(it_built("tcpfault"), "inject", "--output", kept(),
                                          "connect:error=ETIMEDOUT:when=1", "--", "/usr/bin/python3", "-c",
                                          "import socket; socket.create_connection(('127.0.0.1', 1))")});
    CHECK_EXIT(inject, 1);
    struct it_child *told = report(kept(), "json");
    CHECK_EXIT(told, 0);
    conforms(it_file("inject.json", told->out));
    CHECK_HAS(told->out, "\"fault\": \"error=ETIMEDOUT\"");
    CHECK_HAS(told->out, "\"calls\": \"connect\"");
    CHECK_HAS(told->out, "connect(3, 127.0.0.1:1) = -1 ETIMEDOUT (injected: rule 1)");
    CHECK_HAS(told->out, "ended with status 1");
    CHECK_HAS(told->out, " -- /usr/bin/python3 -c 'import socket; socket");
    CHECK_HAS(told->out, "\"SYN_SENT CLOSE\"");
    CHECK_HAS(told->out, "\"state\": \"CLOSE\"");
}

static void what_is_no_run_is_refused_by_name(void)
{
    static const struct {
        const char *text, *says;
    } wrong[] = {
        {"{", "wrong.json:1:"},
        {"{}", "not a run of version 1: expected an object with \"version\" and \"cases\""},
        {"{\"version\": 1, \"cases\": [{\"version\": 1}]}", "case 1: not a result of version 1"},
        {"{\"version\": 1, \"cases\": [{\"version\": 1, \"status\": \"fine\"}]}",
         "case 1: \"fine\" is no status"},
        {"{\"version\": 1, \"cases\": [{\"version\": 1, \"status\": \"ok\", \"findings\": [{}]}]}",
         "case 1: a finding without a check"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct it_child *child = report(it_file("wrong.json", wrong[i].text), "term");
        CHECK_EXIT(child, 2);
        CHECK_HAS(child->err, wrong[i].says);
    }
    CHECK_EXIT(report(it_scratch(), "term"), 2);
    CHECK_HAS(report(it_scratch(), "term")->err, "there is no run.json in it");
    CHECK_EXIT(report(it_text("%s/nowhere", it_scratch()), "term"), 2);
    struct it_child *format = report(it_scratch(), "xml");
    CHECK_EXIT(format, 2);
    CHECK_HAS(format->err, "unknown format \"xml\"; expected term, tap, ");
}

/* A program that writes markup, terminal escapes, zeros, and a line of 10 MB, and then
 * does something else. */
static const char *hostile(const char *then)
{
    return it_file("hostile.py",
                   it_text("import os, socket, sys\n"
                           "sys.stdout.buffer.write(b'<script>alert(1)</script>]]>&lt;' + b'x' * "
                           "10000000 + b'</script><!--\\x1b[31m\\0\\xff|`')\n"
                           "sys.stdout.flush()\n%s",
                           then));
}

static void tells_it_harmlessly(const char *format)
{
    struct it_child *told = report(kept(), format);
    CHECK_EXIT(told, 0);
    CHECK_INT(strlen(told->out), told->out_length); /* no zero */
    CHECK(told->out_length < 1 << 20);
    CHECK_SAYING(strchr(told->out, 0x1b) == NULL && strchr(told->out, 0xff) == NULL, format);
    const char *file = it_file(format, told->out);
    if (strcmp(format, "junit") == 0)
        CHECK_EXIT(it_run(&(struct it_command){
                       .argv = ARGV("xmllint", "--noout", "--schema", it_source("tests/junit.xsd"), file)}),
                   0);
    if (strcmp(format, "json") == 0)
        conforms(file);
    if (strcmp(format, "sarif") == 0) {
        json_t *json = json_load_file(file, 0, NULL);
        CHECK(json != NULL);
        json_decref(json);
    }
}

static void hostile_output_breaks_no_format(void)
{
    const char *scenario =
        it_file("hostile.yaml", it_text("name: hostile <script>alert(1)</script>\n"
                                        "client: /usr/bin/python3 %s\n"
                                        "expect: {client: {exit: 1, stdout: 'nothing </script><script>'}}\n",
                                        hostile("")));
    struct it_child *run = it_run(&(struct it_command){
        .argv = ARGV(it_built("tcpfault"), "run", "--output", kept(), "--quiet", scenario),
        .deadline_s = 40});
    CHECK_EXIT(run, 1);
    for (int i = 0; i < FORMATS; i++)
        tells_it_harmlessly(formats[i]);
}

/* Of one command: its words, and what it sends and receives. */
static void what_inject_saw_breaks_no_format(void)
{
    const char *program = hostile("a, b = socket.socket(), socket.socket()\n"
                                  "a.bind(('127.0.0.1', 0)); a.listen()\n"
                                  "b.connect(a.getsockname()); c, _ = a.accept()\n"
                                  "c.send(b'</script><script>\\x1b[31m\\0\\xff')\n"
                                  "b.recv(99)\nos.abort()\n");
    CHECK_EXIT(it_run(&(struct it_command){.argv = ARGV(it_built("tcpfault"), "inject", "--check", "-q",
                                                        "--output", kept(), "%in:short=24", "--",
                                                        "/usr/bin/python3", program, "</script>\x1b[31m\xff"),
                                           .deadline_s = 40}),
               1);
    for (int i = 0; i < FORMATS; i++)
        tells_it_harmlessly(formats[i]);
    CHECK_HAS(report(kept(), "json")->out, "\"check\": \"killed\"");
}

/* A battery's verdicts. */
static void what_check_came_to_is_told_in_every_format(void)
{
    const char *program = hostile("os.execv(sys.argv[1], sys.argv[1:])\n");
    CHECK_EXIT(
        it_run(&(struct it_command){
            .argv = ARGV(it_built("tcpfault"), "check", "client", "--output", kept(), "-q", "--only",
                         "client/reading/*", "--peer",
                         it_text("%s -p {port}", it_built("fixtures/reply-good")), "--", "/usr/bin/python3",
                         program, it_built("fixtures/fetch-takes-cut-reply-as-whole"), "-p", "{port}"),
            .deadline_s = 120}),
        1);
    for (int i = 0; i < FORMATS; i++)
        tells_it_harmlessly(formats[i]);
    CHECK_HAS(report(kept(), "term")->out, "; without faults 1 connection, 1012 bytes received, 4 sent\n");
    const char *json = report(kept(), "json")->out;
    static const char *const verdicts[] = {"pass", "finding", "not applicable"};
    for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
        CHECK_HAS(json, it_text("\"verdict\": \"%s\"", verdicts[i]));
}

static void a_fault_that_was_never_delivered_is_told_in_every_format(void)
{
    CHECK_EXIT(it_tool(ARGV("inject", "--output", kept(), "connect:error=ECONNREFUSED:conn=7", "--",
                            it_built("tcpfault"), "--version")),
               3);
    for (int i = 0; i < FORMATS; i++) {
        struct it_child *told = report(kept(), formats[i]);
        CHECK_HAS(told->out, "conn=7");
        CHECK_HAS(told->out, "unfired");
    }
    json_t *sarif = json_loads(report(kept(), "sarif")->out, 0, NULL);
    json_t *run = json_array_get(json_object_get(sarif, "runs"), 0);
    CHECK_INT(json_array_size(json_object_get(run, "results")), 1);
    json_decref(sarif);
}

IT_SUITE(report, TEST(a_kept_run_is_told_as_it_was), TEST(a_run_that_was_killed_tells_of_what_had_ended),
         TEST(what_inject_kept_is_told_too), TEST(what_is_no_run_is_refused_by_name),
         TEST(hostile_output_breaks_no_format), TEST(what_inject_saw_breaks_no_format),
         TEST(what_check_came_to_is_told_in_every_format),
         TEST(a_fault_that_was_never_delivered_is_told_in_every_format))
