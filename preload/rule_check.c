/* What goes together in a rule, and which of its calls that leaves. */
#include "names.h"
#include "rule_parts.h"

#include <stdio.h>
#include <string.h>

#define ALL_CALLS (TF_BIT(TF_CALLS) - 1)
#define ACCEPTS (TF_BIT(TF_accept) | TF_BIT(TF_accept4))
#define MOVES (calls_of("%in") | calls_of("%out"))

static uint64_t calls_of(const char *word)
{
    return tf_calls_named(word, strlen(word));
}

/* Where each selector can be known. A descriptor has no role before connect,
 * listen or accept; accept is made on a listener; poll and its kin wait on many
 * descriptors at once. */
static uint64_t calls_for(const struct tf_rule *rule, int key)
{
    uint64_t all = ALL_CALLS & ~TF_BIT(TF_socket) & ~calls_of("%wait");
    uint64_t early = TF_BIT(TF_bind) | TF_BIT(TF_listen) | ACCEPTS;
    switch (key) {
    case TF_KEY_role:
        if (rule->role == TF_ROLE_LISTENER)
            return all & ~(MOVES | TF_BIT(TF_bind) | TF_BIT(TF_connect) | TF_BIT(TF_getpeername));
        return all & ~early & ~(rule->role == TF_ROLE_SERVER ? TF_BIT(TF_connect) : 0);
    case TF_KEY_family:
        return ALL_CALLS & ~calls_of("%wait");
    case TF_KEY_peer:
        return all & ~early;
    case TF_KEY_local:
        return all;
    case TF_KEY_conn:
        return all & ~(TF_BIT(TF_bind) | TF_BIT(TF_listen));
    case TF_KEY_opt:
        return calls_of("%option");
    case TF_KEY_bytes:
        return MOVES;
    case TF_KEY_per:
        return rule->per == TF_PER_CONNECTION ? all & ~early : ALL_CALLS;
    case TF_KEY_effects + TF_EFFECT_drop:
        return rule->drop_ns ? ALL_CALLS & ~ACCEPTS : ALL_CALLS;
    case TF_KEY_effects + TF_EFFECT_error:
        return rule->allow_any ? ALL_CALLS : tf_errno_calls(rule->error);
    default:
        return ALL_CALLS;
    }
}

static uint64_t limits(const struct tf_rule *rule, int key)
{
    uint64_t calls = calls_for(rule, key);
    if (key >= TF_KEY_effects)
        calls &= tf_effect_calls((enum tf_effect_id)(key - TF_KEY_effects));
    return calls;
}

uint64_t tf_rule_valid(const struct tf_rule *rule)
{
    static const uint32_t select[TF_KEY_effects] = {
        [TF_KEY_role] = TF_SELECT_ROLE, [TF_KEY_family] = TF_SELECT_FAMILY,
        [TF_KEY_peer] = TF_SELECT_PEER, [TF_KEY_local] = TF_SELECT_LOCAL,
        [TF_KEY_conn] = TF_SELECT_CONN, [TF_KEY_bytes] = TF_SELECT_BYTES,
        [TF_KEY_opt] = TF_SELECT_OPT,
    };
    uint64_t calls = limits(rule, TF_KEY_per);
    for (int key = 0; key < TF_KEY_effects; key++)
        if (rule->selects & select[key])
            calls &= limits(rule, key);
    for (int effect = 0; effect < TF_EFFECTS; effect++)
        if (rule->effects & (UINT32_C(1) << effect))
            calls &= limits(rule, TF_KEY_effects + effect);
    return calls;
}

/* Why this selector says nothing about this call. */
static const char *why_not(const struct tf_rule *rule, int key, enum tf_call_id call)
{
    if (key == TF_KEY_opt)
        return "only setsockopt and getsockopt name an option";
    if (key == TF_KEY_bytes)
        return "only calls that receive or send move bytes";
    if (call == TF_socket)
        return "there is no connection yet";
    if (tf_call_info[call].class == TF_CLASS_WAIT)
        return "it waits on many descriptors, not on one connection";
    if (key == TF_KEY_role && (ACCEPTS | TF_BIT(TF_listen)) & TF_BIT(call))
        return "it is made on the listener: role=listener, or none";
    if (key == TF_KEY_role && call == TF_connect)
        return "who connects is the client: role=client, or none";
    if (key == TF_KEY_role && rule->role == TF_ROLE_LISTENER && call != TF_bind)
        return "listeners are not connected";
    if (ACCEPTS & TF_BIT(call))
        return "the connection is not known before it returns";
    return "there is no connection at that point";
}

