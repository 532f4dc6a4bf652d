/* Steps that put real sockets into the network: what they make real, in a network
 * namespace and on the host, and what they say when they cannot. */
#include "check.h"
#include "place.h"
#include "suite.h"

#include <stdio.h>

#define SERVER "server: \"{fixtures}/echo-good -p {port}\"\n"
#define CLIENT "client: \"{fixtures}/half-close-client -p {port} -t 1000\"\n"
#define RUN(...)                                                                                             \
    it_run(&(struct it_command){.argv = ARGV(it_built("tcpfault"), "run", __VA_ARGS__), .deadline_s = 90})

static const char *scenario(const char *text)
{
    return it_file("steps.yaml", text);
}

/* ---- what they cannot do is nobody's success ---- */

static void what_cannot_be_brought_about_is_3_with_the_reason(void)
{
    static const struct {
        const char *steps, *sandbox, *reason;
    } wrong[] = {
        {"occupy: {port: {port}}", "", "bind: Address already in use"},
        {"occupy: {port: {port}, address: '::', listen: true}", "", "bind: Address already in use"},
        {"time_wait: {port: {port}}", "", "bind: Address already in use"},
        {"time_wait: {port: {port:x}, peer: {port}}", "", "the peer's port: Address already in use"},
        {"time_wait: {port: {port:x}}", "net.ipv4.tcp_max_tw_buckets: 0", "no FIN_WAIT2 came of it"},
        {"fill: {port: {port:x}}", "", "nothing listens there"},
        {"fill: {port: {port}, address: '::1'}", "", "nothing listens there"},
        {"fill: {port: {port}}", "", "the server accepts what comes"},
        {"fill: {port: {port:x}, queue: syn}", "net.ipv4.tcp_syncookies: 0", "nothing listens there"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const char *sysctl = *wrong[i].sandbox ? it_text("sandbox: {sysctl: {%s}}\n", wrong[i].sandbox) : "";
        const char *file =
            scenario(it_text(SERVER "client: 'true'\ntimeout: 8s\n%ssteps:\n- %s\n", sysctl, wrong[i].steps));
        struct it_child *run = RUN(file);
        CHECK_EXIT(run, 3);
        CHECK_HAS(run->out, "BROKEN steps");
        CHECK_HAS(run->out, it_text("expected  {%.8s", wrong[i].steps));
        CHECK_HAS(run->out, it_text("got       %s", wrong[i].reason));
    }
}

/* As long as another has the CPU, its queue is full. */
static void a_server_without_cpu_is_not_full(void)
{
    const char *pin = "taskset -cp $(taskset -cp $$ | sed \"s/.* //;s/[-,].*//\") $$ >&2";
    const char *file = scenario(
        it_text("timeout: 20s\nprograms:\n"
                "  busy: {role: client, run: [sh, -c, '%s; while :; do :; done']}\n"
                "  server: [sh, -c, '%s; exec nice -n 19 $0 -p $1', '{fixtures}/echo-good', '{port}']\n"
                "steps: [start: busy, fill: {port: {port}}]\n",
                pin, pin));
    for (int i = 0; i < 3; i++) {
        struct it_child *run = RUN(file);
        CHECK_EXIT(run, 3);
        CHECK_HAS(run->out, "the server accepts what comes");
    }
}

static void a_late_segment_that_has_not_done_its_work_is_3_with_the_reason(void)
{
    static const struct {
        const char *how, *sysctl, *reason;
    } wrong[] = {
        /* The TIME_WAIT is at the other end. */
        {"first: client", "net.ipv4.tcp_timestamps: 0", "there is no connection of this pair"},
        {"reuseaddr: true", "net.ipv4.tcp_timestamps: 0, net.ipv4.tcp_rfc1337: 1", "it was not accepted"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct it_child *run =
            RUN(scenario(it_text("client: 'true'\nsandbox: {sysctl: {%s}}\nsteps:\n"
                                 "- time_wait: {port: {port}, peer: {port:x}, data: old, %s}\n"
                                 "- late_segment: {port: {port}, peer: {port:x}, acceptable: true}\n",
                                 wrong[i].sysctl, wrong[i].how)));
        CHECK_EXIT(run, 3);
        CHECK_HAS(run->out, "BROKEN steps");
        CHECK_HAS(run->out, "expected  {late_segment: ");
        CHECK_HAS(run->out, it_text("got       %s", wrong[i].reason));
    }
}

static void queues_differ_by_the_address(void)
{
    /* The one on 127.0.0.1 is full, the one on ::1 is another. */
    struct it_child *run = RUN(scenario("timeout: 8s\nprograms:\n"
                                        "  server: \"{fixtures}/echo-good -p {port}\"\n"
                                        "  server6: \"{fixtures}/echo-good -6 -p {port}\"\n"
                                        "  client: \"{fixtures}/half-close-client -6 -p {port} -t 1000\"\n"
                                        "steps:\n- signal: {server: STOP}\n- fill: {port: {port}}\n"
                                        "- start: client\n- wait: {exit: client}\n- signal: {server: CONT}\n"
                                        "expect: {client: {exit: 0}}\n"));
    CHECK_EXIT(run, 0);
}

/* A process that is forked meanwhile, too. */
static void stopping_stops_all_that_is_forked(void)
{
    struct it_child *run =
        RUN(scenario("timeout: 30s\nserver:\n"
                     "  run: ['sh', '-c', 'i=0; while [ $i -lt 300 ]; do sleep 20 & i=$((i+1)); done &"
                     " exec $0 -p $1', '{fixtures}/echo-good', '{port}']\n"
                     "client: \"{fixtures}/half-close-client -p {port} -t 5000\"\n"
                     "steps: [signal: {server: STOP}, signal: {server: CONT}, start: client]\n"
                     "expect: {client: {exit: 0}}\n"));
    CHECK_EXIT(run, 0);
}

/* The first process has exited, but that has not been told; its daemon serves. */
static void stopping_stops_a_daemon_that_was_left_just_now(void)
{
    const char *all = "timeout: 20s\ncases:\n";
    for (int i = 0; i < 4; i++)
        all = it_text("%s- name: time %d\n"
                      "  server: ['sh', '-c', 'setsid $0 -p $1 & exit 0', '{fixtures}/echo-good', '{port}']\n"
                      "  client: \"{fixtures}/half-close-client -p {port} -t 300\"\n"
                      "  steps: [signal: {server: STOP}, start: client, wait: {exit: client},"
                      " signal: {server: CONT}]\n"
                      "  expect: {client: {exit: 1}}\n",
                      all, i);
    struct it_child *run = RUN("-j2", scenario(all));
    CHECK_EXIT(run, 0);
}

/* ---- on the host ---- */

static void ports_are_held_on_the_host_too(void)
{
    struct it_child *run =
        RUN("--host",
            scenario(
                "timeout: 8s\n" SERVER CLIENT "cases:\n"
                "- name: held\n"
                "  steps: [occupy: {port: {port}}, start: server, start: client]\n"
                "  expect: {server: {exit: 1, stderr: in use}, client: {exit: 1, stderr: refused}}\n"
                "- name: left\n"
                "  steps: [time_wait: {port: {port}}, start: server, start: client]\n"
                "  expect: {server: {exit: 1, stderr: in use}, client: {exit: 1, stderr: refused}}\n"
                "- name: left by the client\n"
                "  steps: [time_wait: {port: {port}, first: client}, start: server, start: client]\n"
                "- name: full\n"
                "  steps: [signal: {server: STOP}, fill: {port: {port}}, start: client, wait: {exit: client},"
                " drain: {port}, signal: {server: CONT}]\n"
                "  expect: {client: {exit: 1, stderr: timed out}}\n"));
    CHECK_EXIT(run, 0);
    CHECK_HAS(run->out, "4 cases: 4 ok");
}

static void what_takes_a_network_of_its_own_is_skipped_on_the_host(void)
{
    struct it_child *run =
        RUN("--host", scenario("client: 'true'\nallow_unfired: true\ncases:\n"
                               "- name: opens\n"
                               "  steps: [occupy: {port: {port}, address: '::', listen: true}]\n"
                               "- name: only holds\n"
                               "  steps: [occupy: {port: {port}, address: '::'}]\n"
                               "- name: loses a FIN\n"
                               "  client: {faults: 'shutdown:drop=1s:peer=:{port}'}\n"
                               "- name: comes late\n"
                               "  steps:\n"
                               "  - time_wait: {port: {port}, peer: {port:x}}\n"
                               "  - late_segment: {port: {port}, peer: {port:x}}\n"));
    CHECK_EXIT(run, 0);
    CHECK_HAS(run->out,
              "skip   steps: opens: {occupy: {port: {port}, address: ::, listen: true}}, which is for "
              "a network namespace only: --host");
    CHECK_HAS(run->out, "skip   steps: loses a FIN: its fault shutdown:drop=1s:peer=:{port} needs a network "
                        "namespace: --host");
    CHECK_HAS(run->out,
              "skip   steps: comes late: {late_segment: {port: {port}, peer: {port:x}}}, which takes a raw "
              "socket, needs a network namespace: --host");
    CHECK_HAS(run->out, "4 cases: 1 ok, 3 skipped");
}

/* ---- their end ---- */

/* Left alone, the half-open connections would end here after 6 s, and begin anew with
 * the retransmission of their SYNs at 7 s. */
static void a_full_queue_stays_full_until_it_is_drained(void)
{
    struct it_child *run = it_run(&(struct it_command){
        .argv = ARGV(it_built("tcpfault"), "run",
                     scenario("timeout: 20s\nsandbox: {sysctl: {net.ipv4.tcp_syncookies: 0,"
                              " net.ipv4.tcp_synack_retries: 0}}\n" SERVER
                              "client: \"{fixtures}/half-close-client -p {port} -t 400\"\n"
                              "steps:\n- fill: {queue: syn, port: {port}}\n- pause: 6500ms\n"
                              "- start: client\n- wait: {exit: client}\n"
                              "- expect_state: {port: {port}, state: SYN_RECV, count: 129, within: 1s}\n"
                              "- drain: {port}\n"
                              "- expect_state: {port: {port}, state: SYN_RECV, count: 0}\n"
                              "expect: {client: {exit: 1, stderr: timed out}}\n")),
        .deadline_s = 30});
    CHECK(run->exit == 0 || strstr(run->out, "skip"));
}

static void what_lasts_for_a_time_ends_by_itself(void)
{
    struct it_child *run =
        RUN(scenario("timeout: 8s\nclient: 'true'\nsteps:\n"
                     "- occupy: {port: {port}, listen: true, for: 200ms}\n"
                     "- expect_state: {port: {port}, state: LISTEN, count: 1}\n"
                     "- wait: {gone: {port: {port}, state: LISTEN}, within: 2s}\n- vacate: {port}\n"
                     "- occupy: {port: {port}, listen: true}\n- vacate: {port}\n"
                     "- expect_state: {port: {port}, state: LISTEN, count: 0}\n"));
    CHECK_EXIT(run, 0);
}

/* ---- descriptors ---- */

/* `server` is asked for a descriptor that it may not have, and then may. */
static const char *short_of_descriptors(const char *server, const char *last)
{
    return it_text("timeout: 8s\nserver: \"%s\"\n"
                   "client: {run: \"{build}/tcpfault peer connect {port} --half-close\", shim: false}\n"
                   "steps:\n- limit_nofile: server\n- start: client\n"
                   "- wait: {event: {program: server, call: '%%accept', error: EMFILE}, within: 4s}\n"
                   "- restore_nofile: server\n- %s\n",
                   server, last);
}

static void the_kernel_itself_gives_emfile_until_the_limit_is_restored(void)
{
    const char *served = "wait: {exit: client}";
    CHECK_EXIT(RUN(scenario(short_of_descriptors("{fixtures}/echo-good-poll -p {port}", served))), 0);
    CHECK_EXIT(RUN(scenario(short_of_descriptors("{fixtures}/echo-good-prefork -p {port}", served))), 0);
}

static void who_has_become_another_user_is_limited_too(void)
{
    CHECK_EXIT(
        RUN(scenario(short_of_descriptors("memcached -u nobody -l 127.0.0.1 -p {port}", "stop: client"))), 0);
}

IT_SUITE(steps, TEST(the_kernel_itself_gives_emfile_until_the_limit_is_restored),
         TEST(who_has_become_another_user_is_limited_too),
         TEST(what_cannot_be_brought_about_is_3_with_the_reason), TEST(a_server_without_cpu_is_not_full),
         TEST(a_late_segment_that_has_not_done_its_work_is_3_with_the_reason),
         TEST(queues_differ_by_the_address), TEST(stopping_stops_all_that_is_forked),
         TEST(stopping_stops_a_daemon_that_was_left_just_now), TEST(ports_are_held_on_the_host_too),
         TEST(what_takes_a_network_of_its_own_is_skipped_on_the_host),
         TEST(a_full_queue_stays_full_until_it_is_drained), TEST(what_lasts_for_a_time_ends_by_itself))
