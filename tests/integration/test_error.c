/* error=E leaves the socket, its peer and poll as a real E does. */
#include "check.h"
#include "place.h"
#include "suite.h"
#include "under.h"

static void a_reset_connection_is_gone_for_both_ends(void)
{
    PROBE_FIRED("recv:error=ECONNRESET:role=client:when=1",
                "pair s.send:data c.recv:10 c.recv:10 c.send:x c.peer s.recv:10 s.recv:10",
                "s.send=4 c.recv=ECONNRESET c.recv=0 c.send=EPIPE c.peer=ENOTCONN s.recv=ECONNRESET s.recv=0",
                1);
    PROBE_FIRED("recv:error=ECONNRESET:role=client:when=1",
                "pair6 s.send:data c.recv:10 c.recv:10 c.send:x c.peer s.recv:10 s.recv:10",
                "s.send=4 c.recv=ECONNRESET c.recv=0 c.send=EPIPE c.peer=ENOTCONN s.recv=ECONNRESET s.recv=0",
                1);
}

static void after_an_injected_reset_everything_is_as_after_a_real_one(void)
{
    const char *after =
        "c.poll c.select c.epoll c.getopt:SO_ERROR c.recv:10 c.recv:10:peek c.send:x c.peer c.shut:wr "
        "c.recv:10 c.poll";
    PROBE_AS_REAL("recv:error=ECONNRESET:role=client:when=1", it_text("pair c.recv:10 %s", after),
                  it_text("pair s.reset c.recv:10 %s", after));
    PROBE_AS_REAL("recv:error=ECONNRESET:role=client:when=1", it_text("pair6 c.recv:10 %s", after),
                  it_text("pair6 s.reset c.recv:10 %s", after));
    PROBE_AS_REAL("send:error=ECONNRESET:role=client:when=1", it_text("pair c.nb c.send:y %s", after),
                  it_text("pair s.reset c.nb c.send:y %s", after));
    PROBE_AS_REAL("recv:error=ECONNRESET:role=client:when=1", it_text("pair c.nb c.recv:10 %s", after),
                  it_text("pair s.reset c.nb c.recv:10 %s", after));
}

static void every_receiving_call_can_be_reset(void)
{
    static const char *const calls[] = {"read",     "readv",  "preadv2", "recv",     "recvfrom",    "recvmsg",
                                        "recvmmsg", "splice", "__read",  "sys_read", "sys_recvfrom"};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        PROBE_FIRED("%in:error=ECONNRESET:role=client:when=1",
                    it_text("pair s.send:data c.%s:10 c.recv:10 s.recv:10", calls[i]),
                    it_text("s.send=4 c.%s=ECONNRESET c.recv=0 s.recv=ECONNRESET", calls[i]), 1);
}

static void every_sending_call_can_be_reset(void)
{
    static const char *const calls[] = {"write",      "writev",  "pwritev2", "send",
                                        "sendto",     "sendmsg", "sendmmsg", "sendfile",
                                        "splice_out", "__write", "__send",   "sys_sendto"};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        PROBE_FIRED("%out:error=ECONNRESET:role=client:when=1",
                    it_text("pair c.%s:hello c.recv:10 c.send:x s.recv:10", calls[i]),
                    it_text("c.%s=ECONNRESET c.recv=0 c.send=EPIPE s.recv=ECONNRESET", calls[i]), 1);
        PROBE_FIRED("%out:error=EPIPE:role=client:when=1",
                    it_text("pair on:PIPE c.%s:hello hits c.send:x hits", calls[i]),
                    it_text("c.%s=EPIPE hits=1 c.send=EPIPE hits=1", calls[i]), 1);
    }
}

