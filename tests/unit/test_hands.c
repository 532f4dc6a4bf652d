#include "hands.h"
#include "rule.h"
#include "sandbox_run.h"
#include "supervisor.h"
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct tf_segment *segment_for(const char *rules, const char **path)
{
    static struct tf_plan plan;
    static char name[32], where[512];
    static int serial;
    struct tf_rule_error error;
    memset(&plan, 0, sizeof plan);
    TF_CHECK(tf_plan_add(&plan, rules, &error) == 0, "%s: %s", rules, error.message);
    snprintf(name, sizeof name, "hands-%d", serial++);
    snprintf(where, sizeof where, "%s", tf_scratch(name));
    *path = where;
    return tf_segment_create(where, &plan, 0);
}

/* A server of sockets in this process, which may reach itself. */
static struct tf_hand_server *server_for(struct tf_segment **segment)
{
    const char *path;
    *segment = segment_for("close:drop", &path);
    return tf_hand_server_new(*segment, TF_SANDBOX_HOST);
}

static void endpoint_of(int fd, bool peer, struct tf_endpoint *out)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    (peer ? getpeername : getsockname)(fd, (struct sockaddr *)&address, &length);
    *out = (struct tf_endpoint){.family = 4, .port = ntohs(address.sin_port)};
    memcpy(out->ip, &address.sin_addr, 4);
}

struct pair {
    int client, server;
};

static struct pair connected(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pair pair = {.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    bind(listener, (struct sockaddr *)&address, sizeof address);
    listen(listener, 1);
    getsockname(listener, (struct sockaddr *)&address, &length);
    CU_ASSERT_EQUAL(connect(pair.client, (struct sockaddr *)&address, sizeof address), 0);
    pair.server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    close(listener);
    return pair;
}

/* As hand.c of the shim does. */
static struct tf_hand_slot *ask(struct tf_segment *segment, enum tf_hand_op op, int fd, uint64_t lasts_ns)
{
    struct tf_hand_slot *slot = &segment->hands.slot[3];
    socklen_t length = sizeof slot->cookie;
    slot->claimed_ns = tf_clock_ns();
    slot->op = op;
    slot->pid = (uint32_t)getpid();
    slot->fd = fd;
    slot->lasts_ns = lasts_ns;
    getsockopt(fd, SOL_SOCKET, SO_COOKIE, &slot->cookie, &length);
    endpoint_of(fd, false, &slot->local);
    endpoint_of(fd, true, &slot->peer);
    slot->state = slot->state - TF_HAND_PHASE(slot->state) + TF_HAND_ASKED;
    return slot;
}

static int answer_of(struct tf_hand_server *server, struct tf_hand_slot *slot)
{
    tf_hand_server_turn(server);
    TF_CHECK(TF_HAND_PHASE(slot->state) == TF_HAND_DONE, "phase %u", TF_HAND_PHASE(slot->state));
    return slot->result;
}

static bool readable(int fd, int timeout_ms)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    return poll(&waiting, 1, timeout_ms) == 1;
}

