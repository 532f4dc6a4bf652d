/* `tcpfault peer listen` and `relay`: the test is the client, and of the relay also
 * the server behind it. */
#include "peer.h"
#include "suite.h"

static int port; /* where the peer listens */

/* A peer that listens; NULL where it does not get there. */
#define LISTEN(...) listening(PEER("listen", it_text("%d", port = it_port()), __VA_ARGS__))

static struct it_child *listening(struct it_child *child)
{
    it_listens(child, port);
    return child;
}

static int connects(void)
{
    int fd = it_connect(port);
    CHECK_SAYING(fd >= 0, it_text("it connects to the peer: %s", it_errno_name(errno)));
    return fd;
}

static int asks(const char *request)
{
    int fd = connects();
    says(fd, request);
    return fd;
}

/* Without having waited for the connection. */
static int begins_to_connect(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == 0 || errno == EINPROGRESS);
    it_holds(fd);
    return fd;
}

static void a_server_answers_and_closes(void)
{
    LISTEN("--reply", "answer\\n");
    for (int i = 0; i < 3; i++)
        CHECK_TEXT(hears(asks("x"), 99), "answer\n|EOF");
}

static void a_request_is_read_to_its_end(void)
{
    LISTEN("--reply", "answer", "--request-ends", "\\n\\n");
    int fd = asks("a\nb\n");
    CHECK(!ready(fd, POLLIN, 100));
    says(fd, "\n");
    CHECK_TEXT(hears(fd, 99), "answer|EOF");
    LISTEN("--reply", "answer", "--request-bytes", "3");
    fd = asks("ab");
    CHECK(!ready(fd, POLLIN, 100));
    says(fd, "c");
    CHECK_TEXT(hears(fd, 99), "answer|EOF");
    LISTEN("--reply", "answer", "--until-eof");
    fd = asks("a");
    CHECK(!ready(fd, POLLIN, 100));
    shutdown(fd, SHUT_WR);
    CHECK_TEXT(hears(fd, 99), "answer|EOF");
}

static void clients_do_not_wait_for_each_other(void)
{
    LISTEN("--reply", "answer", "--request-ends", "\\n");
    int first = asks("a"), second = asks("\n");
    CHECK_TEXT(hears(second, 99), "answer|EOF");
    says(first, "\n");
    CHECK_TEXT(hears(first, 99), "answer|EOF");
}

static void a_client_that_says_more_than_was_read_loses_nothing(void)
{
    LISTEN("--reply", "answer");
    int fd = asks("x");
    CHECK_TEXT(hears(fd, 6), "answer");
    says(fd, "more");
    CHECK_TEXT(hears(fd, 1), "|EOF");
}

static void one_connection_is_enough(void)
{
    struct it_child *child = LISTEN("--reply", "answer", "--once");
    int fd = asks("x");
    CHECK_TEXT(hears(fd, 99), "answer|EOF");
    close(fd);
    CHECK_EXIT(it_finish(child), 0);
    child = PEER("listen", it_text("%d", it_port()), "--once", "--timeout", "100ms");
    CHECK_EXIT(it_finish(child), 1);
    CHECK_HAS(child->err, "nobody connected to 127.0.0.1:");
}

static void answers_follow_each_other_with_keep_alive(void)
{
    LISTEN("--reply", "answer", "--keep-alive", "--request-ends", "\\n");
    int fd = connects();
    for (int i = 0; i < 3; i++) {
        says(fd, "x\n");
        CHECK_TEXT(hears(fd, 6), "answer");
    }
    CHECK(!ready(fd, POLLIN, 50));
    shutdown(fd, SHUT_WR);
    CHECK_TEXT(hears(fd, 1), "|EOF");
}

static void some_servers_speak_first(void)
{
    LISTEN("--reply", "answer", "--speaks-first");
    CHECK_TEXT(hears(connects(), 99), "answer|EOF");
}

