/* Chance, delays, the interest mask, and threads that decide at once. */
#include "asked.h"
#include "rule.h"
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* Of 64 calls, which strike: as a mask. */
static uint64_t draw(const char *text, uint64_t seed, int unrelated)
{
    uint64_t struck = 0;
    rules(text);
    plan.seed = seed;
    for (int i = 0; i < 64; i++) {
        for (int other = 0; other < unrelated * (i % 3); other++)
            strikes(TF_write);
        struck |= (uint64_t)strikes(TF_read) << i;
    }
    return struck;
}

static void chance_is_the_seeds_alone(void)
{
    const char *text = "read:prob=0.5:eof; write:prob=0.5:short=1";
    uint64_t once = draw(text, 7, 0);
    CU_ASSERT_EQUAL(draw(text, 7, 0), once);
    CU_ASSERT_EQUAL(draw(text, 7, 5), once); /* whatever other calls came between */
    CU_ASSERT_NOT_EQUAL(draw(text, 8, 0), once);
    CU_ASSERT_NOT_EQUAL(draw("connect:error=EINTR; read:prob=0.5:eof", 7, 0), once); /* another rule */
}

static void chance_comes_as_often_as_it_says(void)
{
    static const double probs[] = {0, 0.01, 0.3, 0.5, 0.9, 1};
    for (size_t i = 0; i < sizeof(probs) / sizeof(probs[0]); i++) {
        char text[64];
        int struck = 0;
        snprintf(text, sizeof(text), "read:eof:prob=0.%02d", (int)(probs[i] * 100));
        rules(probs[i] == 1 ? "read:eof:prob=1" : text);
        plan.seed = 42;
        for (int call = 0; call < 20000; call++)
            struck += strikes(TF_read);
        double found = struck / 20000.0;
        /* Five standard deviations of the worst case. */
        TF_CHECK(found > probs[i] - 0.018 && found < probs[i] + 0.018, "%s: %f", text, found);
        TF_CHECK((probs[i] == 0) == (struck == 0) && (probs[i] == 1) == (struck == 20000), "%s: %d", text,
                 struck);
    }
}

static void connections_have_luck_of_their_own(void)
{
    uint64_t struck = 0;
    rules("read:when=1:per=connection:prob=0.5:eof");
    for (uint32_t conn = 1; conn <= 64; conn++) {
        struct tf_question asked = question(TF_read);
        asked.conn = conn;
        memset(connection, 0, sizeof(connection));
        struck |= (uint64_t)ask(&asked, 0) << (conn - 1);
    }
    CU_ASSERT_TRUE(struck != 0 && struck != UINT64_MAX);
}

static void random_delays_stay_in_their_range(void)
{
    uint64_t least = UINT64_MAX, most = 0, sum = 0;
    rules("read:delay=10ns..13ns");
    for (int i = 0; i < 1000; i++) {
        CU_ASSERT_TRUE(strikes(TF_read));
        least = effect.delay_ns < least ? effect.delay_ns : least;
        most = effect.delay_ns > most ? effect.delay_ns : most;
        sum += effect.delay_ns;
    }
    CU_ASSERT_EQUAL(least, 10);
    CU_ASSERT_EQUAL(most, 13);
    TF_CHECK(sum > 11300 && sum < 11700, "the mean is %f", (double)sum / 1000);
    rules("read:delay=10ns");
    CU_ASSERT_TRUE(strikes(TF_read));
    CU_ASSERT_EQUAL(effect.delay_ns, 10);
}

static void draws_of_one_call_are_independent(void)
{
    uint64_t seen = 0;
    rules("read:delay=0..2000000h:corrupt");
    CU_ASSERT_TRUE(strikes(TF_read));
    CU_ASSERT_NOT_EQUAL(effect.delay_ns, effect.corrupt_hash % (plan.rule[0].delay_max_ns + 1));
    for (uint64_t salt = 0; salt < 64; salt++)
        seen |= tf_hash(1, 2, 3, salt) & 1 ? TF_BIT(salt) : 0;
    CU_ASSERT_TRUE(seen != 0 && seen != UINT64_MAX);
    CU_ASSERT_NOT_EQUAL(tf_hash(0, 0, 0, 0), 0);
    CU_ASSERT_NOT_EQUAL(tf_hash(0, 1, 2, 3), tf_hash(0, 2, 1, 3));
    CU_ASSERT_NOT_EQUAL(tf_hash(1, 0, 2, 3), tf_hash(0, 1, 2, 3));
    CU_ASSERT_EQUAL(tf_hash(1, 2, 3, 4), tf_hash(1, 2, 3, 4));
}

/* A small generator of its own: the tests are the same in every run. */
static uint64_t next(uint64_t *random)
{
    return tf_hash(99, 0, ++*random, 0);
}

