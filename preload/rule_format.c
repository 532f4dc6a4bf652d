/* A rule in canonical form. */
#include "names.h"
#include "rule_parts.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

struct text {
    char *out;
    size_t size, length;
};

static void put(struct text *text, const char *word)
{
    for (; *word; word++, text->length++)
        if (text->length + 1 < text->size)
            text->out[text->length] = *word;
    if (text->size > 0)
        text->out[text->length < text->size ? text->length : text->size - 1] = '\0';
}

static void put_number(struct text *text, uint64_t n)
{
    char digits[24];
    snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
    put(text, digits);
}

/* In the largest unit that holds it whole. */
static void put_time(struct text *text, uint64_t ns)
{
    static const struct {
        uint64_t ns;
        const char *unit;
    } units[] = {{3600000000000u, "h"}, {60000000000u, "m"}, {1000000000, "s"},
                 {1000000, "ms"},       {1000, "us"},        {1, "ns"}};
    size_t i = 0;
    if (ns == 0) {
        put(text, "0");
        return;
    }
    while (ns % units[i].ns != 0)
        i++;
    put_number(text, ns / units[i].ns);
    put(text, units[i].unit);
}

static void put_endpoint(struct text *text, const char *key, const struct tf_endpoint *endpoint)
{
    char host[INET6_ADDRSTRLEN];
    put(text, key);
    if (endpoint->family == 6) {
        put(text, "[");
        put(text, inet_ntop(AF_INET6, endpoint->ip, host, sizeof(host)));
        put(text, "]");
    } else if (endpoint->family == 4) {
        put(text, inet_ntop(AF_INET, endpoint->ip, host, sizeof(host)));
    }
    put(text, ":");
    if (endpoint->port)
        put_number(text, endpoint->port);
    else
        put(text, "*");
}

static void put_selectors(struct text *text, const struct tf_rule *rule)
{
    static const char *const role[] = {"", "client", "server", "listener"};
    if (rule->selects & TF_SELECT_ROLE) {
        put(text, ":role=");
        put(text, role[rule->role]);
    }
    if (rule->selects & TF_SELECT_FAMILY) {
        put(text, ":family=");
        put(text, tf_family_name(rule->family));
    }
    if (rule->selects & TF_SELECT_PEER)
        put_endpoint(text, ":peer=", &rule->peer);
    if (rule->selects & TF_SELECT_LOCAL)
        put_endpoint(text, ":local=", &rule->local);
    if (rule->selects & TF_SELECT_CONN) {
        put(text, ":conn=");
        put_number(text, rule->conn);
    }
    if (rule->selects & TF_SELECT_OPT) {
        put(text, ":opt=");
        put(text, tf_option_name(rule->opt_level, rule->opt_name));
    }
    if (rule->selects & TF_SELECT_BYTES) {
        put(text, ":bytes=");
        put_number(text, rule->bytes);
    }
    if (rule->selects & TF_SELECT_EXE) {
        put(text, ":exe=");
        put(text, rule->exe);
    }
    if (rule->selects & TF_SELECT_CALLER) {
        put(text, ":caller=");
        put(text, rule->caller);
        if (rule->caller_offset != UINT64_MAX) {
            char offset[24];
            snprintf(offset, sizeof(offset), "+0x%llx", (unsigned long long)rule->caller_offset);
            put(text, offset);
        }
    }
    if (rule->selects & TF_SELECT_ERRNO) {
        put(text, ":errno=");
        put(text, tf_errno_name(rule->real_errno));
    }
}

static void put_when(struct text *text, const struct tf_rule *rule)
{
    if (rule->first != 1 || rule->last != UINT64_MAX || rule->step != 1) {
        put(text, ":when=");
        put_number(text, rule->first);
        if (rule->last != UINT64_MAX && (rule->last != rule->first || rule->step != 1)) {
            put(text, "..");
            put_number(text, rule->last);
        }
        if (rule->step != 1 || rule->last == UINT64_MAX)
            put(text, "+");
        if (rule->step != 1)
            put_number(text, rule->step);
    }
    if (rule->prob != 1) {
        char prob[40];
        snprintf(prob, sizeof(prob), ":prob=0.%09llu", (unsigned long long)(rule->prob * 1e9 + 0.5));
        size_t end = strlen(prob);
        while (prob[end - 1] == '0' && prob[end - 2] != '.')
            end--;
        prob[end] = '\0';
        put(text, prob);
    }
    if (rule->per == TF_PER_PROCESS)
        put(text, ":per=process");
    if (rule->per == TF_PER_CONNECTION)
        put(text, ":per=connection");
    if (rule->allow_any)
        put(text, ":allow=any");
}

static void put_argument(struct text *text, const struct tf_rule *rule, enum tf_effect_id effect)
{
    switch (effect) {
    case TF_EFFECT_error:
        put(text, "=");
        put(text, tf_errno_name(rule->error));
        break;
    case TF_EFFECT_delay:
        put(text, "=");
        put_time(text, rule->delay_min_ns);
        if (rule->delay_max_ns != rule->delay_min_ns) {
            put(text, "..");
            put_time(text, rule->delay_max_ns);
        }
        break;
    case TF_EFFECT_short:
        put(text, "=");
        put_number(text, rule->short_bytes);
        break;
    case TF_EFFECT_corrupt:
        if (rule->corrupt_byte) {
            put(text, "=");
            put_number(text, rule->corrupt_byte);
        }
        break;
    case TF_EFFECT_rate:
        put(text, "=");
        put_number(text, rule->rate_bytes);
        break;
    case TF_EFFECT_drop:
        if (rule->drop_ns) {
            put(text, "=");
            put_time(text, rule->drop_ns);
        }
        break;
    case TF_EFFECT_signal:
        put(text, "=");
        put(text, tf_signal_name(rule->signal));
        break;
    default:
        break;
    }
}

int tf_rule_format(const struct tf_rule *rule, char *out, size_t size)
{
    struct text text = {out, size, 0};
    char calls[1024];
    tf_calls_write(rule->calls, tf_rule_valid(rule), calls, sizeof(calls));
    put(&text, calls);
    put_selectors(&text, rule);
    put_when(&text, rule);
    for (int effect = 0; effect < TF_EFFECTS; effect++)
        if (rule->effects & (UINT32_C(1) << effect)) {
            put(&text, ":");
            put(&text, tf_effect_name((enum tf_effect_id)effect));
            put_argument(&text, rule, (enum tf_effect_id)effect);
        }
    return (int)text.length;
}