static void each_byte_of_the_answer_comes_by_itself(void)
{
    LISTEN("--reply", "twenty bytes by then", "--byte-at-a-time");
    int fd = asks("x");
    CHECK_TEXT(hears(fd, 99), "twenty bytes by then|EOF");
    CHECK_INT(info(fd).tcpi_data_segs_in, 20);
}

static void an_answer_can_be_cut(void)
{
    LISTEN("--reply", "answer", "--close-after", "3");
    CHECK_TEXT(hears(asks("x"), 99), "ans|EOF");
    LISTEN("--reply", "answer", "--reset-after", "3");
    CHECK_TEXT(hears(asks("x"), 99), "ans|ECONNRESET");
    LISTEN("--reply", "answer", "--reset");
    CHECK_TEXT(hears(asks("x"), 99), "answer|ECONNRESET");
}

static void only_the_first_are_treated_badly(void)
{
    LISTEN("--reply", "answer", "--reset-after", "0", "--only-first", "2");
    for (int i = 0; i < 4; i++)
        CHECK_TEXT(hears(asks("x"), 99), i < 2 ? "|ECONNRESET" : "answer|EOF");
}

static void nothing_comes_of_a_silent_server(void)
{
    LISTEN("--reply", "never", "--silent", "300ms");
    uint64_t begin = it_now_ns();
    CHECK_TEXT(hears(asks("x"), 1), "|EOF");
    CHECK_LATER(begin, 300);
}

static void an_answer_can_be_late(void)
{
    LISTEN("--reply", "late", "--delay", "300ms");
    uint64_t begin = it_now_ns();
    CHECK_TEXT(hears(asks("x"), 9), "late|EOF");
    CHECK_LATER(begin, 300);
}

static void a_held_connection_has_no_end(void)
{
    struct it_child *child = LISTEN("--reply", "answer", "--reply-then-hold", "--once");
    int fd = asks("x");
    CHECK_TEXT(hears(fd, 6), "answer");
    CHECK(!ready(fd, POLLIN, 300));
    shutdown(fd, SHUT_WR);
    CHECK_TEXT(hears(fd, 1), "|EOF");
    CHECK_EXIT(it_finish(child), 0);
}

static void a_server_that_does_not_close_leaves_fin_wait2(void)
{
    LISTEN("--reply", "answer", "--no-close", "300ms");
    uint64_t begin = it_now_ns();
    CHECK_TEXT(hears(asks("x"), 9), "answer|EOF");
    CHECK_LATER(begin, 300);
    LISTEN("--reply", "answer", "--no-close", "1h");
    int fd = asks("x");
    CHECK_TEXT(hears(fd, 6), "answer");
    shutdown(fd, SHUT_WR);
    CHECK(becomes(fd, FIN_WAIT2));
}

static void closing_with_the_request_unread_is_a_reset(void)
{
    LISTEN("--reply", "answer", "--unread");
    CHECK_TEXT(hears(asks("x"), 99), "answer|ECONNRESET");
}

static void a_server_can_close_first(void)
{
    LISTEN("--close-first");
    CHECK_TEXT(hears(connects(), 1), "|EOF");
    LISTEN("--close-first", "--reset");
    CHECK_TEXT(hears(connects(), 1), "|ECONNRESET");
}

static void a_slow_server_keeps_the_sender_waiting(void)
{
    LISTEN("--reply", "answer", "--until-eof", "--read-slowly");
    int fd = connects();
    uint64_t begin = it_now_ns();
    CHECK_INT(fills(fd, 65536), 65536);
    shutdown(fd, SHUT_WR);
    CHECK_TEXT(hears(fd, 99), "answer|EOF");
    CHECK_LATER(begin, 65536 / 1024 * 5);
}

static void a_server_that_does_not_read_closes_the_window(void)
{
    LISTEN("--reply", "answer", "--until-eof", "--no-read", "500ms");
    uint64_t begin = it_now_ns();
    int fd = connects();
    fills(fd, 65536);
    CHECK(is_acknowledged(fd));
    CHECK_LATER(begin, 500);
    shutdown(fd, SHUT_WR);
    CHECK_TEXT(hears(fd, 99), "answer|EOF");
}

