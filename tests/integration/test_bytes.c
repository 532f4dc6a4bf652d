/* short, eof, corrupt: how many bytes move, and in which state. */
#include "check.h"
#include "net.h"
#include "suite.h"
#include "under.h"

static const char *const receives[] = {"read",     "readv",  "preadv2", "recv",     "recvfrom",    "recvmsg",
                                       "recvmmsg", "splice", "__read",  "sys_read", "sys_recvfrom"};
static const char *const sends[] = {"write",    "writev",   "pwritev2",   "send",    "sendto", "sendmsg",
                                    "sendmmsg", "sendfile", "splice_out", "__write", "__send", "sys_sendto"};
#define EACH(list)                                                                                           \
    for (const char *const *call = (list); call < (list) + sizeof(list) / sizeof *(list); call++)

static void every_receiving_call_can_be_short(void)
{
    EACH(receives)
    PROBE_FIRED("%in:short=4:role=client:when=1", it_text("pair s.send:hello-world c.%s:11 c.recv:20", *call),
                it_text("s.send=11 c.%s=4:hell c.recv=7:o-world", *call), 1);
}

static void every_sending_call_can_be_short(void)
{
    EACH(sends)
    PROBE_FIRED("%out:short=4:role=client:when=1", it_text("pair c.%s:hello-world s.recv:20", *call),
                it_text("c.%s=4 s.recv=4:hell", *call), 1);
}

static void short_is_exact_to_the_byte_across_the_pieces_of_a_vector(void)
{
    const char *text = "hello-world!";
    for (int n = 1; n <= 11; n++) {
        PROBE(it_text("%%in:short=%d:role=client:when=1", n), "pair s.send:hello-world! c.readv:12 c.recv:20",
              it_text("s.send=12 c.readv=%d:%.*s c.recv=%d:%s", n, n, text, 12 - n, text + n));
        PROBE(it_text("%%in:short=%d:role=client:when=1", n),
              "pair s.send:hello-world! c.recvmsg:12 c.recv:20",
              it_text("s.send=12 c.recvmsg=%d:%.*s c.recv=%d:%s", n, n, text, 12 - n, text + n));
        PROBE(it_text("%%out:short=%d:role=client:when=1", n), "pair c.writev:hello-world! s.recv:20",
              it_text("c.writev=%d s.recv=%d:%.*s", n, n, n, text));
        PROBE(it_text("%%out:short=%d:role=client:when=1", n), "pair c.sendmsg:hello-world! s.recv:20",
              it_text("c.sendmsg=%d s.recv=%d:%.*s", n, n, n, text));
    }
}

static void a_short_transfer_is_never_empty(void)
{
    EACH(receives)
    PROBE("%in:short=1:role=client", it_text("pair s.send:ab c.%s:9 c.%s:9", *call, *call),
          it_text("s.send=2 c.%s=1:a c.%s=1:b", *call, *call));
    EACH(sends)
    PROBE("%out:short=1:role=client", it_text("pair c.%s:ab s.recv:9", *call),
          it_text("c.%s=1 s.recv=1:a", *call));
}

static void a_zero_length_transfer_stays_one(void)
{
    EACH(receives)
    PROBE_REFUSED("%in:short=1:role=client",
                  it_text("pair s.send:ab c.%s:0:dontwait", strcmp(*call, "recvmmsg") ? *call : "recv"),
                  it_text("s.send=2 c.%s=0", strcmp(*call, "recvmmsg") ? *call : "recv"),
                  "the call asked for no bytes");
    EACH(sends)
    if (strcmp(*call, "sendmmsg") != 0) /* the probe's second message is not empty */
        PROBE_REFUSED("%out:short=1:role=client", it_text("pair c.%s:#0", *call), it_text("c.%s=0", *call),
                      "the call asked for no bytes");
    PROBE_REFUSED("%in:corrupt:role=client", "pair s.send:ab c.recv:0", "s.send=2 c.recv=0",
                  "the call asked for no bytes");
}

