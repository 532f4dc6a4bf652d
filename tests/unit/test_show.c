#include "show.h"

#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define ADDRESS(last, number)                                                                                \
    {                                                                                                        \
        .family = 4, .port = (number), .ip = { 127, 0, 0, (last) }                                           \
    }

static struct tf_segment the_segment = {
    .created_realtime_ns = 5000000000,
    .created_monotonic_ns = 1000000000,
    .plan = {.rules = 1, .rule = {{.text = "%in:short=2"}}},
    .module = {{.state = 2, .path = "/usr/bin/curl"}, {.state = 1}},
};
static const struct tf_segment *const segment = &the_segment;

static struct tf_event event_of(enum tf_call_id call)
{
    return (struct tf_event){.call = (uint16_t)call,
                             .fd = 5,
                             .pid = 17,
                             .tid = 17,
                             .time_ns = 1000000000,
                             .duration_ns = 45000,
                             .arg = {5},
                             .local = ADDRESS(1, 40000),
                             .peer = ADDRESS(1, 6379)};
}

static void shows(const struct tf_event *event, unsigned int flags, const char *expected)
{
    char line[1024];
    int length = tf_show_event(segment, event, flags, line, sizeof line);
    TF_SAME(line, expected);
    CU_ASSERT_EQUAL((size_t)length, strlen(expected));
}

#define BARE (TF_SHOW_NO_TIME | TF_SHOW_NO_PID)

static void a_line_has_time_process_addresses_result_and_duration(void)
{
    struct tf_event event = event_of(TF_connect);
    event.arg[1] = 0x7fff0000;
    event.arg[2] = 16;
    char line[1024];
    tf_show_event(segment, &event, 0, line, sizeof line);
    /* The time of day depends on the time zone. */
    int consumed = 0;
    CU_ASSERT_EQUAL(sscanf(line, "%*2d:%*2d:%*2d.%*6d%n", &consumed), 0);
    TF_SAME(line + consumed,
            " [17] connect(5<TCP 127.0.0.1:40000->127.0.0.1:6379>, 127.0.0.1:6379) = 0 <0.000045>");
    event.tid = 18;
    shows(&event, TF_SHOW_NO_TIME,
          "[17/18] connect(5<TCP 127.0.0.1:40000->127.0.0.1:6379>, 127.0.0.1:6379) = 0");
}

static void errors_have_their_names(void)
{
    struct tf_event event = event_of(TF_shutdown);
    event.arg[1] = SHUT_WR;
    event.result = -1;
    event.error = ENOTCONN;
    shows(&event, BARE,
          "shutdown(5<TCP 127.0.0.1:40000->127.0.0.1:6379>, SHUT_WR) = -1 ENOTCONN "
          "(Transport endpoint is not connected)");
}

static void what_a_rule_did_is_said(void)
{
    struct tf_event event = event_of(TF_close);
    event.rule = 2;
    event.effects = 1 << TF_EFFECT_error | 1 << TF_EFFECT_delay;
    shows(&event, BARE, "close(5<TCP 127.0.0.1:40000->127.0.0.1:6379>) = 0");
    event.flags = TF_EVENT_FIRED;
    shows(&event, BARE,
          "close(5<TCP 127.0.0.1:40000->127.0.0.1:6379>) = 0 (injected: rule 2, error and delay)");
    event.flags = 0;
    event.effects = 1 << TF_EFFECT_eof;
    event.reason = TF_REASON_not_connected;
    shows(&event, BARE,
          "close(5<TCP 127.0.0.1:40000->127.0.0.1:6379>) = 0 (not injected: rule 2, eof: the socket was not "
          "connected)");
}

static void a_call_that_never_returned_is_unfinished(void)
{
    struct tf_event event = event_of(TF_recv);
    event.arg[1] = 0x1000;
    event.arg[2] = 4096;
    event.duration_ns = UINT64_MAX;
    shows(&event, BARE, "recv(5<TCP 127.0.0.1:40000->127.0.0.1:6379>, <unfinished ...>) = ?");
    event.duration_ns = 5;
    event.result = 3;
    event.data_length = 3;
    memcpy(event.data, "abc", 3);
    shows(&event, BARE | TF_SHOW_UNFINISHED, "recv(5<TCP 127.0.0.1:40000->127.0.0.1:6379>, <unfinished ...>");
    shows(&event, BARE | TF_SHOW_RESUMED, "<... recv resumed>, \"abc\", 4096, 0) = 3");
    event.duration_ns = UINT64_MAX;
    event.call = TF_close;
    shows(&event, BARE, "close(5<TCP 127.0.0.1:40000->127.0.0.1:6379> <unfinished ...>) = ?");
}

