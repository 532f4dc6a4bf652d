/* Numbers and times, without the locale. */
#include "rule_parts.h"

bool tf_number(struct tf_span span, uint64_t most, uint64_t *value, const char **wrong, bool *overflow)
{
    uint64_t n = 0;
    size_t i = 0;
    *overflow = false;
    for (; i < span.length && tf_digit(span.text[i]); i++) {
        uint64_t d = (uint64_t)(span.text[i] - '0');
        if (n > (most - d) / 10) {
            *overflow = true;
            *wrong = span.text;
            return false;
        }
        n = n * 10 + d;
    }
    *value = n;
    *wrong = span.text + i;
    return i > 0 && i == span.length;
}

int tf_ranged(struct tf_rule_parse *parse, const char *name, struct tf_span span, uint64_t least,
              uint64_t most, uint64_t *value)
{
    const char *wrong;
    bool overflow;
    if (tf_number(span, most, value, &wrong, &overflow)) {
        if (*value >= least)
            return 0;
        return tf_rule_fail(parse, span.text, "%s is %s; expected at least %llu", name, TF_QUOTE(span),
                            (unsigned long long)least);
    }
    if (overflow)
        return tf_rule_fail(parse, span.text, "%s is %s; expected at most %llu", name, TF_QUOTE(span),
                            (unsigned long long)most);
    return tf_rule_fail(parse, wrong, "%s is \"%s\"; expected a whole number", name, TF_QUOTE(span));
}

bool tf_decimal(struct tf_span span, uint64_t *whole, uint32_t *billionths)
{
    const char *point = memchr(span.text, '.', span.length), *wrong;
    struct tf_span before = span, after = {NULL, 0};
    bool overflow;
    uint64_t part = 0;

    if (point) {
        before.length = (size_t)(point - span.text);
        after = (struct tf_span){point + 1, span.length - before.length - 1};
        if (after.length > 9 || !tf_number(after, UINT32_MAX, &part, &wrong, &overflow))
            return false;
        for (size_t place = after.length; place < 9; place++)
            part *= 10;
    }
    *whole = 0;
    *billionths = (uint32_t)part;
    return (point && before.length == 0) || tf_number(before, INT64_MAX, whole, &wrong, &overflow);
}

int tf_time_parse(const char *text, size_t length, uint64_t *ns)
{
    static const struct {
        const char *unit;
        uint64_t ns;
    } units[] = {{"ns", 1},         {"us", 1000},        {"ms", 1000000},
                 {"s", 1000000000}, {"m", 60000000000u}, {"h", 3600000000000u}};
    const uint64_t billion = 1000000000;
    uint64_t whole;
    uint32_t part;
    size_t digits = 0;

    while (digits < length && (tf_digit(text[digits]) || text[digits] == '.'))
        digits++;
    if (digits == 0 || text[0] == '.' || !tf_decimal((struct tf_span){text, digits}, &whole, &part))
        return -1;
    struct tf_span unit = {text + digits, length - digits};
    if (unit.length == 0 && whole == 0 && part == 0) {
        *ns = 0;
        return 0;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        const uint64_t each = units[i].ns;
        if (!tf_is(unit, units[i].unit))
            continue;
        if (each < billion && part * each % billion != 0)
            return -1; /* less than a nanosecond */
        if (whole > (INT64_MAX - each) / each)
            return -1;
        *ns = whole * each + (each < billion ? part * each / billion : part * (each / billion));
        return 0;
    }
    return -1;
}
