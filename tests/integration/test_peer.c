/* `tcpfault peer connect`: the test is the server. */
#include "peer.h"
#include "suite.h"

#include <signal.h>

static int port; /* of the test's own listener */

static int serves(int family)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = family == AF_INET ? sizeof in : sizeof in6;
    struct sockaddr *address = family == AF_INET ? (struct sockaddr *)&in : (struct sockaddr *)&in6;
    int listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(bind(listener, address, size) == 0 && listen(listener, 128) == 0);
    CHECK_INT(getsockname(listener, address, &size), 0);
    port = ntohs(family == AF_INET ? in.sin_port : in6.sin6_port);
    it_holds(listener);
    return listener;
}

static int accepts(int listener)
{
    int fd = ready(listener, POLLIN, PATIENCE_MS) ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
    CHECK_SAYING(fd >= 0, "the peer connected");
    it_holds(fd);
    return fd;
}

/* A peer that connects to the test; *fd is the test's end. */
#define CONNECT(fd, ...)                                                                                     \
    PEER("connect", it_text("%d", (*(fd) = serves(AF_INET), port)), __VA_ARGS__);                            \
    *(fd) = accepts(*(fd))

/* The test's half-close, which lets the peer come to its end. */
static void ends(int fd)
{
    shutdown(fd, SHUT_WR);
}

static void finishes(struct it_child *child, int status, const char *out)
{
    it_finish(child);
    CHECK_EXIT(child, status);
    CHECK_TEXT(child->out, out);
    if (status == 0)
        CHECK_TEXT(child->err, "");
}

static void a_client_sends_what_it_was_told_and_prints_the_answer(void)
{
    int fd;
    struct it_child *child = CONNECT(&fd, "--send", "a\\r\\n\\t\\x4a\\\\b");
    CHECK_TEXT(hears(fd, 7), "a\r\n\tJ\\b");
    CHECK(!ready(fd, POLLIN, 50));
    says(fd, "answer\n");
    ends(fd);
    CHECK_TEXT(hears(fd, 1), "|EOF");
    finishes(child, 0, "answer\n");
}

static void a_file_is_sent_byte_for_byte(void)
{
    static const char bytes[] = "@one\n\\n";
    int fd;
    struct it_child *child = CONNECT(&fd, "--send", it_text("@%s", it_file("bytes", bytes)));
    CHECK_TEXT(hears(fd, sizeof bytes - 1), bytes);
    ends(fd);
    finishes(child, 0, "");
    child = CONNECT(&fd, "--send", "\\0\\x00\\xFf");
    unsigned char three[3] = {1, 1, 1};
    CHECK_INT(recv(fd, three, 3, MSG_WAITALL), 3);
    CHECK(three[0] == 0 && three[1] == 0 && three[2] == 255);
    ends(fd);
    finishes(child, 0, "");
}

static void half_close_ends_the_request_and_leaves_the_answer(void)
{
    int fd;
    struct it_child *child = CONNECT(&fd, "--send", "request", "--half-close");
    CHECK_TEXT(hears(fd, 99), "request|EOF");
    CHECK_INT(info(fd).tcpi_state, CLOSE_WAIT);
    says(fd, "answer");
    ends(fd);
    finishes(child, 0, "answer");
}

static void each_byte_has_a_segment_of_its_own(void)
{
    int fd;
    struct it_child *child = CONNECT(&fd, "--send", "twenty bytes by then", "--byte-at-a-time");
    CHECK_TEXT(hears(fd, 20), "twenty bytes by then");
    CHECK_INT(info(fd).tcpi_data_segs_in, 20);
    ends(fd);
    finishes(child, 0, "");
}

static void a_pause_lies_between_the_bytes(void)
{
    int fd;
    uint64_t begin = it_now_ns();
    struct it_child *child = CONNECT(&fd, "--send", "four", "--byte-at-a-time", "--pause", "100ms");
    CHECK_TEXT(hears(fd, 4), "four");
    CHECK_LATER(begin, 300);
    ends(fd);
    finishes(child, 0, "");
}

static void a_slow_reader_keeps_the_sender_waiting(void)
{
    int fd;
    uint64_t begin = it_now_ns();
    struct it_child *child = CONNECT(&fd, "--read-slowly");
    size_t sent = fills(fd, 65536);
    CHECK_INT(sent, 65536);
    ends(fd);
    it_finish(child);
    CHECK_EXIT(child, 0);
    CHECK_INT(child->out_length, sent);
    CHECK(it_is_pattern(child->out, child->out_length));
    CHECK_LATER(begin, 65536 / 1024 * 5);
}