/* The word cannot stand with this key. */
static int refuse(struct tf_rule_parse *parse, int key, const struct tf_call_word *word)
{
    struct tf_rule *rule = parse->rule;
    enum tf_call_id call = (enum tf_call_id)__builtin_ctzll(word->calls);
    char names[TF_RULE_TEXT];
    const struct tf_rule_quote quoted = tf_rule_quote(word->span);
    const char *subject = quoted.text;

    if (key < TF_KEY_effects)
        return tf_rule_fail(parse, parse->key[key].text, "%s does not apply to %s: %s",
                            TF_QUOTE(parse->key[key]), subject, why_not(rule, key, call));
    enum tf_effect_id effect = (enum tf_effect_id)(key - TF_KEY_effects);
    uint64_t valid = tf_effect_calls(effect);
    if (!(valid & word->calls)) {
        tf_calls_write(valid, ALL_CALLS, names, sizeof(names));
        return tf_rule_fail(parse, parse->key[key].text, "%s is not valid on %s; it is valid on %s",
                            tf_effect_name(effect), subject, names);
    }
    const char *at = parse->value[key].text, *name = tf_errno_name(rule->error);
    if (effect == TF_EFFECT_drop)
        return tf_rule_fail(
            parse, at, "drop on %s takes no time: a connection that died in the queue stays dead", subject);
    if (word->class) {
        tf_calls_write(tf_errno_calls(rule->error), ALL_CALLS, names, sizeof(names));
        if (names[0] == '\0')
            return tf_rule_fail(parse, at, "no call gives %s to a correct program (allow=any overrides)",
                                name);
        return tf_rule_fail(parse, at, "no call of %s can fail with %s; these can: %s (allow=any overrides)",
                            subject, name, names);
    }
    tf_errno_list(call, names, sizeof(names));
    if (names[0] == '\0')
        return tf_rule_fail(parse, at, "%s does not fail in a correct program (allow=any overrides)",
                            subject);
    return tf_rule_fail(parse, at, "%s cannot fail with %s; it can give %s (allow=any overrides)", subject,
                        name, names);
}

/* Leaves each word the calls on which all keys make sense. A name of which
 * nothing is left is an error; of the classes, something must be left. */
static int narrow(struct tf_rule_parse *parse)
{
    for (int key = 0; key < TF_KEYS; key++) {
        if (!(parse->seen & (UINT32_C(1) << key)))
            continue;
        const uint64_t calls = limits(parse->rule, key);
        const struct tf_call_word *emptied = &parse->word[0];
        uint64_t left = 0;
        for (size_t i = 0; i < parse->words; i++) {
            const struct tf_call_word *word = &parse->word[i];
            if (!word->class && !(word->calls & calls))
                return refuse(parse, key, word);
            if (!emptied->calls)
                emptied = word;
            left |= word->calls & calls;
        }
        if (!left)
            return refuse(parse, key, emptied);
        for (size_t i = 0; i < parse->words; i++)
            parse->word[i].calls &= calls;
    }
    for (size_t i = 0; i < parse->words; i++)
        parse->rule->calls |= parse->word[i].calls;
    return 0;
}

#define E(id) (UINT32_C(1) << TF_EFFECT_##id)

/* Each effect with those that it leaves no room for. */
static const struct {
    enum tf_effect_id effect;
    uint32_t others;
    const char *why;
} exclusive[] = {
    {TF_EFFECT_error, E(short) | E(eof) | E(ignore) | E(corrupt) | E(reset) | E(drop) | E(rate),
     "a call that fails moves no bytes and does nothing"},
    {TF_EFFECT_eof, E(short) | E(corrupt) | E(ignore) | E(reset) | E(drop) | E(rate),
     "at the end of the stream there are no bytes"},
    {TF_EFFECT_ignore, E(short) | E(corrupt) | E(reset) | E(drop) | E(rate), "nothing is done"},
    {TF_EFFECT_reset, E(short) | E(corrupt) | E(drop) | E(rate), "a connection that is reset moves no bytes"},
    {TF_EFFECT_drop, E(short) | E(corrupt) | E(rate), "what is dropped does not arrive"},
};

static int effects_agree(struct tf_rule_parse *parse)
{
    const struct tf_rule *rule = parse->rule;
    for (size_t i = 0; i < sizeof(exclusive) / sizeof(exclusive[0]); i++) {
        uint32_t clash = rule->effects & exclusive[i].others;
        if (!(rule->effects & (UINT32_C(1) << exclusive[i].effect)) || clash == 0)
            continue;
        enum tf_effect_id other = (enum tf_effect_id)__builtin_ctz(clash);
        const char *one = parse->key[TF_KEY_effects + exclusive[i].effect].text;
        const char *two = parse->key[TF_KEY_effects + other].text;
        return tf_rule_fail(parse, one > two ? one : two, "%s and %s exclude each other: %s",
                            tf_effect_name(exclusive[i].effect), tf_effect_name(other), exclusive[i].why);
    }
    if ((rule->effects & E(short)) && (rule->effects & E(corrupt)) && rule->corrupt_byte > rule->short_bytes)
        return tf_rule_fail(parse, parse->key[TF_KEY_effects + TF_EFFECT_corrupt].text,
                            "corrupt=%u lies past short=%llu", rule->corrupt_byte,
                            (unsigned long long)rule->short_bytes);
    uint32_t early = rule->effects & ~(E(error) | E(delay));
    if ((rule->selects & TF_SELECT_ERRNO) && early)
        return tf_rule_fail(
            parse, parse->key[TF_KEY_effects + __builtin_ctz(early)].text,
            "errno= looks at how the real call failed; it goes with error and delay, not with %s",
            tf_effect_name((enum tf_effect_id)__builtin_ctz(early)));
    return 0;
}

int tf_rule_check(struct tf_rule_parse *parse)
{
    if (effects_agree(parse) != 0)
        return -1;
    return narrow(parse);
}
