/* Which rule strikes: selectors, counting, first match. */
#include "asked.h"
#include "unit.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void no_rule_lets_every_call_through(void)
{
    rules("");
    for (int call = 0; call < TF_CALLS; call++)
        CU_ASSERT_FALSE(strikes((enum tf_call_id)call));
    CU_ASSERT_EQUAL(effect.rule, 0);
    CU_ASSERT_EQUAL(effect.effects, 0);
    CU_ASSERT_EQUAL(effect.clamp, 0);
}

static void a_rule_strikes_its_calls_and_no_others(void)
{
    rules("%in,connect:delay=1ms");
    for (int call = 0; call < TF_CALLS; call++)
        CU_ASSERT_EQUAL(strikes((enum tf_call_id)call),
                        tf_call_info[call].class == TF_CLASS_IN || call == TF_connect);
}

static void an_effect_carries_what_the_rule_says(void)
{
    rules("close:error=EINTR:signal=USR1:delay=3ms:allow=any");
    CU_ASSERT_TRUE(strikes(TF_close));
    CU_ASSERT_EQUAL(effect.rule, 1);
    CU_ASSERT_EQUAL(effect.error, EINTR);
    CU_ASSERT_EQUAL(effect.signal, SIGUSR1);
    CU_ASSERT_EQUAL(effect.delay_ns, 3000000);
    CU_ASSERT_TRUE(effect.allow_any);
    CU_ASSERT_EQUAL(effect.ordinal, 1);
    CU_ASSERT_EQUAL(effect.effects, 1u << TF_EFFECT_error | 1u << TF_EFFECT_signal | 1u << TF_EFFECT_delay);
    rules("read:short=7:corrupt=5");
    CU_ASSERT_TRUE(strikes(TF_read));
    CU_ASSERT_EQUAL(effect.short_bytes, 7);
    CU_ASSERT_EQUAL(effect.corrupt_byte, 5);
    CU_ASSERT_FALSE(effect.allow_any);
}

static void the_first_match_wins_and_every_match_counts(void)
{
    rules("read:when=2:eof; read:when=1+:short=1; recv:short=3; read:when=3:short=4");
    CU_ASSERT_TRUE(strikes(TF_read));
    CU_ASSERT_EQUAL(effect.rule, 2);
    CU_ASSERT_TRUE(strikes(TF_read));
    CU_ASSERT_EQUAL(effect.rule, 1);
    CU_ASSERT_TRUE(strikes(TF_read));
    CU_ASSERT_EQUAL(effect.rule, 2);
    CU_ASSERT_EQUAL(state[0].counted, 3);
    CU_ASSERT_EQUAL(state[1].counted, 3);
    CU_ASSERT_EQUAL(state[2].counted, 0);
    CU_ASSERT_EQUAL(state[3].counted, 3);
}

static void a_disarmed_rule_neither_strikes_nor_counts(void)
{
    rules("read:eof; read:short=1");
    state[0].armed = 0;
    CU_ASSERT_TRUE(strikes(TF_read));
    CU_ASSERT_EQUAL(effect.rule, 2);
    CU_ASSERT_EQUAL(state[0].counted, 0);
}