static void who_does_not_read_closes_the_window(void)
{
    int fd;
    uint64_t begin = it_now_ns();
    struct it_child *child = CONNECT(&fd, "--no-read", "500ms");
    size_t sent = fills(fd, 65536);
    CHECK(is_acknowledged(fd));
    CHECK_LATER(begin, 500);
    ends(fd);
    it_finish(child);
    CHECK_EXIT(child, 0);
    CHECK_INT(child->out_length, sent);
}

static void a_silent_client_sends_nothing(void)
{
    int fd;
    uint64_t begin = it_now_ns();
    struct it_child *child = CONNECT(&fd, "--silent", "300ms", "--send", "never");
    CHECK_TEXT(hears(fd, 1), "|EOF");
    CHECK_LATER(begin, 300);
    finishes(child, 0, "");
    child = CONNECT(&fd, "--silent", "1h");
    close(fd);
    finishes(child, 0, "");
}

static void a_delay_comes_before_the_first_byte(void)
{
    int fd;
    uint64_t begin = it_now_ns();
    struct it_child *child = CONNECT(&fd, "--delay", "300ms", "--send", "late");
    CHECK_TEXT(hears(fd, 4), "late");
    CHECK_LATER(begin, 300);
    ends(fd);
    finishes(child, 0, "");
}

static void who_vanishes_acknowledges_nothing(void)
{
    int fd;
    struct it_child *child = CONNECT(&fd, "--send", "x", "--vanish", "100ms");
    CHECK_TEXT(hears(fd, 99), "x|EOF");
    finishes(child, 0, "");
    child = CONNECT(&fd, "--send", "x", "--vanish", "1h");
    CHECK_TEXT(hears(fd, 1), "x");
    CHECK(is_ignored(fd));
}

static void a_client_that_does_not_close_leaves_fin_wait2(void)
{
    int fd;
    uint64_t begin = it_now_ns();
    struct it_child *child = CONNECT(&fd, "--no-close", "300ms");
    ends(fd);
    CHECK_TEXT(hears(fd, 1), "|EOF");
    CHECK_LATER(begin, 300);
    finishes(child, 0, "");
    child = CONNECT(&fd, "--no-close", "1h");
    ends(fd);
    CHECK(becomes(fd, FIN_WAIT2));
}

static void reset_arrives_behind_what_was_sent(void)
{
    int fd;
    struct it_child *child = CONNECT(&fd, "--send", "request", "--reset");
    CHECK_TEXT(hears(fd, 99), "request|ECONNRESET");
    finishes(child, 0, "");
    child = CONNECT(&fd, "--send", "request", "--reset-after", "3");
    CHECK_TEXT(hears(fd, 7), "request");
    says(fd, "answer");
    CHECK_TEXT(hears(fd, 1), "|ECONNRESET");
    finishes(child, 0, "ans");
}

static void who_leaves_is_gone_at_once(void)
{
    int fd;
    struct it_child *child = CONNECT(&fd, "--send", "never", "--leave");
    CHECK_TEXT(hears(fd, 1), "|EOF");
    finishes(child, 0, "");
    child = CONNECT(&fd, "--leave", "--reset");
    CHECK_TEXT(hears(fd, 1), "|ECONNRESET");
    finishes(child, 0, "");
}

static void a_half_open_connection_stays_in_syn_recv(void)
{
    int listener = serves(AF_INET), count = 0;
    struct it_child *child =
        PEER("connect", it_text("%d", port), "--half-open", "1h", "--connections", "3", "--timeout", "100ms");
    while (!child->over && count < 3) {
        unsigned at, state;
        char line[512];
        FILE *table = fopen("/proc/net/tcp", "re");
        for (count = 0; table && fgets(line, sizeof line, table);)
            count += sscanf(line, " %*d: %*[0-9A-F]:%X %*[0-9A-F]:%*X %X", &at, &state) == 2 &&
                     (int)at == port && state == SYN_RECV;
        if (table)
            fclose(table);
        it_attend(child, 0.01);
    }
    CHECK_INT(count, 3);
    CHECK(!ready(listener, POLLIN, 0));
    child = PEER("connect", it_text("%d", port), "--half-open", "100ms");
    finishes(child, 0, "");
}

