#include "rule.h"

#include "names.h"
#include "rule_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What follows a key: nothing, a value, or a value that may be left out. */
enum argument { BARE, VALUE, OPTIONAL };

enum {
    ARGUMENT_NOTHING = BARE,
    ARGUMENT_ERRNO = VALUE,
    ARGUMENT_TIME = VALUE,
    ARGUMENT_COUNT = VALUE,
    ARGUMENT_RATE = VALUE,
    ARGUMENT_SIGNAL = VALUE,
    ARGUMENT_ORDINAL = OPTIONAL,
    ARGUMENT_SPAN = OPTIONAL,
};

static const struct {
    const char *name;
    tf_value_parser *parser;
    uint32_t selects; /* enum tf_select */
    uint8_t argument;
} keys[TF_KEYS] = {
    [TF_KEY_role] = {"role", tf_value_role, TF_SELECT_ROLE, VALUE},
    [TF_KEY_family] = {"family", tf_value_family, TF_SELECT_FAMILY, VALUE},
    [TF_KEY_peer] = {"peer", tf_value_peer, TF_SELECT_PEER, VALUE},
    [TF_KEY_local] = {"local", tf_value_local, TF_SELECT_LOCAL, VALUE},
    [TF_KEY_conn] = {"conn", tf_value_conn, TF_SELECT_CONN, VALUE},
    [TF_KEY_opt] = {"opt", tf_value_opt, TF_SELECT_OPT, VALUE},
    [TF_KEY_bytes] = {"bytes", tf_value_bytes, TF_SELECT_BYTES, VALUE},
    [TF_KEY_exe] = {"exe", tf_value_exe, TF_SELECT_EXE, VALUE},
    [TF_KEY_caller] = {"caller", tf_value_caller, TF_SELECT_CALLER, VALUE},
    [TF_KEY_errno] = {"errno", tf_value_errno, TF_SELECT_ERRNO, VALUE},
    [TF_KEY_when] = {"when", tf_value_when, 0, VALUE},
    [TF_KEY_prob] = {"prob", tf_value_prob, 0, VALUE},
    [TF_KEY_per] = {"per", tf_value_per, 0, VALUE},
    [TF_KEY_allow] = {"allow", tf_value_allow, 0, VALUE},
#define EFFECT(id, argument, ...)                                                                            \
    [TF_KEY_effects + TF_EFFECT_##id] = {#id, tf_value_##argument, 0, ARGUMENT_##argument},
#include "effects.def"
#undef EFFECT
};

static const char *const key_words[] = {"role", "family", "peer",  "local", "conn", "opt", "bytes",
                                        "exe",  "caller", "errno", "when",  "prob", "per", "allow",
#define EFFECT(id, ...) #id,
#include "effects.def"
#undef EFFECT
                                        NULL};

int tf_rule_fail(struct tf_rule_parse *parse, const char *at, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    parse->error->at = (size_t)(at - parse->start);
    vsnprintf(parse->error->message, sizeof(parse->error->message), format, arguments);
    va_end(arguments);
    return -1;
}

struct tf_rule_quote tf_rule_quote(struct tf_span span)
{
    struct tf_rule_quote quote = {{0}};
    size_t most = sizeof(quote.text) - 4; /* "..." and the NUL */
    size_t i = 0;
    for (; i < span.length && i < most; i++)
        quote.text[i] = span.text[i] >= 0x20 && span.text[i] < 0x7f ? span.text[i] : '?';
    if (i < span.length)
        memcpy(quote.text + i, "...", 3);
    return quote;
}

struct tf_hint tf_hint(struct tf_span word, const char *const *words)
{
    struct tf_hint hint = {{0}};
    const char *nearest = tf_nearest(word.text, word.length, words);
    if (nearest)
        snprintf(hint.text, sizeof(hint.text), "; did you mean \"%s\"?", nearest);
    return hint;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct tf_span trim(struct tf_span span)
{
    while (span.length > 0 && blank(span.text[0])) {
        span.text++;
        span.length--;
    }
    while (span.length > 0 && blank(span.text[span.length - 1]))
        span.length--;
    return span;
}

/* Up to the first of `stops`, or everything. */
static struct tf_span upto(const char *text, const char *end, const char *stops)
{
    const char *c = text;
    while (c < end && !strchr(stops, *c))
        c++;
    return (struct tf_span){text, (size_t)(c - text)};
}

/* Bytes that belong nowhere in a rule. */
static int check_bytes(struct tf_rule_parse *parse, struct tf_span text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.text[i];
        if (c == ';')
            return tf_rule_fail(parse, text.text + i, "\";\" separates rules; expected a single one");
        if (blank((char)c))
            return tf_rule_fail(parse, text.text + i, "a blank inside a rule; expected none");
        if (c < 0x20 || c >= 0x7f)
            return tf_rule_fail(parse, text.text + i, "byte 0x%02x does not belong in a rule", c);
    }
    if (text.length >= TF_RULE_TEXT)
        return tf_rule_fail(parse, text.text + TF_RULE_TEXT - 1,
                            "the rule has %zu bytes; expected at most %d", text.length, TF_RULE_TEXT - 1);
    return 0;
}

static int no_such_call(struct tf_rule_parse *parse, struct tf_span word)
{
    if (word.length == 0)
        return tf_rule_fail(parse, word.text, "expected a call like connect, or a class like %%in");
    if (word.text[0] == '%')
        return tf_rule_fail(
            parse, word.text,
            "unknown class \"%s\"; expected %%in, %%out, %%accept, %%wait, %%option or %%all%s",
            TF_QUOTE(word), TF_HINT(word, tf_class_words));
    struct tf_span key = upto(word.text, word.text + word.length, "=");
    for (int i = 0; i < TF_KEYS; i++)
        if (tf_is(key, keys[i].name))
            return tf_rule_fail(parse, word.text,
                                "expected the calls before \"%s\", as in connect:error=ETIMEDOUT",
                                TF_QUOTE(word));
    return tf_rule_fail(parse, word.text,
                        "unknown call \"%s\"; expected a name like connect, or a class like %%in%s",
                        TF_QUOTE(word), TF_HINT(word, tf_call_words));
}

/* CALLS; *at moves to the ':' after them, or the end. */
static int parse_calls(struct tf_rule_parse *parse, const char **at, const char *end)
{
    for (;;) {
        struct tf_span word = upto(*at, end, ",:");
        uint64_t calls = tf_calls_named(word.text, word.length);
        if (calls == 0)
            return no_such_call(parse, word);
        parse->word[parse->words++] = (struct tf_call_word){word, calls, word.text[0] == '%'};
        *at = word.text + word.length;
        if (*at == end || **at == ':')
            return 0;
        (*at)++;
    }
}

static int find_key(struct tf_rule_parse *parse, struct tf_span name)
{
    for (int i = 0; i < TF_KEYS; i++)
        if (tf_is(name, keys[i].name))
            return i;
    if (name.length == 0)
        tf_rule_fail(parse, name.text, "expected a key or an effect after \":\"");
    else
        tf_rule_fail(parse, name.text, "unknown key or effect \"%s\"%s", TF_QUOTE(name),
                     TF_HINT(name, key_words));
    return -1;
}

/* One KEY=VALUE or FLAG after a ':'. */
static int parse_key(struct tf_rule_parse *parse, const char **at, const char *end)
{
    struct tf_span name = upto(*at, end, "=:"), value = {NULL, 0};
    const char *after = name.text + name.length;
    int key = find_key(parse, name);
    if (key < 0)
        return -1;
    if (parse->seen & (UINT32_C(1) << key))
        return tf_rule_fail(parse, name.text, "%s is given twice", keys[key].name);
    if (after < end && *after == '=') {
        if (keys[key].argument == BARE)
            return tf_rule_fail(parse, after, "%s takes no value", keys[key].name);
        value = upto(after + 1, end, ":");
        if (key == TF_KEY_peer || key == TF_KEY_local)
            value.length = tf_endpoint_length(value.text, (size_t)(end - value.text));
        if (value.length == 0)
            return tf_rule_fail(parse, value.text, "expected a value after \"%s=\"", keys[key].name);
        after = value.text + value.length;
    } else if (keys[key].argument == VALUE) {
        return tf_rule_fail(parse, after, "%s needs a value: %s=...", keys[key].name, keys[key].name);
    }
    if (keys[key].parser(parse, value) != 0)
        return -1;
    parse->seen |= UINT32_C(1) << key;
    parse->key[key] = name;
    parse->value[key] = value;
    parse->rule->selects |= keys[key].selects;
    if (key >= TF_KEY_effects)
        parse->rule->effects |= UINT32_C(1) << (key - TF_KEY_effects);
    *at = after;
    return 0;
}

/* One rule without surrounding blanks. */
static int parse_rule(struct tf_rule_parse *parse, struct tf_span text)
{
    const char *at = text.text, *end = text.text + text.length;
    struct tf_rule *rule = parse->rule;

    memset(rule, 0, sizeof(*rule));
    rule->first = rule->step = 1;
    rule->last = UINT64_MAX;
    rule->prob = 1;
    if (text.length == 0)
        return tf_rule_fail(parse, at, "expected a rule, as in connect:error=ETIMEDOUT");
    if (check_bytes(parse, text) != 0 || parse_calls(parse, &at, end) != 0)
        return -1;
    while (at < end) {
        at++; /* the ':' */
        if (parse_key(parse, &at, end) != 0)
            return -1;
    }
    if (rule->effects == 0)
        return tf_rule_fail(
            parse, end,
            "expected an effect: error=, delay=, short=, eof, reset, drop, ignore, rate=, corrupt or "
            "signal=");
    if (tf_rule_check(parse) != 0)
        return -1;
    if (tf_rule_format(rule, NULL, 0) >= TF_RULE_TEXT)
        return tf_rule_fail(parse, text.text,
                            "the rule is too long when written out; expected at most %d bytes",
                            TF_RULE_TEXT - 1);
    memcpy(rule->text, text.text, text.length);
    return 0;
}

int tf_rule_parse(const char *text, size_t length, struct tf_rule *rule, struct tf_rule_error *error)
{
    struct tf_rule_parse parse = {.start = text, .rule = rule, .error = error};
    return parse_rule(&parse, trim((struct tf_span){text, length}));
}

int tf_plan_add(struct tf_plan *plan, const char *text, struct tf_rule_error *error)
{
    const char *end = text + strlen(text), *at = text;
    for (; at <= end; at++) {
        struct tf_rule_parse parse = {.start = text, .error = error};
        struct tf_span one = upto(at, end, ";"), rule = trim(one);
        at = one.text + one.length;
        if (rule.length == 0)
            continue;
        if (plan->rules == TF_RULES_MAX)
            return tf_rule_fail(&parse, rule.text, "more than %d rules", TF_RULES_MAX);
        parse.rule = &plan->rule[plan->rules];
        if (parse_rule(&parse, rule) != 0)
            return -1;
        if (parse.rule->per == TF_PER_CONNECTION) {
            if (plan->per_connection == TF_PER_CONNECTION_MAX)
                return tf_rule_fail(&parse, parse.key[TF_KEY_per].text,
                                    "more than %d rules with per=connection", TF_PER_CONNECTION_MAX);
            parse.rule->per_slot = (uint8_t)plan->per_connection++;
        }
        plan->rules++;
    }
    return 0;
}
