#include "lifecycle.h"

#include "unit.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

static struct tf_lives *lives;
static uint64_t clock_ns;

static struct tf_event event_of(enum tf_call_id call, uint64_t cookie, int fd, int64_t result, int error)
{
    return (struct tf_event){.call = call,
                             .cookie = cookie,
                             .fd = fd,
                             .pid = 7,
                             .tid = 7,
                             .time_ns = clock_ns += 1000,
                             .duration_ns = 10,
                             .result = error ? -1 : result,
                             .error = error,
                             .arg = {fd, 0, 100},
                             .peer = {.family = 4, .ip = {127, 0, 0, 1}, .port = 80}};
}

static void tell(enum tf_call_id call, uint64_t cookie, int fd, int64_t result, int error)
{
    struct tf_event event = event_of(call, cookie, fd, result, error);
    CU_ASSERT_EQUAL(tf_lives_event(lives, &event), 0);
}

static void option(enum tf_call_id call, uint64_t cookie, int level, int name, int value)
{
    struct tf_event event = event_of(call, cookie, 3, 0, 0);
    event.arg[1] = (uint64_t)level;
    event.arg[2] = (uint64_t)name;
    event.value = value;
    event.flags = TF_EVENT_VALUE;
    CU_ASSERT_EQUAL(tf_lives_event(lives, &event), 0);
}

static void begin(void)
{
    clock_ns = 1000000;
    lives = tf_lives_new();
}

static const struct tf_life *end(uint64_t cookie)
{
    static struct tf_life kept;
    const struct tf_life *life = tf_lives_find(lives, cookie);
    TF_CHECK(life, "no life of %d", (int)cookie);
    if (life)
        kept = *life;
    return &kept;
}

static void a_client_that_closes_first_is_seen_from_its_socket_call_on(void)
{
    char text[120];
    begin();
    tell(TF_socket, 0, -1, 3, 0);
    tell(TF_connect, 11, 3, 0, 0);
    tell(TF_send, 11, 3, 5, 0);
    tell(TF_recv, 11, 3, 9, 0);
    tell(TF_close, 11, 3, 0, 0);
    const struct tf_life *life = end(11);
    CU_ASSERT_EQUAL(life->opening, TF_OPENING_ACTIVE);
    CU_ASSERT_EQUAL(life->closed_first, TF_CLOSER_US);
    CU_ASSERT_EQUAL(life->bytes_in, 9);
    CU_ASSERT_EQUAL(life->bytes_out, 5);
    CU_ASSERT_EQUAL(life->state, TCP_FIN_WAIT1);
    CU_ASSERT(life->created_ns && life->released_ns > life->created_ns);
    CU_ASSERT_EQUAL(tf_lives_transitions(lives, TCP_SYN_SENT), 1U << TCP_ESTABLISHED);
    CU_ASSERT_EQUAL(tf_life_say(life, 1, text, sizeof text), 0);
    TF_SAME(text, "active open to 127.0.0.1:80");
    tf_lives_free(lives);
}

static void an_accepted_socket_is_told_by_its_connection(void)
{
    begin();
    struct tf_event accept = event_of(TF_accept, 20, 3, 5, 0), recv = event_of(TF_recv, 21, 5, 0, 0);
    accept.role = TF_ROLE_LISTENER;
    accept.conn = recv.conn = 4;
    recv.role = TF_ROLE_SERVER;
    tf_lives_event(lives, &accept);
    tf_lives_event(lives, &recv);
    tell(TF_close, 21, 5, 0, 0);
    const struct tf_life *life = end(21);
    CU_ASSERT_EQUAL(life->created_at, 0);
    CU_ASSERT_EQUAL(life->opening, TF_OPENING_PASSIVE);
    CU_ASSERT_EQUAL(life->closed_first, TF_CLOSER_PEER);
    CU_ASSERT_EQUAL(life->state, TCP_LAST_ACK);
    tf_lives_free(lives);
}

static void a_refused_connect_is_no_established_connection(void)
{
    begin();
    tell(TF_connect, 11, 3, -1, EINPROGRESS);
    option(TF_getsockopt, 11, SOL_SOCKET, SO_ERROR, ECONNREFUSED);
    const struct tf_life *life = end(11);
    CU_ASSERT_EQUAL(life->failed_error, ECONNREFUSED);
    CU_ASSERT(life->asked_error);
    CU_ASSERT_EQUAL(life->established_ns, 0);
    tell(TF_connect, 11, 3, 0, 0); /* another attempt, which Linux allows */
    CU_ASSERT_EQUAL(end(11)->state, TCP_ESTABLISHED);
    CU_ASSERT_EQUAL(tf_lives_transitions(lives, TCP_CLOSE), 1 << TCP_SYN_SENT);
    tf_lives_free(lives);
}

