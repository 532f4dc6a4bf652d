/* Programs built in ways that preloads trip over. */
#include "check.h"
#include "place.h"
#include "suite.h"
#include "under.h"

#include <stdio.h>
#include <stdlib.h>

static bool file_has(const char *path, const char *text)
{
    FILE *file = fopen(path, "re");
    static char data[1 << 20];
    size_t got = file ? fread(data, 1, sizeof data, file) : 0;
    if (file)
        fclose(file);
    return memmem(data, got, text, strlen(text)) != NULL;
}

/* clang calls the plain functions here, whatever it is asked for. */
static const char *const fortified[] = {"fortified_2_gcc", "fortified_3_gcc", "fortified_2_clang",
                                        "fortified_3_clang"};

static void fortified_programs_are_covered(void)
{
    for (size_t i = 0; i < 4; i++) {
        const char *program = it_program(fortified[i]);
        static const char *const names[] = {"__read_chk", "__recv_chk", "__recvfrom_chk", "__poll_chk",
                                            "__ppoll_chk"};
        for (size_t n = 0; strstr(fortified[i], "gcc") && n < sizeof names / sizeof *names; n++)
            CHECK_SAYING(file_has(program, names[n]), it_text("%s calls %s", program, names[n]));
        for (int way = IT_BARE; way <= IT_TRACED; way++) {
            struct it_child *child = it_shimmed(way, "%in:error=ENOMEM;%wait:error=ENOMEM", ARGV(program));
            CHECK_TEXT(child->out, "poll ENOMEM\nppoll ENOMEM\nrecv ENOMEM\nrecvfrom ENOMEM\nread ENOMEM\n");
            child = it_shimmed(way, "%in:short=3", ARGV(program));
            CHECK_TEXT(child->out, "poll 1\nppoll 1\nrecv 3\nrecvfrom 3\nread 3\n");
        }
    }
}

static void fortification_still_stops_an_overflow(void)
{
    for (size_t i = 0; i < 2; i++) {
        struct it_child *bare =
            it_run(&(struct it_command){.argv = ARGV(it_program(fortified[i]), "overflow")});
        CHECK_EXIT(bare, 128 + 6);
        for (int way = IT_BARE; way <= IT_TRACED; way++) {
            struct it_child *child =
                it_shimmed(way, "%in:short=3", ARGV(it_program(fortified[i]), "overflow"));
            CHECK_EXIT(child, 128 + 6);
            CHECK_HAS(child->err, "buffer overflow detected");
            child = it_shimmed(way, "", ARGV(it_program(fortified[i]), "overflow"));
            CHECK_EXIT(child, 128 + 6);
        }
    }
}

/* Bare, such a program needs to be told that a library may come before its own
 * runtime; the tool tells it. */
#define ASAN "ASAN_OPTIONS=verify_asan_link_order=0"

static void sanitized_programs_run_and_are_struck(void)
{
    static const char *const programs[] = {"asan_gcc",   "asan_clang", "tsan_gcc",
                                           "tsan_clang", "ubsan_gcc",  "ubsan_clang"};
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        const char *program = it_program(programs[i]);
        for (int way = IT_BARE; way <= IT_TRACED; way++) {
            struct it_child *child =
                it_under_run(&(struct it_under){.way = way,
                                                .rules = "recv:short=3:when=1;recv:error=ECONNRESET:when=2",
                                                .argv = ARGV(program),
                                                .env = ARGV(ASAN)});
            CHECK_EXIT(child, 0);
            CHECK_TEXT(child->out, "send 11\nrecv 3\nrecv ECONNRESET\n");
            CHECK_TEXT(child->err, "");
        }
    }
}

static void the_sanitizer_still_finds_an_overflow(void)
{
    static const char *const programs[] = {"asan_gcc", "asan_clang"};
    for (size_t i = 0; i < 2; i++)
        for (int way = IT_BARE; way <= IT_TRACED; way++) {
            struct it_child *child =
                it_under_run(&(struct it_under){.way = way,
                                                .rules = "recv:error=ECONNRESET:when=2",
                                                .argv = ARGV(it_program(programs[i]), "overflow"),
                                                .env = ARGV(ASAN)});
            CHECK(child->exit != 0);
            CHECK_HAS(child->err, "heap-buffer-overflow");
        }
}

static void a_sanitized_program_of_a_cleared_environment_runs(void)
{
    struct it_child *child =
        it_under_run(&(struct it_under){.way = IT_BARE,
                                        .rules = "recv:error=ECONNRESET:when=1",
                                        .argv = ARGV("env", "-i", it_program("asan_gcc")),
                                        .env = ARGV(ASAN)});
    CHECK_EXIT(child, 0);
    CHECK_TEXT(child->out, "send 11\nrecv ECONNRESET\nrecv 0\n");
}

static void functions_that_the_program_exports_are_not_taken_for_the_shims(void)
{
    for (int way = IT_BARE; way <= IT_TRACED; way++) {
        struct it_child *child =
            it_shimmed(way, "%all:delay=1us:prob=0;recv:error=ENOMEM:when=2", ARGV(it_program("exports")));
        CHECK_EXIT(child, 0);
        CHECK_TEXT(child->out, "EAGAIN ENOMEM\n");
        CHECK_TEXT(child->err, "");
    }
}

static void the_shim_exports_only_what_it_interposes(void)
{
    struct it_child *child =
        it_run(&(struct it_command){.argv = ARGV("nm", "-D", "--defined-only", it_built("libtcpfault.so"))});
    CHECK_EXIT(child, 0);
    CHECK(!strstr(child->out, " tf_"));
    CHECK_HAS(child->out, " recv\n");
}

IT_SUITE(builds, TEST(fortified_programs_are_covered), TEST(fortification_still_stops_an_overflow),
         TEST(sanitized_programs_run_and_are_struck), TEST(the_sanitizer_still_finds_an_overflow),
         TEST(a_sanitized_program_of_a_cleared_environment_runs),
         TEST(functions_that_the_program_exports_are_not_taken_for_the_shims),
         TEST(the_shim_exports_only_what_it_interposes))