static void EPIPE_raises_SIGPIPE_unless_the_call_says_not_to(void)
{
    PROBE("send:error=EPIPE:role=client:when=1", "pair on:PIPE c.send:x hits s.recv:9",
          "c.send=EPIPE hits=1 s.recv=ECONNRESET");
    PROBE("send:error=EPIPE:role=client:when=1", "pair on:PIPE c.send:x:nosignal hits",
          "c.send=EPIPE hits=0");
    PROBE("send:error=ECONNRESET:role=client:when=1", "pair on:PIPE c.send:x hits",
          "c.send=ECONNRESET hits=0");
}

static void a_connection_is_reset_only_once(void)
{
    PROBE_FIRED("recv:error=ECONNRESET:role=client", "pair c.recv:9 c.recv:9 c.recv:9",
                "c.recv=ECONNRESET c.recv=0 c.recv=0", 1);
    PROBE("recv:error=ECONNRESET:role=client;send:error=ECONNRESET:role=client", "pair c.recv:9 c.send:x",
          "c.recv=ECONNRESET c.send=EPIPE");
}

static void a_timed_out_connection_is_gone_too(void)
{
    PROBE("recv:error=ETIMEDOUT:role=client:when=1", "pair s.send:data c.recv:9 c.recv:9 c.send:x",
          "s.send=4 c.recv=ETIMEDOUT c.recv=0 c.send=EPIPE");
}

static void transient_errors_leave_the_connection_alone(void)
{
    PROBE_FIRED("recv:error=ENOMEM:role=client:when=1", "pair s.send:data c.recv:9 c.recv:9",
                "s.send=4 c.recv=ENOMEM c.recv=4:data", 1);
    PROBE_FIRED("recv:error=EINTR:role=client:when=1", "on:USR1 pair s.send:data c.recv:9 c.recv:9",
                "s.send=4 c.recv=EINTR c.recv=4:data", 1);
    PROBE_FIRED("send:error=ENOBUFS:role=client:when=1", "pair c.send:x c.send:data s.recv:9",
                "c.send=ENOBUFS c.send=4 s.recv=4:data", 1);
    PROBE_FIRED("recv:error=EAGAIN:role=client:when=1", "pair c.nb s.send:data c.recv:9 c.recv:9",
                "s.send=4 c.recv=EAGAIN c.recv=4:data", 1);
    PROBE_FIRED("recv:error=EAGAIN:role=client:when=1", "pair s.send:data c.recv:9:dontwait c.recv:9",
                "s.send=4 c.recv=EAGAIN c.recv=4:data", 1);
}

static void an_edge_triggered_waiter_is_woken_again_after_an_injected_EAGAIN(void)
{
    PROBE_FIRED(
        "recv:error=EAGAIN:role=client:when=1",
        "pair c.nb s.send:data c.epollet:2000 c.epollet:0 c.recv:9 c.epollet:2000 c.recv:9 c.epollet:0",
        "s.send=4 c.epollet=IN c.epollet=nothing c.recv=EAGAIN c.epollet=IN c.recv=4:data c.epollet=nothing",
        1);
    PROBE_FIRED(
        "send:error=EAGAIN:role=client:when=1",
        "pair c.nb c.epollet:2000:out c.epollet:0:out c.send:data c.epollet:2000:out c.send:data s.recv:9",
        "c.epollet=OUT c.epollet=nothing c.send=EAGAIN c.epollet=OUT c.send=4 s.recv=4:data", 1);
}

static void a_timeout_of_the_program_gives_EAGAIN_when_it_is_over(void)
{
    PROBE_FIRED("recv:error=EAGAIN:role=client:when=1",
                "pair c.rcvtimeo:200 s.send:data mark c.recv:9 since:200 c.recv:9",
                "s.send=4 c.recv=EAGAIN since=yes c.recv=4:data", 1);
    PROBE_FIRED("send:error=EAGAIN:role=client:when=1",
                "pair c.sndtimeo:200 mark c.send:data since:200 c.send:data",
                "c.send=EAGAIN since=yes c.send=4", 1);
}

