/* tcpfault inject and trace, as a user types them. */
#include "check.h"
#include "net.h"
#include "place.h"
#include "suite.h"
#include "under.h"

#include <signal.h>
#include <unistd.h>

static int lines(const char *text)
{
    int count = 0;
    for (; *text; text++)
        count += *text == '\n';
    return count;
}

static struct it_child *inject(const char *rules, const char *const *argv)
{
    return it_under_run(&(struct it_under){.way = IT_INJECT, .rules = rules, .argv = argv});
}

static void curl_says_7_when_its_first_connect_is_refused(void)
{
    const char *url = it_text("http://127.0.0.1:%d/", it_http_peer(100));
    struct it_child *child = inject("connect:error=ECONNREFUSED:when=1", ARGV("curl", "-sS", url));

    CHECK_EXIT(child, 7);
    CHECK_HAS(child->err, "rule 1 fired once: connect");
    CHECK_EXIT(it_run(&(struct it_command){.argv = ARGV("curl", "-sS", url)}), 0);
}

static void curl_says_18_when_the_reply_is_cut(void)
{
    const char *url = it_text("http://127.0.0.1:%d/", it_http_peer(100000));
    struct it_child *child = inject("%in:eof:bytes=1000", ARGV("curl", "-sS", url));

    CHECK_EXIT(child, 18);
    CHECK_INT(child->out_length, 1000 - (int)strlen("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"));
    CHECK(it_is_pattern(child->out, child->out_length));
}

static void redis_answers_the_second_client_after_the_first_was_aborted(void)
{
    int port = it_port();
    struct it_child *child = it_under_start(&(struct it_under){
        .way = IT_INJECT,
        .rules = "accept4:error=ECONNABORTED:when=1",
        .argv = ARGV("redis-server", "--port", it_text("%d", port), "--bind", "127.0.0.1", "--save", "")});
    if (!it_listens(child, port))
        return;
    CHECK_TEXT(it_ask(it_connect(port), "PING\r\n", "\n"), "ECONNRESET");
    CHECK_HAS(it_ask(it_connect(port), "PING\r\n", "\n"), "+PONG");
    it_ask(it_connect(port), "SHUTDOWN NOSAVE\r\n", "\n");
    CHECK_EXIT(it_finish(child), 0);
}

static void a_megabyte_comes_through_one_byte_at_a_time(void)
{
    enum { SIZE = 1 << 20 };
    int port = it_port();
    char *value = it_memory(SIZE + 1);
    for (size_t i = 0; i < SIZE; i++)
        value[i] = it_pattern(i);

    struct it_child *server = it_under_start(&(struct it_under){
        .way = IT_INJECT,
        .rules = "%out:short=1",
        .deadline_s = 90,
        .argv = ARGV("redis-server", "--port", it_text("%d", port), "--bind", "127.0.0.1", "--save", "")});
    if (!it_listens(server, port))
        return;
    struct it_child *set = it_run(&(struct it_command){
        .argv = ARGV("sh", "-c", it_text("redis-cli -p %d -x SET key <%s", port, it_file("value", value)))});
    CHECK_HAS(set->out, "OK");
    struct it_child *get = it_start(&(struct it_command){
        .argv = ARGV("redis-cli", "-p", it_text("%d", port), "GET", "key"), .deadline_s = 90});
    struct it_child *curl = it_under_run(
        &(struct it_under){.way = IT_INJECT,
                           .rules = "%in:short=1",
                           .deadline_s = 90,
                           .argv = ARGV("curl", "-sS", it_text("http://127.0.0.1:%d/", it_http_peer(SIZE)))});
    CHECK_EXIT(curl, 0);
    CHECK_INT(curl->out_length, SIZE);
    CHECK(it_is_pattern(curl->out, curl->out_length));
    it_finish(get);
    CHECK_INT(get->out_length, SIZE + 1);
    CHECK(it_is_pattern(get->out, get->out_length - 1));
}

