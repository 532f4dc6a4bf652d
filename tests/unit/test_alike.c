#include "alike.h"

#include "unit.h"

#include <string.h>

static struct tf_alike *learned(const char *first, const char *second)
{
    struct tf_alike *alike = tf_alike_new();
    CU_ASSERT_PTR_NOT_NULL_FATAL(alike);
    CU_ASSERT_EQUAL(tf_alike_learn(alike, first, strlen(first), NULL), 0);
    CU_ASSERT_EQUAL(tf_alike_learn(alike, second, strlen(second), NULL), 0);
    return alike;
}

/* Line 0: it is the same. */
static void differs(const char *first, const char *second, const char *output, size_t line)
{
    struct tf_alike *alike = learned(first, second);
    struct tf_alike_difference difference = {.line = 0};
    bool same = tf_alike_same(alike, output, strlen(output), NULL, &difference);
    TF_CHECK(same == (line == 0), "\"%s\" is %s", output, same ? "the same" : "another");
    TF_CHECK(difference.line == line, "\"%s\" differs in line %zu, not %zu", output, difference.line, line);
    tf_alike_free(alike);
}

static void what_is_the_same_every_time_counts(void)
{
    differs("one\ntwo\n", "one\ntwo\n", "one\ntwo\n", 0);
    differs("one\ntwo\n", "one\ntwo\n", "one\ntow\n", 2);
    differs("one\ntwo\n", "one\ntwo\n", "one\ntwo", 2);
    differs("one\ntwo\n", "one\ntwo\n", "two\none\n", 1);
    differs("one\ntwo\n", "one\ntwo\n", "one\n", 2);
    differs("one\ntwo\n", "one\ntwo\n", "one\ntwo\ntwo\n", 3);
    differs("a  b\n", "a  b\n", "a b\n", 1);
    differs("17 bytes\n", "17 bytes\n", "18 bytes\n", 1);
    differs("", "", "surprise\n", 1);
    differs("text\n", "text\n", "", 1);
}