static void a_server_that_vanishes_acknowledges_nothing(void)
{
    LISTEN("--reply", "answer", "--vanish", "1h");
    int fd = asks("x");
    CHECK_TEXT(hears(fd, 6), "answer");
    CHECK(is_ignored(fd));
}

static void who_is_not_accepted_waits_in_the_queue(void)
{
    LISTEN("--no-accept", "--backlog", "0");
    int first = asks("x"), second = begins_to_connect();
    CHECK(!ready(first, POLLIN, 200));
    CHECK_INT(info(first).tcpi_state, ESTABLISHED);
    CHECK_INT(info(second).tcpi_state, SYN_SENT);
}

static void a_lost_syn_is_sent_again(void)
{
    uint64_t begin = it_now_ns();
    LISTEN("--reply", "answer", "--lose-syn", "500ms");
    int fd = begins_to_connect();
    CHECK(becomes(fd, ESTABLISHED));
    CHECK_LATER(begin, 500);
    says(fd, "x");
    CHECK_TEXT(hears(fd, 99), "answer|EOF");
    LISTEN("--lose-syn", "1h");
    CHECK_INT(info(begins_to_connect()).tcpi_state, SYN_SENT);
}

/* The peer's first SYNs are refused: nobody connects yet. What answers the test's SYN, a
 * RST, is dropped by its TTL. */
static void two_syns_make_one_connection(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), ttl = 255;

    it_holds(fd);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_INT(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_INT(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    int own = ntohs(address.sin_port);
    it_port_free(port = it_port());
    address.sin_port = htons((uint16_t)port);
    struct it_child *child =
        PEER("listen", it_text("%d", port), "--reply", "answer", "--simultaneous-open", it_text("%d", own));
    poll(NULL, 0, 200);
    CHECK_INT(setsockopt(fd, IPPROTO_IP, IP_MINTTL, &ttl, sizeof ttl), 0);
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno == EINPROGRESS);
    ttl = 0;
    CHECK_INT(setsockopt(fd, IPPROTO_IP, IP_MINTTL, &ttl, sizeof ttl), 0);
    CHECK(becomes(fd, ESTABLISHED));
    says(fd, "x");
    CHECK_TEXT(hears(fd, 99), "answer|EOF");
    close(fd);
    CHECK_EXIT(it_finish(child), 0);
    CHECK_TEXT(child->err, "");
}

static void a_server_listens_on_ipv6(void)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    LISTEN("--reply", "answer", "--address", "::1", "--vanish", "1h");
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    it_holds(fd);
    address.sin6_port = htons((uint16_t)port);
    CHECK_INT(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    says(fd, "x");
    CHECK_TEXT(hears(fd, 6), "answer");
    CHECK(is_ignored(fd));
}

static void a_port_in_use_is_said(void)
{
    LISTEN("--reply", "answer");
    struct it_child *child = PEER("listen", it_text("%d", port));
    CHECK_EXIT(it_finish(child), 1);
    CHECK_TEXT(child->err,
               it_text("tcpfault: peer listen: listening on 127.0.0.1:%d: Address already in use\n", port));
}

/* ---- relay ---- */

static const char *record;

static void relays_to(int server)
{
    record = it_text("%s/record", it_scratch());
    listening(PEER("relay", it_text("%d", port = it_port()), it_text("%d", server), "--record", record));
}

static void a_relay_records_what_the_first_client_sends(void)
{
    relays_to(it_echo_peer());
    int first = asks("one\r\n"), second = asks("another");
    CHECK_TEXT(hears(first, 5), "one\r\n");
    CHECK_TEXT(hears(second, 7), "another");
    says(first, "two");
    shutdown(first, SHUT_WR);
    CHECK_TEXT(hears(first, 99), "two|EOF");
    CHECK_TEXT(it_read_file(record), "one\r\ntwo");
    shutdown(second, SHUT_WR);
    CHECK_TEXT(hears(second, 99), "|EOF");
    CHECK_TEXT(it_read_file(record), "one\r\ntwo");
}