static void impossible_errors_are_not_delivered_and_say_why(void)
{
    static const char unhandled[] =
        "EINTR cannot happen: no signal has a handler that would interrupt the call";
    PROBE_REFUSED("recv:error=EINTR:role=client", "pair s.send:data c.recv:9", "s.send=4 c.recv=4:data",
                  unhandled);
    PROBE_REFUSED("recv:error=EINTR:role=client", "on:USR1:restart pair s.send:data c.recv:9",
                  "s.send=4 c.recv=4:data", unhandled);
    PROBE_REFUSED("poll:error=EINTR", "pair s.send:data c.poll:1000:in", "s.send=4 c.poll=IN", unhandled);
    PROBE_REFUSED("connect:error=EINTR", "l.listen c.tcp c.connect", "c.connect=0", unhandled);
    PROBE_REFUSED("recv:error=EINTR:role=client", "pair c.nb s.send:data c.recv:9", "s.send=4 c.recv=4:data",
                  "EINTR cannot happen on a descriptor that does not block");
    PROBE_REFUSED("recv:error=EINTR:role=client", "pair s.send:data c.recv:9:dontwait",
                  "s.send=4 c.recv=4:data", "EINTR cannot happen on a descriptor that does not block");
    PROBE_REFUSED("recv:error=EAGAIN:role=client", "pair s.send:data c.recv:9", "s.send=4 c.recv=4:data",
                  "EAGAIN cannot happen on a blocking descriptor without a timeout");
    PROBE_REFUSED("accept:error=EAGAIN", "l.listen c.tcp c.connect l.accept s.send:x", "c.connect=0 s.send=1",
                  "EAGAIN cannot happen on a blocking descriptor without a timeout");
    PROBE_REFUSED("connect:error=EINPROGRESS", "l.listen c.tcp c.connect l.accept s.send:x",
                  "c.connect=0 s.send=1",
                  "EINPROGRESS cannot happen on a blocking descriptor without a timeout");
    PROBE_REFUSED("recv:error=ECONNRESET", "c.tcp c.recv:9", "c.recv=ENOTCONN",
                  "the socket was not connected");
    PROBE_REFUSED("fcntl:error=EMFILE", "pair c.nb c.recv:9", "c.recv=EAGAIN",
                  "only F_DUPFD and F_DUPFD_CLOEXEC make a descriptor");
}

static void allow_any_delivers_the_impossible(void)
{
    PROBE_FIRED("recv:error=EINTR:role=client:allow=any:when=1", "pair c.nb s.send:data c.recv:9 c.recv:9",
                "s.send=4 c.recv=EINTR c.recv=4:data", 1);
    PROBE_FIRED("recv:error=EAGAIN:role=client:allow=any:when=1", "pair s.send:data c.recv:9 c.recv:9",
                "s.send=4 c.recv=EAGAIN c.recv=4:data", 1);
    PROBE_FIRED("recv:error=EXDEV:role=client:allow=any:when=1", "pair s.send:data c.recv:9 c.recv:9",
                "s.send=4 c.recv=EXDEV c.recv=4:data", 1);
}

static void a_refused_connect_is_as_a_real_one(void)
{
    const char *after = "c.poll c.getopt:SO_ERROR c.getopt:SO_ERROR c.send:x c.recv:9 c.peer c.poll c.select";
    const char *const ways[] = {"", "c.nb "};

    for (int i = 0; i < 2; i++)
        PROBE_AS_REAL("connect:error=ECONNREFUSED:when=1",
                      it_text("l.listen c.tcp %sc.connect c.poll:2000 %s", ways[i], after),
                      it_text("l.dead c.tcp %sc.connect c.poll:2000 %s", ways[i], after));
    PROBE("connect:error=ECONNREFUSED:when=1",
          "l.listen c.tcp c.connect l.poll c.tcp c.connect l.poll:2000:in",
          "c.connect=ECONNREFUSED l.poll=nothing c.connect=0 l.poll=IN");
}