static void only_rules_that_need_it_start_one(void)
{
    static const struct {
        const char *rules;
        bool wanted;
    } cases[] = {{"close:drop", true},
                 {"shutdown:drop", true},
                 {"%out:drop=1s", true},
                 {"connect:drop", true},
                 {"recv:error=EIO:allow=any", false},
                 {"%in:drop", false},
                 {"%accept:drop", false},
                 {"connect:reset", false},
                 {"read:eof;send,read:drop", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path;
        struct tf_segment *segment = segment_for(cases[i].rules, &path);
        TF_CHECK(tf_hands_wanted(&segment->plan) == cases[i].wanted, "%s", cases[i].rules);
        tf_segment_close(segment);
    }
}

static void a_kept_descriptor_sends_no_FIN_before_its_time(void)
{
    struct tf_segment *segment;
    struct tf_hand_server *server = server_for(&segment);
    struct pair pair = connected();
    CU_ASSERT_EQUAL(answer_of(server, ask(segment, TF_HAND_KEEP, pair.client, 100000000)), 0);
    close(pair.client);
    CU_ASSERT_FALSE(readable(pair.server, 0));
    uint64_t rest_ns = tf_hand_server_turn(server), begun_ns = tf_clock_ns();
    TF_CHECK(rest_ns <= 100000000, "%llu", (unsigned long long)rest_ns);
    while (!readable(pair.server, 10) && tf_clock_ns() < begun_ns + 5000000000)
        tf_hand_server_turn(server);
    CU_ASSERT_TRUE(readable(pair.server, 0));
    close(pair.server);
    tf_hand_server_free(server);
    tf_segment_close(segment);
}

static void a_kept_descriptor_ends_with_the_hand(void)
{
    struct tf_segment *segment;
    struct tf_hand_server *server = server_for(&segment);
    struct pair pair = connected();
    CU_ASSERT_EQUAL(answer_of(server, ask(segment, TF_HAND_KEEP, pair.client, 0)), 0);
    close(pair.client);
    tf_hand_server_turn(server);
    CU_ASSERT_FALSE(readable(pair.server, 0));
    tf_hand_server_free(server);
    CU_ASSERT_TRUE(readable(pair.server, 5000));
    close(pair.server);
    tf_segment_close(segment);
}

static void a_peer_on_this_machine_is_made_deaf_and_hears_again(void)
{
    struct tf_segment *segment;
    struct tf_hand_server *server = server_for(&segment);
    struct pair pair = connected();
    CU_ASSERT_EQUAL(answer_of(server, ask(segment, TF_HAND_DARK, pair.client, 100000000)), 0);
    CU_ASSERT_EQUAL(send(pair.client, "x", 1, 0), 1);
    CU_ASSERT_FALSE(readable(pair.server, 50));
    uint64_t begun_ns = tf_clock_ns();
    while (!readable(pair.server, 10) && tf_clock_ns() < begun_ns + 5000000000)
        tf_hand_server_turn(server);
    CU_ASSERT_TRUE(readable(pair.server, 0));
    close(pair.client);
    close(pair.server);
    tf_hand_server_free(server);
    tf_segment_close(segment);
}

static void what_cannot_be_done_has_an_errno(void)
{
    struct tf_segment *segment;
    struct tf_hand_server *server = server_for(&segment);
    struct pair pair = connected();
    CU_ASSERT_EQUAL(segment->hands.can & TF_HAND_WIRE, 0);
    CU_ASSERT_EQUAL(answer_of(server, ask(segment, TF_HAND_MUTE, pair.client, 0)), -ENOTSUP);
    CU_ASSERT_EQUAL(answer_of(server, ask(segment, (enum tf_hand_op)99, pair.client, 0)), -EINVAL);
    struct tf_hand_slot *slot = ask(segment, TF_HAND_KEEP, pair.client, 0);
    slot->cookie++;
    CU_ASSERT_EQUAL(answer_of(server, slot), -ESTALE);
    slot = ask(segment, TF_HAND_KEEP, pair.client, 0);
    slot->fd = 99999;
    CU_ASSERT_EQUAL(answer_of(server, slot), -EBADF);
    slot = ask(segment, TF_HAND_DARK, pair.client, 0);
    slot->peer.port ^= 1;
    CU_ASSERT_EQUAL(answer_of(server, slot), -ENOENT);
    close(pair.client);
    close(pair.server);
    tf_hand_server_free(server);
    tf_segment_close(segment);
}

static void what_was_left_lying_is_freed_and_nobody_elses(void)
{
    struct tf_segment *segment;
    struct tf_hand_server *server = server_for(&segment);
    struct tf_hand_slot *slot = segment->hands.slot;
    uint64_t now_ns = tf_clock_ns(), old_ns = now_ns - TF_HAND_STALE_NS - 1;
    static const enum tf_hand_phase phases[] = {TF_HAND_CLAIMED, TF_HAND_TAKEN, TF_HAND_DONE};
    for (int i = 0; i < 3; i++) {
        slot[i].claimed_ns = old_ns;
        slot[i].state = 40 + phases[i];
        slot[i + 3].claimed_ns = now_ns;
        slot[i + 3].state = 40 + phases[i];
    }
    tf_hand_server_turn(server);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(slot[i].state, 48 + TF_HAND_FREE); /* the next number: an old asker sees it */
        CU_ASSERT_EQUAL(slot[i + 3].state, 40 + phases[i]);
    }
    tf_hand_server_free(server);
    tf_segment_close(segment);
}

static void a_sandbox_has_one_and_it_goes_with_the_sandbox(void)
{
    static const enum tf_sandbox_kind kinds[] = {TF_SANDBOX_HOST, TF_SANDBOX_PRIVATE};
    for (int i = 0; i < 2; i++) {
        struct tf_unit_run run;
        const char *path;
        struct tf_segment *segment = segment_for("close:drop", &path);
        if (tf_unit_open(&run, kinds[i]))
            return;
        CU_ASSERT_EQUAL(tf_hands_start(run.sandbox, segment, path, &run.error), 0);
        CU_ASSERT_TRUE(segment->hands.can & TF_HAND_THERE);
        CU_ASSERT_EQUAL((segment->hands.can & TF_HAND_WIRE) != 0, kinds[i] == TF_SANDBOX_PRIVATE);
        /* It is no program: they end, and nobody waits for it. */
        tf_unit_sh(&run, "exit 3", NULL);
        CU_ASSERT_EQUAL(run.result.status, 3);
        pid_t hand = (pid_t)segment->hands.pid;
        CU_ASSERT_EQUAL(tf_sandbox_stop(run.sandbox, &run.error), 0);
        if (kinds[i] == TF_SANDBOX_HOST)
            CU_ASSERT_TRUE(kill(hand, 0) == -1 && errno == ESRCH);
        tf_unit_close(&run);
        tf_segment_close(segment);
    }
}

static void where_no_rule_needs_it_there_is_none(void)
{
    struct tf_unit_run run;
    const char *path;
    struct tf_segment *segment = segment_for("recv:eof", &path);
    if (tf_unit_open(&run, TF_SANDBOX_HOST))
        return;
    CU_ASSERT_EQUAL(tf_hands_start(run.sandbox, segment, path, &run.error), 0);
    CU_ASSERT_EQUAL(segment->hands.can, 0);
    tf_unit_close(&run);
    tf_segment_close(segment);
}

TF_SUITE(hands, TF_TEST(only_rules_that_need_it_start_one),
         TF_TEST(a_kept_descriptor_sends_no_FIN_before_its_time),
         TF_TEST(a_kept_descriptor_ends_with_the_hand),
         TF_TEST(a_peer_on_this_machine_is_made_deaf_and_hears_again),
         TF_TEST(what_cannot_be_done_has_an_errno), TF_TEST(what_was_left_lying_is_freed_and_nobody_elses),
         TF_TEST(a_sandbox_has_one_and_it_goes_with_the_sandbox),
         TF_TEST(where_no_rule_needs_it_there_is_none))