static void bytes_are_quoted_as_strace_quotes_them(void)
{
    struct tf_event event = event_of(TF_send);
    event.local = event.peer = (struct tf_endpoint){0};
    event.arg[1] = 0x1000;
    event.arg[2] = 100;
    event.arg[3] = MSG_NOSIGNAL | MSG_DONTWAIT;
    event.result = 13;
    event.data_length = 13;
    memcpy(event.data,
           "a\"\\\r\n\t\0"
           "1\1z\377\a7",
           13);
    event.flags = TF_EVENT_DATA_CUT;
    shows(
        &event, BARE,
        "send(5<TCP>, \"a\\\"\\\\\\r\\n\\t\\0001\\1z\\377\\0077\"..., 100, MSG_DONTWAIT|MSG_NOSIGNAL) = 13");
}

static void numbers_become_names(void)
{
    struct tf_event event = event_of(TF_socket);
    event.fd = -1;
    event.arg[0] = AF_INET6;
    event.arg[1] = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
    event.arg[2] = IPPROTO_TCP;
    event.result = 6;
    shows(&event, BARE, "socket(AF_INET6, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, IPPROTO_TCP) = 6");

    event = event_of(TF_setsockopt);
    event.local.port = 0;
    event.peer.family = 0;
    event.arg[1] = SOL_SOCKET;
    event.arg[2] = SO_REUSEADDR;
    event.arg[3] = 0x1000;
    event.arg[4] = 4;
    event.flags = TF_EVENT_VALUE;
    event.value = 1;
    shows(&event, BARE, "setsockopt(5<TCP>, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0");

    event.call = TF_getsockopt;
    event.arg[2] = SO_ERROR;
    event.value = ECONNREFUSED;
    shows(&event, BARE, "getsockopt(5<TCP>, SOL_SOCKET, SO_ERROR, [ECONNREFUSED]) = 0");
    event.arg[1] = IPPROTO_TCP;
    event.arg[2] = 9999;
    event.value = 3;
    shows(&event, BARE, "getsockopt(5<TCP>, SOL_TCP, 9999, [3]) = 0");

    event = event_of(TF_bind);
    event.peer.family = 0;
    event.local = (struct tf_endpoint){.family = 6, .port = 80, .ip = {[15] = 1}};
    event.arg[1] = 0x1000;
    event.arg[2] = 28;
    shows(&event, BARE, "bind(5<TCP>, [::1]:80) = 0");

    event = event_of(TF_fcntl);
    event.arg[1] = F_SETFL;
    event.arg[2] = O_RDWR | O_NONBLOCK;
    event.peer.family = 0;
    shows(&event, BARE, "fcntl(5<TCP 127.0.0.1:40000>, F_SETFL, O_RDWR|O_NONBLOCK) = 0");

    event = event_of(TF_epoll_ctl);
    event.arg[0] = 3;
    event.arg[1] = EPOLL_CTL_ADD;
    event.arg[2] = 5;
    event.arg[3] = 0x1000;
    event.peer.family = 0;
    shows(&event, BARE, "epoll_ctl(3, EPOLL_CTL_ADD, 5<TCP 127.0.0.1:40000>, 0x1000) = 0");

    event = event_of(TF_poll);
    event.fd = -1;
    event.arg[0] = 0x1000;
    event.arg[1] = 2;
    event.arg[2] = (uint64_t)-1;
    shows(&event, BARE, "poll([...], 2, -1) = 0 (Timeout)");
}

static void reads_that_failed_show_where_they_would_have_written(void)
{
    struct tf_event event = event_of(TF_read);
    event.local.family = event.peer.family = 0;
    event.arg[1] = 0x1000;
    event.arg[2] = 10;
    event.result = -1;
    event.error = EAGAIN;
    shows(&event, BARE, "read(5<TCP>, 0x1000, 10) = -1 EAGAIN (Resource temporarily unavailable)");
    event.result = event.error = 0;
    shows(&event, BARE, "read(5<TCP>, \"\", 10) = 0");
    event.call = TF_readv;
    event.arg[2] = 2;
    event.result = 4;
    event.data_length = 4;
    memcpy(event.data, "abcd", 4);
    shows(&event, BARE, "readv(5<TCP>, [\"abcd\"], 2) = 4");
}

static void every_call_fits_in_a_line(void)
{
    for (int call = 0; call < TF_CALLS; call++) {
        struct tf_event event = event_of((enum tf_call_id)call);
        char line[1024];
        memset(event.arg, 0xff, sizeof event.arg);
        memset(event.data, 0xff, sizeof event.data);
        event.data_length = TF_EVENT_DATA;
        event.flags = 0xff;
        event.rule = 64;
        event.effects = ~0U;
        event.result = INT64_MAX;
        event.local = event.peer = (struct tf_endpoint){
            .family = 6,
            .port = 65535,
            .ip = {0xff, 1, 0xff, 2, 0xff, 3, 0xff, 4, 0xff, 5, 0xff, 6, 0xff, 7, 0xff, 8}};
        int length = tf_show_event(segment, &event, 0, line, sizeof line);
        TF_CHECK(length > 0 && length < (int)sizeof line, "%s: %d bytes", tf_call_info[call].name, length);
        char small[20];
        CU_ASSERT_EQUAL(tf_show_event(segment, &event, 0, small, sizeof small), length);
        CU_ASSERT_EQUAL(strlen(small), sizeof small - 1);
        json_t *object = tf_show_event_json(segment, &event);
        char *text = json_dumps(object, JSON_COMPACT);
        CU_ASSERT_PTR_NOT_NULL(text);
        free(text);
        json_decref(object);
    }
}

