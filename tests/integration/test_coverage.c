/* What the tool can see of a program, and that it says so where it cannot. */
#include "check.h"
#include "place.h"
#include "suite.h"
#include "under.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct it_child *inject(const char *rules, const char *const *argv)
{
    return it_under_run(&(struct it_under){.way = IT_INJECT, .rules = rules, .argv = argv});
}

static void what_cannot_be_covered_is_refused_with_the_reason(void)
{
    const char *rule = "connect:error=ECONNREFUSED";
    struct it_child *child = inject(rule, ARGV(it_program("still")));
    CHECK_EXIT(child, 3);
    CHECK_HAS(child->err, "static");
    CHECK_TEXT(child->out, "");

    child = inject(rule, ARGV("/no/such/program"));
    CHECK_EXIT(child, 3);
    CHECK_HAS(child->err, "/no/such/program");
    child = inject(rule, ARGV("no-such-program"));
    CHECK_EXIT(child, 3);
    CHECK_HAS(child->err, "no-such-program");

    const char *script = it_file("script", "#!/no/such/interpreter\n");
    chmod(script, 0755);
    child = inject(rule, ARGV(script));
    CHECK_EXIT(child, 3);
    CHECK_HAS(child->err, "/no/such/interpreter");
    child = inject(rule, ARGV(it_file("plain", "no program\n")));
    CHECK_EXIT(child, 3);
}

static void a_program_of_another_architecture_is_refused(void)
{
    const char *copy = it_text("%s/foreign", it_scratch());
    it_run(&(struct it_command){.argv = ARGV("install", "-m", "755", it_program("probe"), copy)});
    int fd = open(copy, O_WRONLY | O_CLOEXEC);
    const unsigned char machine[2] = {243, 0}; /* e_machine: EM_RISCV */
    CHECK(pwrite(fd, machine, 2, 18) == 2);
    close(fd);
    struct it_child *child = inject("connect:error=ECONNREFUSED", ARGV(copy));
    CHECK_EXIT(child, 3);
    CHECK_HAS(child->err, copy);
}

static void a_setuid_program_is_refused(void)
{
    /* root needs one that is not root's */
    const char *program = "/bin/su";
    if (geteuid() == 0) {
        program = it_text("%s/suid", it_scratch());
        it_run(&(struct it_command){
            .argv = ARGV("install", "-m", "4755", "-o", "nobody", it_program("probe"), program)});
    }
    struct it_child *child = inject("connect:error=ECONNREFUSED", ARGV(program, "--help"));
    CHECK_EXIT(child, 3);
    CHECK_HAS(child->err, "setuid");
}

static void scripts_are_covered_by_their_interpreter(void)
{
    const char *script = it_file("script", it_text("#!/bin/sh\nexec %s \"$@\"\n", it_program("probe")));
    chmod(script, 0755);
    struct it_child *child = inject("recv:error=ENOMEM", ARGV(script, "pair", "c.recv:1"));
    CHECK_EXIT(child, 0);
    CHECK_TEXT(child->out, "c.recv=ENOMEM");
}

static void the_existing_preload_is_kept(void)
{
    /* A sanitizer build of the tool itself asks for this. */
    const char *asan = "ASAN_OPTIONS=verify_asan_link_order=0";
    struct it_child *child =
        it_under_run(&(struct it_under){.way = IT_INJECT,
                                        .rules = "recv:short=2",
                                        .argv = it_probe_argv("pair s.send:hello c.recv:9"),
                                        .env = ARGV(it_text("LD_PRELOAD=%s", it_program("counting")), asan)});
    CHECK_TEXT(child->out, "s.send=5 c.recv=2:he");
    CHECK_HAS(child->err, "counted 1\n");
    child = it_run(
        &(struct it_command){.argv = ARGV("stdbuf", "-oL", it_built("tcpfault"), "inject", "recv:short=2",
                                          "--", it_program("probe"), "pair", "s.send:hello", "c.recv:9"),
                             .env = ARGV(asan)});
    CHECK_TEXT(child->out, "s.send=5 c.recv=2:he");
}

static void sanitized_programs_need_no_help(void)
{
    static const char *const programs[] = {"asan_gcc",   "asan_clang", "tsan_gcc",
                                           "tsan_clang", "ubsan_gcc",  "ubsan_clang"};
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        struct it_child *child =
            inject("recv:short=3:when=1;recv:error=ECONNRESET:when=2", ARGV(it_program(programs[i])));
        CHECK_EXIT(child, 0);
        CHECK_TEXT(child->out, "send 11\nrecv 3\nrecv ECONNRESET\n");
    }
    struct it_child *child =
        inject("recv:error=ECONNRESET:when=1", ARGV("env", "-i", it_program("asan_gcc")));
    CHECK_TEXT(child->out, "send 11\nrecv ECONNRESET\nrecv 0\n");
}

static void children_of_a_cleared_environment_are_covered(void)
{
    CHECK_TEXT(inject("recv:error=ENOMEM", ARGV("env", "-i", it_program("probe"), "pair", "c.recv:1"))->out,
               "c.recv=ENOMEM");
    CHECK_TEXT(
        inject("recv:error=ENOMEM",
               ARGV("sh", "-c", it_text("unset LD_PRELOAD; exec %s pair c.recv:1", it_program("probe"))))
            ->out,
        "c.recv=ENOMEM");
}

static void a_missing_shim_is_status_3(void)
{
    struct it_child *child = it_run(&(struct it_command){
        .argv = ARGV(it_built("tcpfault"), "inject", "--allow-unfired", "recv:eof", "--", "echo", "ran"),
        .env = ARGV("TCPFAULT_LIB=/no/such/libtcpfault.so")});
    CHECK_EXIT(child, 3);
    CHECK_HAS(child->err, "/no/such/libtcpfault.so");
    CHECK_TEXT(child->out, "");
}

IT_SUITE(coverage, TEST(what_cannot_be_covered_is_refused_with_the_reason),
         TEST(a_program_of_another_architecture_is_refused), TEST(a_setuid_program_is_refused),
         TEST(scripts_are_covered_by_their_interpreter), TEST(the_existing_preload_is_kept),
         TEST(sanitized_programs_need_no_help), TEST(children_of_a_cleared_environment_are_covered),
         TEST(a_missing_shim_is_status_3))
