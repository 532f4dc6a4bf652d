/* The tables of names, held against the C library's and against each other. */
#include "names.h"
#include "rule.h"
#include "unit.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#define LEN(word) word, strlen(word)

static void errnos_have_the_names_of_the_c_library(void)
{
    for (int error = 1; error < 140; error++)
        TF_SAME(tf_errno_name(error), strerrorname_np(error));
    TF_SAME(tf_errno_name(0), NULL);
    TF_SAME(tf_errno_name(-1), NULL);
}

static void every_errno_name_is_found_again(void)
{
    for (const char *const *word = tf_errno_words; *word; word++) {
        int error = tf_errno_number(LEN(*word));
        TF_CHECK(error > 0 && tf_errno_name(error), "%s is %d", *word, error);
    }
    CU_ASSERT_EQUAL(tf_errno_number(LEN("EWOULDBLOCK")), EAGAIN);
    CU_ASSERT_EQUAL(tf_errno_number(LEN("ENOTSUP")), EOPNOTSUPP);
    CU_ASSERT_EQUAL(tf_errno_number(LEN("EPIP")), -1);
    CU_ASSERT_EQUAL(tf_errno_number("EPIPEX", 5), EPIPE);
    CU_ASSERT_EQUAL(tf_errno_number("", 0), -1);
}

static void signals_have_the_names_of_kill(void)
{
    char expected[32];
    for (int number = 1; number < 32; number++) {
        strcpy(expected, "SIG");
        strcat(expected, number == SIGIO ? "IO" : sigabbrev_np(number)); /* glibc prefers POLL */
        TF_SAME(tf_signal_name(number), expected);
    }
    CU_ASSERT_EQUAL(tf_signal_number(LEN("SIGRTMIN")), SIGRTMIN);
    CU_ASSERT_EQUAL(tf_signal_number(LEN("SIGRTMAX")), SIGRTMAX);
    CU_ASSERT_EQUAL(tf_signal_number(LEN("RTMAX-14")), SIGRTMAX - 14);
    for (int number = -1; number <= 70; number++)
        TF_CHECK((tf_signal_name(number) != NULL) ==
                     ((number >= 1 && number < 32) || (number >= 34 && number <= 64)),
                 "signal %d is %s", number, tf_signal_name(number));
}

static void a_signal_may_go_without_sig_or_by_number(void)
{
    CU_ASSERT_EQUAL(tf_signal_number(LEN("SIGALRM")), SIGALRM);
    CU_ASSERT_EQUAL(tf_signal_number(LEN("ALRM")), SIGALRM);
    CU_ASSERT_EQUAL(tf_signal_number(LEN("14")), SIGALRM);
    CU_ASSERT_EQUAL(tf_signal_number(LEN("SIGCLD")), SIGCHLD);
    for (const char *const *word = (const char *const[]){"", "SIG", "0", "32", "33", "65", "999", "1000",
                                                         "alrm", "SIGSIGALRM", "-14", NULL};
         *word; word++)
        TF_CHECK(tf_signal_number(LEN(*word)) == -1, "%s is taken for a signal", *word);
}

static void every_option_is_found_again(void)
{
    int count = 0;
    for (const char *const *word = tf_option_words; *word; word++, count++) {
        int level = -1, name = -1;
        CU_ASSERT_EQUAL(tf_option_find(LEN(*word), &level, &name), 0);
        TF_SAME(tf_option_name(level, name), *word);
    }
    TF_CHECK(count > 120, "%d options", count);
    TF_SAME(tf_option_name(SOL_SOCKET, SO_REUSEADDR), "SO_REUSEADDR");
    TF_SAME(tf_option_name(IPPROTO_TCP, TCP_NODELAY), "TCP_NODELAY");
    TF_SAME(tf_option_name(SOL_SOCKET, 9999), NULL);
}

/* ioctl has none: what it gives for a socket is a program's mistake. */
static void every_call_but_ioctl_can_fail(void)
{
    for (int call = 0; call < TF_CALLS; call++) {
        char list[512];
        tf_errno_list((enum tf_call_id)call, list, sizeof(list));
        TF_CHECK((list[0] != '\0') == (call != TF_ioctl), "%s: \"%s\"", tf_call_info[call].name, list);
    }
}

static void errnos_stand_by_call_most_likely_first(void)
{
    for (size_t i = 1; i < tf_errno_infos; i++) {
        const struct tf_errno_info *last = &tf_errno_info[i - 1], *row = &tf_errno_info[i];
        const char *call = tf_call_info[row->call].name, *name = tf_errno_name(row->error);
        TF_CHECK(row->call >= last->call, "%s %s stands after %s", call, name, tf_call_info[last->call].name);
        TF_CHECK(row->call != last->call || row->likelihood >= last->likelihood, "%s %s is more likely", call,
                 name);
        TF_CHECK(tf_errno_find(row->call, row->error) == row, "%s %s is there twice", call, name);
    }
}