static void a_non_blocking_connect_learns_of_its_failure_from_SO_ERROR_once(void)
{
    static const char *const errors[] = {"ECONNREFUSED", "ETIMEDOUT", "ECONNRESET"};
    for (size_t i = 0; i < 3; i++) {
        PROBE_FIRED(
            it_text("connect:error=%s:when=1", errors[i]),
            "l.listen c.tcp c.nb c.connect c.poll:2000 c.getopt:SO_ERROR c.getopt:SO_ERROR l.poll c.send:x",
            it_text("c.connect=EINPROGRESS c.poll=IN+OUT+ERR+HUP+RDHUP c.getopt=%s c.getopt=0 "
                    "l.poll=nothing c.send=EPIPE",
                    errors[i]),
            1);
        PROBE(it_text("connect:error=%s:when=1", errors[i]),
              "l.listen c.tcp c.nb c.connect c.select:2000 c.recv:9 c.recv:9",
              it_text("c.connect=EINPROGRESS c.select=IN+OUT c.recv=%s c.recv=0", errors[i]));
        PROBE(
            it_text("connect:error=%s:when=1", errors[i]),
            "l.listen c.tcp c.nb c.connect c.epoll:2000 c.send:x c.send:x",
            it_text("c.connect=EINPROGRESS c.epoll=IN+OUT+ERR+HUP+RDHUP c.send=%s c.send=EPIPE", errors[i]));
    }
}

static void the_network_can_be_unreachable(void)
{
    static const char *const errors[] = {"EHOSTUNREACH",  "ENETUNREACH", "ETIMEDOUT",
                                         "EADDRNOTAVAIL", "EACCES",      "EPERM"};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        PROBE_FIRED(it_text("connect:error=%s:when=1", errors[i]),
                    "l.listen c.tcp c.connect l.poll c.tcp c.connect",
                    it_text("c.connect=%s l.poll=nothing c.connect=0", errors[i]), 1);
}

static void what_a_timeout_keeps_from_being_restarted_can_be_interrupted(void)
{
    PROBE_FIRED("recv:error=EINTR:role=client:when=1", "pair c.rcvtimeo:2000 s.send:data c.recv:9 c.recv:9",
                "s.send=4 c.recv=EINTR c.recv=4:data", 1);
    PROBE_FIRED("epoll_wait:error=EINTR:when=1", "pair s.send:x c.epollet:1000 c.epollet:1000",
                "s.send=1 c.epollet=EINTR c.epollet=IN", 1);
}

static void an_interrupted_connect_goes_on_in_the_background(void)
{
    PROBE_FIRED(
        "connect:error=EINTR:when=1",
        "on:USR1 l.listen c.tcp c.connect c.poll:2000 c.getopt:SO_ERROR l.accept s.send:data c.recv:9",
        "c.connect=EINTR c.poll=OUT c.getopt=0 s.send=4 c.recv=4:data", 1);
    PROBE_FIRED("connect:error=EINTR:when=1", "on:USR1 l.listen c.tcp c.connect c.poll:2000 c.connect",
                "c.connect=EINTR c.poll=OUT c.connect=0", 1);
}

static void a_connect_with_a_timeout_may_be_in_progress(void)
{
    PROBE_FIRED("connect:error=EINPROGRESS:when=1",
                "l.listen c.tcp c.sndtimeo:5000 c.connect c.poll:2000 l.accept s.send:data c.recv:9",
                "c.connect=EINPROGRESS c.poll=OUT s.send=4 c.recv=4:data", 1);
}

static void an_aborted_connection_is_taken_off_the_queue(void)
{
    static const char *const errors[] = {"ECONNABORTED", "EPROTO", "EPERM", "ENETDOWN", "EHOSTUNREACH"};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        PROBE_FIRED(
            it_text("accept:error=%s:when=1", errors[i]),
            "l.listen c.tcp c.connect d.tcp d.connect l.accept l.accept c.recv:9 s.send:data d.recv:9 l.poll",
            it_text(
                "c.connect=0 d.connect=0 l.accept=%s c.recv=ECONNRESET s.send=4 d.recv=4:data l.poll=nothing",
                errors[i]),
            1);
    PROBE_FIRED("accept4:error=ECONNABORTED:when=1", "l.listen c.tcp c.connect l.accept4 c.recv:9 l.poll",
                "c.connect=0 l.accept4=ECONNABORTED c.recv=ECONNRESET l.poll=nothing", 1);
}