static void a_misspelt_rule_is_refused_before_anything_runs(void)
{
    struct it_child *child = inject("conect:error=ECONNREFUSED", ARGV("echo", "ran"));
    CHECK_EXIT(child, 2);
    CHECK_HAS(child->err, "did you mean \"connect\"?");
    CHECK_TEXT(child->out, "");
    child = inject("connect:error=EPIPE", ARGV("echo", "ran"));
    CHECK_EXIT(child, 2);
    CHECK_HAS(child->err, "ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH");
    CHECK_TEXT(child->out, "");
    child = inject("recv:error=EBADFD", ARGV("echo", "ran"));
    CHECK_EXIT(child, 2);
    CHECK_HAS(child->err, "EBADF");
}

static const char *const bad_rules[] = {
#define BAD(text, at, message) text,
#include "../unit/bad_rules.def"
#undef BAD
};

static void every_malformed_rule_is_one_clear_error(void)
{
    size_t refused = 0;
    for (size_t i = 0; i < sizeof bad_rules / sizeof *bad_rules; i++) {
        if (strchr(bad_rules[i], ';')) /* two rules, on a command line */
            continue;
        struct it_child *child = it_tool(ARGV("inject", bad_rules[i], "--", "echo", "ran"));
        CHECK_SAYING(child->exit == 2 && *child->out == 0,
                     it_text("\"%s\": exit %d, %s%s", bad_rules[i], child->exit, child->out, child->err));
        /* the message, the rule, a mark below its place */
        CHECK_SAYING(strncmp(child->err, "tcpfault: ", 10) == 0 && lines(child->err) <= 3,
                     it_text("\"%s\": %s", bad_rules[i], child->err));
        refused += child->exit == 2;
    }
    CHECK(refused >= 60);
}

static void a_rule_that_never_fired_is_said_and_is_status_3(void)
{
    struct it_child *child = inject("connect:error=ECONNREFUSED", ARGV("true"));
    CHECK_EXIT(child, 3);
    CHECK_HAS(child->err, "connect:error=ECONNREFUSED");
    CHECK_HAS(child->err, "never fired");
    child =
        inject("accept:error=EMFILE;connect:error=ECONNREFUSED", it_probe_argv("l.listen c.tcp c.connect"));
    CHECK_EXIT(child, 3);
    CHECK_HAS(child->err, "\"accept:error=EMFILE\", never fired");
    CHECK(!strstr(child->err, "\"connect:error=ECONNREFUSED\", never fired"));
    child =
        it_tool(ARGV("inject", "--allow-unfired", "connect:error=ECONNREFUSED", "--", "sh", "-c", "exit 5"));
    CHECK_EXIT(child, 5);
    /* a rule for accept, a program that calls accept4 */
    child = inject("accept:error=EMFILE", it_probe_argv("l.listen c.tcp c.connect l.accept4"));
    CHECK_EXIT(child, 3);
}

static void a_fault_that_could_not_happen_is_said_with_the_reason(void)
{
    struct it_child *child = inject("recv:error=EINTR", it_probe_argv("pair c.nb c.recv:1"));
    CHECK_EXIT(child, 3);
    CHECK_HAS(child->err, "EINTR cannot happen on a descriptor that does not block");
    CHECK_TEXT(child->out, "c.recv=EAGAIN");
}

static void the_commands_own_status_and_output_pass_through(void)
{
    struct it_child *child = inject(
        "connect:error=ECONNREFUSED",
        ARGV("sh", "-c", it_text("%s l.listen c.tcp c.connect; echo err >&2; exit 42", it_program("probe"))));
    CHECK_EXIT(child, 42);
    CHECK_TEXT(child->out, "c.connect=ECONNREFUSED");
    CHECK_HAS(child->err, "err\n");
    CHECK_EXIT(it_tool(ARGV("inject", "--allow-unfired", "connect:error=ECONNREFUSED", "--", "sh", "-c",
                            "kill -TERM $$")),
               128 + 15);
    child = it_run(&(struct it_command){
        .argv = ARGV(it_built("tcpfault"), "inject", "--allow-unfired", "recv:eof", "--", "cat"),
        .input = "what comes in\n"});
    CHECK_EXIT(child, 0);
    CHECK_TEXT(child->out, "what comes in\n");
}