static void connections_are_all_there_before_one_is_closed(void)
{
    int listener = serves(AF_INET), fd[4];
    struct it_child *child = PEER("connect", it_text("%d", port), "--connections", "4", "--send", "x");
    for (int i = 0; i < 4; i++)
        CHECK_TEXT(hears(fd[i] = accepts(listener), 1), "x");
    for (int i = 3; i >= 0; i--)
        says(fd[i], it_text("%d", i)), ends(fd[i]);
    for (int i = 0; i < 4; i++)
        CHECK_TEXT(hears(fd[i], 1), "|EOF");
    finishes(child, 0, "0123");
}

static void times_come_one_after_the_other(void)
{
    int listener = serves(AF_INET);
    struct it_child *child =
        PEER("connect", it_text("%d", port), "--times", "3", "--send", "x", "--repeat", "2");
    for (int i = 0; i < 3; i++) {
        int fd = accepts(listener);
        CHECK_TEXT(hears(fd, 2), "xx");
        CHECK(!ready(listener, POLLIN, 50));
        ends(fd);
        CHECK_TEXT(hears(fd, 1), "|EOF");
    }
    finishes(child, 0, "");
}

static void a_request_can_be_cut(void)
{
    int fd;
    struct it_child *child = CONNECT(&fd, "--send", "request", "--send-first", "3", "--half-close");
    CHECK_TEXT(hears(fd, 99), "req|EOF");
    ends(fd);
    finishes(child, 0, "");
}

static void a_greeting_is_waited_for(void)
{
    int fd;
    struct it_child *child = CONNECT(&fd, "--greeting", "--send", "x");
    CHECK(!ready(fd, POLLIN, 100));
    says(fd, "hello ");
    CHECK_TEXT(hears(fd, 1), "x");
    ends(fd);
    finishes(child, 0, "hello ");
}

static void an_answer_has_an_end_without_eof(void)
{
    int fd;
    struct it_child *child = CONNECT(&fd, "--expect", "3");
    says(fd, "abcd");
    finishes(child, 0, "abc");
    child = CONNECT(&fd, "--until", "aab");
    says(fd, "aa");
    CHECK(!ready(fd, POLLIN, 50));
    says(fd, "ab");
    finishes(child, 0, "aaab");
    child = CONNECT(&fd, "--quiet-for", "50ms");
    CHECK(!ready(fd, POLLIN, 200)); /* quiet before the answer is no end */
    says(fd, "x");
    finishes(child, 0, "x");
}

/* Where the kernel counts what has no CPU, and there are few enough to be made busy. */
static void a_server_without_a_cpu_is_not_quiet(void)
{
    enum { BUSY = 48, OF_EACH = 3 };
    struct it_child *busy[BUSY];
    long all = OF_EACH * sysconf(_SC_NPROCESSORS_ONLN);
    int fd;
    if (access("/proc/pressure/cpu", R_OK) != 0 || all > BUSY)
        return;
    for (int i = 0; i < all; i++)
        busy[i] = it_start(&(struct it_command){.argv = ARGV("/bin/sh", "-c", "while :; do :; done")});
    struct it_child *child = CONNECT(&fd, "--quiet-for", "600ms");
    says(fd, "x");
    CHECK(!ready(fd, POLLIN, 900));
    says(fd, "y");
    for (int i = 0; i < all; i++)
        kill(busy[i]->pid, SIGKILL);
    finishes(child, 0, "xy");
    for (int i = 0; i < all; i++)
        it_finish(busy[i]);
}

static void what_cannot_be_done_is_said(void)
{
    int fd;
    struct it_child *child = CONNECT(&fd, "--expect", "3");
    says(fd, "ab");
    ends(fd);
    finishes(child, 1, "ab");
    CHECK_HAS(child->err, "tcpfault: peer connect: the answer ended after 2 of 3 bytes\n");
    child = CONNECT(&fd, "--until", "z");
    ends(fd);
    finishes(child, 1, "");
    CHECK_HAS(child->err, "the answer ended after 0 bytes without \"z\"");
    child = CONNECT(&fd, "--timeout", "100ms");
    finishes(child, 1, "");
    CHECK_HAS(child->err, "no answer for 0.1 s");
    child = CONNECT(&fd, "--timeout", "1s");
    says(fd, "x");
    finishes(child, 1, "x");
    CHECK_HAS(child->err, "the answer did not go on for 1 s after 1 bytes");
    child = CONNECT(&fd, "--timeout", "100ms", "--send", "0123456789", "--repeat", "10000000");
    finishes(child, 1, "");
    CHECK_HAS(child->err, "and no more for 0.1 s");
    child = PEER("connect", it_text("%d", it_port()));
    finishes(child, 1, "");
    CHECK_HAS(child->err, ": Connection refused\n");
}

