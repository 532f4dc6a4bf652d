#include "decide.h"

#include <string.h>

/* What the hash is asked for, so that one call's draws are independent. */
enum salt { SALT_PROB = 1, SALT_DELAY, SALT_CORRUPT };

/* The finalizer of splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom
 * number generators", OOPSLA 2014. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t tf_hash(uint64_t seed, uint64_t rule, uint64_t ordinal, uint64_t salt)
{
    const uint64_t golden = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t x = mix(seed + golden);
    x = mix(x ^ (rule + golden));
    x = mix(x + ordinal * golden);
    return mix(x ^ (salt + golden));
}

static bool endpoint_matches(const struct tf_endpoint *rule, const struct tf_endpoint *real)
{
    if (real->family == 0 || (rule->port != 0 && rule->port != real->port))
        return false;
    if (rule->any_host || rule->family == 0)
        return true;
    return rule->family == real->family && memcmp(rule->ip, real->ip, real->family == 4 ? 4 : 16) == 0;
}

static const char *base_name(const char *path)
{
    const char *base = path;
    for (; *path; path++)
        if (*path == '/')
            base = path + 1;
    return base;
}

/* What stays the same for a socket once it is connected or listens. */
static bool static_selectors_hold(const struct tf_rule *rule, const struct tf_question *question)
{
    if ((rule->selects & TF_SELECT_ROLE) && rule->role != question->role)
        return false;
    if ((rule->selects & TF_SELECT_FAMILY) && rule->family != question->family)
        return false;
    if ((rule->selects & TF_SELECT_CONN) && rule->conn != question->conn)
        return false;
    if ((rule->selects & TF_SELECT_PEER) && !endpoint_matches(&rule->peer, &question->peer))
        return false;
    return !(rule->selects & TF_SELECT_LOCAL) || endpoint_matches(&rule->local, &question->local);
}

static bool exe_holds(const struct tf_rule *rule, const struct tf_question *question)
{
    return !(rule->selects & TF_SELECT_EXE) ||
           (question->exe && strcmp(rule->exe, base_name(question->exe)) == 0);
}

static bool caller_holds(const struct tf_rule *rule, const struct tf_question *question)
{
    if (!(rule->selects & TF_SELECT_CALLER))
        return true;
    if (rule->caller_offset == UINT64_MAX)
        return question->function && strcmp(rule->caller, question->function) == 0;
    return question->module && rule->caller_offset == question->module_offset &&
           strcmp(rule->caller, base_name(question->module)) == 0;
}

/* All but bytes=, which also has a say before it holds. */
static bool selectors_hold(const struct tf_rule *rule, const struct tf_question *question)
{
    if (!(rule->calls & TF_BIT(question->call)) || !static_selectors_hold(rule, question))
        return false;
    if ((rule->selects & TF_SELECT_OPT) &&
        (rule->opt_level != question->opt_level || rule->opt_name != question->opt_name))
        return false;
    if ((rule->selects & TF_SELECT_ERRNO) && rule->real_errno != question->real_errno)
        return false;
    return exe_holds(rule, question) && caller_holds(rule, question);
}

/* Where the rule counts; NULL: per=connection on what is none. */
static _Atomic uint64_t *counter_of(const struct tf_plan *plan, const struct tf_counters *counters,
                                    uint32_t i)
{
    switch (plan->rule[i].per) {
    case TF_PER_PROCESS:
        return &counters->process[i];
    case TF_PER_CONNECTION:
        return counters->connection ? &counters->connection[plan->rule[i].per_slot] : NULL;
    default:
        return &counters->run[i].counted;
    }
}

static bool when_holds(const struct tf_rule *rule, uint64_t ordinal)
{
    return ordinal >= rule->first && ordinal <= rule->last && (ordinal - rule->first) % rule->step == 0;
}

/* Each connection counts from 1, so that its number has to join in, or all of
 * them would have the same luck. */
static uint64_t salted(const struct tf_rule *rule, const struct tf_question *question, enum salt salt)
{
    uint64_t conn = rule->per == TF_PER_CONNECTION ? question->conn : 0;
    return conn << 8 | (uint64_t)salt;
}

static bool prob_holds(const struct tf_plan *plan, uint32_t i, uint64_t ordinal,
                       const struct tf_question *question)
{
    const struct tf_rule *rule = &plan->rule[i];
    if (rule->prob >= 1)
        return true;
    uint64_t hash = tf_hash(plan->seed, i, ordinal, salted(rule, question, SALT_PROB));
    return (double)(hash >> 11) * 0x1p-53 < rule->prob;
}

