/* Which calls a rule strikes, and which of those. */
#include "check.h"
#include "net.h"
#include "place.h"
#include "rule.h"
#include "suite.h"
#include "under.h"

#include <stdio.h>
#include <unistd.h>

static void a_role_is_one_side(void)
{
    PROBE("recv:error=ENOMEM:role=client:when=1",
          "pair c.send:ab s.send:cd s.recv:9 c.recv:9 s.send:x c.recv:9",
          "c.send=2 s.send=2 s.recv=2:ab c.recv=ENOMEM s.send=1 c.recv=3:cdx");
    PROBE("recv:error=ENOMEM:role=server", "pair c.send:ab s.send:cd c.recv:9 s.recv:9",
          "c.send=2 s.send=2 c.recv=2:cd s.recv=ENOMEM");
    PROBE_FIRED("setsockopt:error=EPERM:role=listener",
                "pair c.opt:SO_KEEPALIVE s.opt:SO_KEEPALIVE l.opt:SO_KEEPALIVE", "l.opt=EPERM", 1);
}

static void peer_and_local_are_addresses(void)
{
    int port = it_port();
    const char *script =
        it_text("l.listen:%d c.tcp c.connect l.accept c.send:ab s.send:cd c.recv:9 s.recv:9", port);
    const char *client = "c.connect=0 c.send=2 s.send=2 c.recv=ENOMEM s.recv=2:ab";
    const char *server = "c.connect=0 c.send=2 s.send=2 c.recv=2:cd s.recv=ENOMEM";
    const char *neither = "c.connect=0 c.send=2 s.send=2 c.recv=2:cd s.recv=2:ab";

    PROBE(it_text("recv:error=ENOMEM:peer=:%d", port), script, client);
    PROBE(it_text("recv:error=ENOMEM:peer=127.0.0.1:%d", port), script, client);
    PROBE(it_text("recv:error=ENOMEM:local=:%d", port), script, server);
    PROBE(it_text("recv:error=ENOMEM:local=127.0.0.1:%d", port), script, server);
    PROBE(it_text("recv:error=ENOMEM:peer=127.0.0.2:%d", port), script, neither);
    PROBE(it_text("recv:error=ENOMEM:peer=[::1]:%d", port), script, neither);
    PROBE(it_text("recv:error=ENOMEM:peer=:%d", port == 9 ? 10 : 9), script, neither);
    PROBE(it_text("connect:error=ECONNREFUSED:peer=:%d", port), it_text("l.listen:%d c.tcp c.connect", port),
          "c.connect=ECONNREFUSED");
}

static void a_mapped_address_is_the_IPv4_one(void)
{
    int port = it_port();
    PROBE(it_text("connect:error=ECONNREFUSED:peer=127.0.0.1:%d:when=1", port),
          it_text("l.listen:%d c.tcp6 c.mapped:%d c.tcp6 c.mapped:%d", port, port, port),
          "c.mapped=ECONNREFUSED c.mapped=0");
}

static void a_family_is_the_sockets(void)
{
    int port = it_port();
    PROBE_FIRED("socket:error=EAFNOSUPPORT:family=inet6", "u.unix:v a.udp:b c.tcp d.tcp6 c.close",
                "d.tcp6=EAFNOSUPPORT c.close=0", 1);
    PROBE_FIRED("socket:error=EAFNOSUPPORT:family=inet", "a.udp:b d.tcp6 c.tcp d.close",
                "c.tcp=EAFNOSUPPORT d.close=0", 1);
    PROBE_FIRED("setsockopt:error=EPERM:family=inet6",
                "c.tcp c.opt:SO_KEEPALIVE d.tcp6 d.opt:SO_KEEPALIVE d.opt:SO_KEEPALIVE",
                "d.opt=EPERM d.opt=EPERM", 2);
    const char *receives = "l.listen c.tcp c.connect l.accept s.send:x c.recv:9";
    PROBE_FIRED("recv:error=ENOMEM:family=inet", receives, "c.connect=0 s.send=1 c.recv=ENOMEM", 1);
    PROBE_FIRED("recv:error=ENOMEM:family=inet6", receives, "c.connect=0 s.send=1 c.recv=1:x", 0);
    PROBE_FIRED("connect:error=ECONNREFUSED:family=inet6",
                it_text("l.listen:%d c.tcp c.connect d.tcp6 d.mapped:%d", port, port),
                "c.connect=0 d.mapped=ECONNREFUSED", 1);
}

