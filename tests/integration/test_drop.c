/* drop: what is lost on the way, and what the kernel's own timers make of it. */
#include "check.h"
#include "net.h"
#include "place.h"
#include "sandbox.h"
#include "suite.h"
#include "under.h"

#include <signal.h>

/* The probe runs in this way and says `expected`; the tool's status is 0. */
static void probe(unsigned line, enum it_way way, const char *rules, const char *script, const char *expected)
{
    bool either = strncmp(script, "pair ", 5) == 0;
    if (way == IT_SANDBOX && !tf_sandbox_probe()->private_network) {
        printf("(no private network) ");
        return;
    }
    for (int i = 0; i < 1 + either; i++) {
        const char *words = i ? it_text("pair6 %s", script + 5) : script;
        struct it_child *child = it_finish(
            it_under_start(&(struct it_under){.way = way, .rules = rules, .argv = it_probe_argv(words)}));
        CU_assertImplementation(child->exit == 0 && strcmp(child->out, expected) == 0, line,
                                it_text("%s\n    %s\n      is:  %s\n      not: %s\n      %d %s", rules, words,
                                        child->out, expected, child->exit, child->err),
                                __FILE__, "", CU_FALSE);
    }
}

#define SANDBOX(rules, script, expected) probe(__LINE__, IT_SANDBOX, rules, script, expected)
#define HOST(rules, script, expected) probe(__LINE__, IT_INJECT, rules, script, expected)

/* ---- connect ---- */

static void a_lost_SYN_leaves_the_client_in_SYN_SENT_and_the_server_without_notice(void)
{
    const char *script = "l.listen c.%s c.nb c.connect%s l.ends c.state c.poll c.select c.epoll c.connect "
                         "c.getopt:SO_ERROR c.peer l.poll";
    SANDBOX("connect:drop:when=1", it_text(script, "tcp", ""),
            "c.connect=EINPROGRESS l.ends=SYN_SENT/- c.state=SYN_SENT c.poll=nothing c.select=nothing "
            "c.epoll=nothing c.connect=EALREADY c.getopt=0 c.peer=ENOTCONN l.poll=nothing");
    SANDBOX("connect:drop:when=1", "l.listen:7777 c.tcp6 c.nb c.mapped:7777 l.ends c.state",
            "c.mapped=EINPROGRESS l.ends=SYN_SENT/- c.state=SYN_SENT");
    SANDBOX("connect:drop:when=2", "pair6 c.close c.tcp6 c.nb c.connect c.state l.poll",
            "c.close=0 c.connect=EINPROGRESS c.state=SYN_SENT l.poll=nothing");
}

static void without_a_wire_the_answer_to_the_SYN_is_lost(void)
{
    PROBE_FIRED("connect:drop:when=1", "l.listen c.tcp c.nb c.connect l.ends c.poll c.getopt:SO_ERROR l.poll",
                "c.connect=EINPROGRESS l.ends=SYN_SENT/SYN_RECV c.poll=nothing c.getopt=0 l.poll=nothing", 1);
    PROBE_FIRED("connect:drop:when=2", "pair6 d.tcp6 d.nb d.connect d.state",
                "d.connect=EINPROGRESS d.state=SYN_SENT", 1);
    HOST("connect:drop:when=1", "l.listen c.tcp c.nb c.connect c.state c.poll",
         "c.connect=EINPROGRESS c.state=SYN_SENT c.poll=nothing");
}