/* strace(1): first[..last][+[step]]. */
static void when_picks_ordinals_as_strace_does(void)
{
    static const struct {
        const char *when, *struck; /* of calls 1 to 12 */
    } cases[] = {
        {"1+", "111111111111"},       {"1", "100000000000"},      {"3", "001000000000"},
        {"12", "000000000001"},       {"13", "000000000000"},     {"3..5", "001110000000"},
        {"3..3", "001000000000"},     {"3+", "001111111111"},     {"3+2", "001010101010"},
        {"2+5", "010000100001"},      {"1+100", "100000000000"},  {"2..9+3", "010010010000"},
        {"2..8+3", "010010010000"},   {"2..7+3", "010010000000"}, {"3..5+", "001110000000"},
        {"1..12+11", "100000000001"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[64], struck[13] = "";
        snprintf(text, sizeof(text), "read:eof:when=%s", cases[i].when);
        rules(text);
        for (int call = 0; call < 12; call++)
            strcat(struck, strikes(TF_read) ? "1" : "0");
        TF_SAME(struck, cases[i].struck);
    }
}

/* One change to the question, and whether the rule still strikes. */
static bool struck_by(const char *text, struct tf_question asked)
{
    rules(text);
    bool struck = ask(&asked, 0);
    CU_ASSERT_EQUAL(state[0].counted, struck); /* only what is selected is counted */
    return struck;
}

static void selectors_select_by_role_and_connection(void)
{
    struct tf_question asked = question(TF_read);
    CU_ASSERT_TRUE(struck_by("read:eof:role=client", asked));
    CU_ASSERT_FALSE(struck_by("read:eof:role=server", asked));
    CU_ASSERT_TRUE(struck_by("read:eof:conn=2", asked));
    CU_ASSERT_FALSE(struck_by("read:eof:conn=1", asked));
    asked.role = TF_ROLE_NONE;
    asked.conn = 0;
    CU_ASSERT_FALSE(struck_by("read:eof:role=client", asked));
    CU_ASSERT_FALSE(struck_by("read:eof:conn=2", asked));
    CU_ASSERT_TRUE(struck_by("read:eof", asked));
}

static void selectors_select_by_family(void)
{
    struct tf_question asked = question(TF_socket);
    asked.role = TF_ROLE_NONE;
    asked.family = AF_INET6;
    CU_ASSERT_TRUE(struck_by("socket:error=EAFNOSUPPORT:family=inet6", asked));
    CU_ASSERT_FALSE(struck_by("socket:error=EAFNOSUPPORT:family=inet", asked));
    asked = question(TF_read);
    CU_ASSERT_TRUE(struck_by("read:eof:family=inet", asked));
    CU_ASSERT_FALSE(struck_by("read:eof:family=inet6", asked));
}

static void selectors_select_by_address(void)
{
    struct tf_question asked = question(TF_read);
    CU_ASSERT_TRUE(struck_by("read:eof:peer=10.0.0.1:80", asked));
    CU_ASSERT_TRUE(struck_by("read:eof:peer=10.0.0.1:*", asked));
    CU_ASSERT_TRUE(struck_by("read:eof:peer=:80", asked));
    CU_ASSERT_TRUE(struck_by("read:eof:peer=[::ffff:10.0.0.1]:80", asked));
    CU_ASSERT_FALSE(struck_by("read:eof:peer=10.0.0.2:80", asked));
    CU_ASSERT_FALSE(struck_by("read:eof:peer=10.0.0.1:81", asked));
    CU_ASSERT_FALSE(struck_by("read:eof:peer=[::1]:80", asked));
    CU_ASSERT_TRUE(struck_by("read:eof:local=localhost:40000", asked));
    CU_ASSERT_FALSE(struck_by("read:eof:local=:80", asked));
    asked.peer = endpoint("2001:db8::1", 443);
    CU_ASSERT_TRUE(struck_by("read:eof:peer=[2001:db8::1]:443", asked));
    CU_ASSERT_FALSE(struck_by("read:eof:peer=[2001:db8::2]:443", asked));
    CU_ASSERT_TRUE(struck_by("read:eof:peer=:443", asked));
    asked.peer = (struct tf_endpoint){0};
    CU_ASSERT_FALSE(struck_by("read:eof:peer=:443", asked));
}

static void selectors_select_by_program_and_call_site(void)
{
    struct tf_question asked = question(TF_read);
    CU_ASSERT_TRUE(struck_by("read:eof:exe=curl", asked));
    CU_ASSERT_FALSE(struck_by("read:eof:exe=cur", asked));
    CU_ASSERT_FALSE(struck_by("read:eof:exe=curl2", asked));
    CU_ASSERT_TRUE(struck_by("read:eof:caller=transfer", asked));
    CU_ASSERT_FALSE(struck_by("read:eof:caller=main", asked));
    CU_ASSERT_TRUE(struck_by("read:eof:caller=libcurl.so.4+0x1234", asked));
    CU_ASSERT_FALSE(struck_by("read:eof:caller=libcurl.so.4+0x1235", asked));
    CU_ASSERT_FALSE(struck_by("read:eof:caller=libc.so.6+0x1234", asked));
    asked.exe = "/usr/bin/curl";
    asked.module = "/usr/lib/libcurl.so.4";
    CU_ASSERT_TRUE(struck_by("read:eof:exe=curl", asked));
    CU_ASSERT_TRUE(struck_by("read:eof:caller=libcurl.so.4+0x1234", asked));
    asked.exe = asked.function = asked.module = NULL;
    CU_ASSERT_FALSE(struck_by("read:eof:exe=curl", asked));
    CU_ASSERT_FALSE(struck_by("read:eof:caller=main", asked));
    CU_ASSERT_FALSE(struck_by("read:eof:caller=libc.so.6+0x1234", asked));
}

static void selectors_select_by_option(void)
{
    struct tf_question asked = question(TF_setsockopt);
    asked.opt_level = SOL_SOCKET;
    asked.opt_name = SO_REUSEADDR;
    CU_ASSERT_TRUE(struck_by("setsockopt:ignore:opt=SO_REUSEADDR", asked));
    CU_ASSERT_FALSE(struck_by("setsockopt:ignore:opt=SO_KEEPALIVE", asked));
    asked.opt_level = IPPROTO_TCP; /* the same number, another level */
    CU_ASSERT_FALSE(struck_by("setsockopt:ignore:opt=SO_REUSEADDR", asked));
}

static void a_rule_with_errno_looks_after_the_call_only(void)
{
    rules("read:errno=EAGAIN:error=ECONNRESET; read:short=1");
    struct tf_question asked = question(TF_read);
    CU_ASSERT_TRUE(ask(&asked, 0));
    CU_ASSERT_EQUAL(effect.rule, 2);
    asked.real_errno = EINTR;
    CU_ASSERT_FALSE(ask(&asked, 0));
    asked.real_errno = EAGAIN;
    CU_ASSERT_TRUE(ask(&asked, 0));
    CU_ASSERT_EQUAL(effect.rule, 1);
    CU_ASSERT_EQUAL(effect.error, ECONNRESET);
    CU_ASSERT_EQUAL(state[0].counted, 1);
    CU_ASSERT_EQUAL(state[1].counted, 1);
}

static void counts_are_kept_where_per_says(void)
{
    rules("read:when=2:per=run:eof; read:when=2:per=process:eof; read:when=2:per=connection:eof");
    struct tf_question asked = question(TF_read);
    CU_ASSERT_FALSE(ask(&asked, 0));
    CU_ASSERT_TRUE(ask(&asked, 1));
    CU_ASSERT_EQUAL(effect.rule, 1);
    CU_ASSERT_TRUE(ask(&asked, 1)); /* connection 1 for the second time */
    CU_ASSERT_EQUAL(effect.rule, 3);
    CU_ASSERT_EQUAL(effect.ordinal, 2);
    memset(process, 0, sizeof(process)); /* another process */
    CU_ASSERT_TRUE(ask(&asked, 0));
    CU_ASSERT_EQUAL(effect.rule, 3);
    CU_ASSERT_TRUE(ask(&asked, 0));
    CU_ASSERT_EQUAL(effect.rule, 2);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(state[i].counted, 5); /* the run's count is always kept */
}

static void what_is_no_connection_is_not_counted_per_connection(void)
{
    rules("%all:per=connection:delay=1ms");
    struct tf_question asked = question(TF_setsockopt);
    CU_ASSERT_FALSE(ask(&asked, -1));
    CU_ASSERT_EQUAL(state[0].counted, 0);
    CU_ASSERT_TRUE(ask(&asked, 0));
}

static void a_call_that_was_counted_already_is_not_counted_again(void)
{
    rules("read:when=5:eof");
    struct tf_question asked = question(TF_read);
    state[0].counted = 7; /* others have passed since */
    asked.ordinal = 5;
    CU_ASSERT_TRUE(ask(&asked, 0));
    CU_ASSERT_EQUAL(effect.ordinal, 5);
    CU_ASSERT_EQUAL(state[0].counted, 7);
}

static void an_undone_decision_was_never_counted(void)
{
    rules("%accept:when=1:error=EMFILE; %accept:when=2:error=ENFILE:per=process; "
          "%accept:when=3:error=ENOMEM; connect:error=EINTR");
    struct tf_counters counters = {state, process, NULL};
    struct tf_question asked = question(TF_accept4);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_TRUE(ask(&asked, -1));
        CU_ASSERT_EQUAL(effect.rule, 1);
        tf_decide_undo(&plan, &counters, &effect);
    }
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(state[i].counted, 0);
        CU_ASSERT_EQUAL(process[i], 0);
    }
    for (int rule = 1; rule <= 3; rule++) {
        CU_ASSERT_TRUE(ask(&asked, -1));
        CU_ASSERT_EQUAL(effect.rule, rule);
    }
}