static void connections_are_numbered_in_the_run(void)
{
    /* c is 1, s is 2, d 3, t 4 */
    const char *script = "pair d.tcp d.connect l.accept:t c.send:a s.send:b d.send:c t.send:d c.recv:9 "
                         "s.recv:9 d.recv:9 t.recv:9";
    static const char *const got[] = {"1:b", "1:a", "1:d", "1:c"};
    for (int n = 1; n <= 4; n++)
        PROBE_FIRED(
            it_text("recv:error=ENOMEM:conn=%d", n), script,
            it_text("d.connect=0 c.send=1 s.send=1 d.send=1 t.send=1 c.recv=%s s.recv=%s d.recv=%s t.recv=%s",
                    n == 1 ? "ENOMEM" : got[0], n == 2 ? "ENOMEM" : got[1], n == 3 ? "ENOMEM" : got[2],
                    n == 4 ? "ENOMEM" : got[3]),
            1);
}

static void an_option_is_named(void)
{
    PROBE_FIRED("setsockopt:error=ENOPROTOOPT:opt=TCP_NODELAY",
                "c.tcp c.opt:SO_KEEPALIVE c.opt:TCP_NODELAY c.opt:SO_REUSEADDR", "c.opt=ENOPROTOOPT", 1);
    PROBE_FIRED("getsockopt:error=ENOPROTOOPT:opt=SO_ERROR:allow=any",
                "c.tcp c.getopt:SO_KEEPALIVE c.getopt:SO_ERROR", "c.getopt=0 c.getopt=ENOPROTOOPT", 1);
}

static void bytes_count_what_has_passed_in_that_direction(void)
{
    PROBE_FIRED("recv:error=ECONNRESET:role=client:bytes=5",
                "pair c.send:0123456789 s.send:hello-world c.recv:3 c.recv:20 c.recv:20",
                "c.send=10 s.send=11 c.recv=3:hel c.recv=2:lo c.recv=ECONNRESET", 1);
    PROBE_FIRED("send:error=EPIPE:role=client:bytes=5", "pair c.send:hel c.send:lo-world c.send:x",
                "c.send=3 c.send=2 c.send=EPIPE", 1);
    PROBE_FIRED("%in:error=ECONNRESET:role=client:bytes=5:when=1",
                "pair s.send:hello-world c.readv:20 c.recv:20 c.recv:9",
                "s.send=11 c.readv=5:hello c.recv=ECONNRESET c.recv=0", 1);
    PROBE("recv:error=ENOMEM:role=client:bytes=5:when=1",
          "pair s.send:hello-world c.recv:9:peek c.recv:9 c.recv:9 c.recv:9",
          "s.send=11 c.recv=5:hello c.recv=5:hello c.recv=ENOMEM c.recv=6:-world");
}

static void a_program_is_named_by_exe(void)
{
    PROBE_FIRED("recv:error=ENOMEM:exe=probe:role=client", "pair c.recv:9", "c.recv=ENOMEM", 1);
    PROBE_FIRED("recv:error=ENOMEM:exe=other:role=client", "pair s.send:x c.recv:9", "s.send=1 c.recv=1:x",
                0);
}

