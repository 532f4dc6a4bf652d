/* What is late on a descriptor that does not block is not there for anybody. */
#include "check.h"
#include "place.h"
#include "suite.h"
#include "under.h"

#define LATE "recv:delay=300ms:role=client:when=1"
#define EARLY "recv:delay=30s:role=client:when=1"

static void what_arrived_is_there_when_its_time_has_come(void)
{
    static const char *const waits[] = {"poll:5000:in", "ppoll:5000:in", "select:5000:in", "pselect:5000:in",
                                        "epollet:5000", "epollarm:5000", "epollexcl:5000", "epollnest:5000"};
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        const char *name = it_text("%.*s", (int)strcspn(waits[i], ":"), waits[i]);
        PROBE_FIRED(LATE,
                    it_text("pair c.nb c.%s:0:in s.send:data mark c.%s c.recv:9 c.%s since:300 c.recv:9",
                            name, waits[i], waits[i]),
                    it_text("c.%s=nothing s.send=4 c.%s=IN c.recv=EAGAIN c.%s=IN since=yes c.recv=4:data",
                            name, name, name),
                    1);
    }
}

static void nobody_sees_it_before(void)
{
    static const char *const waits[] = {"poll:30:in", "ppoll:30:in", "select:30:in", "pselect:30:in",
                                        "epollet:30", "epollarm:30", "epollexcl:30", "epollnest:30"};
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        const char *name = it_text("%.*s", (int)strcspn(waits[i], ":"), waits[i]);
        /* Registered before, and afterwards; with the peer's FIN behind the data. */
        PROBE_FIRED(EARLY, it_text("pair c.nb c.%s:0:in s.send:data c.recv:9 c.%s", name, waits[i]),
                    it_text("c.%s=nothing s.send=4 c.recv=EAGAIN c.%s=nothing", name, name), 1);
        PROBE_FIRED(EARLY, it_text("pair c.nb s.send:data s.fin c.recv:9 c.%s c.recv:9", waits[i]),
                    it_text("s.send=4 c.recv=EAGAIN c.%s=nothing c.recv=EAGAIN", name), 1);
        PROBE_FIRED(EARLY, it_text("pair c.nb c.shut:wr s.send:data c.recv:9 s.fin c.%s", waits[i]),
                    it_text("c.shut=0 s.send=4 c.recv=EAGAIN c.%s=nothing", name), 1);
    }
    PROBE_FIRED(EARLY,
                "pair c.nb s.send:data c.queued c.recv:9 c.queued c.read:9 c.recv:9:peek c.recv:9:dontwait",
                "s.send=4 c.queued=4 c.recv=EAGAIN c.queued=0 c.read=EAGAIN c.recv=EAGAIN c.recv=EAGAIN", 1);
}

static void the_other_side_and_other_sockets_go_on(void)
{
    PROBE_FIRED(EARLY,
                "pair c.nb c.epoll:0 s.send:data c.recv:9 c.epoll:5000 c.send:x s.recv:9 c.poll:5000:out",
                "c.epoll=OUT s.send=4 c.recv=EAGAIN c.epoll=OUT c.send=1 s.recv=1:x c.poll=OUT", 1);
    PROBE_FIRED("send:delay=30s:role=client:when=1",
                "pair c.nb c.epoll:0 c.send:x c.epoll:30 s.send:data c.epoll:5000 c.recv:9 c.poll:30:out",
                "c.epoll=OUT c.send=EAGAIN c.epoll=nothing s.send=4 c.epoll=IN c.recv=4:data c.poll=nothing",
                1);
}

static void room_to_send_comes_later(void)
{
    static const char *const waits[] = {"poll:5000:out", "ppoll:5000:out", "epollet:5000:out"};
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        const char *name = it_text("%.*s", (int)strcspn(waits[i], ":"), waits[i]);
        PROBE_FIRED("send:delay=300ms:role=client:when=1",
                    it_text("pair c.nb mark c.%s c.send:data c.%s since:300 c.send:data s.recv:9", waits[i],
                            waits[i]),
                    it_text("c.%s=OUT c.send=EAGAIN c.%s=OUT since=yes c.send=4 s.recv=4:data", name, name),
                    1);
    }
}

