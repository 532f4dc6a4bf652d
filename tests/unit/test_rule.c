/* The grammar of rules: what is taken, what is refused, and where. */
#include "names.h"
#include "rule.h"
#include "unit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *text;
    size_t at;
    const char *message;
} bad[] = {
#define BAD(text, at, message) {text, at, message},
#include "bad_rules.def"
#undef BAD
};

static const struct {
    const char *text, *canonical;
} good[] = {
#define GOOD(text, canonical) {text, canonical},
#include "good_rules.def"
#undef GOOD
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
_Static_assert(COUNT(bad) >= 60, "as many refusals as there are ways to be wrong");

/* A parser reads what it is given and no byte more: a copy without a NUL, for
 * the address sanitizer to watch. */
static int parse(const char *text, struct tf_rule *rule, struct tf_rule_error *error)
{
    size_t length = strlen(text);
    char *copy = malloc(length ? length : 1);
    memcpy(copy, text, length); /* NOLINT(bugprone-not-null-terminated-result): that is the point */
    memset(rule, 0xa5, sizeof(*rule));
    memset(error, 0xa5, sizeof(*error));
    int result = tf_rule_parse(copy, length, rule, error);
    free(copy);
    if (result == 0)
        error->message[0] = '\0'; /* nobody wrote it */
    return result;
}

static void every_bad_rule_is_refused_at_its_place(void)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct tf_rule rule;
        struct tf_rule_error error;
        if (parse(bad[i].text, &rule, &error) == 0) {
            TF_CHECK(0, "%s: taken", bad[i].text);
            continue;
        }
        TF_CHECK(error.at == bad[i].at && strstr(error.message, bad[i].message), "%s: at %zu: %s",
                 bad[i].text, error.at, error.message);
    }
}

static void a_message_is_one_line_and_its_place_in_the_text(void)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct tf_rule rule;
        struct tf_rule_error error;
        if (parse(bad[i].text, &rule, &error) == 0)
            continue; /* the test above says so */
        size_t length = strnlen(error.message, sizeof(error.message));
        TF_CHECK(length > 10 && length < sizeof(error.message) && !strchr(error.message, '\n'), "%s: %.320s",
                 bad[i].text, error.message);
        TF_CHECK(error.at <= strlen(bad[i].text), "%s: at %zu", bad[i].text, error.at);
    }
}

static void every_good_rule_has_its_canonical_form(void)
{
    for (size_t i = 0; i < COUNT(good); i++) {
        struct tf_rule rule;
        struct tf_rule_error error;
        char text[TF_RULE_TEXT];
        if (parse(good[i].text, &rule, &error) != 0) {
            TF_CHECK(0, "%s: at %zu: %s", good[i].text, error.at, error.message);
            continue;
        }
        int length = tf_rule_format(&rule, text, sizeof(text));
        TF_SAME(text, good[i].canonical);
        CU_ASSERT_EQUAL(length, (int)strlen(good[i].canonical));
    }
}

/* The same but for the text. */
static bool round_trips(const struct tf_rule *rule)
{
    struct tf_rule one = *rule, two;
    struct tf_rule_error error;
    char text[TF_RULE_TEXT];
    if (tf_rule_format(rule, text, sizeof(text)) >= (int)sizeof(text) || parse(text, &two, &error) != 0)
        return false;
    memset(one.text, 0, sizeof(one.text));
    memset(two.text, 0, sizeof(two.text));
    return memcmp((const char *)&one, (const char *)&two, sizeof(one)) == 0;
}

static void a_rule_written_out_is_the_same_rule(void)
{
    for (size_t i = 0; i < COUNT(good); i++) {
        struct tf_rule rule;
        struct tf_rule_error error;
        TF_CHECK(parse(good[i].text, &rule, &error) == 0 && round_trips(&rule), "%s", good[i].text);
    }
}

static void a_rule_keeps_its_text_without_blanks_around(void)
{
    struct tf_rule rule;
    struct tf_rule_error error;
    CU_ASSERT_EQUAL(parse(" \tread:signal=14\r\n", &rule, &error), 0);
    TF_SAME(rule.text, "read:signal=14");
}

static void a_format_that_does_not_fit_says_what_it_needs(void)
{
    struct tf_rule rule;
    struct tf_rule_error error;
    char text[8];
    CU_ASSERT_EQUAL(parse("read:short=12", &rule, &error), 0);
    CU_ASSERT_EQUAL(tf_rule_format(&rule, NULL, 0), 13);
    CU_ASSERT_EQUAL(tf_rule_format(&rule, text, sizeof(text)), 13);
    TF_SAME(text, "read:sh");
}