static void a_reset_breaks_and_a_half_close_does_not(void)
{
    begin();
    tell(TF_connect, 11, 3, 0, 0);
    struct tf_event half = event_of(TF_shutdown, 11, 3, 0, 0);
    half.arg[1] = SHUT_WR;
    tf_lives_event(lives, &half);
    tell(TF_recv, 11, 3, 5, 0);
    CU_ASSERT_EQUAL(end(11)->closed_first, TF_CLOSER_US);
    CU_ASSERT_EQUAL(end(11)->broken_ns, 0);
    tell(TF_recv, 11, 3, -1, ECONNRESET);
    CU_ASSERT_EQUAL(end(11)->broken_error, ECONNRESET);
    CU_ASSERT_EQUAL(end(11)->state, TCP_CLOSE);
    tf_lives_free(lives);
}

static void it_is_released_with_its_last_duplicate(void)
{
    begin();
    tell(TF_connect, 11, 3, 0, 0);
    tell(TF_dup, 11, 3, 4, 0);
    tell(TF_close, 11, 3, 0, 0);
    CU_ASSERT_EQUAL(end(11)->released_ns, 0);
    /* EINTR releases the descriptor all the same: close(2), on Linux. */
    tell(TF_close, 11, 4, -1, EINTR);
    CU_ASSERT(end(11)->released_ns != 0);
    tf_lives_free(lives);
}

static void options_that_were_set_are_known(void)
{
    begin();
    option(TF_setsockopt, 11, SOL_SOCKET, SO_REUSEADDR, 1);
    option(TF_setsockopt, 11, IPPROTO_TCP, TCP_NODELAY, 1);
    option(TF_setsockopt, 11, SOL_SOCKET, SO_KEEPALIVE, 0);
    CU_ASSERT(end(11)->reuse_address && end(11)->no_delay && !end(11)->keep_alive);
    tf_lives_free(lives);
}

static void the_kernel_knows_of_states_that_no_call_tells(void)
{
    begin();
    tell(TF_connect, 11, 3, 0, 0);
    tell(TF_close, 11, 3, 0, 0);
    tf_lives_observe(lives, 11, TCP_FIN_WAIT2);
    tf_lives_observe(lives, 12, TCP_FIN_WAIT2);
    CU_ASSERT(end(11)->visited & 1U << TCP_FIN_WAIT2);
    CU_ASSERT_EQUAL(tf_lives_transitions(lives, TCP_FIN_WAIT1), 1U << TCP_FIN_WAIT2);
    tf_lives_free(lives);
}

static void a_reset_that_only_shutdown_tells_of_is_no_close_of_ours(void)
{
    begin();
    tell(TF_socket, 0, -1, 3, 0);
    tell(TF_shutdown, 11, 3, 0, ENOTCONN); /* not connected yet */
    CU_ASSERT_EQUAL(end(11)->broken_ns, 0);
    tell(TF_connect, 11, 3, 0, 0);
    tell(TF_shutdown, 11, 3, 0, ENOTCONN);
    CU_ASSERT_EQUAL(end(11)->state, TCP_CLOSE);
    CU_ASSERT_EQUAL(end(11)->broken_error, ENOTCONN);
    tell(TF_close, 11, 3, 0, 0);
    CU_ASSERT_EQUAL(end(11)->state, TCP_CLOSE);
    CU_ASSERT_EQUAL(tf_lives_transitions(lives, TCP_ESTABLISHED), 1U << TCP_CLOSE);
    tf_lives_free(lives);
}

static void a_peer_that_closes_after_us_resets_nothing(void)
{
    begin();
    tell(TF_socket, 0, -1, 3, 0);
    tell(TF_connect, 11, 3, 0, 0);
    struct tf_event shut = event_of(TF_shutdown, 11, 3, 0, 0);
    shut.arg[1] = SHUT_WR;
    CU_ASSERT_EQUAL(tf_lives_event(lives, &shut), 0);
    tell(TF_getpeername, 11, 3, 0, ENOTCONN);
    CU_ASSERT_EQUAL(end(11)->state, TCP_FIN_WAIT1);
    CU_ASSERT_EQUAL(end(11)->broken_ns, 0);
    tf_lives_free(lives);
}

TF_SUITE(lifecycle, TF_TEST(a_client_that_closes_first_is_seen_from_its_socket_call_on),
         TF_TEST(an_accepted_socket_is_told_by_its_connection),
         TF_TEST(a_refused_connect_is_no_established_connection),
         TF_TEST(a_reset_breaks_and_a_half_close_does_not), TF_TEST(it_is_released_with_its_last_duplicate),
         TF_TEST(options_that_were_set_are_known),
         TF_TEST(a_reset_that_only_shutdown_tells_of_is_no_close_of_ours),
         TF_TEST(a_peer_that_closes_after_us_resets_nothing),
         TF_TEST(the_kernel_knows_of_states_that_no_call_tells))