static void a_blocking_connect_waits_as_long_as_the_program_or_the_kernel_does(void)
{
    const char *rules = "connect:drop:when=1";
    const char *timed = "l.listen c.tcp c.sndtimeo:200 mark c.connect since:200 c.connect";
    /* Interrupted as well: connect(2), EINTR. */
    PROBE("connect:drop:signal=USR1:when=1",
          "on:USR1 l.listen c.tcp c.sndtimeo:200 c.connect c.state c.connect",
          "c.connect=EINTR c.state=SYN_SENT c.connect=EALREADY");
    PROBE(rules, timed, "c.connect=EINPROGRESS since=yes c.connect=EALREADY");
    SANDBOX(rules, timed, "c.connect=EINPROGRESS since=yes c.connect=EALREADY");
    /* tcp(7): one retransmission, after 1 s; 2 s more, and it is given up. */
    SANDBOX(rules,
            "l.listen c.tcp c.opt:TCP_SYNCNT:1 mark c.connect since:2900 c.kernel:IP_TTL c.connect l.accept "
            "s.send:x c.recv:9",
            "c.connect=ETIMEDOUT since=yes c.kernel=64 c.connect=0 s.send=1 c.recv=1:x");
    PROBE(rules, "on:USR1 l.listen c.tcp c.connect& kill:USR1 join c.state",
          "c.connect=EINTR c.state=SYN_SENT");
}

static void a_connect_that_was_dropped_for_a_time_is_made_after_it(void)
{
    /* With the SYN that is sent again after a second. */
    const char *script =
        "l.listen c.tcp c.nb c.connect c.poll:100 mark c.poll:8000 since:500 c.getopt:SO_ERROR "
        "l.accept s.send:x c.recv:9 c.kernel:IP_TTL c.kernel:IP_MINTTL";
    const char *made = "c.connect=EINPROGRESS c.poll=nothing c.poll=OUT since=yes c.getopt=0 s.send=1 "
                       "c.recv=1:x c.kernel=64 c.kernel=0";
    PROBE("connect:drop=300ms:when=1", script, made);
    SANDBOX("connect:drop=300ms:when=1", script, made);
    PROBE("connect:drop=300ms:when=1", "l.listen c.tcp mark c.connect since:700 l.accept s.send:x c.recv:9",
          "c.connect=0 since=yes s.send=1 c.recv=1:x");
}

static void a_socket_that_gave_up_can_connect_again(void)
{
    PROBE("connect:drop:when=1",
          "l.listen c.tcp c.nb c.connect c.state c.opt:TCP_SYNCNT:1 c.until:CLOSE c.getopt:SO_ERROR c.block "
          "c.connect c.connect l.accept s.send:x c.recv:9 c.kernel:IP_MINTTL",
          "c.connect=EINPROGRESS c.state=SYN_SENT c.getopt=ETIMEDOUT c.connect=ECONNABORTED c.connect=0 "
          "s.send=1 c.recv=1:x "
          "c.kernel=0");
}

static void the_hop_limits_look_as_the_program_left_them(void)
{
    const char *look = "c.getopt:IP_TTL c.getopt:IP_MINTTL";
    const char *seen = "c.getopt=64 c.getopt=0";
    SANDBOX("connect:drop:when=1", it_text("l.listen c.tcp c.nb c.connect %s c.kernel:IP_TTL", look),
            it_text("c.connect=EINPROGRESS %s c.kernel=213", seen));
    PROBE("recv:drop:when=1:role=client", it_text("pair c.nb c.recv:9 %s c.kernel:IP_MINTTL", look),
          it_text("c.recv=EAGAIN %s c.kernel=255", seen));
    PROBE(
        "recv:drop:when=1:role=client",
        "pair6 c.nb c.recv:9 c.getopt:IPV6_UNICAST_HOPS c.getopt:IPV6_MINHOPCOUNT c.kernel:IPV6_MINHOPCOUNT",
        "c.recv=EAGAIN c.getopt=64 c.getopt=0 c.kernel=255");
}

/* ---- accept ---- */