static const char *pick(uint64_t *random, const char *const *words, size_t count)
{
    return words[next(random) % count];
}

#define PICK(...)                                                                                            \
    pick(&random, (const char *const[]){__VA_ARGS__},                                                        \
         sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* If any call could be struck on a socket, its bit is in the mask. */
static void interest_is_never_too_small(void)
{
    uint64_t random = 0;
    int struck = 0, spared = 0;
    for (int round = 0; round < 4000; round++) {
        char text[256];
        snprintf(text, sizeof(text), "%s:delay=1ms%s%s%s%s%s%s",
                 PICK("%all", "%in", "%out,connect", "%accept,read", "close"),
                 PICK("", "", ":role=client", ":role=server", ":role=listener"),
                 PICK("", "", ":family=inet", ":family=inet6"),
                 PICK("", "", ":peer=10.0.0.1:80", ":peer=:81"),
                 PICK("", "", ":local=:40000", ":local=127.0.0.1:*"), PICK("", "", ":conn=1", ":conn=2"),
                 PICK("", "", ":exe=curl", ":exe=nc"));
        struct tf_rule rule;
        struct tf_rule_error error;
        if (tf_rule_parse(text, strlen(text), &rule, &error) != 0)
            continue; /* the selectors do not go with the calls */
        rules(text);
        struct tf_question asked = question(TF_read);
        asked.role = (enum tf_role)(next(&random) % 4);
        asked.family = next(&random) % 2 ? AF_INET : AF_INET6;
        asked.conn = (uint32_t)(next(&random) % 3);
        asked.peer = next(&random) % 3 ? endpoint("10.0.0.1", (uint16_t)(80 + next(&random) % 2))
                                       : (struct tf_endpoint){0};
        asked.local = next(&random) % 3 ? endpoint("127.0.0.1", 40000) : (struct tf_endpoint){0};
        asked.exe = PICK("curl", "nc", "");
        uint64_t interest = tf_decide_interest(&plan, &asked);
        for (int call = 0; call < TF_CALLS; call++) {
            asked.call = (enum tf_call_id)call;
            bool hit = ask(&asked, 0);
            struck += hit;
            spared += !(interest & TF_BIT(call));
            TF_CHECK(!hit || interest & TF_BIT(call), "%s: %s", text, tf_call_info[call].name);
        }
    }
    TF_CHECK(struck > 1000 && spared > 1000, "%d struck, %d spared", struck, spared);
}

static void interest_keeps_the_calls_that_make_a_socket_what_it_is(void)
{
    rules("connect,read:peer=10.0.0.9:80:error=EINTR");
    struct tf_question asked = question(TF_read);
    CU_ASSERT_EQUAL(tf_decide_interest(&plan, &asked), TF_BIT(TF_connect)); /* it may connect there yet */
    asked.peer = endpoint("10.0.0.9", 80);
    CU_ASSERT_EQUAL(tf_decide_interest(&plan, &asked),
                    TF_BIT(TF_connect) | TF_BIT(TF_read) | tf_segment_keeps(&plan.rule[0]));
    rules("connect,read:exe=nc:delay=1ms");
    CU_ASSERT_EQUAL(tf_decide_interest(&plan, &asked), 0);
}

enum { THREADS = 4, CALLS = 5000 };

static void *hammer(void *fired)
{
    struct tf_counters counters = {state, process, connection[0]};
    struct tf_question asked = question(TF_read);
    for (int i = 0; i < CALLS; i++) {
        struct tf_effect mine;
        if (tf_decide(&plan, &counters, &asked, &mine))
            atomic_fetch_add((_Atomic int *)fired + mine.rule, 1);
    }
    return NULL;
}

static void threads_share_one_count(void)
{
    pthread_t thread[THREADS];
    _Atomic int fired[3] = {0};
    rules("read:when=7777:eof; read:when=1+10:short=1");
    for (int i = 0; i < THREADS; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&thread[i], NULL, hammer, fired), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    CU_ASSERT_EQUAL(state[0].counted, THREADS * CALLS);
    CU_ASSERT_EQUAL(state[1].counted, THREADS * CALLS);
    CU_ASSERT_EQUAL(fired[1], 1);
    TF_CHECK(fired[2] == THREADS * CALLS / 10 || fired[2] == THREADS * CALLS / 10 - 1, "%d", fired[2]);
}

TF_SUITE(chance, TF_TEST(chance_is_the_seeds_alone), TF_TEST(chance_comes_as_often_as_it_says),
         TF_TEST(connections_have_luck_of_their_own), TF_TEST(random_delays_stay_in_their_range),
         TF_TEST(draws_of_one_call_are_independent), TF_TEST(interest_is_never_too_small),
         TF_TEST(interest_keeps_the_calls_that_make_a_socket_what_it_is), TF_TEST(threads_share_one_count))