static void what_is_no_shorter_is_not_called_short(void)
{
    PROBE_REFUSED("recv:short=100:role=client", "pair s.send:ab c.recv:9", "s.send=2 c.recv=2:ab",
                  "the call moved fewer bytes than that");
    PROBE_REFUSED("recv:short=3:role=client", "pair s.send:ab c.recv:9", "s.send=2 c.recv=2:ab",
                  "the call moved fewer bytes than that");
    PROBE_REFUSED("send:short=100:role=client", "pair c.send:ab s.recv:9", "c.send=2 s.recv=2:ab",
                  "the call moved fewer bytes than that");
}

static void a_peek_is_short_and_consumes_nothing(void)
{
    PROBE_FIRED("recv:short=3:role=client:when=1", "pair s.send:hello c.recv:9:peek c.recv:9",
                "s.send=5 c.recv=3:hel c.recv=5:hello", 1);
    PROBE_FIRED("%in:short=3:role=client", "pair s.send:hello c.recvmsg:9:peek c.recv:9 c.recv:9",
                "s.send=5 c.recvmsg=3:hel c.recv=3:hel c.recv=2:lo", 2);
}

static void a_read_that_finds_nothing_is_not_counted(void)
{
    PROBE("%in:short=1:role=client:when=1", "pair c.nb c.recv:9 c.recv:9 s.send:ab c.recv:9",
          "c.recv=EAGAIN c.recv=EAGAIN s.send=2 c.recv=1:a");
}

/* A read that has room takes all there is once the connection has ended both ways: the
 * end is told of behind the last byte. */
static void no_hang_up_is_told_before_the_last_byte(void)
{
    static const char *const waits[] = {"poll", "ppoll", "epoll"};
    EACH(waits)
    {
        PROBE(
            "%in:short=3:role=client:when=1",
            it_text("pair s.send:hello s.shut:wr c.shut:wr c.%s c.recv:9 c.%s c.recv:9 c.%s", *call, *call,
                    *call),
            it_text("s.send=5 s.shut=0 c.shut=0 c.%s=IN+OUT+RDHUP c.recv=3:hel c.%s=IN+OUT+RDHUP c.recv=2:lo "
                    "c.%s=IN+OUT+HUP+RDHUP",
                    *call, *call, *call));
        PROBE("%in:rate=100:role=client:when=1", it_text("pair s.send:hello s.shut:wr c.shut:wr c.%s", *call),
              it_text("s.send=5 s.shut=0 c.shut=0 c.%s=IN+OUT+RDHUP", *call));
    }
}

static void short_ends_MSG_WAITALL_early(void)
{
    PROBE_FIRED("recv:short=3:role=client:when=1", "pair s.send:hello c.recv:5:waitall c.recv:2:waitall",
                "s.send=5 c.recv=3:hel c.recv=2:lo", 1);
    /* More than was sent: the call does not wait for the rest. */
    PROBE_FIRED("recv:short=3:role=client:when=1", "pair s.send:hello c.recv:50:waitall c.recv:9",
                "s.send=5 c.recv=3:hel c.recv=2:lo", 1);
}

static void control_data_comes_with_a_short_message(void)
{
    /* TCP_INQ: how much is left in the queue; CMSG_SPACE(sizeof(int)) is 24. */
    PROBE_FIRED("recvmsg:short=4:role=client:when=1",
                "pair c.opt:TCP_INQ:1 s.send:hello-world c.recvmsg:11 c.msg c.recvmsg:20 c.msg",
                "s.send=11 c.recvmsg=4:hell c.msg=0,7,24 c.recvmsg=7:o-world c.msg=0,0,24", 1);
    PROBE_FIRED("recvmmsg:short=4:role=client:when=1",
                "pair c.opt:TCP_INQ:1 s.send:hello-world c.recvmmsg:11 c.msg",
                "s.send=11 c.recvmmsg=4:hell c.msg=0,7,24", 1);
}

static void a_transfer_in_short_pieces_arrives_whole(void)
{
    PROBE("%in:short=1000:role=server", "pair c.send:#100000 c.close s.drain",
          "c.send=100000 c.close=0 s.drain=100000");
}