static void a_connection_dies_in_the_queue_and_accept_goes_on_waiting(void)
{
    PROBE_FIRED("accept:drop:when=1",
                "l.listen l.accept& c.tcp c.connect d.tcp d.connect join c.recv:9 s.send:x d.recv:9",
                "c.connect=0 d.connect=0 c.recv=ECONNRESET s.send=1 d.recv=1:x", 1);
    PROBE_FIRED("accept4:drop:when=1",
                "l.listen c.tcp c.connect d.tcp d.connect l.accept4 s.send:hi d.recv:9 c.recv:9",
                "c.connect=0 d.connect=0 s.send=2 d.recv=2:hi c.recv=ECONNRESET", 1);
    PROBE_FIRED("accept:drop:when=1",
                "l.listen l.rcvtimeo:300 c.tcp c.connect mark l.accept since:300 c.recv:9",
                "c.connect=0 l.accept=EAGAIN since=yes c.recv=ECONNRESET", 1);
}

static void a_readiness_without_a_connection_does_not_count(void)
{
    PROBE_FIRED("accept:drop:when=1",
                "l.listen l.nb l.accept c.tcp c.connect l.poll:1000:in l.accept l.poll c.recv:9",
                "l.accept=EAGAIN c.connect=0 l.poll=IN l.accept=EAGAIN l.poll=nothing c.recv=ECONNRESET", 1);
    PROBE_REFUSED("accept:drop", "l.listen l.nb l.accept", "l.accept=EAGAIN",
                  "no connection was waiting to be accepted; not counted");
}

/* ---- in ---- */

static void nothing_arrives_any_more_and_no_wait_says_so(void)
{
    PROBE_FIRED(
        "recv:drop:role=client:when=1",
        "pair c.nb s.send:data c.recv:9 c.recv:9 c.read:9 c.recv:9:peek c.poll c.ppoll c.select c.pselect "
        "c.epoll s.send:more s.fin c.poll:100:in c.recv:9 s.state l.ends c.send:x s.recv:9",
        "s.send=4 c.recv=EAGAIN c.recv=EAGAIN c.read=EAGAIN c.recv=EAGAIN c.poll=OUT c.ppoll=OUT "
        "c.select=OUT c.pselect=OUT c.epoll=OUT s.send=4 c.poll=nothing c.recv=EAGAIN s.state=FIN_WAIT1 "
        "l.ends=ESTABLISHED/FIN_WAIT1 c.send=1 s.recv=1:x",
        1);
    PROBE("recv:drop:role=client:when=1",
          "pair c.nb c.epollet:0 s.send:data c.recv:9 c.epollet:100 s.send:x c.epollet:100",
          "c.epollet=nothing s.send=4 c.recv=EAGAIN c.epollet=nothing s.send=1 c.epollet=nothing");
    PROBE_FIRED("recv:drop:role=client:when=1",
                "pair c.rcvtimeo:200 s.send:data mark c.recv:9 since:200 c.read:9",
                "s.send=4 c.recv=EAGAIN since=yes c.read=EAGAIN", 1);
    PROBE("recv:drop:role=client:when=1", "pair on:USR1 s.send:data c.recv:9& kill:USR1 join",
          "s.send=4 c.recv=EINTR");
}

static void a_reset_of_the_peer_does_not_arrive_either(void)
{
    PROBE("recv:drop:role=client:when=1", "pair c.nb c.recv:9 s.reset c.poll:100:in c.recv:9 c.state",
          "c.recv=EAGAIN c.poll=nothing c.recv=EAGAIN c.state=ESTABLISHED");
}

static void every_duplicate_and_process_is_cut_off(void)
{
    PROBE("recv:drop:role=client:when=1", "pair c.nb s.send:data c.recv:9 c.dup:e e.recv:9 e.poll:100:in",
          "s.send=4 c.recv=EAGAIN e.recv=EAGAIN e.poll=nothing");
    PROBE("recv:drop:role=client:when=1", "pair c.nb s.send:data c.recv:9 fork c.recv:9 c.poll:100:in",
          "s.send=4 c.recv=EAGAIN c.recv=EAGAIN c.poll=nothing");
    PROBE("recv:drop:role=client:when=1", "pair c.nb s.send:data c.recv:9 exec c.recv:9 c.poll:100:in",
          "s.send=4 c.recv=EAGAINc.recv=EAGAIN c.poll=nothing");
}