static void who_slept_before_is_woken_at_the_end(void)
{
    PROBE_FIRED(LATE, "pair c.nb s.send:data mark c.recv:9 c.epollet:5000& join since:300 c.recv:9",
                "s.send=4 c.recv=EAGAIN c.epollet=IN since=yes c.recv=4:data", 1);
    /* An edge-triggered waiter that went to sleep before the hold began. */
    PROBE_FIRED(LATE,
                "pair c.nb c.epollet:0 c.dup:d mark s.send:data d.recv:9 c.epollet:5000 since:300 c.recv:9",
                "c.epollet=nothing s.send=4 d.recv=EAGAIN c.epollet=IN since=yes c.recv=4:data", 1);
}

static void latency_is_each_bytes_own_and_in_order(void)
{
    /* The second part arrives during the delay of the first, and is late by as much. */
    PROBE_FIRED(
        "recv:delay=1200ms:role=client",
        "pair c.nb s.send:one c.recv:99 c.poll:300:in mark s.send:two c.poll:5000:in c.recv:99 c.recv:99 "
        "c.poll:5000:in since:1190 c.recv:99",
        "s.send=3 c.recv=EAGAIN c.poll=nothing s.send=3 c.poll=IN c.recv=3:one c.recv=EAGAIN c.poll=IN "
        "since=yes c.recv=3:two",
        2);
    /* It strikes once: what is behind only keeps its place. */
    PROBE_FIRED(LATE, "pair c.nb s.send:one c.recv:99 s.send:two c.poll:5000:in c.recv:99 c.recv:99",
                "s.send=3 c.recv=EAGAIN s.send=3 c.poll=IN c.recv=6:onetwo c.recv=EAGAIN", 1);
}

static void a_reset_is_not_late(void)
{
    PROBE_FIRED(EARLY, "pair c.nb s.send:data c.recv:9 s.reset c.epollet:5000 c.poll:0 c.recv:9",
                "s.send=4 c.recv=EAGAIN c.epollet=IN+ERR+HUP+RDHUP c.poll=IN+OUT+ERR+HUP+RDHUP c.recv=4:data",
                1);
}

static void a_connection_is_accepted_later(void)
{
    PROBE_FIRED(
        "accept:delay=300ms:when=1",
        "l.listen l.nb l.accept l.epollet:0 c.tcp c.connect mark l.accept l.epollet:5000 since:300 l.accept "
        "s.send:x c.recv:9",
        "l.accept=EAGAIN l.epollet=nothing c.connect=0 l.accept=EAGAIN l.epollet=IN since=yes s.send=1 "
        "c.recv=1:x",
        1);
    PROBE("accept:delay=30s", "l.listen l.nb c.tcp c.connect l.accept l.poll:30:in l.epollet:30 l.accept",
          "c.connect=0 l.accept=EAGAIN l.poll=nothing l.epollet=nothing l.accept=EAGAIN");
}

static void a_connection_is_made_later(void)
{
    PROBE_FIRED(
        "connect:delay=300ms:when=1",
        "l.listen c.tcp c.nb mark c.connect c.peer c.getopt:SO_ERROR c.connect c.send:x c.recv:9 c.poll:30 "
        "c.epollet:5000:out since:300 c.peer c.getopt:SO_ERROR l.accept c.send:x s.recv:9",
        "c.connect=EINPROGRESS c.peer=ENOTCONN c.getopt=0 c.connect=EALREADY c.send=EAGAIN c.recv=EAGAIN "
        "c.poll=nothing c.epollet=OUT since=yes c.peer=IPv4 c.getopt=0 c.send=1 s.recv=1:x",
        1);
    PROBE_FIRED(
        "connect:delay=300ms:when=1",
        "l.dead c.tcp c.nb mark c.connect c.getopt:SO_ERROR c.poll:5000 since:300 c.getopt:SO_ERROR c.peer",
        "c.connect=EINPROGRESS c.getopt=0 c.poll=IN+OUT+ERR+HUP+RDHUP since=yes c.getopt=ECONNREFUSED "
        "c.peer=ENOTCONN",
        1);
}

/* A look at every moment, the very end of a hold among them. The second part is so much
 * later that whoever is kept from looking still finds the first alone. */
static void a_call_at_the_very_end_gets_what_is_due(void)
{
    for (int i = 0; i < 2; i++)
        PROBE_FIRED("recv:delay=600ms:role=client",
                    "pair c.nb s.send:one c.recv:9 c.poll:300:in s.send:two c.recv:9:again c.recv:9:again",
                    "s.send=3 c.recv=EAGAIN c.poll=nothing s.send=3 c.recv=3:one c.recv=3:two", -1);
}

