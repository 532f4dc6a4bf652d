/* The shim in the middle of threads, forks, handlers, jumps and cancellation. */
#include "check.h"
#include "place.h"
#include "suite.h"
#include "under.h"

/* What a program finds armed, from nothing to a rule for every call. */
static const char *const armed[] = {"", "%in:error=ENOMEM:when=1000000+;%out:error=ENOMEM:when=1000000+",
                                    "%all:delay=1ms:prob=0"};

static void forks(const char *n, const char *how, unsigned deadline_s)
{
    for (size_t i = 0; i < sizeof armed / sizeof *armed; i++)
        for (int way = IT_BARE; way <= IT_TRACED; way++) {
            if (way != IT_BARE && strcmp(how, "fork") != 0)
                continue;
            struct it_child *child =
                it_under_run(&(struct it_under){.way = way,
                                                .rules = armed[i],
                                                .argv = ARGV(it_program("forks"), n, how),
                                                .deadline_s = deadline_s});
            CHECK_EXIT(child, 0);
            CHECK_TEXT(child->out, it_text("%s forks, 0 hung, 0 failed\n", n));
        }
}

static void of_300_children_forked_under_three_busy_threads_none_hangs(void)
{
    forks("300", "fork", 60);
}

static void children_that_skip_the_fork_handlers_do_not_hang(void)
{
    forks("50", "_Fork", 60);
    forks("50", "clone", 60);
}

static void with_the_control_thread_no_child_hangs(void)
{
    struct it_child *child =
        it_under_run(&(struct it_under){.way = IT_BARE,
                                        .rules = armed[1],
                                        .argv = ARGV(it_program("forks"), "100", "fork"),
                                        .deadline_s = 60,
                                        .env = ARGV(it_text("TCPFAULT_CTRL=%s/ctrl", it_scratch()))});
    CHECK_EXIT(child, 0);
    CHECK_TEXT(child->out, "100 forks, 0 hung, 0 failed\n");
}

static void a_vfork_child_does_not_change_what_the_parents_descriptors_are(void)
{
    for (int way = IT_BARE; way <= IT_TRACED; way++) {
        struct it_child *child = it_shimmed(way, "recv:error=ENOMEM:role=client", ARGV(it_program("vforks")));
        CHECK_EXIT(child, 0);
        CHECK_TEXT(child->out,
                   "before ENOMEM\nchild 0\nafter dup2 ENOMEM\nafter close ENOMEM\nafter spawn ENOMEM\n");
    }
}

static void a_handler_may_jump_out_of_any_call_and_faults_go_on(void)
{
    static const char *const calls[] = {"read", "poll", "accept", "data"};
    for (int i = 0; i < 4; i++)
        for (int way = IT_BARE; way <= IT_TRACED; way++) {
            struct it_child *child = it_shimmed(
                way,
                "send:error=ENOBUFS:role=client;recvfrom:error=ENOMEM;recv:delay=30s;%all:delay=1ms:prob=0",
                ARGV(it_program("jumps"), "300", calls[i]));
            CHECK_EXIT(child, 0);
            /* "data" sends one byte as the server */
            CHECK_TEXT(child->out, "jumped 300, send failed 300, recvfrom failed 300, otherwise 0\n");
        }
}

static void a_thread_may_be_cancelled_in_a_call_and_faults_go_on(void)
{
    for (int way = IT_BARE; way <= IT_TRACED; way++) {
        struct it_child *child = it_shimmed(way, "recv:error=ENOMEM:when=1000+;recvfrom:error=ENOMEM",
                                            ARGV(it_program("cancels"), "100"));
        CHECK_TEXT(child->out, "cancelled 100, cleaned 100, then ENOMEM\n");
        child = it_shimmed(way, "recv:delay=30s;recvfrom:error=ENOMEM",
                           ARGV(it_program("cancels"), "100", "data"));
        CHECK_TEXT(child->out, "cancelled 100, cleaned 100, then ENOMEM\n");
    }
}

static void a_signal_handler_may_call_in_the_middle_of_a_call(void)
{
    for (size_t i = 0; i < sizeof armed / sizeof *armed; i++) {
        struct it_child *child = it_shimmed(IT_TRACED, armed[i], ARGV(it_program("handlers")));
        CHECK_EXIT(child, 0);
        CHECK_TEXT(child->out, "calls were made, wrong 0\n");
    }
    struct it_child *child =
        it_shimmed(IT_PLAIN, "send:error=ENOBUFS:prob=0.5", ARGV(it_program("handlers")));
    CHECK_TEXT(child->out, "calls were made, wrong 0\n");
}

static void the_programs_own_random_sequence_is_its_own(void)
{
    static const char *const rules[] = {"%in:error=ENOMEM:prob=0.5", "%in:corrupt;%out:corrupt",
                                        "recv:delay=1us..9us", ""};
    for (int seeded = 0; seeded < 2; seeded++) {
        const char *const *argv = seeded ? ARGV(it_program("randoms"), "42") : ARGV(it_program("randoms"));
        struct it_child *bare = it_run(&(struct it_command){.argv = argv});
        CHECK(bare->out_length > 2000);
        for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
            CHECK_TEXT(it_shimmed(IT_BARE, rules[i], argv)->out, bare->out);
    }
}

static void the_same_seed_gives_the_same_events_20_times(void)
{
    const char *script = "pair s.send:#2000";
    const char *first = NULL;

    /* No more is read than was sent, and each read waits for it: on a busy machine
     * what is sent to the same machine is not there at once. */
    for (int i = 0; i < 30; i++)
        script = it_text("%s c.recv:17 c.send:x s.read:1", script);
    for (int i = 0; i < 20; i++) {
        struct it_child *child =
            it_under_run(&(struct it_under){.way = IT_TRACED,
                                            .rules = "%in:error=ENOMEM:prob=0.3;%out:short=1:prob=0.3",
                                            .seed = 77,
                                            .argv = it_probe_argv(script)});
        CHECK_EXIT(child, 0);
        const char *history = it_history();
        CHECK_HAS(history, "fired");
        if (!first)
            first = history;
        CHECK_TEXT(history, first);
    }
}

static void of_two_that_wake_for_one_connection_the_one_that_gets_it_is_struck(void)
{
    for (int way = IT_BARE; way <= IT_TRACED; way++) {
        struct it_child *child =
            it_shimmed(way, "accept:error=ECONNABORTED:when=1:per=process", ARGV(it_program("wakes"), "100"));
        CHECK_EXIT(child, 0);
        CHECK_TEXT(child->out, "100 of 100 aborted\n");
    }
}

IT_SUITE(threads, TEST(of_300_children_forked_under_three_busy_threads_none_hangs),
         TEST(children_that_skip_the_fork_handlers_do_not_hang), TEST(with_the_control_thread_no_child_hangs),
         TEST(a_vfork_child_does_not_change_what_the_parents_descriptors_are),
         TEST(a_handler_may_jump_out_of_any_call_and_faults_go_on),
         TEST(a_thread_may_be_cancelled_in_a_call_and_faults_go_on),
         TEST(a_signal_handler_may_call_in_the_middle_of_a_call),
         TEST(of_two_that_wake_for_one_connection_the_one_that_gets_it_is_struck),
         TEST(the_programs_own_random_sequence_is_its_own),
         TEST(the_same_seed_gives_the_same_events_20_times))