static void fill(const struct tf_plan *plan, uint32_t i, uint64_t ordinal, const struct tf_question *question,
                 struct tf_effect *effect)
{
    const struct tf_rule *rule = &plan->rule[i];
    effect->rule = (uint16_t)(i + 1);
    effect->allow_any = rule->allow_any;
    effect->effects = rule->effects;
    effect->ordinal = ordinal;
    effect->error = rule->error;
    effect->signal = rule->signal;
    effect->short_bytes = rule->short_bytes;
    effect->rate_bytes = rule->rate_bytes;
    effect->drop_ns = rule->drop_ns;
    effect->corrupt_byte = rule->corrupt_byte;
    effect->corrupt_hash = tf_hash(plan->seed, i, ordinal, salted(rule, question, SALT_CORRUPT));
    effect->delay_ns = rule->delay_min_ns;
    uint64_t range = rule->delay_max_ns - rule->delay_min_ns;
    if (range > 0)
        effect->delay_ns += tf_hash(plan->seed, i, ordinal, salted(rule, question, SALT_DELAY)) % (range + 1);
}

static bool decide(const struct tf_plan *plan, const struct tf_counters *counters,
                   const struct tf_question *question, struct tf_effect *effect, bool after)
{
    memset(effect, 0, sizeof(*effect));
    for (uint32_t i = 0; i < plan->rules; i++) {
        const struct tf_rule *rule = &plan->rule[i];
        if (((rule->selects & TF_SELECT_ERRNO) != 0) != after || !selectors_hold(rule, question))
            continue;
        if (!atomic_load_explicit(&counters->run[i].armed, memory_order_relaxed))
            continue;
        _Atomic uint64_t *counter = counter_of(plan, counters, i);
        if (!counter)
            continue;
        if ((rule->selects & TF_SELECT_BYTES) && question->position < rule->bytes) {
            uint64_t room = rule->bytes - question->position;
            if (atomic_load_explicit(counter, memory_order_relaxed) < rule->last &&
                (effect->clamp == 0 || room < effect->clamp))
                effect->clamp = room;
            continue;
        }
        uint64_t ordinal = after ? 0 : question->ordinal;
        if (ordinal == 0)
            ordinal = atomic_fetch_add_explicit(counter, 1, memory_order_relaxed) + 1;
        if (rule->per != TF_PER_RUN)
            atomic_fetch_add_explicit(&counters->run[i].counted, 1, memory_order_relaxed);
        effect->counted |= UINT64_C(1) << i;
        if (effect->rule == 0 && when_holds(rule, ordinal) && prob_holds(plan, i, ordinal, question))
            fill(plan, i, ordinal, question, effect);
    }
    return effect->rule != 0;
}

bool tf_decide(const struct tf_plan *plan, const struct tf_counters *counters,
               const struct tf_question *question, struct tf_effect *effect)
{
    return decide(plan, counters, question, effect, false);
}

bool tf_decide_after(const struct tf_plan *plan, const struct tf_counters *counters,
                     const struct tf_question *question, struct tf_effect *effect)
{
    return decide(plan, counters, question, effect, true);
}

void tf_decide_undo(const struct tf_plan *plan, const struct tf_counters *counters,
                    const struct tf_effect *effect)
{
    for (uint32_t i = 0; i < plan->rules; i++) {
        if (!(effect->counted & (UINT64_C(1) << i)))
            continue;
        atomic_fetch_sub_explicit(counter_of(plan, counters, i), 1, memory_order_relaxed);
        if (plan->rule[i].per != TF_PER_RUN)
            atomic_fetch_sub_explicit(&counters->run[i].counted, 1, memory_order_relaxed);
    }
}

uint64_t tf_decide_interest(const struct tf_plan *plan, const struct tf_question *socket)
{
    /* These calls give the socket, or the one that they return, the properties
     * that they are then asked about. */
    const uint64_t forming = TF_BIT(TF_socket) | TF_BIT(TF_bind) | TF_BIT(TF_listen) | TF_BIT(TF_accept) |
                             TF_BIT(TF_accept4) | TF_BIT(TF_connect);
    uint64_t calls = 0;
    for (uint32_t i = 0; i < plan->rules; i++) {
        const struct tf_rule *rule = &plan->rule[i];
        if (!exe_holds(rule, socket))
            continue;
        bool here = static_selectors_hold(rule, socket);
        calls |= here ? rule->calls | tf_segment_keeps(rule) : rule->calls & forming;
    }
    return calls;
}