static void the_kernel_gives_up_by_itself_when_nothing_arrives(void)
{
    /* What was queued when it began never came. */
    PROBE("recv:drop:role=client:when=1",
          "pair c.nb s.send:data c.recv:9 c.opt:TCP_USER_TIMEOUT:500 c.send:x c.poll:8000:in c.recv:9 "
          "c.recv:9 c.send:x",
          "s.send=4 c.recv=EAGAIN c.send=1 c.poll=IN+ERR+HUP c.recv=ETIMEDOUT c.recv=0 c.send=EPIPE");
}

static void what_was_lost_for_a_time_arrives_after_it(void)
{
    PROBE(
        "recv:drop=300ms:role=client:when=1",
        "pair c.nb s.send:data mark c.recv:9 s.send:more s.fin c.poll:8000:in since:300 c.recv:4 "
        "c.poll:8000:in "
        "c.recv:9 c.poll:8000:in c.recv:9 c.kernel:IP_MINTTL",
        "s.send=4 c.recv=EAGAIN s.send=4 c.poll=IN since=yes c.recv=4:data c.poll=IN c.recv=4:more c.poll=IN "
        "c.recv=0 c.kernel=0");
    PROBE("recv:drop=300ms:role=client:when=1",
          "pair mark s.send:data c.recv:9 since:300 s.send:more c.recv:9",
          "s.send=4 c.recv=4:data since=yes s.send=4 c.recv=4:more");
}

static void what_was_lost_for_a_time_is_over_with_the_descriptor(void)
{
    PROBE_FIRED("recv:drop=60s:role=client:when=1",
                "pair c.nb c.recv:9 c.close s.recv:9 s.shut:wr s.until:CLOSE s.state",
                "c.recv=EAGAIN c.close=0 s.recv=0 s.shut=0 s.state=CLOSE", 1);
    PROBE_FIRED("recv:drop=60s:role=client:when=1",
                "pair c.nb c.recv:9 c.closerange s.recv:9 s.shut:wr s.until:CLOSE s.state",
                "c.recv=EAGAIN s.recv=0 s.shut=0 s.state=CLOSE", 1);
}

static void curl_gives_up_by_itself_and_the_server_is_not_told(void)
{
    const char *url = it_text("http://127.0.0.1:%d/", it_http_peer(100000));
    struct it_child *child =
        it_shimmed(IT_INJECT, "%in:drop:bytes=1000", ARGV("curl", "-sS", "-m", "1", url));
    CHECK_EXIT(child, 28);
    CHECK_HAS(child->err, "Operation timed out");
    CHECK(it_is_pattern(child->out, child->out_length));
    CHECK_HAS(child->err, "rule 1 fired once");
}

/* ---- out ---- */

static const char *const silent = "c.send=3 s.recv=3:one c.send=3 c.send=5 s.recv=EAGAIN s.send=4 "
                                  "c.recv=4:back l.ends=ESTABLISHED/ESTABLISHED "
                                  "c.poll=IN+ERR+HUP c.recv=ETIMEDOUT l.ends=-/ESTABLISHED s.recv=EAGAIN";
static const char *const sends = "pair s.rcvtimeo:200 c.send:one s.recv:9 c.opt:TCP_USER_TIMEOUT:500 "
                                 "c.send:two c.send:three s.recv:9 s.send:back "
                                 "c.recv:9 l.ends c.poll:8000:in c.recv:9 l.ends s.recv:9";