static void a_listener_out_of_resources_leaves_the_connection_queued(void)
{
    static const char *const errors[] = {"EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EINTR"};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        PROBE_FIRED(it_text("%%accept:error=%s:when=1", errors[i]),
                    "on:USR1 l.listen c.tcp c.connect l.accept l.poll l.accept s.send:data c.recv:9",
                    it_text("c.connect=0 l.accept=%s l.poll=IN s.send=4 c.recv=4:data", errors[i]), 1);
    PROBE_FIRED("%accept:error=EAGAIN:when=1",
                "l.listen l.nb c.tcp c.connect l.accept l.poll l.accept s.send:data c.recv:9",
                "c.connect=0 l.accept=EAGAIN l.poll=IN s.send=4 c.recv=4:data", 1);
}

static void no_connection_can_be_aborted_before_there_is_one(void)
{
    PROBE_FIRED("accept:error=ECONNABORTED:when=1",
                "l.listen l.nb l.accept l.accept c.tcp c.connect l.accept c.recv:9",
                "l.accept=EAGAIN l.accept=EAGAIN c.connect=0 l.accept=ECONNABORTED c.recv=ECONNRESET", 1);
    PROBE_FIRED("accept:error=ECONNABORTED:when=1", "l.listen l.accept& c.tcp c.connect join c.recv:9",
                "c.connect=0 l.accept=ECONNABORTED c.recv=ECONNRESET", 1);
}

static void a_failed_close_releases_the_descriptor(void)
{
    PROBE_FIRED("close:error=EIO:role=client:when=1", "pair fds c.close fds s.recv:9 c.close",
                "c.close=EIO fds=-1 s.recv=0 c.close=EBADF", 1);
    PROBE_FIRED("close:error=EINTR:role=client:when=1", "pair fds c.close fds s.recv:9",
                "c.close=EINTR fds=-1 s.recv=0", 1);
}

static void a_server_can_find_its_client_gone(void)
{
    /* Between accept and getpeername: getpeername(2), ENOTCONN. */
    PROBE_AS_REAL("getpeername:error=ENOTCONN:role=server:when=1", "pair s.peer s.recv:9 s.recv:9 s.send:x",
                  "pair c.reset s.peer s.recv:9 s.recv:9 s.send:x");
    PROBE_AS_REAL("shutdown:error=ENOTCONN:role=server:when=1", "pair s.shut:wr s.recv:9 s.recv:9 s.send:x",
                  "pair c.reset s.shut:wr s.recv:9 s.recv:9 s.send:x");
    PROBE("getpeername:error=ENOTCONN:role=server:when=1", "pair s.peer c.recv:9",
          "s.peer=ENOTCONN c.recv=ECONNRESET");
}

static void calls_that_make_or_set_fail_without_a_trace(void)
{
    PROBE_FIRED("socket:error=EMFILE:when=1", "fds c.tcp fds c.tcp fds", "c.tcp=EMFILE fds=0 fds=1", 1);
    PROBE_FIRED("bind:error=EADDRINUSE:when=1", "l.tcp l.listen l.listen", "l.listen=EADDRINUSE", 1);
    PROBE_FIRED("listen:error=EADDRINUSE:when=1", "l.tcp l.listen", "l.listen=EADDRINUSE", 1);
    PROBE_FIRED("setsockopt:error=ENOPROTOOPT:opt=TCP_NODELAY",
                "c.tcp c.opt:TCP_NODELAY:1 c.opt:SO_KEEPALIVE:1 c.getopt:TCP_NODELAY c.getopt:SO_KEEPALIVE",
                "c.opt=ENOPROTOOPT c.getopt=0 c.getopt=1", 1);
    PROBE_FIRED("getsockname:error=ENOBUFS:when=1", "c.tcp c.name c.name", "c.name=ENOBUFS c.name=IPv4", 1);
    PROBE_FIRED("dup:error=EMFILE:when=1", "c.tcp fds c.dup fds c.dup fds", "c.dup=EMFILE fds=0 fds=1", 1);
    PROBE_FIRED("fcntl:error=EMFILE:when=1", "c.tcp fds c.dupfd fds", "c.dupfd=EMFILE fds=0", 1);
}