static void the_stream_ends_where_it_was_told_to(void)
{
    EACH(receives)
    {
        PROBE_FIRED("%in:eof:role=client:bytes=5:when=1",
                    it_text("pair s.send:hello-world c.%s:20 c.%s:20 c.%s:20", *call, *call, *call),
                    it_text("s.send=11 c.%s=5:hello c.%s=0 c.%s=0", *call, *call, *call), 1);
        PROBE_FIRED("%in:eof:role=client:when=1", it_text("pair s.send:hello-world c.%s:20 c.recv:20", *call),
                    it_text("s.send=11 c.%s=0 c.recv=0", *call), 1);
    }
    PROBE("%in:eof:role=client:bytes=5", "pair6 s.send:hello-world c.recv:20 c.recv:20",
          "s.send=11 c.recv=5:hello c.recv=0");
    PROBE("%in:eof:role=client:bytes=5", "pair s.send:hello-world c.recv:2 c.recv:2 c.recv:2 c.recv:2",
          "s.send=11 c.recv=2:he c.recv=2:ll c.recv=1:o c.recv=0");
}

static void the_end_comes_without_waiting_for_more(void)
{
    PROBE("%in:eof:role=client:bytes=5", "pair s.send:hello c.recv:20 c.recv:20",
          "s.send=5 c.recv=5:hello c.recv=0");
    PROBE("%in:eof:role=client", "pair c.recv:20:waitall", "c.recv=0");
    PROBE("%in:eof:role=client", "pair c.nb c.recv:20", "c.recv=0");
}

static void after_the_end_sending_still_works(void)
{
    PROBE("%in:eof:role=client:bytes=5",
          "pair s.send:hello c.recv:20 c.recv:20 c.send:more s.recv:9 s.send:late c.recv:9 c.send:last "
          "s.recv:9",
          "s.send=5 c.recv=5:hello c.recv=0 c.send=4 s.recv=4:more s.send=4 c.recv=0 c.send=4 s.recv=4:last");
}

static void after_the_end_every_wait_agrees_with_a_real_one(void)
{
    const char *after =
        "c.poll c.ppoll c.select c.epoll c.recv:9 c.recv:9:peek c.send:x c.poll c.shut:wr c.poll";
    PROBE_AS_REAL("%in:eof:role=client:when=1", it_text("pair c.recv:9 %s", after),
                  it_text("pair s.fin c.recv:9 %s", after));
    PROBE("%in:eof:role=client:when=1", "pair c.recv:9 s.send:late c.poll c.recv:9 c.epollet:0 c.epollet:0",
          "c.recv=0 s.send=4 c.poll=IN+OUT+RDHUP c.recv=0 c.epollet=IN+RDHUP c.epollet=nothing");
}

static void the_end_holds_for_duplicates_children_and_new_images(void)
{
    PROBE("%in:eof:role=client:when=1", "pair c.dup:d c.recv:9 s.send:late d.recv:9",
          "c.recv=0 s.send=4 d.recv=0");
    PROBE("%in:eof:role=client:when=1", "pair c.recv:9 s.send:late fork c.recv:9",
          "c.recv=0 s.send=4 c.recv=0");
    PROBE("%in:eof:role=client:when=1", "pair c.recv:9 s.send:late exec c.recv:9",
          "c.recv=0 s.send=4c.recv=0");
    PROBE("%in:eof:role=client:when=1", "pair c.recv:9 s.send:late c.pass:p p.recv:9",
          "c.recv=0 s.send=4 p.recv=0");
}

static void one_bit_is_flipped_in_what_arrives(void)
{
    EACH(receives)
    if (strcmp(*call, "splice") != 0) {
        /* bit by bit: the third byte of "hello" is 'l' */
        struct it_child *child = it_under_run(
            &(struct it_under){.way = IT_PLAIN,
                               .rules = "%in:corrupt=3:role=client:when=1",
                               .argv = it_probe_argv(it_text("pair s.send:hello c.%s:9", *call))});
        const char *got = strrchr(child->out, ':');
        CHECK_EXIT(child, 0);
        CHECK_SAYING(got && strlen(got) == 6 && memcmp(got + 1, "he", 2) == 0 &&
                         memcmp(got + 4, "lo", 2) == 0 &&
                         __builtin_popcount((unsigned char)got[3] ^ 'l') == 1,
                     it_text("%s gave \"%s\", not he?lo", *call, child->out));
        CHECK_INT(it_fired(1), 1);
    }
}