static void errnos_of_a_programs_mistake_are_no_rows(void)
{
    for (const int *error = (const int[]){EBADF, EFAULT, ENOTSOCK, 0}; *error; error++)
        CU_ASSERT_EQUAL(tf_errno_calls(*error), 0);
    CU_ASSERT_PTR_NULL(tf_errno_find(TF_read, EINVAL));
    CU_ASSERT_PTR_NULL(tf_errno_find(TF_connect, EPIPE));
    CU_ASSERT_PTR_NOT_NULL(tf_errno_find(TF_connect, ECONNREFUSED));
}

static void a_list_that_does_not_fit_is_cut_and_closed(void)
{
    char list[12];
    memset(list, 'x', sizeof(list));
    tf_errno_list(TF_accept, list, sizeof(list));
    TF_SAME(list, "EAGAIN, EIN");
    tf_errno_list(TF_accept, list, 1);
    TF_SAME(list, "");
    tf_errno_list(TF_accept, list, 0);
    CU_ASSERT_EQUAL(tf_calls_write(TF_BIT(TF_read), ~UINT64_C(0), list, 3), 4);
    TF_SAME(list, "re");
}

static void classes_hold_what_the_table_says(void)
{
    static const struct {
        const char *word;
        uint8_t class;
    } classes[] = {{"%in", TF_CLASS_IN},
                   {"%out", TF_CLASS_OUT},
                   {"%accept", TF_CLASS_ACCEPT},
                   {"%wait", TF_CLASS_WAIT},
                   {"%option", TF_CLASS_OPTION}};
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        for (int call = 0; call < TF_CALLS; call++)
            TF_CHECK(((tf_calls_named(LEN(classes[i].word)) >> call) & 1) ==
                         (tf_call_info[call].class == classes[i].class),
                     "%s in %s", tf_call_info[call].name, classes[i].word);
    CU_ASSERT_EQUAL(tf_calls_named(LEN("%all")), TF_BIT(TF_CALLS) - 1);
    CU_ASSERT_EQUAL(tf_calls_named(LEN("%any")), 0);
    CU_ASSERT_EQUAL(tf_calls_named(LEN("%")), 0);
    CU_ASSERT_EQUAL(tf_calls_named(LEN("")), 0);
}

static void splice_is_both_directions_unless_named_as_a_point(void)
{
    CU_ASSERT_EQUAL(tf_calls_named(LEN("splice")), TF_BIT(TF_splice) | TF_BIT(TF_splice_out));
    CU_ASSERT_EQUAL(tf_calls_named(LEN("tcp/splice")), TF_BIT(TF_splice));
    CU_ASSERT_EQUAL(tf_calls_named(LEN("tcp/splice_out")), TF_BIT(TF_splice_out));
    CU_ASSERT_EQUAL(tf_calls_named(LEN("splice_out")), 0);
}

static void libfius_names_are_taken(void)
{
    CU_ASSERT_EQUAL(tf_calls_named(LEN("posix/io/net/accept")), TF_BIT(TF_accept) | TF_BIT(TF_accept4));
    CU_ASSERT_EQUAL(tf_calls_named(LEN("posix/io/net/connect")), TF_BIT(TF_connect));
    CU_ASSERT_EQUAL(tf_calls_named(LEN("posix/io/rw/write")), TF_BIT(TF_write));
    CU_ASSERT_EQUAL(tf_calls_named(LEN("posix/io/oc/close")), TF_BIT(TF_close));
    CU_ASSERT_EQUAL(tf_calls_named(LEN("posix/io/oc/open")), 0);
    CU_ASSERT_EQUAL(tf_calls_named(LEN("posix/io/net/")), 0);
    CU_ASSERT_EQUAL(tf_calls_named(LEN("posix/io/net/posix/io/net/accept")), 0);
}

static void every_call_is_a_failure_point_of_its_own(void)
{
    static const char *const id[] = {
#define CALL(id, ...) "tcp/" #id,
#include "calls.def"
#undef CALL
    };
    for (int call = 0; call < TF_CALLS; call++)
        TF_CHECK(tf_calls_named(LEN(id[call])) == TF_BIT(call), "%s", id[call]);
}