static void waits_can_fail(void)
{
    static const char *const waits[] = {"poll", "ppoll", "select", "pselect"};
    for (size_t i = 0; i < 4; i++)
        PROBE_FIRED(it_text("%s:error=EINTR:when=1", waits[i]),
                    it_text("on:USR1:restart pair s.send:x c.%s:1000 c.%s:1000:in", waits[i], waits[i]),
                    it_text("s.send=1 c.%s=EINTR c.%s=IN", waits[i], waits[i]), 1);
    PROBE_FIRED("epoll_ctl:error=ENOSPC:when=1", "pair s.send:x c.epollet:0", "s.send=1 c.epollet=nothing",
                1);
}

static void a_bad_pointer_is_EFAULT_and_no_crash(void)
{
    const char *const *argv = ARGV(it_program("pointers"));
    struct it_child *bare = it_run(&(struct it_command){.argv = argv});
    static const char *const rules[] = {
        "%all:delay=1us:prob=0", "%in:short=4:role=client;%out:short=1:role=client",
        "%in:corrupt=9:role=client;%out:corrupt=9:role=client", "%all:delay=1us"};

    CHECK_HAS(bare->out, "EFAULT");
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        for (int way = IT_PLAIN; way <= IT_TRACED; way++) {
            struct it_child *child = it_shimmed(way, rules[i], argv);
            CHECK_EXIT(child, 0);
            CHECK_TEXT(child->out, bare->out);
        }
}

IT_SUITE(error, TEST(a_bad_pointer_is_EFAULT_and_no_crash), TEST(a_reset_connection_is_gone_for_both_ends),
         TEST(after_an_injected_reset_everything_is_as_after_a_real_one),
         TEST(every_receiving_call_can_be_reset), TEST(every_sending_call_can_be_reset),
         TEST(EPIPE_raises_SIGPIPE_unless_the_call_says_not_to), TEST(a_connection_is_reset_only_once),
         TEST(a_timed_out_connection_is_gone_too), TEST(transient_errors_leave_the_connection_alone),
         TEST(an_edge_triggered_waiter_is_woken_again_after_an_injected_EAGAIN),
         TEST(a_timeout_of_the_program_gives_EAGAIN_when_it_is_over),
         TEST(impossible_errors_are_not_delivered_and_say_why), TEST(allow_any_delivers_the_impossible),
         TEST(a_refused_connect_is_as_a_real_one),
         TEST(a_non_blocking_connect_learns_of_its_failure_from_SO_ERROR_once),
         TEST(the_network_can_be_unreachable),
         TEST(what_a_timeout_keeps_from_being_restarted_can_be_interrupted),
         TEST(an_interrupted_connect_goes_on_in_the_background),
         TEST(a_connect_with_a_timeout_may_be_in_progress),
         TEST(an_aborted_connection_is_taken_off_the_queue),
         TEST(a_listener_out_of_resources_leaves_the_connection_queued),
         TEST(no_connection_can_be_aborted_before_there_is_one), TEST(a_failed_close_releases_the_descriptor),
         TEST(a_server_can_find_its_client_gone), TEST(calls_that_make_or_set_fail_without_a_trace),
         TEST(waits_can_fail))
