/* The shared mapping, and the gate computed into it. */
#include "names.h"
#include "rule.h"
#include "segment.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct tf_plan plan;

static const struct tf_plan *rules(const char *text)
{
    struct tf_rule_error error;
    memset(&plan, 0, sizeof(plan));
    int result = tf_plan_add(&plan, text, &error);
    TF_CHECK(result == 0, "%s: %s", text, result ? error.message : "");
    return &plan;
}

static struct tf_segment *create(const char *text, uint32_t flags)
{
    unlink(tf_scratch("segment"));
    struct tf_segment *segment = tf_segment_create(tf_scratch("segment"), rules(text), flags);
    CU_ASSERT_PTR_NOT_NULL_FATAL(segment);
    return segment;
}

static uint64_t calls(const char *word)
{
    return tf_calls_named(word, strlen(word));
}

static uint64_t gated(const struct tf_segment *segment, enum tf_gate gate)
{
    uint64_t set = 0;
    for (int call = 0; call < TF_CALLS; call++)
        if (segment->gate[call] & gate)
            set |= TF_BIT(call);
    return set;
}

static uint64_t quick(const struct tf_segment *segment)
{
    uint64_t set = 0;
    for (int call = 0; call < TF_CALLS; call++)
        if (segment->quick[call])
            set |= TF_BIT(call);
    return set;
}

