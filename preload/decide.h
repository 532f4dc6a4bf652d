/* The decision: which rule, if any, strikes this call, and what it does.
 *
 * Pure in the sense that matters: the same plan, counters and call give the same
 * effect. Its only side effect is the counting, by atomic addition; it takes no
 * lock, allocates nothing, and may run in any thread or signal handler.
 */
#ifndef TF_DECIDE_H
#define TF_DECIDE_H

#include "plan.h"
#include "segment.h"

#include <stdbool.h>

/* The questions that rules ask of a call. */
struct tf_question {
    enum tf_call_id call;
    enum tf_role role;
    uint32_t family;                /* AF_INET or AF_INET6 */
    uint32_t conn;                  /* 0: none */
    struct tf_endpoint local, peer; /* family 0: unknown */
    int opt_level, opt_name;        /* set- and getsockopt */
    uint64_t position;              /* bytes passed in this call's direction */
    uint64_t ordinal; /* > 0: its only rule (segment's quick[]) has counted the call already, as this one */
    int real_errno;   /* after the real call failed; 0 before it */
    const char *exe;
    const char *module;     /* the call site's module, base name; or "" */
    uint64_t module_offset; /* of the return address in it */
    const char *function;   /* the call site's function, or "" */
};

/* Where the ordinals are counted. connection may be NULL: not a connection. */
struct tf_counters {
    struct tf_rule_state *run;    /* [TF_RULES_MAX] */
    _Atomic uint64_t *process;    /* [TF_RULES_MAX] */
    _Atomic uint64_t *connection; /* [TF_PER_CONNECTION_MAX] */
};

struct tf_effect {
    uint16_t rule;    /* from 1; 0: let the call through */
    bool allow_any;   /* deliver even what Linux could not */
    bool rest;        /* what was left of a decision that has struck and been counted */
    uint32_t effects; /* 1 << enum tf_effect_id */
    uint64_t ordinal; /* the rule's count at this call, in its own scope */
    uint64_t counted; /* 1 << index of each rule that counted this call: what tf_decide_undo gives back */
    int error, signal;
    uint64_t delay_ns;
    uint64_t short_bytes;
    uint64_t rate_bytes;
    uint64_t drop_ns;
    uint64_t corrupt_byte; /* from 1; 0: corrupt_hash modulo the bytes moved */
    uint64_t corrupt_hash; /* seeded; its top three bits choose the bit */
    uint64_t clamp;        /* > 0: move at most so many bytes, for a rule with bytes= is about to strike */
};

/* Before the real call: rules without errno=. Every armed rule whose selectors
 * hold counts the call; the first whose `when` and `prob` hold too wins.
 * Returns whether one did; effect->clamp is meaningful either way. */
bool tf_decide(const struct tf_plan *plan, const struct tf_counters *counters,
               const struct tf_question *question, struct tf_effect *effect);

/* After a real call that failed: the rules with errno=. */
bool tf_decide_after(const struct tf_plan *plan, const struct tf_counters *counters,
                     const struct tf_question *question, struct tf_effect *effect);

/* Gives the ordinals of this decision back, of every rule that counted the call:
 * for a fault that had nothing to strike. */
void tf_decide_undo(const struct tf_plan *plan, const struct tf_counters *counters,
                    const struct tf_effect *effect);

/* Which calls could any rule of the plan strike on a connection with these
 * properties (role, family, peer, local, conn, exe), or has to see for the sake of those?
 * A set of TF_BITs; never too small. */
uint64_t tf_decide_interest(const struct tf_plan *plan, const struct tf_question *socket);

/* A stateless hash of (seed, rule, ordinal, salt): all randomness of a run. */
uint64_t tf_hash(uint64_t seed, uint64_t rule, uint64_t ordinal, uint64_t salt);

#endif