static void nothing_leaves_any_more_and_the_kernel_gives_up(void)
{
    SANDBOX("%out:drop:role=client:when=2", sends, silent);
    SANDBOX("%out:drop:role=client:bytes=3", sends, silent);
    SANDBOX(
        "%out:drop:role=client",
        "l.listen:7777 c.tcp6 c.mapped:7777 l.accept s.rcvtimeo:200 c.send:x s.recv:9 s.send:back c.recv:9",
        "c.mapped=0 c.send=1 s.recv=EAGAIN s.send=4 c.recv=4:back");
    SANDBOX("%out:drop:role=server:when=2",
            "pair c.rcvtimeo:200 s.send:one c.recv:9 s.send:two c.recv:9 c.send:x s.recv:9",
            "s.send=3 c.recv=3:one s.send=3 c.recv=EAGAIN c.send=1 s.recv=1:x");
}

static void on_the_host_the_peers_socket_is_made_deaf(void)
{
    HOST("%out:drop:role=client:when=2", sends, silent);
    HOST("%out:drop:role=client", "pair s.rcvtimeo:200 c.send:x s.recv:9 s.getopt:SO_ERROR",
         "c.send=1 s.recv=EAGAIN s.getopt=0");
}

static void what_left_for_a_time_in_vain_arrives_after_it(void)
{
    const char *script = "pair mark c.send:two s.recv:9 since:300 c.send:x s.recv:9";
    const char *late = "c.send=3 s.recv=3:two since=yes c.send=1 s.recv=1:x";
    SANDBOX("%out:drop=300ms:role=client:when=1", script, late);
    HOST("%out:drop=300ms:role=client:when=1", script, late);
}

static void on_the_host_a_peer_that_closes_meanwhile_hears_again(void)
{
    HOST("send:drop=300ms:role=client:when=1", "pair c.send:x s.close c.until:CLOSE c.state",
         "c.send=1 s.close=0 c.state=CLOSE");
}

static void a_server_outside_hears_again_when_the_run_is_over(void)
{
    int port = it_port();
    struct it_child *server = it_start(&(struct it_command){
        .argv = ARGV("/usr/bin/python3", "-uc",
                     it_text("import socket\n"
                             "c, _ = socket.create_server((\"127.0.0.1\", %d)).accept()\n"
                             "while c.recv(999): pass\n"
                             "print(\"over\")",
                             port))});
    if (!it_listens(server, port))
        return;
    struct it_child *client = it_shimmed(
        IT_INJECT, "%out:drop", ARGV("curl", "-sS", "-m", "1", it_text("http://127.0.0.1:%d/", port)));
    CHECK_EXIT(client, 28);
    CHECK_TEXT(server->out ? server->out : "", "");
    CHECK(it_says(server, "over"));
}

static void a_peer_that_is_not_here_cannot_be_made_deaf(void)
{
    /* 7 is nobody's; the probe's own other end is closed first, so nothing holds it. */
    struct it_child *child =
        it_shimmed(IT_INJECT, "send:drop:role=client", it_probe_argv("pair s.close c.send:x"));
    CHECK_EXIT(child, 3);
    CHECK_HAS(child->err, "the socket to be changed is not on this machine, or out of reach");
    CHECK_TEXT(child->out, "s.close=0 c.send=1");
}

/* ---- close and shutdown ---- */

static void what_never_arrived_makes_no_reset_of_a_close(void)
{
    PROBE("recv:drop:role=client", "pair c.nb s.send:data c.recv:9 c.close s.recv:9",
          "s.send=4 c.recv=EAGAIN c.close=0 s.recv=0");
    PROBE("recv:drop=30s:role=client", "pair c.nb s.send:data c.recv:9 c.close s.recv:9",
          "s.send=4 c.recv=EAGAIN c.close=0 s.recv=0");
    /* What did arrive, and nobody read, does. */
    PROBE("recv:drop:role=client", "pair s.send:data c.close s.recv:9",
          "s.send=4 c.close=0 s.recv=ECONNRESET");
}