/* A value that each effect takes. */
static const char *sample(enum tf_effect_id effect)
{
    static const char *const text[TF_EFFECTS] = {
        [TF_EFFECT_error] = "error=EINTR", [TF_EFFECT_delay] = "delay=1ms", [TF_EFFECT_short] = "short=3",
        [TF_EFFECT_eof] = "eof",           [TF_EFFECT_reset] = "reset",     [TF_EFFECT_drop] = "drop",
        [TF_EFFECT_ignore] = "ignore",     [TF_EFFECT_rate] = "rate=1K",    [TF_EFFECT_corrupt] = "corrupt",
        [TF_EFFECT_signal] = "signal=USR1"};
    return text[effect];
}

static void an_effect_is_taken_exactly_where_it_is_valid(void)
{
    for (int call = 0; call < TF_CALLS; call++)
        for (int effect = 0; effect < TF_EFFECTS; effect++) {
            struct tf_rule rule;
            struct tf_rule_error error;
            char text[TF_RULE_TEXT];
            const char *name = tf_call_info[call].name;
            uint64_t named = tf_calls_named(name, strlen(name));
            uint64_t valid = named & tf_effect_calls((enum tf_effect_id)effect);
            if (effect == TF_EFFECT_error)
                valid &= tf_errno_calls(EINTR);
            snprintf(text, sizeof(text), "%s:%s", name, sample((enum tf_effect_id)effect));
            bool taken = parse(text, &rule, &error) == 0;
            TF_CHECK(taken == (valid != 0), "%s", text);
            TF_CHECK(!taken || (rule.calls == valid && round_trips(&rule)), "%s", text);
        }
}

static void every_row_of_errnos_is_a_rule(void)
{
    for (size_t i = 0; i < tf_errno_infos; i++) {
        struct tf_rule rule;
        struct tf_rule_error error;
        char text[TF_RULE_TEXT];
        snprintf(text, sizeof(text), "%s:error=%s", tf_call_info[tf_errno_info[i].call].name,
                 tf_errno_name(tf_errno_info[i].error));
        TF_CHECK(parse(text, &rule, &error) == 0, "%s: %s", text, error.message);
        TF_CHECK(rule.calls & TF_BIT(tf_errno_info[i].call) && rule.error == tf_errno_info[i].error, "%s",
                 text);
    }
}

static void an_impossible_errno_names_all_possible_ones(void)
{
    struct tf_rule rule;
    struct tf_rule_error error;
    for (int call = 0; call < TF_CALLS; call++) {
        char text[TF_RULE_TEXT];
        snprintf(text, sizeof(text), "%s:error=EXDEV", tf_call_info[call].name);
        CU_ASSERT_EQUAL(parse(text, &rule, &error), -1);
        for (size_t i = 0; i < tf_errno_infos; i++)
            if (tf_errno_info[i].call == call && call != TF_splice_out)
                TF_CHECK(strstr(error.message, tf_errno_name(tf_errno_info[i].error)), "%s: %s", text,
                         error.message);
        TF_CHECK(strstr(error.message, "allow=any"), "%s: %s", text, error.message);
        strcat(text, ":allow=any");
        TF_CHECK(parse(text, &rule, &error) == 0, "%s: %s", text, error.message);
    }
}

static void a_class_leaves_out_what_cannot_be(void)
{
    struct tf_rule rule;
    struct tf_rule_error error;
    const uint64_t counts = TF_BIT(TF_splice) | TF_BIT(TF_splice_out) | TF_BIT(TF_sendfile);

    CU_ASSERT_EQUAL(parse("%all:corrupt", &rule, &error), 0);
    CU_ASSERT_EQUAL(rule.calls & counts, 0);
    CU_ASSERT_EQUAL(parse("%all:error=EPIPE", &rule, &error), 0);
    CU_ASSERT_EQUAL(rule.calls, tf_calls_named("%out", 4));
    CU_ASSERT_EQUAL(parse("%all:peer=:80:delay=1s", &rule, &error), 0);
    CU_ASSERT_FALSE(rule.calls & (TF_BIT(TF_socket) | TF_BIT(TF_accept) | TF_BIT(TF_poll) | TF_BIT(TF_bind)));
    CU_ASSERT_TRUE(rule.calls & TF_BIT(TF_connect));
    CU_ASSERT_EQUAL(parse("%all:conn=2:delay=1s", &rule, &error), 0);
    CU_ASSERT_TRUE(rule.calls & TF_BIT(TF_accept));
    CU_ASSERT_EQUAL(parse("read,%wait:peer=:80:delay=1s", &rule, &error), 0);
    CU_ASSERT_EQUAL(rule.calls, TF_BIT(TF_read));
}

