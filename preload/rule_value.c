/* The values of a rule's keys, one function each. */
#include "names.h"
#include "rule_parts.h"

#include <errno.h>
#include <string.h>

int tf_value_role(struct tf_rule_parse *parse, struct tf_span value)
{
    static const char *const names[] = {"client", "server", "listener", NULL};
    for (int i = 0; names[i]; i++)
        if (tf_is(value, names[i])) {
            parse->rule->role = (uint8_t)(TF_ROLE_CLIENT + i);
            return 0;
        }
    return tf_rule_fail(parse, value.text, "unknown role \"%s\"; expected client, server or listener%s",
                        TF_QUOTE(value), TF_HINT(value, names));
}

int tf_value_family(struct tf_rule_parse *parse, struct tf_span value)
{
    parse->rule->family = tf_family_number(value.text, value.length);
    if (parse->rule->family)
        return 0;
    return tf_rule_fail(parse, value.text, "unknown family \"%s\"; expected inet or inet6%s", TF_QUOTE(value),
                        TF_HINT(value, tf_family_words));
}

int tf_value_per(struct tf_rule_parse *parse, struct tf_span value)
{
    static const char *const names[] = {"run", "process", "connection", NULL};
    for (int i = 0; names[i]; i++)
        if (tf_is(value, names[i])) {
            parse->rule->per = (uint8_t)(TF_PER_RUN + i);
            return 0;
        }
    return tf_rule_fail(parse, value.text, "per is \"%s\"; expected run, process or connection%s",
                        TF_QUOTE(value), TF_HINT(value, names));
}

int tf_value_allow(struct tf_rule_parse *parse, struct tf_span value)
{
    if (!tf_is(value, "any"))
        return tf_rule_fail(parse, value.text, "allow is \"%s\"; expected any", TF_QUOTE(value));
    parse->rule->allow_any = 1;
    return 0;
}

int tf_value_conn(struct tf_rule_parse *parse, struct tf_span value)
{
    uint64_t n;
    if (tf_ranged(parse, "conn", value, 1, UINT32_MAX, &n) != 0)
        return -1;
    parse->rule->conn = (uint32_t)n;
    return 0;
}

int tf_value_bytes(struct tf_rule_parse *parse, struct tf_span value)
{
    return tf_ranged(parse, "bytes", value, 0, INT64_MAX, &parse->rule->bytes);
}

int tf_value_opt(struct tf_rule_parse *parse, struct tf_span value)
{
    int level, name;
    if (tf_option_find(value.text, value.length, &level, &name) != 0)
        return tf_rule_fail(parse, value.text, "unknown option \"%s\"; expected a name like SO_REUSEADDR%s",
                            TF_QUOTE(value), TF_HINT(value, tf_option_words));
    parse->rule->opt_level = level;
    parse->rule->opt_name = name;
    return 0;
}

/* A file's base name, into a field of `size` bytes. */
static int base_name(struct tf_rule_parse *parse, const char *name, struct tf_span value, char *out,
                     size_t size)
{
    const char *slash = memrchr(value.text, '/', value.length);
    if (slash)
        return tf_rule_fail(parse, value.text, "%s is \"%s\"; expected a file's name without its folder",
                            name, TF_QUOTE(value));
    if (value.length >= size)
        return tf_rule_fail(parse, value.text + size - 1, "%s is longer than %zu bytes", name, size - 1);
    memcpy(out, value.text, value.length);
    return 0;
}

int tf_value_exe(struct tf_rule_parse *parse, struct tf_span value)
{
    return base_name(parse, "exe", value, parse->rule->exe, sizeof(parse->rule->exe));
}