static void a_caller_is_named_by_its_function(void)
{
    PROBE_FIRED("%in:error=ENOMEM:caller=in_readv", "pair s.send:abc c.recv:1 c.readv:1 c.read:9",
                "s.send=3 c.recv=1:a c.readv=ENOMEM c.read=2:bc", 1);
    PROBE_FIRED("%in:error=ENOMEM:caller=nobody", "pair s.send:abc c.recv:9", "s.send=3 c.recv=3:abc", 0);
}

static void a_caller_is_named_by_its_place(void)
{
    struct it_child *child = it_shimmed(IT_TRACED, "socket:error=EMFILE:when=99",
                                        it_probe_argv("pair s.send:abc c.recv:1 c.read:9"));
    size_t count, found = 0;
    const struct tf_event *events = it_events(&count);

    CHECK_EXIT(child, 0);
    for (size_t i = 0; i < count; i++) {
        if (events[i].call != TF_read && events[i].call != TF_recv)
            continue;
        CHECK(events[i].module != 0);
        CHECK_TEXT(it_segment()->module[events[i].module - 1].path, it_program("probe"));
        if (events[i].call != TF_read)
            continue;
        found++;
        PROBE_FIRED(it_text("%%in:error=ENOMEM:caller=probe+0x%llx", (unsigned long long)events[i].caller),
                    "pair s.send:abc c.recv:1 c.read:9", "s.send=3 c.recv=1:a c.read=ENOMEM", 1);
        break;
    }
    CHECK_INT(found, 1);
}

static void an_errno_selects_real_failures(void)
{
    PROBE_FIRED("connect:errno=ECONNREFUSED:error=ETIMEDOUT", "l.dead m.listen c.tcp c.connect",
                "c.connect=ETIMEDOUT", 1);
    PROBE_FIRED("connect:errno=ECONNREFUSED:error=ETIMEDOUT", "l.listen c.tcp c.connect", "c.connect=0", 0);
    PROBE_FIRED("recv:errno=EAGAIN:error=ENOMEM:when=2",
                "pair c.nb c.recv:9 s.send:x c.recv:9 c.recv:9 c.recv:9",
                "c.recv=EAGAIN s.send=1 c.recv=1:x c.recv=ENOMEM c.recv=EAGAIN", 1);
}

static void a_lasting_error_in_the_place_of_a_real_one_lasts(void)
{
    PROBE("recv:errno=EAGAIN:error=ECONNRESET:when=1", "pair c.nb c.recv:9 c.recv:9 s.recv:9",
          "c.recv=ECONNRESET c.recv=0 s.recv=ECONNRESET");
}