static void bytes_clamps_the_call_before_and_strikes_the_next(void)
{
    rules("%in:bytes=1000:eof");
    struct tf_question asked = question(TF_read);
    CU_ASSERT_FALSE(ask(&asked, 0));
    CU_ASSERT_EQUAL(effect.clamp, 1000);
    asked.position = 999;
    CU_ASSERT_FALSE(ask(&asked, 0));
    CU_ASSERT_EQUAL(effect.clamp, 1);
    CU_ASSERT_EQUAL(state[0].counted, 0);
    asked.position = 1000;
    CU_ASSERT_TRUE(ask(&asked, 0));
    CU_ASSERT_EQUAL(effect.clamp, 0);
    CU_ASSERT_EQUAL(effect.ordinal, 1);
    asked.position = 5000;
    CU_ASSERT_TRUE(ask(&asked, 0));
}

static void the_nearest_of_several_clamps_counts(void)
{
    rules("read:bytes=500:short=1; read:bytes=300:short=1; read:bytes=400:short=1:conn=9; read:delay=1ms");
    struct tf_question asked = question(TF_read);
    asked.position = 100;
    CU_ASSERT_TRUE(ask(&asked, 0));
    CU_ASSERT_EQUAL(effect.rule, 4);
    CU_ASSERT_EQUAL(effect.clamp, 200);
    asked.call = TF_write;
    CU_ASSERT_FALSE(ask(&asked, 0));
    CU_ASSERT_EQUAL(effect.clamp, 0);
}