static void the_same_seed_gives_the_same_events_in_20_of_20_runs(void)
{
    const char *script = "pair s.send:#500", *first = NULL;
    for (int i = 0; i < 20; i++)
        script = it_text("%s c.recv:7 c.send:xy", script);
    for (int i = 0; i < 20; i++) {
        const char *out = it_text("%s/trace-%d", it_scratch(), i);
        const char *argv[160] = {it_built("tcpfault"),
                                 "inject",
                                 "--seed=9",
                                 "--output",
                                 out,
                                 "--quiet",
                                 "%in:error=ENOMEM:prob=0.3:role=client",
                                 "%out:short=1:prob=0.3:role=client",
                                 "--"};
        const char *const *probe = it_probe_argv(script);
        for (size_t n = 9; *probe && n < 159;)
            argv[n++] = *probe++;
        struct it_child *child = it_run(&(struct it_command){.argv = argv});
        CHECK_EXIT(child, 0);
        if (child->exit != 0)
            return;
        /* what differs: times, processes, addresses, sockets */
        struct it_child *masked = it_run(&(struct it_command){
            .argv = ARGV("sed", "-E", "-e",
                         "s/\"(time_ns|pid|tid|duration_ns|socket|local|peer)\":(\"[^\"]*\"|[0-9]+)//g", "-e",
                         "s/127.0.0.1:[0-9]+|0x[0-9a-f]{8,}//g", it_text("%s/events.jsonl", out))});
        CHECK_HAS(masked->out, "ENOMEM");
        if (!first)
            first = masked->out;
        CHECK_TEXT(masked->out, first);
    }
}

static void another_seed_gives_other_events_and_a_missing_one_is_printed(void)
{
    const char *argv[160] = {"inject", "--verbose", "recv:error=ENOMEM:prob=0.5", "--"};
    const char *const *probe =
        it_probe_argv("pair s.send:x c.recv:1:peek c.recv:1:peek c.recv:1:peek c.recv:1:peek c.recv:1:peek "
                      "c.recv:1:peek c.recv:1:peek c.recv:1:peek");
    for (size_t n = 4; *probe && n < 159;)
        argv[n++] = *probe++;
    struct it_child *child = it_tool(argv);
    CHECK_HAS(child->err, "seed");
}

static void a_time_limit_ends_a_command_that_runs_for_ever(void)
{
    struct it_child *child =
        it_tool(ARGV("inject", "--for", "300ms", "--allow-unfired", "recv:eof", "--", "sleep", "60"));
    CHECK_EXIT(child, 0);
    /* one that will not hear of it */
    child = it_tool(ARGV("inject", "--for", "300ms", "--allow-unfired", "recv:eof", "--", "sh", "-c",
                         "trap '' TERM; while :; do sleep 60; done"));
    CHECK(!child->late);
    child = it_tool(ARGV("inject", "--timeout", "300ms", "--allow-unfired", "recv:eof", "--", "sleep", "60"));
    CHECK_EXIT(child, 1);
    CHECK_HAS(child->err, "sleep");
}

static void trace_prints_calls_as_strace_would(void)
{
    struct it_child *child = it_tool(
        ARGV("trace", "--", it_program("probe"), "pair", "s.send:hello", "c.recv:9", "c.nb", "c.recv:9"));
    CHECK_EXIT(child, 0);
    CHECK_TEXT(child->out, "s.send=5 c.recv=5:hello c.recv=EAGAIN");
    CHECK_HAS(child->err, "socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 3");
    CHECK_HAS(child->err, "listen(3<TCP 127.0.0.1:");
    CHECK_HAS(child->err, ", \"hello\", 5, 0) = 5");
    CHECK_HAS(child->err, ", \"hello\", 9, 0) = 5");
    CHECK_HAS(child->err, "= -1 EAGAIN");
    CHECK_HAS(child->err, "fcntl(4<TCP 127.0.0.1:");
    CHECK_INT(lines(child->err), 10);
}