static const char *corrupted(const char *rule, uint64_t seed, const char *script)
{
    struct it_child *child = it_under_run(
        &(struct it_under){.way = IT_PLAIN, .rules = rule, .seed = seed, .argv = it_probe_argv(script)});
    CHECK_EXIT(child, 0);
    return child->out;
}

static void one_bit_is_flipped_in_what_leaves_and_the_buffer_is_untouched(void)
{
    /* The probe compares its own buffer; drain counts the wrong bytes and bits. */
    EACH(sends)
    if (strcmp(*call, "sendfile") != 0 && strcmp(*call, "splice_out") != 0) {
        CHECK_TEXT(corrupted("%out:corrupt=13:role=client:when=1", 1,
                             it_text("pair c.%s:#1000 c.close s.drain", *call)),
                   it_text("c.%s=1000 c.close=0 s.drain=1000,1,1@12", *call));
        CHECK_INT(it_fired(1), 1);
    }
}

static void the_place_of_the_flipped_bit_comes_from_the_seed(void)
{
    const char *script = "pair c.send:#1000 c.close s.drain";
    const char *first = corrupted("send:corrupt:role=client", 1, script), *other = NULL;

    CHECK_HAS(first, "s.drain=1000,1,1@");
    CHECK_TEXT(corrupted("send:corrupt:role=client", 1, script), first);
    for (uint64_t seed = 2; seed < 6 && (!other || strcmp(other, first) == 0); seed++)
        other = corrupted("send:corrupt:role=client", seed, script);
    CHECK(strcmp(other, first) != 0);
    CHECK_HAS(corrupted("recv:corrupt:role=server:when=1", 7, script), "s.drain=1000,1,1@");
    CHECK_TEXT(corrupted("recv:corrupt:role=server:when=1", 7, script),
               corrupted("recv:corrupt:role=server:when=1", 7, script));
}

static void a_byte_beyond_the_transfer_cannot_be_corrupted(void)
{
    PROBE_REFUSED("recv:corrupt=100:role=client", "pair s.send:hello c.recv:9", "s.send=5 c.recv=5:hello",
                  "the call moved fewer bytes than that");
    PROBE_REFUSED("send:corrupt=100:role=client", "pair c.send:hello s.recv:9", "c.send=5 s.recv=5:hello",
                  "the call moved fewer bytes than that");
    PROBE_REFUSED("recv:corrupt:role=client:when=1", "pair s.send:hello c.recv:9:peek c.recv:9",
                  "s.send=5 c.recv=5:hello c.recv=5:hello", "MSG_PEEK leaves the bytes where they are");
}

static void bytes_that_are_thrown_away_need_no_buffer(void)
{
    /* tcp(7): MSG_TRUNC discards; the buffer may be NULL. */
    static const char *const calls[] = {"recv", "recvfrom", "sys_recvfrom"};
    EACH(calls)
    {
        PROBE("%in:short=2:role=client", it_text("pair s.send:hello c.%s:3:trunc c.recv:9", *call),
              it_text("s.send=5 c.%s=2 c.recv=2:ll", *call));
        PROBE("%in:corrupt=9:role=client", it_text("pair s.send:hello c.%s:3:trunc c.recv:9", *call),
              it_text("s.send=5 c.%s=3 c.recv=2:lo", *call));
        PROBE("%in:corrupt=1:role=client:when=1", it_text("pair s.send:hello c.%s:3:trunc c.recv:9", *call),
              it_text("s.send=5 c.%s=3 c.recv=2:lo", *call));
        PROBE("%in:error=ECONNRESET:role=client:bytes=2",
              it_text("pair s.send:hello c.%s:3:trunc c.recv:9", *call),
              it_text("s.send=5 c.%s=2 c.recv=ECONNRESET", *call));
    }
}

