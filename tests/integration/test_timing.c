/* delay and signal: when a call returns, and what ends it early. */
#include "check.h"
#include "suite.h"
#include "under.h"

static void a_delayed_call_returns_later(void)
{
    PROBE_FIRED("recv:delay=300ms:role=client:when=1", "pair s.send:data mark c.recv:9 since:300",
                "s.send=4 c.recv=4:data since=yes", 1);
    PROBE_FIRED("send:delay=300ms:role=client:when=1", "pair mark c.send:data since:300 s.recv:9",
                "c.send=4 since=yes s.recv=4:data", 1);
    PROBE_FIRED("connect:delay=300ms:when=1", "l.listen c.tcp mark c.connect since:300",
                "c.connect=0 since=yes", 1);
    PROBE_FIRED("accept:delay=300ms:when=1", "l.listen c.tcp c.connect mark l.accept since:300 s.send:x",
                "c.connect=0 since=yes s.send=1", 1);
    PROBE_FIRED("poll:delay=300ms:when=1", "pair s.send:x mark c.poll:2000:in since:300",
                "s.send=1 c.poll=IN since=yes", 1);
    PROBE_FIRED("getsockname:delay=300ms:when=1", "pair mark c.name since:300", "c.name=IPv4 since=yes", 1);
    PROBE_FIRED("recv:delay=200ms..400ms:role=client:when=1", "pair s.send:data mark c.recv:9 since:200",
                "s.send=4 c.recv=4:data since=yes", 1);
}

static void a_delay_begins_when_the_data_is_there(void)
{
    /* The delayed thread ends after the main one has done its part. */
    PROBE_FIRED("recv:delay=400ms:role=client:when=1", "pair c.recv:9& mark s.send:data join since:400",
                "s.send=4 c.recv=4:data since=yes", 1);
}

static void other_threads_go_on_during_a_delay(void)
{
    PROBE("recv:delay=30s:role=client:when=1", "pair s.send:data c.recv:9& c.send:more s.recv:9",
          "s.send=4 c.send=4 s.recv=4:more");
}

static void a_delay_does_not_outlast_the_timeout_of_the_program(void)
{
    PROBE_FIRED("recv:delay=30s:role=client:when=1",
                "pair c.rcvtimeo:200 s.send:data mark c.recv:9 since:200 c.recv:9",
                "s.send=4 c.recv=EAGAIN since=yes c.recv=4:data", 1);
    PROBE_FIRED("send:delay=30s:role=client:when=1",
                "pair c.sndtimeo:200 mark c.send:data since:200 c.send:more s.recv:9",
                "c.send=EAGAIN since=yes c.send=4 s.recv=4:more", 1);
    PROBE("connect:delay=30s:when=1",
          "l.listen c.tcp c.sndtimeo:200 mark c.connect since:200 l.accept s.send:data c.recv:9",
          "c.connect=EINPROGRESS since=yes s.send=4 c.recv=4:data");
    PROBE("accept:delay=30s:when=1",
          "l.listen l.rcvtimeo:200 c.tcp c.connect mark l.accept since:200 l.accept s.send:data c.recv:9",
          "c.connect=0 l.accept=EAGAIN since=yes s.send=4 c.recv=4:data");
    PROBE("recv:delay=30s:role=client:when=1", "pair c.rcvtimeo:200 mark c.recv:9 since:200",
          "c.recv=EAGAIN since=yes");
}

static void a_signal_interrupts_a_delay_and_no_data_is_lost(void)
{
    PROBE("recv:delay=30s:role=client:when=1",
          "pair on:USR1 s.send:data c.recv:9& kill:USR1 join hits c.recv:9",
          "s.send=4 c.recv=EINTR hits=1 c.recv=4:data");
    PROBE("send:delay=30s:role=client:when=1",
          "pair on:USR1 c.send:lost& kill:USR1 join hits c.send:data s.recv:9",
          "c.send=EINTR hits=1 c.send=4 s.recv=4:data");
}

static void a_signal_that_restarts_does_not_shorten_a_delay(void)
{
    PROBE_FIRED("recv:delay=400ms:role=client:when=1",
                "pair on:USR1:restart s.send:data mark c.recv:9& kill:USR1 join since:400 hits",
                "s.send=4 c.recv=4:data since=yes hits=1", 1);
}

static void effects_combine(void)
{
    PROBE_FIRED("recv:delay=300ms:short=2:role=client:when=1",
                "pair s.send:data mark c.recv:9 since:300 c.recv:9",
                "s.send=4 c.recv=2:da since=yes c.recv=2:ta", 1);
    PROBE_FIRED("recv:delay=300ms:error=ECONNRESET:role=client:when=1",
                "pair s.send:data mark c.recv:9 since:300 c.recv:9",
                "s.send=4 c.recv=ECONNRESET since=yes c.recv=0", 1);
    PROBE_FIRED("connect:delay=300ms:error=ECONNREFUSED:when=1", "l.listen c.tcp mark c.connect since:300",
                "c.connect=ECONNREFUSED since=yes", 1);
}