static void a_segment_is_sparse_and_for_everybody(void)
{
    mode_t mask = umask(077);
    struct tf_segment *segment = create("read:eof", 0);
    umask(mask);
    struct stat status;
    CU_ASSERT_EQUAL(stat(tf_scratch("segment"), &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 07777, 0666);
    CU_ASSERT_EQUAL(status.st_size, (off_t)sizeof(*segment));
    TF_CHECK(status.st_blocks * 512 < status.st_size / 8, "%lld of %lld bytes are on disk",
             (long long)status.st_blocks * 512, (long long)status.st_size);
    tf_segment_close(segment);
}

static void a_segment_leaves_no_descriptor(void)
{
    int before = dup(0);
    tf_segment_close(create("", 0));
    tf_segment_close(tf_segment_open(tf_scratch("segment")));
    int after = dup(0);
    CU_ASSERT_EQUAL(before + 1, after);
    close(before);
    close(after);
}

static void an_existing_file_is_never_overwritten(void)
{
    tf_segment_close(create("", 0));
    CU_ASSERT_PTR_NULL(tf_segment_create(tf_scratch("segment"), &plan, 0));
    CU_ASSERT_EQUAL(errno, EEXIST);
    CU_ASSERT_PTR_NULL(tf_segment_create(tf_scratch("no/such/folder"), &plan, 0));
    CU_ASSERT_EQUAL(errno, ENOENT);
}

static void everybody_who_opens_it_sees_the_same(void)
{
    struct tf_segment *one = create("read:eof; write:short=3", TF_RUN_TRACE);
    struct tf_segment *two = tf_segment_open(tf_scratch("segment"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(two);
    CU_ASSERT_EQUAL(two->plan.rules, 2);
    TF_SAME(two->plan.rule[1].text, "write:short=3");
    CU_ASSERT_EQUAL(two->state[0].armed, 1);
    CU_ASSERT_EQUAL(two->state[1].armed, 1);
    CU_ASSERT_EQUAL(two->state[2].armed, 0);
    CU_ASSERT_EQUAL(two->flags, TF_RUN_TRACE);
    CU_ASSERT_EQUAL(two->creator, (uint32_t)getpid());
    CU_ASSERT_TRUE(two->created_monotonic_ns > 0 && two->created_realtime_ns > 0);
    pid_t child = fork();
    if (child == 0) {
        atomic_fetch_add(&one->state[1].counted, 5);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    CU_ASSERT_EQUAL(two->state[1].counted, 5);
    tf_segment_close(one);
    tf_segment_close(two);
    tf_segment_close(NULL);
}

/* Opens the file after `change`; the errno. */
static int errno_of_opening(void (*change)(struct tf_segment *segment))
{
    struct tf_segment *segment = create("", 0);
    change(segment);
    tf_segment_close(segment);
    struct tf_segment *opened = tf_segment_open(tf_scratch("segment"));
    int error = opened ? 0 : errno;
    tf_segment_close(opened);
    return error;
}

static void nothing(struct tf_segment *segment)
{
    (void)segment;
}

static void break_magic(struct tf_segment *segment)
{
    segment->magic ^= 1;
}

static void break_version(struct tf_segment *segment)
{
    segment->version++;
}

static void break_event_version(struct tf_segment *segment)
{
    segment->event_version++;
}

static void break_size(struct tf_segment *segment)
{
    segment->size--;
}

static void break_rules(struct tf_segment *segment)
{
    segment->plan.rules = TF_RULES_MAX + 1;
}

static void truncate_last_byte(struct tf_segment *segment)
{
    CU_ASSERT_EQUAL(truncate(tf_scratch("segment"), (off_t)sizeof(*segment) - 1), 0);
}

static void truncate_to_nothing(struct tf_segment *segment)
{
    (void)segment;
    CU_ASSERT_EQUAL(truncate(tf_scratch("segment"), 0), 0);
}

static void what_is_no_segment_of_this_version_is_refused(void)
{
    CU_ASSERT_EQUAL(errno_of_opening(nothing), 0);
    CU_ASSERT_EQUAL(errno_of_opening(break_magic), EPROTO);
    CU_ASSERT_EQUAL(errno_of_opening(break_version), EPROTO);
    CU_ASSERT_EQUAL(errno_of_opening(break_event_version), EPROTO);
    CU_ASSERT_EQUAL(errno_of_opening(break_size), EPROTO);
    CU_ASSERT_EQUAL(errno_of_opening(break_rules), EPROTO);
    CU_ASSERT_EQUAL(errno_of_opening(truncate_last_byte), EPROTO);
    CU_ASSERT_EQUAL(errno_of_opening(truncate_to_nothing), EPROTO);
    CU_ASSERT_PTR_NULL(tf_segment_open(tf_scratch("nothing")));
    CU_ASSERT_EQUAL(errno, ENOENT);
    CU_ASSERT_PTR_NULL(tf_segment_open("/dev/null"));
    CU_ASSERT_EQUAL(errno, EPROTO);
    CU_ASSERT_PTR_NULL(tf_segment_open("/tmp"));
    CU_ASSERT_EQUAL(errno, EISDIR);
    unlink(tf_scratch("fifo"));
    CU_ASSERT_EQUAL(mkfifo(tf_scratch("fifo"), 0600), 0);
    CU_ASSERT_PTR_NULL(tf_segment_open(tf_scratch("fifo"))); /* and does not wait for a writer */
    CU_ASSERT_EQUAL(errno, EPROTO);
}

static void an_empty_plan_opens_no_gate(void)
{
    struct tf_segment *segment = create("", 0);
    CU_ASSERT_EQUAL(gated(segment, TF_GATE_RULE | TF_GATE_KEEP), 0);
    CU_ASSERT_EQUAL(quick(segment), 0);
    tf_segment_close(segment);
}

static void a_trace_opens_every_gate(void)
{
    struct tf_segment *segment = create("", TF_RUN_TRACE);
    CU_ASSERT_EQUAL(gated(segment, TF_GATE_KEEP), calls("%all"));
    tf_segment_close(segment);
    segment = create("read:short=1", TF_RUN_TRACE);
    CU_ASSERT_EQUAL(gated(segment, TF_GATE_RULE), TF_BIT(TF_read));
    CU_ASSERT_EQUAL(quick(segment), 0);
    tf_segment_close(segment);
}

/* The calls by which descriptors, roles and connection numbers are followed. */
static uint64_t books(void)
{
    return calls("socket") | calls("%accept") | calls("connect") | calls("listen") | calls("close") |
           calls("shutdown") | calls("dup") | calls("dup2") | calls("dup3") | calls("fcntl") |
           calls("epoll_ctl");
}

/* The waits that tell of a hang-up. */
static uint64_t hangups(void)
{
    return calls("%wait") & ~(calls("select") | calls("pselect"));
}

static void a_gate_follows_its_rules_being_armed(void)
{
    struct tf_segment *segment = create("read:short=1; read,write:short=2; connect:signal=USR1", 0);
    CU_ASSERT_EQUAL(gated(segment, TF_GATE_RULE), calls("read") | calls("write") | calls("connect"));
    CU_ASSERT_EQUAL(gated(segment, TF_GATE_KEEP), books() | hangups());
    segment->state[1].armed = 0;
    tf_segment_gate(segment);
    CU_ASSERT_EQUAL(gated(segment, TF_GATE_RULE), calls("read") | calls("connect"));
    segment->state[0].armed = segment->state[2].armed = 0;
    tf_segment_gate(segment);
    CU_ASSERT_EQUAL(gated(segment, TF_GATE_RULE), 0);
    /* A rule that is armed later needs to know the connections from before. */
    CU_ASSERT_EQUAL(gated(segment, TF_GATE_KEEP), books() | hangups());
    tf_segment_close(segment);
}

static void lasting_effects_keep_the_calls_that_must_agree_with_them(void)
{
    const uint64_t moves = calls("%in") | calls("%out");
    static const char *const counted[] = {"read:bytes=1:short=1", "read:per=connection:short=1"};
    static const char *const lasting[] = {"read:eof", "connect:error=ETIMEDOUT", "setsockopt:ignore"};
    for (int i = 0; i < 2; i++) {
        struct tf_segment *segment = create(counted[i], 0);
        CU_ASSERT_EQUAL(gated(segment, TF_GATE_KEEP), books() | moves | hangups());
        tf_segment_close(segment);
    }
    for (int i = 0; i < 3; i++) {
        struct tf_segment *segment = create(lasting[i], 0);
        segment->state[0].armed = 0; /* what it did outlives it */
        tf_segment_gate(segment);
        CU_ASSERT_EQUAL(gated(segment, TF_GATE_KEEP),
                        books() | moves | calls("getsockopt") | calls("getsockname") |
                            (i == 0 ? calls("getpeername") : 0)); /* gone once this end closes, too */
        tf_segment_close(segment);
    }
}

static void effects_that_hold_a_socket_keep_what_would_show_it(void)
{
    const uint64_t seen = calls("%in") | calls("%out") | calls("ioctl") | calls("getsockopt") |
                          calls("getpeername") | calls("poll") | calls("ppoll") | calls("select") |
                          calls("pselect");
    static const char *const holding[] = {"read:delay=1ms", "accept:delay=1ms", "connect:delay=1ms",
                                          "write:rate=1K", "%in:drop"};
    for (size_t i = 0; i < sizeof(holding) / sizeof(holding[0]); i++) {
        struct tf_segment *segment = create(holding[i], 0);
        TF_CHECK(gated(segment, TF_GATE_KEEP) == (books() | seen), "%s", holding[i]);
        tf_segment_close(segment);
    }
    struct tf_segment *segment = create("setsockopt,poll:delay=1ms", 0);
    CU_ASSERT_EQUAL(gated(segment, TF_GATE_KEEP), books());
    tf_segment_close(segment);
    segment = create("read:rate=1K", 0);
    CU_ASSERT_EQUAL(gated(segment, TF_GATE_KEEP), books() | seen | hangups());
    tf_segment_close(segment);
    segment = create("write:short=1", 0);
    CU_ASSERT_EQUAL(gated(segment, TF_GATE_KEEP), books());
    tf_segment_close(segment);
}

static void what_ends_a_connection_keeps_the_calls_that_tell_of_it(void)
{
    const uint64_t ended = calls("%in") | calls("%out") | calls("getsockopt") | calls("getsockname") |
                           calls("bind") | calls("ioctl");
    static const struct {
        const char *rule, *own;
    } cases[] = {{"recv:reset", ""},
                 {"recv:error=ECONNRESET", "recv"},
                 {"read:error=ETIMEDOUT", "read"},
                 {"getpeername:error=ENOTCONN", ""}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tf_segment *segment = create(cases[i].rule, 0);
        uint64_t own = *cases[i].own ? calls(cases[i].own) : 0;
        CU_ASSERT_EQUAL(gated(segment, TF_GATE_KEEP), books() | (ended & ~own));
        tf_segment_close(segment);
    }
    struct tf_segment *segment = create("recv:error=ENOMEM; accept:error=ECONNABORTED; close:error=EIO", 0);
    CU_ASSERT_EQUAL(gated(segment, TF_GATE_KEEP), books());
    tf_segment_close(segment);
}

static void only_what_can_be_counted_blindly_is_quick(void)
{
    static const struct {
        const char *rules, *quick;
    } cases[] = {
        {"read:short=1:when=5", "read"},
        {"%in:short=1", "%in"},
        {"%out:signal=USR1:role=client:family=inet:peer=:80:conn=1:exe=x:local=:81", "%out"},
        {"socket,read:signal=USR1", "read"},
        {"read:short=1:prob=0.5", ""},
        {"read:short=1:per=process", ""},
        {"read:short=1:per=connection", ""},
        {"read:short=1:bytes=10", ""},
        {"read:short=1:caller=main", ""},
        {"read:errno=EAGAIN:delay=1ms", ""},
        {"read:eof", ""},
        {"read:reset", ""},
        {"read:error=ECONNRESET", "read"},
        {"setsockopt:delay=1ms", ""},
        {"accept:error=EMFILE", ""},
        {"poll:error=EINTR", ""},
        {"read:short=1; read:short=2", ""},
        {"read:short=1; connect:error=EINTR", ""},
        {"read,recv:short=1; recv:short=2", "read"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tf_segment *segment = create(cases[i].rules, 0);
        uint64_t expected = cases[i].quick[0] ? calls(cases[i].quick) : 0;
        TF_CHECK(quick(segment) == expected, "%s: %llx", cases[i].rules, (unsigned long long)quick(segment));
        tf_segment_close(segment);
    }
}

static void a_call_is_quick_again_when_its_other_rule_is_disarmed(void)
{
    struct tf_segment *segment = create("read:short=1; read:short=2", 0);
    CU_ASSERT_EQUAL(segment->quick[TF_read], 0);
    segment->state[0].armed = 0;
    tf_segment_gate(segment);
    CU_ASSERT_EQUAL(segment->quick[TF_read], 2);
    tf_segment_close(segment);
}

TF_SUITE(segment, TF_TEST(a_segment_is_sparse_and_for_everybody), TF_TEST(a_segment_leaves_no_descriptor),
         TF_TEST(an_existing_file_is_never_overwritten), TF_TEST(everybody_who_opens_it_sees_the_same),
         TF_TEST(what_is_no_segment_of_this_version_is_refused), TF_TEST(an_empty_plan_opens_no_gate),
         TF_TEST(a_trace_opens_every_gate), TF_TEST(a_gate_follows_its_rules_being_armed),
         TF_TEST(lasting_effects_keep_the_calls_that_must_agree_with_them),
         TF_TEST(effects_that_hold_a_socket_keep_what_would_show_it),
         TF_TEST(what_ends_a_connection_keeps_the_calls_that_tell_of_it),
         TF_TEST(only_what_can_be_counted_blindly_is_quick),
         TF_TEST(a_call_is_quick_again_when_its_other_rule_is_disarmed))