static void when_counts_as_strace_does(void)
{
    static const struct {
        const char *when, *struck;
    } cases[] = {{"3", "..X....."},   {"2..4", ".XXX...."}, {"3+", "..XXXXXX"},
                 {"2+3", ".X..X..X"}, {"1", "X......."},    {"9", "........"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *expected = "s.send=1";
        for (int n = 0; n < 8; n++)
            expected = it_text("%s c.recv=%s", expected, cases[i].struck[n] == 'X' ? "ENOMEM" : "1:x");
        PROBE(it_text("recv:error=ENOMEM:when=%s", cases[i].when),
              "pair s.send:x c.recv:1:peek c.recv:1:peek c.recv:1:peek c.recv:1:peek c.recv:1:peek "
              "c.recv:1:peek c.recv:1:peek c.recv:1:peek",
              expected);
    }
}

static void counting_goes_on_across_fork_and_exec(void)
{
    PROBE("recv:error=ENOMEM:when=3",
          "pair s.send:x c.recv:1:peek fork c.recv:1:peek c.recv:1:peek c.recv:1:peek",
          "s.send=1 c.recv=1:x c.recv=1:x c.recv=ENOMEM c.recv=1:x");
    PROBE("recv:error=ENOMEM:when=3",
          "pair s.send:x c.recv:1:peek exec c.recv:1:peek c.recv:1:peek c.recv:1:peek",
          "s.send=1 c.recv=1:xc.recv=1:x c.recv=ENOMEM c.recv=1:x");
    PROBE("recv:error=ENOMEM:when=2",
          "pair s.send:x c.recv:1:peek& join c.recv:1:peek& join c.recv:1:peek& join",
          "s.send=1 c.recv=1:x c.recv=ENOMEM c.recv=1:x");
}

static void each_process_or_connection_can_have_its_own_count(void)
{
    PROBE("recv:error=ENOMEM:per=process:when=2",
          "pair s.send:x c.recv:1:peek fork c.recv:1:peek c.recv:1:peek c.recv:1:peek",
          "s.send=1 c.recv=1:x c.recv=1:x c.recv=ENOMEM c.recv=1:x");
    PROBE("recv:error=ENOMEM:per=connection:when=2",
          "pair s.send:x c.send:y c.recv:1:peek s.recv:1:peek c.recv:1:peek s.recv:1:peek c.recv:1:peek",
          "s.send=1 c.send=1 c.recv=1:x s.recv=1:y c.recv=ENOMEM s.recv=ENOMEM c.recv=1:x");
    PROBE("recv:error=ENOMEM:per=connection:when=2",
          "pair s.send:x c.recv:1:peek fork c.recv:1:peek c.recv:1:peek",
          "s.send=1 c.recv=1:x c.recv=ENOMEM c.recv=1:x");
}

static void the_first_rule_that_holds_wins(void)
{
    PROBE("recv:error=ENOMEM:when=2;recv:error=EINTR",
          "on:USR1 pair s.send:x c.recv:1:peek c.recv:1:peek c.recv:1:peek",
          "s.send=1 c.recv=EINTR c.recv=ENOMEM c.recv=EINTR");
    PROBE("recv:error=EINTR;recv:error=ENOMEM:when=2", "on:USR1 pair s.send:x c.recv:1:peek c.recv:1:peek",
          "s.send=1 c.recv=EINTR c.recv=EINTR");
}

static void classes_hold_their_calls_and_no_others(void)
{
    PROBE_FIRED("%out:error=ENOBUFS", "pair s.send:x s.write:x s.sendmsg:x c.recv:9:dontwait",
                "s.send=ENOBUFS s.write=ENOBUFS s.sendmsg=ENOBUFS c.recv=EAGAIN", 3);
    PROBE_FIRED("%accept:error=EMFILE:when=1..2", "l.listen c.tcp c.connect l.accept l.accept4 l.accept",
                "c.connect=0 l.accept=EMFILE l.accept4=EMFILE", 2);
    PROBE_FIRED("accept:error=EMFILE", "l.listen c.tcp c.connect l.accept4 s.send:x", "c.connect=0 s.send=1",
                0);
    PROBE_FIRED("read,readv:error=ENOMEM", "pair s.send:x c.recv:1:peek c.read:1 c.readv:1",
                "s.send=1 c.recv=1:x c.read=ENOMEM c.readv=ENOMEM", 2);
}

static void libfius_names_are_calls_too(void)
{
    PROBE_FIRED("posix/io/net/accept:error=EMFILE", "l.listen c.tcp c.connect l.accept4 l.accept",
                "c.connect=0 l.accept4=EMFILE l.accept=EMFILE", 2);
    PROBE_FIRED("posix/io/net/connect:error=ECONNREFUSED", "l.listen c.tcp c.connect",
                "c.connect=ECONNREFUSED", 1);
    PROBE_FIRED("posix/io/rw/read:error=ENOMEM", "pair s.send:x c.read:9", "s.send=1 c.read=ENOMEM", 1);
    PROBE_FIRED("tcp/recv:error=ENOMEM", "pair s.send:x c.recv:9", "s.send=1 c.recv=ENOMEM", 1);
}

static void the_first_call_that_counts_is_the_programs_own(void)
{
    /* not the dynamic loader's read, not one of a file */
    PROBE_FIRED("read:error=ENOMEM:when=1", "f.file f.read:4 pair s.send:x c.read:9",
                "f.read=4:file s.send=1 c.read=ENOMEM", 1);
}

static const char *chances(uint64_t seed, const char *rule)
{
    const char *script = "pair s.send:x";
    for (int i = 0; i < 40; i++)
        script = it_text("%s c.recv:1:peek", script);
    struct it_child *child = it_under_run(
        &(struct it_under){.way = IT_PLAIN, .rules = rule, .seed = seed, .argv = it_probe_argv(script)});
    CHECK_EXIT(child, 0);
    return child->out;
}

static void chance_comes_from_the_seed(void)
{
    const char *rule = "recv:error=ENOMEM:prob=0.3", *first = chances(1, rule);
    int others = 0;

    for (int i = 0; i < 5; i++)
        CHECK_TEXT(chances(1, rule), first);
    for (uint64_t seed = 2; seed < 7; seed++) {
        others += strcmp(chances(seed, rule), first) != 0;
        CHECK(it_fired(1) > 0 && it_fired(1) < 30);
    }
    CHECK(others >= 4);
    chances(1, "recv:error=ENOMEM:prob=0");
    CHECK_INT(it_fired(1), 0);
    chances(1, "recv:error=ENOMEM:prob=1");
    CHECK_INT(it_fired(1), 40);
}

static void only_TCP_is_struck(void)
{
    const char *script =
        "u.unix:v u.send:ab v.recv:9 p.pipe:q q.write:cd p.read:9 f.file f.read:9 a.udp:b a.send:ef b.recv:9 "
        "v.write:gh u.readv:9 u.close v.poll c.tcp c.close";
    const char *expected =
        "u.send=2 v.recv=2:ab q.write=2 p.read=2:cd f.read=9:file-data a.send=2 b.recv=2:ef "
        "v.write=2 u.readv=2:gh u.close=0 v.poll=IN+OUT+HUP+RDHUP";
    PROBE("%in:error=ECONNRESET", it_text("%s", script), it_text("%s c.close=0", expected));
    PROBE("%out:error=EPIPE", it_text("%s", script), it_text("%s c.close=0", expected));
    PROBE("close:error=EIO", it_text("%s", script), it_text("%s c.close=EIO", expected));
    PROBE("%in:short=1;%out:short=1", it_text("%s", script), it_text("%s c.close=0", expected));
}

static void waits_and_makers_of_other_descriptors_are_left_alone(void)
{
    PROBE_FIRED("%wait:error=EINTR",
                "u.unix:v u.send:x v.poll:100:in v.select:100:in v.epollet:100 p.pipe:q q.write:x "
                "p.ppoll:100:in p.pselect:100:in",
                "u.send=1 v.poll=IN v.select=IN v.epollet=IN q.write=1 p.ppoll=IN p.pselect=IN", 0);
    PROBE_FIRED("socket:error=EMFILE", "u.unix:v a.udp:b f.file c.tcp", "c.tcp=EMFILE", 1);
    PROBE_FIRED("dup,fcntl:error=EMFILE", "f.file f.dup:g g.read:4 f.dupfd:h h.read:9 c.tcp c.dup",
                "g.read=4:file h.read=5:-data c.dup=EMFILE", 1);
    PROBE_FIRED("connect,bind,setsockopt,getsockname:error=EACCES:allow=any",
                "a.udp:b a.name a.opt:SO_REUSEADDR a.send:x b.recv:9", "a.name=IPv4 a.send=1 b.recv=1:x", 0);
    /* an epoll instance of the number that one for TCP had */
    PROBE_FIRED("epoll_wait:error=EINTR", "pair c.epollet:0 c.epclose p.pipe:q q.write:x p.epollet:1000",
                "c.epollet=EINTR q.write=1 p.epollet=IN", 1);
}

static void a_number_that_was_a_sockets_is_a_files_now(void)
{
    const char *rules = "%in:error=ECONNRESET;%out:error=EPIPE";
    static const char *const ways[] = {"fclose", "close", "sysclose", "closerange"};

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        PROBE(rules, it_text("pair c.number c.recv:9 c.%s f.file f.number f.read:9 f.write:x", ways[i]),
              it_text("c.number=4 c.recv=ECONNRESET%s f.number=4 f.read=9:file-data f.write=1",
                      i == 1 ? " c.close=0" : ""));
    PROBE(rules, "pair c.recv:9 f.file f.dup2:c c.read:9", "c.recv=ECONNRESET c.read=9:file-data");
    /* and a socket again */
    PROBE("recv:error=ENOMEM:role=client",
          "pair c.number c.fclose f.file f.number f.read:4 f.fclose c.tcp c.number c.connect c.recv:9",
          "c.number=4 f.number=4 f.read=4:file c.number=4 c.connect=0 c.recv=ENOMEM");
}

static void descriptors_are_followed_wherever_they_go(void)
{
    PROBE("recv:error=ENOMEM:role=client",
          "pair c.dup:d d.recv:9 c.dupfd:e e.recv:9 x.is:77 c.dup2:x x.recv:9 s.recv:9:dontwait",
          "d.recv=ENOMEM e.recv=ENOMEM x.recv=ENOMEM s.recv=EAGAIN");
    PROBE("recv:error=ENOMEM:role=client", "pair c.pass:p p.recv:9", "p.recv=ENOMEM");
    PROBE("recv:error=ENOMEM:role=client", "pair z.is:0 c.dup2:z exec z.recv:9", "z.recv=ENOMEM");
    PROBE("recv:error=ENOMEM:role=client", "pair fork c.recv:9", "c.recv=ENOMEM");
}

static void a_socket_from_outside_is_known_at_its_first_call(void)
{
    int sink = it_echo_peer();
    int fd = it_connect(sink);
    static const char *const rules[] = {"recv:error=ENOMEM:role=client", "recv:error=ENOMEM:conn=1", NULL};

    for (int i = 0; i < 3; i++) {
        const char *rule = rules[i] ? rules[i] : it_text("recv:error=ENOMEM:peer=127.0.0.1:%d", sink);
        for (int traced = 0; traced < 2; traced++) {
            struct it_child *child = it_under_run(&(struct it_under){.way = traced ? IT_TRACED : IT_PLAIN,
                                                                     .rules = rule,
                                                                     .argv = it_probe_argv("z.is:0 z.recv:9"),
                                                                     .input_fd = fd});
            CHECK_EXIT(child, 0);
            CHECK_TEXT(child->out, "z.recv=ENOMEM");
        }
    }
}

IT_SUITE(selectors, TEST(a_role_is_one_side), TEST(peer_and_local_are_addresses),
         TEST(a_mapped_address_is_the_IPv4_one), TEST(a_family_is_the_sockets),
         TEST(connections_are_numbered_in_the_run), TEST(an_option_is_named),
         TEST(bytes_count_what_has_passed_in_that_direction), TEST(a_program_is_named_by_exe),
         TEST(a_caller_is_named_by_its_function), TEST(a_caller_is_named_by_its_place),
         TEST(an_errno_selects_real_failures), TEST(a_lasting_error_in_the_place_of_a_real_one_lasts),
         TEST(when_counts_as_strace_does), TEST(counting_goes_on_across_fork_and_exec),
         TEST(each_process_or_connection_can_have_its_own_count), TEST(the_first_rule_that_holds_wins),
         TEST(classes_hold_their_calls_and_no_others), TEST(libfius_names_are_calls_too),
         TEST(the_first_call_that_counts_is_the_programs_own), TEST(chance_comes_from_the_seed),
         TEST(only_TCP_is_struck), TEST(waits_and_makers_of_other_descriptors_are_left_alone),
         TEST(a_number_that_was_a_sockets_is_a_files_now), TEST(descriptors_are_followed_wherever_they_go),
         TEST(a_socket_from_outside_is_known_at_its_first_call))