static void json_says_the_same(void)
{
    struct tf_event event = event_of(TF_recv);
    event.number = 3;
    event.cookie = 99;
    event.conn = 2;
    event.role = TF_ROLE_CLIENT;
    event.arg[1] = 0x1000;
    event.arg[2] = 10;
    event.result = 2;
    event.data_length = 2;
    memcpy(event.data, "h\n", 2);
    event.rule = 1;
    event.effects = 1 << TF_EFFECT_short;
    event.flags = TF_EVENT_FIRED | TF_EVENT_NONBLOCKING;
    event.ordinal = 7;
    event.module = 1;
    event.caller = 0x1234;
    event.position = 40;
    json_t *object = tf_show_event_json(segment, &event);
    char *text = json_dumps(object, JSON_COMPACT);
    TF_SAME(text,
            "{\"number\":3,\"time_ns\":5000000000,\"pid\":17,\"tid\":17,\"call\":\"recv\",\"args\":[\"5\","
            "\"\\\"h\\\\n\\\"\",\"10\",\"0\"],\"fd\":5,\"socket\":99,\"conn\":2,\"role\":\"client\","
            "\"local\":\"127.0.0.1:40000\",\"peer\":\"127.0.0.1:6379\",\"nonblocking\":true,"
            "\"duration_ns\":45000,\"result\":2,\"position\":40,\"data\":\"h\\\\n\",\"rule\":1,"
            "\"rule_text\":\"%in:short=2\",\"ordinal\":7,\"effects\":[\"short\"],\"fired\":true,"
            "\"site\":{\"module\":\"curl\",\"offset\":\"0x1234\"}}");
    free(text);
    json_decref(object);
}

static void a_site_is_module_and_offset_or_an_address(void)
{
    struct tf_event event = event_of(TF_recv);
    char text[64];
    event.caller = 0xabc;
    event.module = 1;
    tf_show_site(segment, &event, text, sizeof text);
    TF_SAME(text, "curl+0xabc");
    event.module = 2; /* being written */
    tf_show_site(segment, &event, text, sizeof text);
    TF_SAME(text, "0xabc");
    event.module = TF_MODULES + 1;
    tf_show_site(segment, &event, text, sizeof text);
    TF_SAME(text, "0xabc");
}

static void damaged_events_are_survived(void)
{
    struct tf_event event;
    char line[1024];
    memset(&event, 0xff, sizeof event);
    tf_show_event(segment, &event, 0, line, sizeof line);
    json_decref(tf_show_event_json(segment, &event));
    CU_PASS();
}

static void a_wait_shows_what_it_waited_for(void)
{
    struct tf_event event = event_of(TF_poll);
    const struct pollfd polled[] = {{5, POLLIN | POLLOUT, POLLOUT}, {6, POLLIN, 0}};
    event.arg[0] = 0x7fff0000;
    event.arg[1] = 2;
    event.arg[2] = 100;
    event.result = 1;
    event.data_length = sizeof polled;
    memcpy(event.data, polled, sizeof polled);
    shows(&event, BARE,
          "poll([{fd=5, events=POLLIN|POLLOUT, revents=POLLOUT}, {fd=6, events=POLLIN}], 2, 100) = 1");
    event.flags = TF_EVENT_DATA_CUT;
    event.data_length = sizeof polled[0];
    shows(&event, BARE, "poll([{fd=5, events=POLLIN|POLLOUT, revents=POLLOUT}, ...], 2, 100) = 1");

    const struct epoll_event ready = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.u64 = 0x2a};
    event = event_of(TF_epoll_wait);
    event.arg[1] = 0x7fff0000;
    event.arg[2] = 8;
    event.arg[3] = (uint64_t)-1;
    event.result = 1;
    event.data_length = sizeof ready;
    memcpy(event.data, &ready, sizeof ready);
    shows(&event, BARE, "epoll_wait(5, [{events=EPOLLIN|EPOLLRDHUP|EPOLLET, data=0x2a}], 8, -1) = 1");
    event.result = 0;
    event.data_length = 0;
    shows(&event, BARE, "epoll_wait(5, [], 8, -1) = 0 (Timeout)");
}

TF_SUITE(show, TF_TEST(a_wait_shows_what_it_waited_for),
         TF_TEST(a_line_has_time_process_addresses_result_and_duration), TF_TEST(errors_have_their_names),
         TF_TEST(what_a_rule_did_is_said), TF_TEST(a_call_that_never_returned_is_unfinished),
         TF_TEST(bytes_are_quoted_as_strace_quotes_them), TF_TEST(numbers_become_names),
         TF_TEST(reads_that_failed_show_where_they_would_have_written), TF_TEST(every_call_fits_in_a_line),
         TF_TEST(json_says_the_same), TF_TEST(a_site_is_module_and_offset_or_an_address),
         TF_TEST(damaged_events_are_survived))