static void an_ignored_option_looks_set(void)
{
    PROBE_FIRED("setsockopt:ignore:opt=SO_REUSEADDR",
                "l.tcp l.opt:SO_REUSEADDR:1 l.getopt:SO_REUSEADDR l.kernel:SO_REUSEADDR l.opt:SO_KEEPALIVE:1 "
                "l.kernel:SO_KEEPALIVE",
                "l.getopt=1 l.kernel=0 l.kernel=1", 1);
    PROBE_FIRED(
        "setsockopt:ignore:opt=TCP_NODELAY",
        "pair c.opt:TCP_NODELAY:1 c.dup:d d.getopt:TCP_NODELAY c.kernel:TCP_NODELAY s.getopt:TCP_NODELAY",
        "d.getopt=1 c.kernel=0 s.getopt=0", 1);
}

static void without_SO_REUSEADDR_a_port_in_TIME_WAIT_is_really_in_use(void)
{
    const char *script = "l.listen:%d c.tcp c.connect l.accept s.close c.close l.close m.listen:%d";
    int port = it_port();

    it_port_free(port);
    PROBE_FIRED("setsockopt:error=EPERM:opt=SO_REUSEPORT", it_text(script, port, port),
                "c.connect=0 s.close=0 c.close=0 l.close=0", 0);
    for (int i = 0; i < 2; i++) {
        port = it_port();
        it_port_free(port);
        struct it_child *child = it_shimmed(i ? IT_TRACED : IT_BARE, "setsockopt:ignore:opt=SO_REUSEADDR",
                                            it_probe_argv(it_text(script, port, port)));
        CHECK_TEXT(child->out, "c.connect=0 s.close=0 c.close=0 l.close=0 m.listen=EADDRINUSE");
    }
}

static void an_ignored_call_succeeds_and_does_nothing(void)
{
    PROBE_FIRED("shutdown:ignore:role=client", "pair c.shut:wr s.poll c.send:data s.recv:9",
                "c.shut=0 s.poll=OUT c.send=4 s.recv=4:data", 1);
    PROBE_FIRED("listen:ignore", "l.listen c.tcp c.connect", "c.connect=ECONNREFUSED", 1);
    PROBE_FIRED("close:ignore:role=client", "pair fds c.close fds s.poll", "c.close=0 fds=0 s.poll=OUT", 1);
}

IT_SUITE(bytes, TEST(every_receiving_call_can_be_short), TEST(every_sending_call_can_be_short),
         TEST(short_is_exact_to_the_byte_across_the_pieces_of_a_vector),
         TEST(a_short_transfer_is_never_empty), TEST(a_zero_length_transfer_stays_one),
         TEST(what_is_no_shorter_is_not_called_short), TEST(a_peek_is_short_and_consumes_nothing),
         TEST(a_read_that_finds_nothing_is_not_counted), TEST(no_hang_up_is_told_before_the_last_byte),
         TEST(short_ends_MSG_WAITALL_early), TEST(control_data_comes_with_a_short_message),
         TEST(a_transfer_in_short_pieces_arrives_whole), TEST(the_stream_ends_where_it_was_told_to),
         TEST(the_end_comes_without_waiting_for_more), TEST(after_the_end_sending_still_works),
         TEST(after_the_end_every_wait_agrees_with_a_real_one),
         TEST(the_end_holds_for_duplicates_children_and_new_images), TEST(one_bit_is_flipped_in_what_arrives),
         TEST(one_bit_is_flipped_in_what_leaves_and_the_buffer_is_untouched),
         TEST(the_place_of_the_flipped_bit_comes_from_the_seed),
         TEST(a_byte_beyond_the_transfer_cannot_be_corrupted),
         TEST(bytes_that_are_thrown_away_need_no_buffer), TEST(an_ignored_option_looks_set),
         TEST(without_SO_REUSEADDR_a_port_in_TIME_WAIT_is_really_in_use),
         TEST(an_ignored_call_succeeds_and_does_nothing))