static void a_delayed_refusal_of_accept_comes_after_the_connection(void)
{
    PROBE_FIRED("accept:delay=200ms:error=ECONNABORTED:when=1",
                "l.listen c.tcp c.connect mark l.accept since:200 c.recv:9",
                "c.connect=0 l.accept=ECONNABORTED since=yes c.recv=ECONNRESET", 1);
}

static void a_signal_ends_a_call_that_waits(void)
{
    PROBE_FIRED("recv:signal=USR1:role=client:when=1", "pair on:USR1 c.recv:9 hits s.send:data c.recv:9",
                "c.recv=EINTR hits=1 s.send=4 c.recv=4:data", 1);
    PROBE_FIRED("accept:signal=USR1:when=1", "l.listen on:USR1 l.accept hits", "l.accept=EINTR hits=1", 1);
    PROBE_FIRED("connect:signal=USR1:when=1",
                "l.listen c.tcp on:USR1 c.connect hits c.poll:2000 c.getopt:SO_ERROR",
                "c.connect=EINTR hits=1 c.poll=OUT c.getopt=0", 1);
}

static void a_signal_does_not_end_a_call_that_has_nothing_to_wait_for(void)
{
    PROBE_FIRED("recv:signal=USR1:role=client:when=1", "pair on:USR1 s.send:data c.recv:9 hits",
                "s.send=4 c.recv=4:data hits=1", 1);
    PROBE_FIRED("recv:signal=USR1:role=client:when=1", "pair on:USR1 c.nb c.recv:9 hits",
                "c.recv=EAGAIN hits=1", 1);
    PROBE_FIRED("send:signal=USR1:role=client:when=1", "pair on:USR1 c.send:data hits s.recv:9",
                "c.send=4 hits=1 s.recv=4:data", 1);
    PROBE_FIRED("setsockopt:signal=USR1:when=1", "pair on:USR1 c.opt:TCP_NODELAY:1 hits c.getopt:TCP_NODELAY",
                "hits=1 c.getopt=1", 1);
}

static void SA_RESTART_restarts_what_the_kernel_restarts(void)
{
    PROBE_FIRED("recv:signal=USR1:role=client:when=1", "pair on:USR1:restart c.recv:9& s.send:data join hits",
                "s.send=4 c.recv=4:data hits=1", 1);
    /* signal(7): with a timeout of the program's, recv is never restarted. */
    PROBE_FIRED("recv:signal=USR1:role=client:when=1", "pair c.rcvtimeo:9000 on:USR1:restart c.recv:9 hits",
                "c.recv=EINTR hits=1", 1);
}

static void waits_are_never_restarted(void)
{
    static const char *const waits[] = {"poll", "ppoll", "select", "pselect"};
    for (size_t i = 0; i < 4; i++)
        PROBE_FIRED(
            it_text("%s:signal=USR1:when=1", waits[i]),
            it_text("pair on:USR1:restart c.%s:9000:in hits s.send:x c.%s:9000:in", waits[i], waits[i]),
            it_text("c.%s=EINTR hits=1 s.send=1 c.%s=IN", waits[i], waits[i]), 1);
    PROBE_FIRED("epoll_wait:signal=USR1:when=1",
                "pair on:USR1:restart c.epollet:9000 hits s.send:x c.epollet:9000",
                "c.epollet=EINTR hits=1 s.send=1 c.epollet=IN", 1);
}

static void what_is_ready_is_not_interrupted(void)
{
    /* poll(2) looks before it sleeps: the handler runs, and the result is kept. */
    PROBE_FIRED("poll:signal=USR1:when=1", "pair on:USR1 s.send:x c.poll:9000:in hits",
                "s.send=1 c.poll=IN hits=1", 1);
}

static void a_blocked_signal_stays_pending(void)
{
    PROBE("recv:signal=USR1:role=client:when=1", "pair on:USR1 mask:USR1 s.send:data c.recv:9 hits",
          "s.send=4 c.recv=4:data hits=0");
}

static void a_signal_without_a_handler_kills(void)
{
    struct it_child *child =
        it_shimmed(IT_BARE, "recv:signal=TERM:role=client", it_probe_argv("pair s.send:x c.recv:9"));
    CHECK_EXIT(child, 128 + 15);
}

IT_SUITE(timing, TEST(a_delayed_call_returns_later), TEST(a_delay_begins_when_the_data_is_there),
         TEST(other_threads_go_on_during_a_delay), TEST(a_delay_does_not_outlast_the_timeout_of_the_program),
         TEST(a_signal_interrupts_a_delay_and_no_data_is_lost),
         TEST(a_signal_that_restarts_does_not_shorten_a_delay), TEST(effects_combine),
         TEST(a_delayed_refusal_of_accept_comes_after_the_connection), TEST(a_signal_ends_a_call_that_waits),
         TEST(a_signal_does_not_end_a_call_that_has_nothing_to_wait_for),
         TEST(SA_RESTART_restarts_what_the_kernel_restarts), TEST(waits_are_never_restarted),
         TEST(what_is_ready_is_not_interrupted), TEST(a_blocked_signal_stays_pending),
         TEST(a_signal_without_a_handler_kills))