static void a_relay_passes_on_what_does_not_fit(void)
{
    relays_to(it_echo_peer());
    int fd = connects();
    size_t sent = fills(fd, SIZE_MAX);
    shutdown(fd, SHUT_WR);
    const char *back = hears(fd, sent);
    CHECK_INT(strlen(back), sent);
    CHECK(it_is_pattern(back, strlen(back)));
    CHECK_TEXT(hears(fd, 1), "|EOF");
    CHECK_INT(strlen(it_read_file(record)), sent);
}

static void a_relay_keeps_both_half_closes(void)
{
    int behind = it_port();
    struct it_child *server = PEER("listen", it_text("%d", behind), "--reply", "answer", "--until-eof",
                                   "--once", "--no-close", "1s");
    if (!it_listens(server, behind))
        return;
    relays_to(behind);
    int fd = asks("x");
    CHECK(!ready(fd, POLLIN, 100));
    shutdown(fd, SHUT_WR);
    CHECK_TEXT(hears(fd, 99), "answer|EOF");
    CHECK_EXIT(it_finish(server), 0);

    behind = it_port();
    server = PEER("listen", it_text("%d", behind), "--reply", "bye", "--speaks-first", "--once");
    if (!it_listens(server, behind))
        return;
    relays_to(behind);
    fd = connects();
    CHECK_TEXT(hears(fd, 99), "bye|EOF");
    says(fd, "still there");
    CHECK(!server->over);
    shutdown(fd, SHUT_WR);
    CHECK_EXIT(it_finish(server), 0);
    CHECK_TEXT(it_read_file(record), "still there");
}

static void a_relay_passes_on_a_reset(void)
{
    int behind = it_port();
    struct it_child *server = PEER("listen", it_text("%d", behind), "--reply", "ans", "--reset");
    if (!it_listens(server, behind))
        return;
    relays_to(behind);
    CHECK_TEXT(hears(asks("x"), 99), "ans|ECONNRESET");
    relays_to(it_port());
    CHECK_TEXT(hears(connects(), 1), "|ECONNRESET");
}

static void a_relay_may_lead_to_another_address(void)
{
    int behind = it_port();
    struct it_child *server = PEER("listen", it_text("%d", behind), "--reply", "answer", "--address", "::1");
    if (!it_listens(server, behind))
        return;
    listening(PEER("relay", it_text("%d", port = it_port()), it_text("%d", behind), "--to-address", "::1"));
    CHECK_TEXT(hears(asks("x"), 99), "answer|EOF");
}

IT_SUITE(peer_listen, TEST(a_server_answers_and_closes), TEST(a_request_is_read_to_its_end),
         TEST(clients_do_not_wait_for_each_other), TEST(a_client_that_says_more_than_was_read_loses_nothing),
         TEST(one_connection_is_enough), TEST(answers_follow_each_other_with_keep_alive),
         TEST(some_servers_speak_first), TEST(each_byte_of_the_answer_comes_by_itself),
         TEST(an_answer_can_be_cut), TEST(only_the_first_are_treated_badly),
         TEST(nothing_comes_of_a_silent_server), TEST(an_answer_can_be_late),
         TEST(a_held_connection_has_no_end), TEST(a_server_that_does_not_close_leaves_fin_wait2),
         TEST(closing_with_the_request_unread_is_a_reset), TEST(a_server_can_close_first),
         TEST(a_slow_server_keeps_the_sender_waiting), TEST(a_server_that_does_not_read_closes_the_window),
         TEST(a_server_that_vanishes_acknowledges_nothing), TEST(who_is_not_accepted_waits_in_the_queue),
         TEST(a_lost_syn_is_sent_again), TEST(two_syns_make_one_connection), TEST(a_server_listens_on_ipv6),
         TEST(a_port_in_use_is_said), TEST(a_relay_records_what_the_first_client_sends),
         TEST(a_relay_passes_on_what_does_not_fit), TEST(a_relay_keeps_both_half_closes),
         TEST(a_relay_passes_on_a_reset), TEST(a_relay_may_lead_to_another_address))