static void both_sides_of_a_late_connect_end_together(void)
{
    for (int i = 0; i < 10; i++)
        PROBE_FIRED("connect:delay=20ms:when=1",
                    "l.dead c.tcp c.nb c.connect c.busypoll:5000 c.getopt:SO_ERROR",
                    "c.connect=EINPROGRESS c.busypoll=IN+OUT+ERR+HUP+RDHUP c.getopt=ECONNREFUSED", 1);
}

/* The kernel would tell of each connection once. */
static void a_late_connect_is_one_edge(void)
{
    struct it_child *child = it_shimmed(IT_PLAIN, "connect:delay=200ms", ARGV(it_program("edges"), "8"));
    CHECK_TEXT(child->out, "8, 0 again\n");
    CHECK_INT(it_fired(1), 8);
}

static void a_number_that_is_used_again_is_not_held(void)
{
    PROBE_FIRED(EARLY, "pair c.nb s.send:data c.recv:9 c.close l.is:-1 pair s.send:more c.nb c.recv:9",
                "s.send=4 c.recv=EAGAIN c.close=0 s.send=4 c.recv=4:more", 1);
    PROBE_FIRED(EARLY, "pair c.nb s.send:data c.recv:9 c.dup:d c.close d.kernel:SO_RCVLOWAT",
                "s.send=4 c.recv=EAGAIN c.close=0 d.kernel=1", 1);
}

static void a_child_sees_the_same_and_its_own_end(void)
{
    PROBE_FIRED(EARLY, "pair c.nb s.send:data c.recv:9 c.vclose c.poll:30:in c.recv:9",
                "s.send=4 c.recv=EAGAIN c.poll=nothing c.recv=EAGAIN", 1);
    PROBE_FIRED(LATE, "pair c.nb s.send:data c.recv:9 fork c.poll:5000:in c.recv:9",
                "s.send=4 c.recv=EAGAIN c.poll=IN c.recv=4:data", 1);
    PROBE_FIRED(LATE, "pair c.nb s.send:data mark c.recv:9 exec c.poll:5000:in c.recv:9",
                "s.send=4 c.recv=EAGAINc.poll=IN c.recv=4:data", 1);
}

static void a_rate_is_kept_in_both_directions(void)
{
    PROBE("recv:rate=10K:role=client", "pair s.send:#2000 s.fin mark c.drain since:150",
          "s.send=2000 c.drain=2000 since=yes");
    PROBE("send:rate=10K:role=client", "pair mark c.send:#2000 since:150 c.shut:wr s.drain",
          "c.send=2000 since=yes c.shut=0 s.drain=2000");
    PROBE(
        "recv:rate=2:role=client",
        "pair c.nb s.send:#200 mark c.recv:150 c.epollet:0 c.recv:99 c.epollet:5000 since:400 c.recv:10:peek",
        "s.send=200 c.recv=1:A c.epollet=nothing c.recv=EAGAIN c.epollet=IN since=yes c.recv=1:H");
    PROBE("send:rate=2:role=client",
          "pair c.nb mark c.send:#200 c.send:x c.poll:0:out c.poll:5000:out since:400 c.send:#5",
          "c.send=1 c.send=EAGAIN c.poll=nothing c.poll=OUT since=yes c.send=1");
}

static void calls_that_a_rate_lets_pass_are_not_paid_for(void)
{
    PROBE("recv:rate=100:role=client",
          "pair c.nb s.send:#2000 c.recv:1 c.recvfrom:1500:trunc c.recv:1 c.epollet:5000 c.recv:1:peek",
          "s.send=2000 c.recv=1:A c.recvfrom=1500 c.recv=EAGAIN c.epollet=IN c.recv=1:I");
}

IT_SUITE(hold, TEST(what_arrived_is_there_when_its_time_has_come), TEST(nobody_sees_it_before),
         TEST(the_other_side_and_other_sockets_go_on), TEST(room_to_send_comes_later),
         TEST(who_slept_before_is_woken_at_the_end), TEST(latency_is_each_bytes_own_and_in_order),
         TEST(a_reset_is_not_late), TEST(a_connection_is_accepted_later), TEST(a_connection_is_made_later),
         TEST(a_call_at_the_very_end_gets_what_is_due), TEST(both_sides_of_a_late_connect_end_together),
         TEST(a_late_connect_is_one_edge), TEST(a_number_that_is_used_again_is_not_held),
         TEST(a_child_sees_the_same_and_its_own_end), TEST(a_rate_is_kept_in_both_directions),
         TEST(calls_that_a_rate_lets_pass_are_not_paid_for))
