/* A rule as decide() reads it, and the plan: rules in order.
 *
 * Plain data of fixed size: a plan lies in the run's shared mapping, written
 * once by whoever parses the text, read by every process of the run.
 */
#ifndef TF_PLAN_H
#define TF_PLAN_H

#include "call.h"

enum {
    TF_RULES_MAX = 64,         /* in a plan */
    TF_RULE_TEXT = 256,        /* with the final NUL */
    TF_PER_CONNECTION_MAX = 8, /* rules of a plan with per=connection */
};

enum tf_effect_id {
#define EFFECT(id, ...) TF_EFFECT_##id,
#include "effects.def"
#undef EFFECT
    TF_EFFECTS
};

/* Which selectors a rule has, beside its calls. */
enum tf_select {
    TF_SELECT_ROLE = 1 << 0,
    TF_SELECT_PEER = 1 << 1,
    TF_SELECT_LOCAL = 1 << 2,
    TF_SELECT_CONN = 1 << 3,
    TF_SELECT_OPT = 1 << 4,
    TF_SELECT_BYTES = 1 << 5,
    TF_SELECT_EXE = 1 << 6,
    TF_SELECT_CALLER = 1 << 7,
    TF_SELECT_ERRNO = 1 << 8,
    TF_SELECT_FAMILY = 1 << 9,
};

enum tf_per { TF_PER_RUN, TF_PER_PROCESS, TF_PER_CONNECTION };

struct tf_rule {
    uint64_t calls;   /* TF_BIT of each */
    uint32_t selects; /* enum tf_select */
    uint32_t effects; /* 1 << enum tf_effect_id */
    struct tf_endpoint peer, local;
    uint32_t conn;     /* >= 1 */
    uint8_t role;      /* enum tf_role */
    uint8_t per;       /* enum tf_per */
    uint8_t allow_any; /* allow=any */
    uint8_t per_slot;  /* which per=connection counter; TF_PER_CONNECTION only */
    int32_t opt_level, opt_name;
    int32_t real_errno;         /* errno=E */
    uint64_t bytes;             /* bytes=N */
    char exe[32];               /* a file's base name */
    char caller[64];            /* a function; or, with caller_offset, a module's base name */
    uint64_t caller_offset;     /* UINT64_MAX: caller names a function */
    uint64_t first, last, step; /* of the ordinals from 1; when=: first, first+step, ... <= last */
    double prob;                /* 0..1; 1 where not given */
    int32_t error;              /* error=E */
    int32_t signal;             /* signal=SIG */
    uint64_t delay_min_ns, delay_max_ns;
    uint64_t short_bytes;    /* >= 1 */
    uint64_t rate_bytes;     /* a second */
    uint64_t drop_ns;        /* how long a drop lasts; 0: for ever */
    uint32_t corrupt_byte;   /* >= 1; 0: a seeded choice */
    uint32_t family;         /* AF_INET or AF_INET6 */
    char text[TF_RULE_TEXT]; /* as it was written */
};

struct tf_plan {
    uint64_t seed;
    uint32_t rules;          /* how many of rule[] */
    uint32_t per_connection; /* how many of them have per=connection */
    struct tf_rule rule[TF_RULES_MAX];
};

#endif
