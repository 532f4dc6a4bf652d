/* The rule grammar under libFuzzer: whatever the bytes, one clear error or a
 * rule that, written out, is the same rule again. */
#include "rule.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOLD(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "does not hold: %s\n", #condition);                                              \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

static void check_error(const struct tf_rule_error *error, size_t length)
{
    size_t message = strnlen(error->message, sizeof(error->message));
    HOLD(error->at <= length);
    HOLD(message > 0 && message < sizeof(error->message));
    for (size_t i = 0; i < message; i++)
        HOLD(error->message[i] >= 0x20 && error->message[i] < 0x7f);
}

static void check_rule(const struct tf_rule *rule)
{
    struct tf_rule one = *rule, two;
    struct tf_rule_error error;
    char text[TF_RULE_TEXT];

    HOLD(rule->calls != 0 && rule->effects != 0);
    HOLD(rule->first >= 1 && rule->first <= rule->last && rule->step >= 1);
    HOLD(rule->prob >= 0 && rule->prob <= 1);
    HOLD(rule->delay_min_ns <= rule->delay_max_ns);
    int length = tf_rule_format(rule, text, sizeof(text));
    HOLD(length > 0 && length < (int)sizeof(text) && strlen(text) == (size_t)length);
    HOLD(tf_rule_parse(text, (size_t)length, &two, &error) == 0);
    memset(one.text, 0, sizeof(one.text));
    memset(two.text, 0, sizeof(two.text));
    one.per_slot = two.per_slot = 0;
    HOLD(memcmp((const char *)&one, (const char *)&two, sizeof(one)) == 0);
}

static void check_plan(const uint8_t *data, size_t size)
{
    static struct tf_plan plan;
    struct tf_rule_error error;
    char *text = malloc(size + 1);

    memcpy(text, data, size);
    text[size] = '\0';
    plan.rules = plan.per_connection = 0;
    if (tf_plan_add(&plan, text, &error) != 0)
        check_error(&error, strlen(text));
    HOLD(plan.rules <= TF_RULES_MAX && plan.per_connection <= TF_PER_CONNECTION_MAX);
    for (uint32_t i = 0; i < plan.rules; i++)
        check_rule(&plan.rule[i]);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tf_rule rule;
    struct tf_rule_error error;
    uint64_t ns;

    if (tf_rule_parse((const char *)data, size, &rule, &error) == 0)
        check_rule(&rule);
    else
        check_error(&error, size);
    if (tf_time_parse((const char *)data, size, &ns) == 0)
        HOLD(ns <= INT64_MAX);
    check_plan(data, size);
    return 0;
}