static void a_FIN_that_never_leaves_is_not_missed_by_anybody(void)
{
    SANDBOX(
        "close:drop:role=client",
        "pair s.rcvtimeo:200 c.send:data c.close l.ends s.recv:9 s.recv:9 s.send:x s.recv:9 s.state",
        "c.send=4 c.close=0 l.ends=FIN_WAIT1/ESTABLISHED s.recv=4:data s.recv=EAGAIN s.send=1 s.recv=EAGAIN "
        "s.state=ESTABLISHED");
    SANDBOX(
        "shutdown:drop:role=client",
        "pair s.rcvtimeo:200 c.shut:wr l.ends c.send:x s.recv:9 s.send:data c.recv:9 s.close c.recv:9",
        "c.shut=0 l.ends=FIN_WAIT1/ESTABLISHED c.send=EPIPE s.recv=EAGAIN s.send=4 c.recv=4:data s.close=0 "
        "c.recv=0");
    SANDBOX("shutdown:drop:role=client", "pair s.rcvtimeo:200 c.shut:rdwr s.recv:9 l.ends",
            "c.shut=0 s.recv=EAGAIN l.ends=FIN_WAIT1/ESTABLISHED");
    /* Nor does the RST of a close with data that nobody read. */
    SANDBOX("close:drop:role=client", "pair s.rcvtimeo:200 s.send:data c.poll:1000:in c.close s.recv:9",
            "s.send=4 c.poll=IN c.close=0 s.recv=EAGAIN");
}

static void data_before_the_FIN_arrives_without_it(void)
{
    SANDBOX("close:drop:role=client",
            "pair s.rcvtimeo:300 c.opt:SO_SNDBUF:1000000 c.send:#200000 c.close s.drain s.state",
            "c.send=200000 c.close=0 s.drain=200000,EAGAIN s.state=ESTABLISHED");
}

static void a_FIN_that_was_late_arrives(void)
{
    SANDBOX("close:drop=300ms:role=client", "pair mark c.close s.recv:9 since:300",
            "c.close=0 s.recv=0 since=yes");
    HOST("close:drop=300ms:role=client", "pair mark c.close s.recv:9 since:300",
         "c.close=0 s.recv=0 since=yes");
}

static void on_the_host_the_closed_descriptor_stays_open_elsewhere(void)
{
    HOST("close:drop:role=client",
         "pair s.rcvtimeo:200 fds c.epoll:0 c.close fds l.ends s.recv:9 s.send:late c.epoll:100",
         "c.epoll=OUT c.close=0 fds=0 l.ends=ESTABLISHED/ESTABLISHED s.recv=EAGAIN s.send=4 c.epoll=nothing");
}

static void what_takes_a_private_network_says_so(void)
{
    struct it_child *child =
        it_shimmed(IT_INJECT, "shutdown:drop:role=client", it_probe_argv("pair c.shut:wr s.recv:9"));
    CHECK_EXIT(child, 3);
    CHECK_HAS(child->err, "it takes a private network: tcpfault run, or inject --sandbox");
    CHECK_TEXT(child->out, "c.shut=0 s.recv=0");
}

static void what_takes_the_tool_is_refused_without_it(void)
{
    static const char *const rules[] = {"close:drop", "shutdown:drop=1s", "%out:drop:role=client",
                                        "connect,send:drop"};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        struct it_child *child = it_shimmed(IT_BARE, rules[i], ARGV("/bin/echo", "ran"));
        CHECK_EXIT(child, 2);
        CHECK_HAS(child->err, it_text("TCPFAULT, \"%s\": drop on ", rules[i]));
        CHECK_HAS(child->err, "takes the tool: tcpfault inject --sandbox, or run");
        CHECK_TEXT(child->out, "");
    }
    /* The other end of the run's segment is there, but nobody who could do it. */
    PROBE_REFUSED("close:drop:role=client", "pair c.close s.recv:9", "c.close=0 s.recv=0",
                  "it takes the tool: tcpfault inject, or run");
}

