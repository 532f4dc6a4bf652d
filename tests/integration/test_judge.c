/* What a run says of a program that nobody told it to look at. */
#include "check.h"
#include "net.h"
#include "place.h"
#include "suite.h"
#include "under.h"

#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum peer { NOBODY, REPLY, PAIRS_PEER, ECHO, HOLD, TWICE, RESET, HALF_CLOSE, MANY, SEVERAL, LONG_REQUEST };

struct judged {
    const char *check, *rule, *lasting;
    enum peer peer;
    const char *buggy, *code, *good;
    const char *scenario; /* NULL: it is injected into */
};

#define CLIENT(rule) "client: {run: '{fixtures}/$ -p {port}', faults: '" rule "'}"

static const struct judged judged[] = {
#define JUDGED(check, rule, lasting, peer, buggy, code, good)                                                \
    {#check, rule, lasting, peer, buggy, code, good, NULL},
#define SCENARIO(check, scenario, buggy, code, good)                                                         \
    {#check, "a scenario", "", NOBODY, buggy, code, good, scenario},
#include "judged.def"
#undef JUDGED
#undef SCENARIO
};

enum { JUDGED_COUNT = sizeof judged / sizeof *judged };

static void ends(int fd, bool by_reset)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    if (by_reset)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(fd);
}

static void meet(enum peer peer, int port)
{
    static const char request[] = "GET\nand much more that nobody reads";
    int count = peer == MANY ? 10 : peer == SEVERAL ? 6 : peer == TWICE ? 3 : 1;
    for (int i = 0; i < count; i++) {
        int fd = it_connect(port);
        if (fd < 0)
            continue;
        if (peer == HOLD || peer == MANY || peer == TWICE)
            it_holds(fd);
        if (peer == MANY || peer == TWICE)
            continue;
        if (peer == HOLD)
            send(fd, "hi", 2, MSG_NOSIGNAL);
        else
            it_ask(fd, peer == LONG_REQUEST ? request : "hello\n", "hello\n");
        if (peer == HALF_CLOSE) {
            shutdown(fd, SHUT_WR);
            it_holds(fd);
        } else if (peer != HOLD) {
            ends(fd, peer == RESET);
        }
    }
}

/* Answers each eight bytes with eight, once they are there. */
static void *serve_pairs(void *listener)
{
    char pair[8];
    int fd = accept((int)(intptr_t)listener, NULL, NULL);
    while (fd >= 0 && recv(fd, pair, sizeof pair, MSG_WAITALL) == sizeof pair)
        if (send(fd, pair, sizeof pair, MSG_NOSIGNAL) < 0)
            break;
    close(fd);
    return NULL;
}

static int pairs_peer(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pthread_t thread;
    it_holds(listener);
    CHECK(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    CHECK(pthread_create(&thread, NULL, serve_pairs, (void *)(intptr_t)listener) == 0);
    pthread_detach(thread);
    return ntohs(address.sin_port);
}

static int port_for(enum peer peer, struct it_child **server)
{
    *server = NULL;
    if (peer == PAIRS_PEER)
        return pairs_peer();
    int port = it_port();
    if (peer == REPLY) {
        *server = it_start(
            &(struct it_command){.argv = ARGV(it_built("fixtures/reply-good"), "-p", it_text("%d", port))});
        it_listens(*server, port);
    }
    return port;
}

static struct it_child *run_scenario(const struct judged *row, const char *fixture)
{
    const char *gap = strchr(row->scenario, '$');
    const char *file = it_file(
        "judged.yaml", it_text("%.*s%s%s\n", (int)(gap - row->scenario), row->scenario, fixture, gap + 1));
    return it_tool(ARGV("run", file));
}

/* One fixture under the rule, its peers with it, to the end. */
static struct it_child *try(const struct judged *row, const char *fixture, bool good)
{
    struct it_child *server;
    if (row->scenario)
        return run_scenario(row, fixture);
    /* A client that needs somebody who answers fares well with reply-good. */
    int port = port_for(good && row->peer == PAIRS_PEER ? REPLY : row->peer, &server);
    const char *program = it_built(it_text("fixtures/%s", fixture)), *number = it_text("%d", port);
    const char *quiet = "exec \"$@\" 2>/dev/null"; /* messages at machine speed fill what is kept */
    const char *const *argv =
        strcmp(row->check, "accept-spin") == 0
            ? ARGV(it_built("tcpfault"), "inject", "--allow-unfired", "--check", "--for", "15s", row->rule,
                   "--", "/bin/sh", "-c", quiet, fixture, program, "-p", number)
        : *row->lasting ? ARGV(it_built("tcpfault"), "inject", "--allow-unfired", "--check", "--for", "15s",
                               row->rule, "--", program, "-p", number)
                        : ARGV(it_built("tcpfault"), "inject", "--allow-unfired", "--check", row->rule, "--",
                               program, "-p", number, "-t", "1500");
    struct it_child *child = it_start(&(struct it_command){.argv = argv});
    if (*row->lasting && it_listens(child, port)) {
        meet(row->peer, port);
        it_attend(child, atof(row->lasting));
        kill(child->pid, SIGTERM);
    }
    return it_finish(child);
}

/* What the tool said: `run` reports on its standard output. */
static const char *said(const struct it_child *child)
{
    return it_text("%s%s", child->err, child->out);
}

/* What it found, a line each; "" where there is nothing. */
static const char *found(const struct it_child *child)
{
    static const char *const words[] = {"error ", "warning ", "note "};
    const char *line = said(child);
    char *all = it_memory(strlen(line) + 1), *to = all;
    for (; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *word = line + strspn(line, " ");
        word += strncmp(word, "tcpfault: ", 10) == 0 ? 10 : 0;
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (strncmp(word, words[i], strlen(words[i])) == 0)
                to = mempcpy(to, line, strcspn(line, "\n") + 1);
    }
    *to = 0;
    return all;
}

static void catches(const struct judged *row)
{
    const struct it_child *child = try(row, row->buggy, false);
    const char *finding = strstr(said(child), it_text(" %s: ", row->check));
    CHECK_SAYING(finding,
                 it_text("%s: no %s under %s:\n%.3000s", row->buggy, row->check, row->rule, said(child)));
    if (!finding)
        return;
    unsigned line = it_line_of(it_text("fixtures/%s.c", row->buggy), row->code);
    const char *site = it_text("fixtures/%s.c:%u", row->buggy, line), *end = strstr(finding, "  why ");
    const char *at = strstr(finding, site);
    CHECK_SAYING(line && at && end && at < end,
                 it_text("%s: %s is not at %s:\n%.3000s", row->buggy, row->check, site, finding));
}

static void leaves_alone(const struct judged *row)
{
    const struct it_child *child = try(row, row->good, true);
    const char *found_ = found(child);
    CHECK_SAYING(!*found_, it_text("%s under %s:\n%.3000s", row->good, row->rule, found_));
    /* 2 and 3: it was not tried. */
    CHECK_SAYING(child->exit != 2 && child->exit != 3, said(child));
}

static void each_check_catches_its_fixture_at_the_line(void)
{
    const char *only = getenv("TF_JUDGED");
    for (size_t i = 0; i < JUDGED_COUNT; i++)
        if (!only || strcmp(only, judged[i].check) == 0)
            catches(&judged[i]);
}

static void each_check_leaves_the_good_fixture_alone(void)
{
    const char *only = getenv("TF_JUDGED");
    for (size_t i = 0; i < JUDGED_COUNT; i++)
        if (!only || strcmp(only, judged[i].check) == 0)
            leaves_alone(&judged[i]);
}

/* Under a lasting EMFILE, with a client that waits. */
static struct it_child *short_of_descriptors(const char *const *argv, int port)
{
    const char *words[32] = {it_built("tcpfault"),   "inject", "--check", "--for", "2500ms",
                             "%accept:error=EMFILE", "--"};
    size_t count = 7;
    for (; *argv; argv++)
        words[count++] = *argv;
    struct it_child *child = it_start(&(struct it_command){.argv = words});
    if (it_listens(child, port))
        meet(HOLD, port);
    return it_finish(child);
}

static void a_lasting_emfile_makes_redis_spin_and_not_nginx_nor_memcached(void)
{
    const char *ports[3];
    for (int i = 0; i < 3; i++)
        ports[i] = it_text("%d", it_port());
    struct it_child *redis = short_of_descriptors(
        ARGV("redis-server", "--port", ports[0], "--save", "", "--logfile", "/dev/null"), atoi(ports[0]));
    CHECK_EXIT(redis, 1);
    CHECK_HAS(redis->err, "accept-spin: redis-server: accept4 gave EMFILE");
    CHECK_HAS(redis->err, "calls a second, ");
    CHECK_HAS(redis->err, "% of a CPU");
    const char *conf = it_file("nginx.conf", it_text("daemon off; master_process off; error_log /dev/null;"
                                                     "pid %s/nginx.pid; events {} http { access_log off;"
                                                     "server { listen 127.0.0.1:%s; } }",
                                                     it_scratch(), ports[1]));
    struct it_child *nginx = short_of_descriptors(ARGV("nginx", "-c", conf), atoi(ports[1]));
    CHECK_EXIT(nginx, 0);
    CHECK_TEXT(found(nginx), "");
    struct it_child *memcached = short_of_descriptors(
        ARGV("memcached", "-p", ports[2], "-u", "nobody", "-l", "127.0.0.1"), atoi(ports[2]));
    CHECK_EXIT(memcached, 0);
    CHECK_TEXT(found(memcached), "");
}

static void a_sanitizers_report_is_found_at_its_line(void)
{
    static const char *const programs[] = {"asan_gcc", "asan_clang"};
    const char *source = "tests/integration/programs/sanitized.h";
    const char *site = it_text("%s:%u\n", source, it_line_of(source, "recv(end[0], data, length, 0)"));
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        const char *file =
            it_file("sanitized.yaml", it_text("client: {run: '%s overrun', env: {ASAN_OPTIONS: "
                                              "verify_asan_link_order=0}}\n",
                                              it_program(programs[i])));
        const char *text = said(it_tool(ARGV("run", file))), *finding = strstr(text, " sanitizer: ");
        const char *at = finding ? strstr(finding, "\n      at    main at ") : NULL;
        CHECK_SAYING(at && memmem(at + 1, strcspn(at + 1, "\n") + 1, site, strlen(site)), text);
    }
}

static void a_hang_is_proven_within_a_moment(void)
{
    struct it_child *server;
    const char *port = it_text("%d", port_for(REPLY, &server));
    double quiet = 1e9;
    /* The best of a few: the machine may be busy. */
    for (int i = 0; i < 5 && quiet >= 300; i++) {
        struct it_child *child = it_tool(
            ARGV("inject", "--check", "%in:drop", "--", it_built("fixtures/fetch-no-timeout"), "-p", port));
        CHECK_EXIT(child, 1);
        const char *said = strstr(child->err, "(it went quiet ");
        quiet = said ? atof(said + strlen("(it went quiet ")) : 1e9;
    }
    CHECK_SAYING(quiet < 300, it_text("%.0f ms", quiet));
    struct it_child *patient = it_tool(ARGV("inject", "--check", "%in:drop", "--",
                                            it_built("fixtures/fetch-good"), "-p", port, "-t", "1500"));
    CHECK_TEXT(found(patient), "");
}

static void a_signal_that_ends_nothing_hides_nothing(void)
{
    int port = it_port();
    struct it_child *child = it_start(&(struct it_command){
        .argv = ARGV(it_built("tcpfault"), "inject", "--for", "15s", "send:short=5", "--",
                     it_built("fixtures/reply-drops-rest-of-short-write"), "-p", it_text("%d", port))});
    if (it_listens(child, port)) {
        kill(child->pid, SIGUSR1); /* handed on; the program has a handler */
        it_attend(child, 0.2);
        meet(ECHO, port);
        it_attend(child, 0.5);
        kill(child->pid, SIGTERM);
    }
    CHECK_HAS(said(it_finish(child)), " short-write-lost: ");
}

static void a_known_finding_does_not_fail_and_a_new_one_does(void)
{
    struct it_child *server;
    const char *port = it_text("%d", port_for(REPLY, &server));
    const char *kept[2], *record[2], *bug = it_built("fixtures/fetch-eintr-is-fatal");
    for (int i = 0; i < 2; i++) {
        kept[i] = it_text("%s/kept%d", it_scratch(), i);
        CHECK_EXIT(it_tool(ARGV("inject", "--check", "--seed", i ? "1" : "2", "--output", kept[i],
                                "recv:error=EINTR:when=1", "--", bug, "-p", port)),
                   1);
        const char *id = strstr(it_read_file(it_text("%s/run.json", kept[i])), "\"id\":");
        record[i] = id ? it_text("%.28s", id) : "none";
    }
    CHECK_TEXT(record[0], record[1]);
    const char *baseline = it_text("%s/run.json", kept[0]);
    struct it_child *known = it_tool(
        ARGV("inject", "--check", "--baseline", baseline, "recv:error=EINTR:when=1", "--", bug, "-p", port));
    CHECK_HAS(known->err, "[known]");
    CHECK_EXIT(known, 1); /* its own */
    struct it_child *other =
        it_tool(ARGV("inject", "--check", "--baseline", baseline, "connect:error=ECONNREFUSED", "--",
                     it_built("fixtures/fetch-uses-socket-after-failed-connect"), "-p", port));
    CHECK_EXIT(other, 1); /* and not 128 + SIGPIPE */
}

static void what_is_known_is_a_note_and_what_is_new_fails(void)
{
    static const char text[] = "name: one\nserver: '{fixtures}/reply-good -p {port}'\n"
                               "client: {run: '{fixtures}/%s -p {port}', faults: ['%%%s:when=1']}\n"
                               "expect: {client: {exit: 1}}\n";
    const char *old = it_file("old.yaml", it_text(text, "fetch-eintr-is-fatal", "in:error=EINTR"));
    const char *new = it_file("new.yaml", it_text(text, "fetch-dies-of-sigpipe", "out:error=EPIPE"));
    const char *report = it_text("%s/report.json", it_scratch());
    CHECK_EXIT(it_tool(ARGV("run", "--seed", "1", "-o", report, old)), 1);
    struct it_child *known = it_tool(ARGV("run", "--seed", "2", "--baseline", report, old));
    CHECK_EXIT(known, 0);
    CHECK_HAS(known->out,
              "note eintr-fatal: client: recv gave EINTR, and the connection was closed [known]\n");
    CHECK_HAS(known->out, "1 case: 1 ok; ");
    struct it_child *both = it_tool(ARGV("run", "--baseline", report, old, new));
    CHECK_EXIT(both, 1);
    CHECK_HAS(both->out, "note eintr-fatal");
    CHECK_HAS(both->out, "error sigpipe");
}

static void a_finding_tells_what_called_the_site(void)
{
    struct it_child *run = it_tool(ARGV(
        "run", it_file("frames.yaml", "name: frames\n"
                                      "server: {run: '{fixtures}/echo-uses-closed-descriptor -p {port}', "
                                      "faults: ['%in:short=1']}\n"
                                      "client: '{fixtures}/half-close-client -p {port} -n 30'\n")));
    CHECK_HAS(run->out, "at    serve at fixtures/echo-uses-closed-descriptor.c:");
    CHECK_HAS(run->out, "from  serve_in_thread at fixtures/server.h:");
    CHECK(!strstr(run->out, "start_thread"));
}

IT_SUITE(judge, TEST(each_check_catches_its_fixture_at_the_line),
         TEST(each_check_leaves_the_good_fixture_alone),
         TEST(a_lasting_emfile_makes_redis_spin_and_not_nginx_nor_memcached),
         TEST(a_sanitizers_report_is_found_at_its_line), TEST(a_hang_is_proven_within_a_moment),
         TEST(a_signal_that_ends_nothing_hides_nothing), TEST(what_is_known_is_a_note_and_what_is_new_fails),
         TEST(a_finding_tells_what_called_the_site), TEST(a_known_finding_does_not_fail_and_a_new_one_does))