static void a_rule_that_is_done_clamps_no_more(void)
{
    rules("read:bytes=100:when=1:short=1");
    struct tf_question asked = question(TF_read);
    CU_ASSERT_FALSE(ask(&asked, 0));
    CU_ASSERT_EQUAL(effect.clamp, 100);
    asked.position = 100;
    CU_ASSERT_TRUE(ask(&asked, 0));
    asked.position = 0; /* the next connection */
    CU_ASSERT_FALSE(ask(&asked, 1));
    CU_ASSERT_EQUAL(effect.clamp, 0);
}

TF_SUITE(decide, TF_TEST(no_rule_lets_every_call_through), TF_TEST(a_rule_strikes_its_calls_and_no_others),
         TF_TEST(an_effect_carries_what_the_rule_says), TF_TEST(the_first_match_wins_and_every_match_counts),
         TF_TEST(a_disarmed_rule_neither_strikes_nor_counts), TF_TEST(when_picks_ordinals_as_strace_does),
         TF_TEST(selectors_select_by_role_and_connection), TF_TEST(selectors_select_by_family),
         TF_TEST(selectors_select_by_address), TF_TEST(selectors_select_by_program_and_call_site),
         TF_TEST(selectors_select_by_option), TF_TEST(a_rule_with_errno_looks_after_the_call_only),
         TF_TEST(counts_are_kept_where_per_says),
         TF_TEST(what_is_no_connection_is_not_counted_per_connection),
         TF_TEST(a_call_that_was_counted_already_is_not_counted_again),
         TF_TEST(an_undone_decision_was_never_counted),
         TF_TEST(bytes_clamps_the_call_before_and_strikes_the_next),
         TF_TEST(the_nearest_of_several_clamps_counts), TF_TEST(a_rule_that_is_done_clamps_no_more))