static void trace_prints_an_object_a_line(void)
{
    struct it_child *child =
        it_tool(ARGV("trace", "--format", "json", "-o", it_text("%s/trace", it_scratch()), "--",
                     it_program("probe"), "pair", "s.send:hello", "c.recv:9"));
    CHECK_EXIT(child, 0);
    const char *program = "import json, sys\n"
                          "rows = [json.loads(line) for line in open(sys.argv[1])]\n"
                          "print([(row['call'], row['result']) for row in rows])\n";
    child = it_run(&(struct it_command){
        .argv = ARGV("/usr/bin/python3", "-c", program, it_text("%s/trace", it_scratch()))});
    CHECK_TEXT(child->out, "[('socket', 3), ('bind', 0), ('listen', 0), ('socket', 4), ('connect', 0), "
                           "('accept', 5), ('send', 5), ('recv', 5)]\n");
}

static void nothing_of_a_run_outlives_it(void)
{
    const char *mark = it_text("98765.%d", (int)getpid());
    const char *daemon =
        it_text("setsid sh -c 'sleep %s & exec sleep %s' >/dev/null 2>&1 </dev/null &", mark, mark);
    struct it_child *child = it_tool(ARGV("inject", "--allow-unfired", "recv:eof", "--", "sh", "-c", daemon));
    CHECK_EXIT(child, 0);
    CHECK_INT(it_processes_with(mark), 0);
}

static void killing_the_tool_kills_all_that_it_started(void)
{
    const char *mark = it_text("87654.%d", (int)getpid());
    const char *daemon = it_text("setsid sh -c 'sleep %s & exec sleep %s' & sleep %s", mark, mark, mark);
    struct it_child *child = it_under_start(
        &(struct it_under){.way = IT_INJECT, .rules = "recv:eof", .argv = ARGV("sh", "-c", daemon)});
    uint64_t end = it_now_ns() + UINT64_C(10000000000);

    while (it_processes_with(it_text("sleep\t%s", mark)) < 3 && it_now_ns() < end)
        it_pause();
    CHECK_INT(it_processes_with(it_text("sleep\t%s", mark)), 3);
    kill(child->pid, SIGKILL);
    it_finish(child);
    while (it_processes_with(mark) > 0 && it_now_ns() < end)
        it_pause();
    CHECK_INT(it_processes_with(mark), 0);
}

static void usage_errors_are_status_2(void)
{
    static const char *const wrong[][4] = {{NULL},
                                           {"frob", NULL},
                                           {"inject", NULL},
                                           {"inject", "recv:eof", NULL},
                                           {"inject", "--frob", NULL},
                                           {"run", NULL},
                                           {"trace", NULL},
                                           {"list", NULL},
                                           {"list", "frob", NULL},
                                           {"inject", "--for", "abc", NULL}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct it_child *child = it_tool(wrong[i]);
        CHECK_EXIT(child, 2);
        CHECK(child->err_length > 0);
    }
    CHECK_EXIT(it_tool(ARGV("--help")), 0);
    CHECK_EXIT(it_tool(ARGV("list", "calls")), 0);
}

IT_SUITE(command, TEST(curl_says_7_when_its_first_connect_is_refused),
         TEST(curl_says_18_when_the_reply_is_cut),
         TEST(redis_answers_the_second_client_after_the_first_was_aborted),
         TEST(a_megabyte_comes_through_one_byte_at_a_time),
         TEST(a_misspelt_rule_is_refused_before_anything_runs), TEST(every_malformed_rule_is_one_clear_error),
         TEST(a_rule_that_never_fired_is_said_and_is_status_3),
         TEST(a_fault_that_could_not_happen_is_said_with_the_reason),
         TEST(the_commands_own_status_and_output_pass_through),
         TEST(the_same_seed_gives_the_same_events_in_20_of_20_runs),
         TEST(another_seed_gives_other_events_and_a_missing_one_is_printed),
         TEST(a_time_limit_ends_a_command_that_runs_for_ever), TEST(trace_prints_calls_as_strace_would),
         TEST(trace_prints_an_object_a_line), TEST(nothing_of_a_run_outlives_it),
         TEST(killing_the_tool_kills_all_that_it_started), TEST(usage_errors_are_status_2))