/* The value of a hexadecimal digit, or -1. */
static int hex_digit(char c)
{
    if (tf_digit(c))
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int tf_value_caller(struct tf_rule_parse *parse, struct tf_span value)
{
    struct tf_span module = value;
    const char *end = value.text + value.length;
    const char *plus = memrchr(value.text, '+', value.length);
    uint64_t offset = UINT64_MAX;

    if (plus && end - plus >= 3 && plus[1] == '0' && plus[2] == 'x') {
        offset = 0;
        if (plus + 3 == end)
            return tf_rule_fail(parse, end, "caller: expected a hexadecimal offset after \"+0x\"");
        for (const char *c = plus + 3; c < end; c++) {
            if (hex_digit(*c) < 0)
                return tf_rule_fail(parse, c, "caller: '%c' is no hexadecimal digit", *c);
            if (offset >> 58)
                return tf_rule_fail(parse, plus + 1, "caller: the offset is too large");
            offset = offset * 16 + (uint64_t)hex_digit(*c);
        }
        module.length = (size_t)(plus - value.text);
        if (module.length == 0)
            return tf_rule_fail(parse, value.text,
                                "caller: expected a module before \"+0x\", MODULE+0xOFFSET");
    }
    parse->rule->caller_offset = offset;
    return base_name(parse, "caller", module, parse->rule->caller, sizeof(parse->rule->caller));
}

/* Errnos and signals. */

static int errno_value(struct tf_rule_parse *parse, const char *key, struct tf_span value, int32_t *out)
{
    uint64_t n;
    const char *wrong;
    bool overflow;
    if (value.length > 0 && tf_digit(value.text[0])) {
        if (!tf_number(value, 4095, &n, &wrong, &overflow) || !tf_errno_name((int)n))
            return tf_rule_fail(parse, value.text, "%s: no errno has the number %s", key, TF_QUOTE(value));
        *out = (int32_t)n;
        return 0;
    }
    *out = tf_errno_number(value.text, value.length);
    if (*out < 0)
        return tf_rule_fail(parse, value.text, "unknown errno \"%s\"; expected a name like ECONNRESET%s",
                            TF_QUOTE(value), TF_HINT(value, tf_errno_words));
    return 0;
}

int tf_value_errno(struct tf_rule_parse *parse, struct tf_span value)
{
    return errno_value(parse, "errno", value, &parse->rule->real_errno);
}

int tf_value_ERRNO(struct tf_rule_parse *parse, struct tf_span value)
{
    return errno_value(parse, "error", value, &parse->rule->error);
}

int tf_value_SIGNAL(struct tf_rule_parse *parse, struct tf_span value)
{
    parse->rule->signal = tf_signal_number(value.text, value.length);
    if (parse->rule->signal < 0)
        return tf_rule_fail(parse, value.text, "unknown signal \"%s\"; expected a name like SIGALRM%s",
                            TF_QUOTE(value), TF_HINT(value, tf_signal_words));
    return 0;
}

/* strace(1): first[..last][+[step]]. */
int tf_value_when(struct tf_rule_parse *parse, struct tf_span value)
{
    struct tf_rule *rule = parse->rule;
    const char *end = value.text + value.length, *at = value.text;
    const char *plus = memchr(at, '+', value.length);
    const char *range = plus ? plus : end; /* the end of first..last */
    struct tf_span first = {at, (size_t)(range - at)}, last = {NULL, 0};
    for (const char *c = at; c + 1 < range; c++)
        if (c[0] == '.' && c[1] == '.') {
            first.length = (size_t)(c - at);
            last = (struct tf_span){c + 2, (size_t)(range - c - 2)};
            break;
        }

    if (tf_ranged(parse, "when", first, 1, INT64_MAX, &rule->first) != 0)
        return -1;
    rule->last = plus ? UINT64_MAX : rule->first;
    rule->step = 1;
    if (last.text) {
        if (tf_ranged(parse, "when", last, 1, INT64_MAX, &rule->last) != 0)
            return -1;
        if (rule->last < rule->first)
            return tf_rule_fail(parse, last.text, "when: the last, %s, comes before the first",
                                TF_QUOTE(last));
    }
    if (plus && plus + 1 < end) {
        struct tf_span step = {plus + 1, (size_t)(end - plus - 1)};
        if (tf_ranged(parse, "when: the step", step, 1, INT64_MAX, &rule->step) != 0)
            return -1;
    }
    return 0;
}

int tf_value_prob(struct tf_rule_parse *parse, struct tf_span value)
{
    uint64_t whole;
    uint32_t part;
    if (!tf_decimal(value, &whole, &part) || whole > 1 || (whole == 1 && part > 0))
        return tf_rule_fail(parse, value.text, "prob is \"%s\"; expected 0 to 1, at most nine decimals",
                            TF_QUOTE(value));
    parse->rule->prob = whole == 1 ? 1 : part / 1e9;
    return 0;
}

int tf_value_TIME(struct tf_rule_parse *parse, struct tf_span value)
{
    struct tf_rule *rule = parse->rule;
    struct tf_span from = value, to = {NULL, 0};
    for (size_t i = 0; i + 1 < value.length; i++)
        if (value.text[i] == '.' && value.text[i + 1] == '.') {
            from.length = i;
            to = (struct tf_span){value.text + i + 2, value.length - i - 2};
            break;
        }
    if (tf_time_parse(from.text, from.length, &rule->delay_min_ns) != 0)
        return tf_rule_fail(parse, from.text,
                            "\"%s\" is no time; expected one with its unit: 200ms, 1.5s, 50us",
                            TF_QUOTE(from));
    rule->delay_max_ns = rule->delay_min_ns;
    if (to.text && tf_time_parse(to.text, to.length, &rule->delay_max_ns) != 0)
        return tf_rule_fail(parse, to.text,
                            "\"%s\" is no time; expected one with its unit: 200ms, 1.5s, 50us", TF_QUOTE(to));
    if (rule->delay_max_ns < rule->delay_min_ns)
        return tf_rule_fail(parse, to.text, "delay: %s is less than where the range begins", TF_QUOTE(to));
    if (rule->delay_max_ns == 0)
        return tf_rule_fail(parse, value.text, "delay is %s, which does nothing", TF_QUOTE(value));
    return 0;
}

int tf_value_COUNT(struct tf_rule_parse *parse, struct tf_span value)
{
    return tf_ranged(parse, "short", value, 1, INT64_MAX, &parse->rule->short_bytes);
}

int tf_value_ORDINAL(struct tf_rule_parse *parse, struct tf_span value)
{
    uint64_t n = 0;
    if (value.text && tf_ranged(parse, "corrupt", value, 1, UINT32_MAX, &n) != 0)
        return -1;
    parse->rule->corrupt_byte = (uint32_t)n;
    return 0;
}

int tf_value_RATE(struct tf_rule_parse *parse, struct tf_span value)
{
    uint64_t unit = 1;
    struct tf_span count = value;
    if (value.length > 1 && (value.text[value.length - 1] == 'K' || value.text[value.length - 1] == 'M')) {
        unit = value.text[value.length - 1] == 'K' ? 1024 : 1024 * 1024;
        count.length--;
    }
    if (tf_ranged(parse, "rate", count, 1, INT64_MAX / unit, &parse->rule->rate_bytes) != 0)
        return -1;
    parse->rule->rate_bytes *= unit;
    return 0;
}

int tf_value_SPAN(struct tf_rule_parse *parse, struct tf_span value)
{
    uint64_t *ns = &parse->rule->drop_ns;
    if (value.text && tf_time_parse(value.text, value.length, ns) != 0)
        return tf_rule_fail(parse, value.text,
                            "\"%s\" is no time; expected one with its unit: 200ms, 1.5s, 50us",
                            TF_QUOTE(value));
    if (value.text && *ns == 0)
        return tf_rule_fail(parse, value.text, "drop for %s, which does nothing", TF_QUOTE(value));
    return 0;
}

int tf_value_NOTHING(struct tf_rule_parse *parse, struct tf_span value)
{
    (void)parse;
    (void)value;
    return 0;
}
