/* What the files of the rule parser share; nobody else's business. */
#ifndef TF_RULE_PARTS_H
#define TF_RULE_PARTS_H

#include "rule.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct tf_span {
    const char *text;
    size_t length;
};

/* One word of CALLS. */
struct tf_call_word {
    struct tf_span span;
    uint64_t calls;
    bool class;
};

/* A key of the rule, effects included; enum tf_key_id is its place in the table
 * of rule.c. */
enum tf_key_id {
    TF_KEY_role,
    TF_KEY_family,
    TF_KEY_peer,
    TF_KEY_local,
    TF_KEY_conn,
    TF_KEY_opt,
    TF_KEY_bytes,
    TF_KEY_exe,
    TF_KEY_caller,
    TF_KEY_errno,
    TF_KEY_when,
    TF_KEY_prob,
    TF_KEY_per,
    TF_KEY_allow,
    TF_KEY_effects, /* from here: TF_KEY_effects + enum tf_effect_id */
    TF_KEYS = TF_KEY_effects + TF_EFFECTS
};

struct tf_rule_parse {
    const char *start; /* error offsets count from here */
    struct tf_rule *rule;
    struct tf_rule_error *error;
    struct tf_call_word word[TF_RULE_TEXT / 2];
    size_t words;
    uint32_t seen;                 /* 1 << enum tf_key_id */
    struct tf_span key[TF_KEYS];   /* of those: the name */
    struct tf_span value[TF_KEYS]; /* and the value, empty without one */
};

/* Fills the error at `at`, a place in the text. Returns -1. */
int tf_rule_fail(struct tf_rule_parse *parse, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A printable copy of text that may hold anything, cut to a bearable length. */
struct tf_rule_quote {
    char text[48];
};
struct tf_rule_quote tf_rule_quote(struct tf_span span);
#define TF_QUOTE(span) tf_rule_quote(span).text

/* `; did you mean "X"?` or nothing, for the end of a message. */
struct tf_hint {
    char text[64];
};
struct tf_hint tf_hint(struct tf_span word, const char *const *words);
#define TF_HINT(span, words) tf_hint(span, words).text

static inline bool tf_is(struct tf_span span, const char *word)
{
    return strlen(word) == span.length && memcmp(word, span.text, span.length) == 0;
}

static inline bool tf_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* rule_number.c. Digits alone, up to `most`; on failure *wrong is the place. */
bool tf_number(struct tf_span span, uint64_t most, uint64_t *value, const char **wrong, bool *overflow);

/* A number from `least` to `most`, for a message about `name`. Returns 0, or -1
 * with the error filled. */
int tf_ranged(struct tf_rule_parse *parse, const char *name, struct tf_span span, uint64_t least,
              uint64_t most, uint64_t *value);

/* A decimal number with or without a fraction. More than nine decimals are
 * refused, so that the text and the number stand for each other. */
bool tf_decimal(struct tf_span span, uint64_t *whole, uint32_t *billionths);

/* rule_value.c, rule_endpoint.c: each takes one key's value into the rule. */
typedef int tf_value_parser(struct tf_rule_parse *parse, struct tf_span value);

tf_value_parser tf_value_role, tf_value_family, tf_value_peer, tf_value_local, tf_value_conn, tf_value_opt,
    tf_value_bytes, tf_value_exe, tf_value_caller, tf_value_errno, tf_value_when, tf_value_prob, tf_value_per,
    tf_value_allow;
tf_value_parser tf_value_NOTHING, tf_value_ERRNO, tf_value_TIME, tf_value_COUNT, tf_value_ORDINAL,
    tf_value_RATE, tf_value_SIGNAL, tf_value_SPAN;

/* How much of `text` is the value of peer= or local=: HOST:PORT holds a ':'. */
size_t tf_endpoint_length(const char *text, size_t length);

/* rule_check.c: which effects and selectors go together, and which calls that
 * leaves. Sets rule->calls. */
int tf_rule_check(struct tf_rule_parse *parse);

/* The calls that a rule with these selectors and effects can have at all. */
uint64_t tf_rule_valid(const struct tf_rule *rule);

#endif