static void effects_are_valid_where_their_bytes_are(void)
{
    const uint64_t in = tf_calls_named(LEN("%in")), out = tf_calls_named(LEN("%out"));
    CU_ASSERT_EQUAL(tf_effect_calls(TF_EFFECT_short), in | out);
    CU_ASSERT_EQUAL(tf_effect_calls(TF_EFFECT_eof), in);
    CU_ASSERT_EQUAL(tf_effect_calls(TF_EFFECT_corrupt),
                    (in | out) & ~(TF_BIT(TF_splice) | TF_BIT(TF_splice_out) | TF_BIT(TF_sendfile)));
    CU_ASSERT_EQUAL(tf_effect_calls(TF_EFFECT_error), TF_BIT(TF_CALLS) - 1);
    CU_ASSERT_FALSE(tf_effect_calls(TF_EFFECT_reset) & TF_BIT(TF_accept));
    TF_SAME(tf_effect_name(TF_EFFECT_short), "short");
    TF_SAME(tf_effect_name(TF_EFFECTS), NULL);
}

static void the_nearest_word_is_at_most_a_third_wrong(void)
{
    static const char *const words[] = {"connect", "accept", "accept4", "read", "%in", NULL};
    TF_SAME(tf_nearest(LEN("conect"), words), "connect");
    TF_SAME(tf_nearest(LEN("ocnnect"), words), "connect");
    TF_SAME(tf_nearest(LEN("CONNECT"), words), "connect");
    TF_SAME(tf_nearest(LEN("acept4"), words), "accept4");
    TF_SAME(tf_nearest(LEN("accep"), words), "accept");
    TF_SAME(tf_nearest(LEN("rad"), words), "read");
    TF_SAME(tf_nearest(LEN("in"), words), "%in");
    TF_SAME(tf_nearest(LEN("dead"), words), "read");
    TF_SAME(tf_nearest(LEN("deer"), words), NULL);
    TF_SAME(tf_nearest(LEN("xyz"), words), NULL);
    TF_SAME(tf_nearest(LEN(""), words), NULL);
    TF_SAME(tf_nearest("connectXXXXX", 7, words), "connect");
    TF_SAME(tf_nearest(LEN("accept5"), words), "accept"); /* of two as near, the first */
    char longest[4096];
    memset(longest, 'c', sizeof(longest));
    TF_SAME(tf_nearest(longest, sizeof(longest), words), NULL);
}

static void times_carry_units(void)
{
    static const struct {
        const char *text;
        uint64_t ns;
    } good[] = {{"0", 0},
                {"0s", 0},
                {"000", 0},
                {"0.0", 0},
                {"1ns", 1},
                {"50us", 50000},
                {"200ms", 200000000},
                {"1.5s", 1500000000},
                {"0.5us", 500},
                {"1.000000001s", 1000000001},
                {"0.000000001s", 1},
                {"2m", UINT64_C(120000000000)},
                {"1.5h", UINT64_C(5400000000000)},
                {"2562046h", UINT64_C(9223365600000000000)}};
    static const char *const bad[] = {"",
                                      "1",
                                      "s",
                                      ".5s",
                                      "5.s",
                                      "1.5.5s",
                                      "1 s",
                                      "1S",
                                      "+1s",
                                      "-1s",
                                      "1.5ns",
                                      "0x1s",
                                      "1e3s",
                                      "0.0001us",
                                      "1sec",
                                      "1s ",
                                      "1,5s",
                                      "1.0000000001s",
                                      "18446744073709551616ns",
                                      "2562047h",
                                      "99999999999999999999s",
                                      "\xc2\xb5s",
                                      NULL};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        uint64_t ns = 12345;
        int result = tf_time_parse(LEN(good[i].text), &ns);
        TF_CHECK(result == 0 && ns == good[i].ns, "%s: %d, %llu ns", good[i].text, result,
                 (unsigned long long)ns);
    }
    for (const char *const *text = bad; *text; text++) {
        uint64_t ns;
        TF_CHECK(tf_time_parse(LEN(*text), &ns) == -1, "\"%s\" is taken for a time", *text);
    }
}

TF_SUITE(names, TF_TEST(errnos_have_the_names_of_the_c_library), TF_TEST(every_errno_name_is_found_again),
         TF_TEST(signals_have_the_names_of_kill), TF_TEST(a_signal_may_go_without_sig_or_by_number),
         TF_TEST(every_option_is_found_again), TF_TEST(every_call_but_ioctl_can_fail),
         TF_TEST(errnos_stand_by_call_most_likely_first), TF_TEST(errnos_of_a_programs_mistake_are_no_rows),
         TF_TEST(a_list_that_does_not_fit_is_cut_and_closed), TF_TEST(classes_hold_what_the_table_says),
         TF_TEST(splice_is_both_directions_unless_named_as_a_point), TF_TEST(libfius_names_are_taken),
         TF_TEST(every_call_is_a_failure_point_of_its_own), TF_TEST(effects_are_valid_where_their_bytes_are),
         TF_TEST(the_nearest_word_is_at_most_a_third_wrong), TF_TEST(times_carry_units))