static void when_means_what_strace_means(void)
{
    static const struct {
        const char *text;
        uint64_t first, last, step;
    } cases[] = {
        {"read:eof", 1, UINT64_MAX, 1},         {"read:eof:when=4", 4, 4, 1},
        {"read:eof:when=4+", 4, UINT64_MAX, 1}, {"read:eof:when=4+3", 4, UINT64_MAX, 3},
        {"read:eof:when=4..9", 4, 9, 1},        {"read:eof:when=4..9+", 4, 9, 1},
        {"read:eof:when=4..9+2", 4, 9, 2},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tf_rule rule;
        struct tf_rule_error error;
        CU_ASSERT_EQUAL_FATAL(parse(cases[i].text, &rule, &error), 0);
        TF_CHECK(rule.first == cases[i].first && rule.last == cases[i].last && rule.step == cases[i].step,
                 "%s: %llu..%llu+%llu", cases[i].text, (unsigned long long)rule.first,
                 (unsigned long long)rule.last, (unsigned long long)rule.step);
    }
}

static void an_address_is_stored_as_events_store_it(void)
{
    struct tf_rule rule;
    struct tf_rule_error error;
    CU_ASSERT_EQUAL(parse("read:peer=[::ffff:10.1.2.3]:80:local=[::1]:*:eof", &rule, &error), 0);
    CU_ASSERT_EQUAL(rule.peer.family, 4);
    CU_ASSERT_EQUAL(rule.peer.port, 80);
    CU_ASSERT_EQUAL(memcmp(rule.peer.ip, "\12\1\2\3\0\0\0\0\0\0\0\0\0\0\0\0", 16), 0);
    CU_ASSERT_EQUAL(rule.local.family, 6);
    CU_ASSERT_EQUAL(rule.local.port, 0);
    CU_ASSERT_EQUAL(rule.local.ip[15], 1);
    CU_ASSERT_EQUAL(parse("read:peer=:80:eof", &rule, &error), 0);
    CU_ASSERT_EQUAL(rule.peer.family, 0);
    CU_ASSERT_EQUAL(rule.peer.any_host, 1);
}

static void a_nul_is_refused_where_it_stands(void)
{
    struct tf_rule rule;
    struct tf_rule_error error;
    CU_ASSERT_EQUAL(tf_rule_parse("read:eof\0:when=1", 16, &rule, &error), -1);
    CU_ASSERT_EQUAL(error.at, 8);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "byte 0x00"));
}

static void a_rule_has_at_most_255_bytes(void)
{
    struct tf_rule rule;
    struct tf_rule_error error;
    char text[600] = "";
    while (strlen(text) < 240)
        strcat(text, "recv,");
    strcat(text, "recv:eof");
    size_t length = strlen(text);
    CU_ASSERT_TRUE(length < TF_RULE_TEXT);
    CU_ASSERT_EQUAL(parse(text, &rule, &error), 0);
    memset(text + length, ' ', 100);
    text[length + 100] = '\0';
    CU_ASSERT_EQUAL(parse(text, &rule, &error), 0);
    memmove(text + 50, text, length + 1);
    for (int i = 0; i < 10; i++)
        memcpy(text + i * 5, "recv,", 5);
    CU_ASSERT_EQUAL(parse(text, &rule, &error), -1);
    CU_ASSERT_EQUAL(error.at, TF_RULE_TEXT - 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "expected at most 255"));
}

/* errno numbers and signal numbers are shorter than their names. */
static void what_cannot_be_written_out_is_refused(void)
{
    struct tf_rule rule;
    struct tf_rule_error error;
    char text[TF_RULE_TEXT] = "recv:error=104:signal=1:exe=";
    size_t length = strlen(text);
    memset(text + length, 'e', 31);
    strcat(text, ":caller=");
    length = strlen(text);
    memset(text + length, 'c', 63);
    strcat(text, ":peer=[1111:2222:3333:4444:5555:6666:7777:8888]:80:local=[1111:2222:3333:4444:5555:6666:"
                 "7777:8888]:80:when=1");
    while (strlen(text) < TF_RULE_TEXT - 1)
        strcat(text, "0");
    CU_ASSERT_EQUAL(parse(text, &rule, &error), -1);
    TF_CHECK(strstr(error.message, "written out"), "at %zu: %s", error.at, error.message);
}

TF_SUITE(rule, TF_TEST(every_bad_rule_is_refused_at_its_place),
         TF_TEST(a_message_is_one_line_and_its_place_in_the_text),
         TF_TEST(every_good_rule_has_its_canonical_form), TF_TEST(a_rule_written_out_is_the_same_rule),
         TF_TEST(a_rule_keeps_its_text_without_blanks_around),
         TF_TEST(a_format_that_does_not_fit_says_what_it_needs),
         TF_TEST(an_effect_is_taken_exactly_where_it_is_valid), TF_TEST(every_row_of_errnos_is_a_rule),
         TF_TEST(an_impossible_errno_names_all_possible_ones), TF_TEST(a_class_leaves_out_what_cannot_be),
         TF_TEST(when_means_what_strace_means), TF_TEST(an_address_is_stored_as_events_store_it),
         TF_TEST(a_nul_is_refused_where_it_stands), TF_TEST(a_rule_has_at_most_255_bytes),
         TF_TEST(what_cannot_be_written_out_is_refused))