static void where_there_is_nothing_to_lose_nothing_is_lost(void)
{
    PROBE_REFUSED("shutdown:drop:role=client", "pair c.shut:rd s.send:x", "c.shut=0 s.send=1",
                  "there was no FIN left that could be lost");
    PROBE_REFUSED("close:drop:role=client", "pair c.fin s.recv:9 c.close", "s.recv=0 c.close=0",
                  "there was no FIN left that could be lost");
    PROBE_REFUSED("close:drop", "l.listen l.close", "l.close=0", "the socket was not connected");
    PROBE_REFUSED("recv:drop", "c.tcp c.recv:9", "c.recv=ENOTCONN", "the socket was not connected");
    PROBE_REFUSED("connect:drop:when=2", "pair c.connect", "c.connect=EISCONN", "the real call failed first");
    PROBE_REFUSED("recv:drop:role=client", "pair s.reset c.poll:1000:in c.recv:9",
                  "c.poll=IN+ERR+HUP c.recv=ECONNRESET", "the connection was already gone");
}

static void the_second_hand_ends_with_the_tool(void)
{
    const char *mark = it_text("%s/mark", it_scratch());
    struct it_child *child =
        it_start(&(struct it_command){.argv = ARGV(it_built("tcpfault"), "inject", "close:drop", "--", "sh",
                                                   "-c", it_text("sleep 100; : %s", mark))});
    for (int tries = 0; tries < 10000 && it_processes_with(mark) != 4; tries++)
        it_pause();
    CHECK_INT(it_processes_with(mark), 4); /* the tool, its supervisor, the hand, the command */
    kill(child->pid, SIGKILL);
    it_finish(child);
    for (int tries = 0; tries < 10000 && it_processes_with(mark) > 0; tries++)
        it_pause();
    CHECK_INT(it_processes_with(mark), 0);
}

IT_SUITE(
    drop, TEST(a_lost_SYN_leaves_the_client_in_SYN_SENT_and_the_server_without_notice),
    TEST(without_a_wire_the_answer_to_the_SYN_is_lost),
    TEST(a_blocking_connect_waits_as_long_as_the_program_or_the_kernel_does),
    TEST(a_connect_that_was_dropped_for_a_time_is_made_after_it),
    TEST(a_socket_that_gave_up_can_connect_again), TEST(the_hop_limits_look_as_the_program_left_them),
    TEST(a_connection_dies_in_the_queue_and_accept_goes_on_waiting),
    TEST(a_readiness_without_a_connection_does_not_count), TEST(nothing_arrives_any_more_and_no_wait_says_so),
    TEST(a_reset_of_the_peer_does_not_arrive_either), TEST(every_duplicate_and_process_is_cut_off),
    TEST(the_kernel_gives_up_by_itself_when_nothing_arrives), TEST(what_was_lost_for_a_time_arrives_after_it),
    TEST(what_was_lost_for_a_time_is_over_with_the_descriptor),
    TEST(curl_gives_up_by_itself_and_the_server_is_not_told),
    TEST(nothing_leaves_any_more_and_the_kernel_gives_up), TEST(on_the_host_the_peers_socket_is_made_deaf),
    TEST(on_the_host_a_peer_that_closes_meanwhile_hears_again),
    TEST(what_left_for_a_time_in_vain_arrives_after_it),
    TEST(a_server_outside_hears_again_when_the_run_is_over),
    TEST(a_peer_that_is_not_here_cannot_be_made_deaf), TEST(what_never_arrived_makes_no_reset_of_a_close),
    TEST(a_FIN_that_never_leaves_is_not_missed_by_anybody), TEST(data_before_the_FIN_arrives_without_it),
    TEST(a_FIN_that_was_late_arrives), TEST(on_the_host_the_closed_descriptor_stays_open_elsewhere),
    TEST(what_takes_a_private_network_says_so), TEST(what_takes_the_tool_is_refused_without_it),
    TEST(where_there_is_nothing_to_lose_nothing_is_lost), TEST(the_second_hand_ends_with_the_tool))
