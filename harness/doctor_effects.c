#include "doctor.h"

#include <string.h>

enum { SANDBOX = 1 << TF_SITUATION_SANDBOX, HOST = 1 << TF_SITUATION_HOST, ALONE = 1 << TF_SITUATION_ALONE };
enum { EVERYWHERE = SANDBOX | HOST | ALONE };

struct way {
    const char *effect, *calls, *how;
    uint32_t needs;
    uint8_t where, level;
    bool scenario;
};

_Static_assert(TF_PROBES <= 32, "probes are bits of an uint32_t");

static const struct way ways[] = {
#define NOTHING 0
#define NEED(probe) (UINT32_C(1) << TF_PROBE_##probe)
#define WAY(effect, calls, where, level, needs, how)                                                         \
    {#effect, calls, how, needs, where, TF_LEVEL_##level, false},
#define WAY_OF_SCENARIO(key, calls, where, level, needs, how)                                                \
    {#key, calls, how, needs, where, TF_LEVEL_##level, true},
#include "needs.def"
};

enum { WAYS = sizeof ways / sizeof *ways };

static bool same(const struct way *a, const struct way *b)
{
    return !strcmp(a->effect, b->effect) && !strcmp(a->calls, b->calls);
}

static uint32_t missing(const struct way *way, enum tf_situation situation, const struct tf_probed *findings)
{
    uint32_t lacks = way->needs;
    if (situation == TF_SITUATION_SANDBOX) {
        if (!findings[TF_PROBE_private_network].works)
            return NEED(private_network);
    }
    for (int probe = 0; probe < TF_PROBES; probe++) {
        if (findings[probe].works)
            lacks &= ~(UINT32_C(1) << probe);
    }
    return lacks;
}

static void weigh(size_t first, const struct tf_probed *findings, struct tf_ability *ability)
{
    for (int situation = 0; situation < TF_SITUATIONS; situation++) {
        bool best = true; /* of those that there are here */
        ability->at[situation].how = "";
        for (size_t i = first; i < WAYS && same(&ways[i], &ways[first]); i++) {
            if (!(ways[i].where & 1 << situation))
                continue;
            uint32_t lacks = missing(&ways[i], (enum tf_situation)situation, findings);
            if (best)
                ability->at[situation].lacks = lacks;
            best = false;
            if (lacks)
                continue;
            ability->at[situation].level = (enum tf_level)ways[i].level;
            ability->at[situation].how = ways[i].how;
            break;
        }
    }
}

size_t tf_doctor_abilities(const struct tf_probed *findings, struct tf_ability *out)
{
    size_t count = 0;
    for (size_t i = 0; i < WAYS && count < TF_ABILITIES_MAX; i++) {
        if (i && same(&ways[i - 1], &ways[i]))
            continue;
        out[count] = (struct tf_ability){
            .effect = ways[i].effect, .calls = ways[i].calls, .scenario = ways[i].scenario};
        weigh(i, findings, &out[count++]);
    }
    return count;
}
