/* What check says of clients that still wait at the deadline, and of those that cannot
 * know that their reply was cut. */
#include "check.h"
#include "child.h"
#include "place.h"
#include "suite.h"

#include <jansson.h>
#include <string.h>

static const char *verdict_beside(const char *peer, const char *only, const char *const *command)
{
    static unsigned number;
    const char *report = it_text("%s/patience%u.json", it_scratch(), number++);
    const char *argv[32] = {it_built("tcpfault"),
                            "check",
                            "client",
                            "--only",
                            only,
                            "--timeout",
                            "1500ms",
                            "-q",
                            "-o",
                            report,
                            "--peer",
                            it_text("%s -p {port}", peer),
                            "--"};
    size_t count = 13;
    while (*command)
        argv[count++] = *command++;
    const struct it_child *child = it_run(&(struct it_command){.argv = argv});
    json_t *run = json_load_file(report, 0, NULL);
    const json_t *one = json_array_get(json_object_get(run, "cases"), 0);
    const char *got = json_string_value(json_object_get(one, "verdict"));
    got = it_text("%s", got ? got : child->err);
    json_decref(run);
    return got;
}

static const char *verdict(const char *only, const char *const *command)
{
    return verdict_beside(it_built("fixtures/reply-good"), only, command);
}

#define FETCHES(name, ms) ARGV(it_built("fixtures/" name), "-p", "{port}", "-t", ms)

static void a_limit_beyond_the_deadline_is_tolerated(void)
{
    const char *silence = "client/read-timeouts/silence";
    const char *sleeps = it_text("%s -p {port} -t 300 || exec sleep 20", it_built("fixtures/fetch-good"));
    CHECK_TEXT(verdict(silence, FETCHES("fetch-good", "20000")), "tolerated");
    CHECK_TEXT(verdict(silence, FETCHES("fetch-good-epoll", "20000")), "tolerated");
    CHECK_TEXT(verdict(silence, FETCHES("fetch-good-blocking", "20000")), "tolerated");
    CHECK_TEXT(verdict(silence, FETCHES("fetch-good-keepalive", "20000")), "tolerated");
    CHECK_TEXT(verdict(silence, FETCHES("fetch-good-alarm", "20000")), "tolerated");
    CHECK_TEXT(verdict(silence, ARGV("sh", "-c", sleeps)), "tolerated");
    CHECK_TEXT(verdict(silence, FETCHES("fetch-no-timeout", "20000")), "finding");
}

static void a_part_is_tolerated_where_nothing_but_its_end_ends_a_reply(void)
{
    const char *const *reads_to_the_end =
        ARGV(it_built("tcpfault"), "peer", "connect", "{port}", "--send", "GET\\n");
    CHECK_TEXT(verdict("client/reading/early-end-of-file", reads_to_the_end), "tolerated");
    CHECK_TEXT(verdict("client/reading/early-end-of-file", FETCHES("fetch-takes-cut-reply-as-whole", "2000")),
               "finding");
    CHECK_TEXT(verdict("client/reading/end-after-first-byte", FETCHES("fetch-exits-with-success", "2000")),
               "finding");
    CHECK_TEXT(verdict("client/reading/end-after-first-byte", reads_to_the_end), "not applicable");
}

/* Its output is no beginning of the usual one: it tells how much has come. */
static void what_cannot_be_known_is_tolerated(void)
{
    const char *echo = it_built("fixtures/echo-good"), *reply = it_built("fixtures/reply-good");
    const char *const *counts = FETCHES("half-close-client-believes-any-end", "2000");
    CHECK_TEXT(verdict_beside(echo, "client/reading/early-end-of-file", counts), "tolerated");
    CHECK_TEXT(verdict_beside(echo, "client/half-close/peer-closes-its-half-at-once", counts), "tolerated");
    CHECK_TEXT(verdict_beside(echo, "client/reading/reset-after-first-byte", counts), "finding");
    counts = FETCHES("fetch-takes-cut-reply-as-whole", "2000");
    CHECK_TEXT(verdict_beside(reply, "client/half-close/peer-closes-its-half-at-once", counts), "finding");
}

IT_SUITE(patience, TEST(a_limit_beyond_the_deadline_is_tolerated),
         TEST(a_part_is_tolerated_where_nothing_but_its_end_ends_a_reply),
         TEST(what_cannot_be_known_is_tolerated))