static void the_local_port_and_the_address_can_be_given(void)
{
    struct sockaddr_in6 other = {0};
    socklen_t size = sizeof other;
    int listener = serves(AF_INET6), from = it_port();
    it_port_free(from);
    struct it_child *child =
        PEER("connect", it_text("%d", port), "--address", "::1", "--from", it_text("%d", from));
    int fd = accepts(listener);
    CHECK_INT(getpeername(fd, (struct sockaddr *)&other, &size), 0);
    CHECK_INT(ntohs(other.sin6_port), from);
    ends(fd);
    finishes(child, 0, "");
}

static void a_wrong_command_line_is_refused(void)
{
    static const struct {
        const char *argument[4], *message;
    } rows[] = {
        {{"connect"}, "connect: expected one PORT, got 0"},
        {{"relay", "80"}, "relay: expected PORT and TO-PORT, got 1"},
        {{"listn", "80"}, "expected connect, listen or relay, got \"listn\""},
        {{"listen", "65536"}, "expected a port, 1 to 65535, got \"65536\""},
        {{"listen", "80", "--send=x"}, "--send is for connect, not for listen"},
        {{"relay", "80", "81", "--delay=1s"}, "--delay is for connect and listen, not for relay"},
        {{"connect", "80", "--pause=1s"}, "--pause goes with --byte-at-a-time or --read-slowly"},
        {{"listen", "80", "--simultaneous-open=65536"},
         "--simultaneous-open: expected a port, 1 to 65535, got 65536"},
        {{"connect", "80", "--from=0"}, "--from: expected a port, 1 to 65535, got 0"},
        {{"connect", "80", "--address=local"}, "--address: expected an IPv4 or IPv6 address, got \"local\""},
        {{"connect", "80", "--send=ab\\q"}, "--send, column 3: unknown escape \"\\q\""},
        {{"connect", "80", "--send=\\x4"}, "--send, column 1: unknown escape \"\\x\""},
        {{"connect", "80", "--send=\\"}, "--send, column 1: unknown escape \"\\\""},
        {{"listen", "80", "--reply=@/none"}, "--reply: reading /none: No such file or directory"},
        {{"connect", "80", "--silent=0"}, "--silent: expected a time such as 200ms, 1.5s or 2m, got \"0\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *const *argument = rows[i].argument;
        struct it_child *child = PEER(argument[0], argument[1], argument[2], argument[3]);
        finishes(child, 2, "");
        CHECK_HAS(child->err, it_text("tcpfault: peer: %s", rows[i].message));
    }
}

IT_SUITE(peer, TEST(a_client_sends_what_it_was_told_and_prints_the_answer),
         TEST(a_file_is_sent_byte_for_byte), TEST(half_close_ends_the_request_and_leaves_the_answer),
         TEST(each_byte_has_a_segment_of_its_own), TEST(a_pause_lies_between_the_bytes),
         TEST(a_slow_reader_keeps_the_sender_waiting), TEST(who_does_not_read_closes_the_window),
         TEST(a_silent_client_sends_nothing), TEST(a_delay_comes_before_the_first_byte),
         TEST(who_vanishes_acknowledges_nothing), TEST(a_client_that_does_not_close_leaves_fin_wait2),
         TEST(reset_arrives_behind_what_was_sent), TEST(who_leaves_is_gone_at_once),
         TEST(a_half_open_connection_stays_in_syn_recv), TEST(connections_are_all_there_before_one_is_closed),
         TEST(times_come_one_after_the_other), TEST(a_request_can_be_cut), TEST(a_greeting_is_waited_for),
         TEST(an_answer_has_an_end_without_eof), TEST(a_server_without_a_cpu_is_not_quiet),
         TEST(what_cannot_be_done_is_said), TEST(the_local_port_and_the_address_can_be_given),
         TEST(a_wrong_command_line_is_refused))
