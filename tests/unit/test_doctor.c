/* What the effects come to, by what the probes found. */
#include "doctor.h"
#include "names.h"
#include "rule.h"
#include "unit.h"

#include <string.h>

static struct tf_ability row[TF_ABILITIES_MAX];

/* Every probe works, or none, but `odd`. */
static size_t weigh(bool works, int odd)
{
    struct tf_probed findings[TF_PROBES];
    for (int i = 0; i < TF_PROBES; i++)
        findings[i] = (struct tf_probed){.tried = true, .works = works != (i == odd)};
    return tf_doctor_abilities(findings, row);
}

static const struct tf_ability *find(const char *effect, const char *calls)
{
    static const struct tf_ability none;
    for (size_t i = 0; i < TF_ABILITIES_MAX && row[i].effect; i++) {
        if (!strcmp(row[i].effect, effect) && !strcmp(row[i].calls, calls))
            return &row[i];
    }
    TF_CHECK(false, "no row for %s on %s", effect, calls);
    return &none;
}

static void every_effect_is_weighed_wherever_it_is_valid(void)
{
    size_t count = weigh(true, -1);
    CU_ASSERT(count < TF_ABILITIES_MAX);
    for (enum tf_effect_id effect = 0; effect < TF_EFFECTS; effect++) {
        uint64_t weighed = 0;
        for (size_t i = 0; i < count; i++) {
            if (row[i].scenario || strcmp(row[i].effect, tf_effect_name(effect)) != 0)
                continue;
            uint64_t named =
                *row[i].calls ? tf_calls_named(row[i].calls, strlen(row[i].calls)) : tf_effect_calls(effect);
            TF_CHECK(named != 0 && (weighed & named) == 0, "%s: %s", row[i].effect, row[i].calls);
            weighed |= named;
        }
        TF_CHECK(weighed == tf_effect_calls(effect), "%s is not weighed on all its calls",
                 tf_effect_name(effect));
    }
}

static void a_machine_that_permits_all_has_all_in_full(void)
{
    size_t count = weigh(true, -1);
    for (size_t i = 0; i < count; i++) {
        TF_CHECK(row[i].at[TF_SITUATION_SANDBOX].level == TF_LEVEL_FULL, "%s on %s", row[i].effect,
                 row[i].calls);
        CU_ASSERT_EQUAL(row[i].at[TF_SITUATION_SANDBOX].lacks, 0);
    }
    CU_ASSERT_EQUAL(find("drop", "close")->at[TF_SITUATION_HOST].level, TF_LEVEL_FALLBACK);
    CU_ASSERT_EQUAL(find("drop", "shutdown")->at[TF_SITUATION_HOST].level, TF_LEVEL_NONE);
    CU_ASSERT_EQUAL(find("drop", "%out")->at[TF_SITUATION_ALONE].level, TF_LEVEL_NONE);
}

static void without_a_private_network_the_host_is_left(void)
{
    size_t count = weigh(true, TF_PROBE_private_network);
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_EQUAL(row[i].at[TF_SITUATION_SANDBOX].level, TF_LEVEL_NONE);
        CU_ASSERT_EQUAL(row[i].at[TF_SITUATION_SANDBOX].lacks, 1U << TF_PROBE_private_network);
    }
    CU_ASSERT_EQUAL(find("error", "")->at[TF_SITUATION_HOST].level, TF_LEVEL_FULL);
    CU_ASSERT_EQUAL(find("drop", "%out")->at[TF_SITUATION_HOST].level, TF_LEVEL_FALLBACK);
}

static void a_missing_probe_is_named_where_it_matters(void)
{
    weigh(true, TF_PROBE_nft);
    CU_ASSERT_EQUAL(find("drop", "connect")->at[TF_SITUATION_SANDBOX].level, TF_LEVEL_FALLBACK);
    CU_ASSERT_EQUAL(find("drop", "connect")->at[TF_SITUATION_SANDBOX].lacks, 1U << TF_PROBE_nft);
    CU_ASSERT(strstr(find("drop", "connect")->at[TF_SITUATION_SANDBOX].how, "SYN-ACK") != NULL);
    CU_ASSERT_EQUAL(find("drop", "shutdown")->at[TF_SITUATION_SANDBOX].level, TF_LEVEL_NONE);
    CU_ASSERT_EQUAL(find("drop", "%in")->at[TF_SITUATION_SANDBOX].level, TF_LEVEL_FULL);
    weigh(true, TF_PROBE_pidfd_peer);
    CU_ASSERT_EQUAL(find("drop", "%out")->at[TF_SITUATION_HOST].level, TF_LEVEL_NONE);
    CU_ASSERT_EQUAL(find("drop", "close")->at[TF_SITUATION_HOST].level, TF_LEVEL_FALLBACK);
    weigh(true, TF_PROBE_futex_waitv);
    CU_ASSERT_EQUAL(find("delay", "")->at[TF_SITUATION_ALONE].level, TF_LEVEL_FALLBACK);
}

static void most_effects_need_nothing(void)
{
    static const char *const effects[] = {"error",  "short", "eof",     "reset",
                                          "ignore", "rate",  "corrupt", "signal"};
    weigh(false, -1);
    for (size_t i = 0; i < sizeof effects / sizeof *effects; i++) {
        CU_ASSERT_EQUAL(find(effects[i], "")->at[TF_SITUATION_HOST].level, TF_LEVEL_FULL);
        CU_ASSERT_EQUAL(find(effects[i], "")->at[TF_SITUATION_ALONE].level, TF_LEVEL_FULL);
    }
    CU_ASSERT_EQUAL(find("drop", "connect")->at[TF_SITUATION_HOST].level, TF_LEVEL_NONE);
}

TF_SUITE(doctor, TF_TEST(every_effect_is_weighed_wherever_it_is_valid),
         TF_TEST(a_machine_that_permits_all_has_all_in_full),
         TF_TEST(without_a_private_network_the_host_is_left),
         TF_TEST(a_missing_probe_is_named_where_it_matters), TF_TEST(most_effects_need_nothing))