static void times_and_numbers_of_the_system_never_count(void)
{
    static const char *const pairs[][2] = {
        {"at 2026-01-02 03:04:05 up\n", "at 2027-11-12 13:14:15 up\n"},
        {"at 2026-01-02T03:04:05.123Z up\n", "at 2027-11-12T13:14:15.7Z up\n"},
        {"[25/Nov/2026:21:15:01 +0000] GET\n", "[01/Jan/2027:00:00:00 +0000] GET\n"},
        {"Nov 25 21:15 ok\n", "Dec 1 01:00 ok\n"},
        {"took 12 ms\n", "took 9.5 ms\n"},
        {"took 12ms\n", "took 9.5ms\n"},
        {"1790000000.25 start\n", "1790000001.75 start\n"},
        {"at 0x7ffd1234\n", "at 0x55aa\n"},
        {"from 127.0.0.1:40000\n", "from 127.0.0.1:51234\n"},
        {"from [::1]:40000\n", "from [::1]:51234\n"},
        {"worker[12]: pid 12 ready\n", "worker[99]: pid 4711 ready\n"},
        {"wrote /tmp/x-12ab/file\n", "wrote /tmp/x-77/file\n"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        differs(pairs[i][0], pairs[i][0], pairs[i][1], 0);
    differs("from 127.0.0.1:40000\n", "from 127.0.0.1:40000\n", "from 127.0.0.2:40000\n", 1);
    differs("12 mice\n", "12 mice\n", "13 mice\n", 1);
}

static void what_differed_without_faults_does_not_count(void)
{
    differs("id 1a2b done\n", "id 3c4d done\n", "id ffff done\n", 0);
    differs("id 1a2b done\n", "id 3c4d done\n", "id ffff gone\n", 1);
    differs("n=7 ok\n", "n=8 ok\n", "n=1234 ok\n", 0);
    differs("     7 ok\n", "    18 ok\n", "  1234 ok\n", 0);
    differs("got: a b, end\n", "got: c, end\n", "got: x y z, end\n", 0);
    differs("got: a b, end\n", "got: c, end\n", "got: x y z, stop\n", 1);
    differs("begin\nx\nend\n", "begin\nx\ny\nend\n", "begin\nz\nz\nz\nend\n", 0);
    differs("begin\nx\nend\n", "begin\nx\ny\nend\n", "begin\nz\n", 2);
    differs("begin\nx\nx\nend\n", "begin\nx\nend\n", "began\nx\nend\n", 1);
}

static void lines_come_in_another_order_only_if_they_did(void)
{
    differs("a b\nc d\ne f\n", "c d\na b\ne f\n", "e f\nc d\na b\n", 0);
    differs("a b\nc d\ne f\n", "c d\na b\ne f\n", "e f\nc d\nc d\n", 3);
    differs("a b\nc d\n", "c d\na b\n", "a x\nc d\n", 1);
    differs("x 1\ny 2\n", "y 3\nx 4\n", "y 9\nx 9\n", 0);
    differs("x 1\ny 2\n", "y 3\nx 4\n", "y 9\nz 9\n", 2);
}

static void a_third_output_is_learned_too(void)
{
    struct tf_alike *alike = learned("n=1 m=5\n", "n=2 m=5\n");
    CU_ASSERT_FALSE(tf_alike_same(alike, "n=2 m=6\n", 8, NULL, NULL));
    CU_ASSERT_EQUAL(tf_alike_learn(alike, "n=2 m=6\n", 8, NULL), 0);
    CU_ASSERT_TRUE(tf_alike_same(alike, "n=3 m=7\n", 8, NULL, NULL));
    tf_alike_free(alike);
}

static void the_scratch_directory_does_not_count(void)
{
    struct tf_alike *alike = tf_alike_new();
    CU_ASSERT_EQUAL(tf_alike_learn(alike, "read /srv/a/1/f\n", 16, "/srv/a/1"), 0);
    CU_ASSERT_TRUE(tf_alike_same(alike, "read /srv/b/22/f\n", 17, "/srv/b/22", NULL));
    CU_ASSERT_FALSE(tf_alike_same(alike, "read /srv/b/22/g\n", 17, "/srv/b/22", NULL));
    tf_alike_free(alike);
}

static void bytes_may_be_anything(void)
{
    static const char first[] = "\0\1\377 x\0y\n", second[] = "\0\1\377 x\0z\n";
    struct tf_alike *alike = tf_alike_new();
    struct tf_alike_difference difference;
    CU_ASSERT_TRUE(tf_alike_same(alike, "anything", 8, NULL, NULL));
    CU_ASSERT_EQUAL(tf_alike_learn(alike, first, sizeof(first) - 1, NULL), 0);
    CU_ASSERT_TRUE(tf_alike_same(alike, first, sizeof(first) - 1, NULL, NULL));
    CU_ASSERT_FALSE(tf_alike_same(alike, second, sizeof(second) - 1, NULL, &difference));
    TF_SAME(difference.expected, "\\x00\\x01\\xff x\\x00y");
    TF_SAME(difference.got, "\\x00\\x01\\xff x\\x00z");
    CU_ASSERT_FALSE(tf_alike_same(alike, NULL, 0, NULL, NULL));
    tf_alike_free(alike);
}

/* As a key exchange has them. */
static void random_bytes_are_compared_by_their_number(void)
{
    char all[3][160], shorter[] = "SSH-2.0\r\n\0\1";
    for (size_t i = 0; i < sizeof all[0]; i++)
        for (size_t j = 0; j < 3; j++)
            all[j][i] =
                (char)(i < 12 ? "SSH-2.0\r\n\0\1\2"[i] : (int)((i + 1) * (2 * j + 3) * 2654435761U >> 13));
    struct tf_alike *alike = tf_alike_new();
    struct tf_alike_difference difference = {.line = 0};
    CU_ASSERT_PTR_NOT_NULL_FATAL(alike);
    CU_ASSERT_EQUAL(tf_alike_learn(alike, all[0], sizeof all[0], NULL), 0);
    CU_ASSERT(!tf_alike_same(alike, all[1], sizeof all[1], NULL, NULL));
    CU_ASSERT_EQUAL(tf_alike_learn(alike, all[1], sizeof all[1], NULL), 0);
    CU_ASSERT(tf_alike_same(alike, all[2], sizeof all[2], NULL, NULL));
    CU_ASSERT(tf_alike_same(alike, all[2], sizeof all[2] - 2, NULL, NULL));
    CU_ASSERT(!tf_alike_same(alike, shorter, sizeof shorter, NULL, &difference));
    TF_SAME(difference.expected, "(160 bytes)");
    TF_SAME(difference.got, "(12 bytes)");
    CU_ASSERT(tf_alike_begins(alike, shorter, sizeof shorter, NULL));
    tf_alike_free(alike);
}

static void the_first_line_that_differs_is_shown(void)
{
    struct tf_alike *alike = learned("one\ntwo\n", "one\ntwo\n");
    struct tf_alike_difference difference;
    CU_ASSERT_FALSE(tf_alike_same(alike, "one\ntoo\n", 8, NULL, &difference));
    TF_SAME(difference.expected, "two");
    TF_SAME(difference.got, "too");
    CU_ASSERT_FALSE(tf_alike_same(alike, "one", 3, NULL, &difference));
    TF_SAME(difference.expected, "two");
    TF_SAME(difference.got, "(nothing)");
    CU_ASSERT_FALSE(tf_alike_same(alike, "one\ntwo", 7, NULL, &difference));
    TF_SAME(difference.expected, "(a newline at its end)");
    tf_alike_free(alike);
}

static void begins(const char *first, const char *second, const char *output, bool wanted)
{
    struct tf_alike *alike = learned(first, second);
    TF_CHECK(tf_alike_begins(alike, output, strlen(output), NULL) == wanted, "\"%s\"", output);
    tf_alike_free(alike);
}

static void the_beginning_of_an_output_is_known(void)
{
    static const char text[] = "one\ntwo\nthree\n";
    for (size_t length = 0; length < sizeof(text); length++) {
        char output[sizeof(text)] = "";
        memcpy(output, text, length);
        begins(text, text, output, true);
    }
    begins(text, text, "ene", false);
    begins(text, text, "one\n\n", false);
    begins(text, text, "two", false);
    begins(text, text, "one\ntwo\nthree\nfour\n", false);
    begins("received 1000 bytes\n", "received 1000 bytes\n", "received 10 bytes\n", false);
    begins("id 4f2a\nend\n", "id 99c1\nend\n", "id 5", true);
    begins("id 4f2a\nend\n", "id 99c1\nend\n", "id 5544\nen", true);
    begins("id 4f2a\nend\n", "id 99c1\nend\n", "id 5544\nand", false);
    begins("a\nb\nc\n", "a\nc\n", "a\nd\n", true);
    begins("a\nb\nc\n", "a\nc\n", "b", false);
    begins("x\ny\n", "y\nx\n", "y\n", true);
}

TF_SUITE(alike, TF_TEST(random_bytes_are_compared_by_their_number),
         TF_TEST(what_is_the_same_every_time_counts), TF_TEST(times_and_numbers_of_the_system_never_count),
         TF_TEST(what_differed_without_faults_does_not_count),
         TF_TEST(lines_come_in_another_order_only_if_they_did), TF_TEST(a_third_output_is_learned_too),
         TF_TEST(the_scratch_directory_does_not_count), TF_TEST(bytes_may_be_anything),
         TF_TEST(the_first_line_that_differs_is_shown), TF_TEST(the_beginning_of_an_output_is_known))
