#include "sandbox_run.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MS UINT64_C(1000000)

static const enum tf_sandbox_kind kinds[] = {TF_SANDBOX_HOST, TF_SANDBOX_PRIVATE};

#define FOR_EACH_KIND(run)                                                                                   \
    for (int kind = 0; kind < 2; kind++)                                                                     \
        if (tf_unit_open(&(run), kinds[kind]) == 0)

static char *slurp(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 1 << 20);
    size_t length = file && text ? fread(text, 1, (1 << 20) - 1, file) : 0;
    (void)length;
    if (file)
        fclose(file);
    return text;
}

static void a_status_is_passed_on(void)
{
    struct tf_unit_run run;
    char text[64];
    FOR_EACH_KIND(run)
    {
        tf_unit_sh(&run, "exit 7", NULL);
        CU_ASSERT_EQUAL(run.result.end, TF_END_EXITED);
        CU_ASSERT_EQUAL(run.result.status, 7);
        CU_ASSERT_EQUAL(tf_program_shell_status(&run.result), 7);
        CU_ASSERT(run.result.ended_ns > run.result.started_ns);
        CU_ASSERT_FALSE(run.result.stopped || run.result.deadline);
        tf_program_describe(&run.result, text, sizeof text);
        TF_SAME(text, "exited with status 7");
        tf_unit_close(&run);
    }
}

static void a_signal_is_told(void)
{
    struct tf_unit_run run;
    char text[64];
    FOR_EACH_KIND(run)
    {
        tf_unit_sh(&run, "kill -TERM $$", NULL);
        CU_ASSERT_EQUAL(run.result.end, TF_END_SIGNALED);
        CU_ASSERT_EQUAL(run.result.status, SIGTERM);
        CU_ASSERT_EQUAL(tf_program_shell_status(&run.result), 128 + SIGTERM);
        tf_program_describe(&run.result, text, sizeof text);
        TF_SAME(text, "was killed by SIGTERM");
        tf_unit_close(&run);
    }
}

static void outputs_are_captured_apart(void)
{
    struct tf_unit_run run;
    char out[256], err[256];
    snprintf(out, sizeof out, "%s", tf_scratch("out"));
    snprintf(err, sizeof err, "%s", tf_scratch("err"));
    FOR_EACH_KIND(run)
    {
        struct tf_program_options options = {.stdout_path = out, .stderr_path = err};
        tf_unit_sh(&run, "echo one; echo two >&2", &options);
        TF_SAME(run.out, "one\n");
        TF_SAME(run.err, "two\n");
        char *file = slurp(out);
        TF_SAME(file, "one\n");
        free(file);
        file = slurp(err);
        TF_SAME(file, "two\n");
        free(file);
        tf_unit_close(&run);
    }
}

static void a_flood_is_read_bounded_and_counted(void)
{
    struct tf_unit_run run;
    struct stat status;
    char path[256];
    snprintf(path, sizeof path, "%s", tf_scratch("flood"));
    if (tf_unit_open(&run, TF_SANDBOX_HOST))
        return;
    struct tf_program_options options = {.stdout_path = path};
    tf_unit_sh(&run, "echo first; head -c 30000000 /dev/zero | tr '\\0' x; echo; echo last", &options);
    CU_ASSERT_EQUAL(tf_program_output_bytes(run.program, TF_STDOUT), 30000000 + 6 + 1 + 5);
    CU_ASSERT(run.out_length > 2 * TF_OUTPUT_KEPT && run.out_length < 2 * TF_OUTPUT_KEPT + 100);
    CU_ASSERT_EQUAL(strncmp(run.out, "first\nxxx", 9), 0);
    TF_SAME(run.out + run.out_length - 7, "x\nlast\n");
    TF_CHECK(strstr(run.out, "29475724 bytes cut here"), "the note says how much is missing");
    CU_ASSERT_EQUAL(stat(path, &status), 0);
    CU_ASSERT_EQUAL((size_t)status.st_size, run.out_length);
    tf_unit_close(&run);
}

static void output_up_to_the_limit_is_whole(void)
{
    struct tf_unit_run run;
    if (tf_unit_open(&run, TF_SANDBOX_HOST))
        return;
    tf_unit_sh(&run, "head -c 524288 /dev/zero | tr '\\0' y", NULL);
    CU_ASSERT_EQUAL(run.out_length, 2 * TF_OUTPUT_KEPT);
    TF_CHECK(run.out && strspn(run.out, "y") == run.out_length, "nothing but what it wrote");
    tf_unit_close(&run);
}

static void a_child_that_keeps_the_pipe_does_not_delay_the_end(void)
{
    struct tf_unit_run run;
    FOR_EACH_KIND(run)
    {
        uint64_t began = uv_hrtime();
        tf_unit_sh(&run, "echo said; sleep 300 & exit 3", NULL);
        CU_ASSERT_EQUAL(run.result.status, 3);
        TF_SAME(run.out, "said\n");
        tf_unit_close(&run);
        TF_CHECK(uv_hrtime() - began < 5000 * MS, "it did not wait for the child");
    }
}

static void a_deadline_ends_what_ignores_sigterm(void)
{
    struct tf_unit_run run;
    FOR_EACH_KIND(run)
    {
        struct tf_program_options options = {.deadline_ns = 200 * MS};
        tf_unit_sh(&run, "trap '' TERM INT HUP; sleep 300 & sleep 300; sleep 300", &options);
        CU_ASSERT(run.result.deadline);
        CU_ASSERT_EQUAL(run.result.end, TF_END_SIGNALED);
        CU_ASSERT_EQUAL(run.result.status, SIGKILL);
        uint64_t took = run.result.ended_ns - run.result.started_ns;
        TF_CHECK(took >= 199 * MS && took < 5000 * MS, "it took %llu ms", (unsigned long long)(took / MS));
        tf_unit_close(&run);
    }
}

static void stop_asks_first(void)
{
    struct tf_unit_run run;
    FOR_EACH_KIND(run)
    {
        CU_ASSERT_EQUAL(
            tf_unit_start(&run, "trap 'echo bye; exit 4' TERM; echo up; while :; do sleep 0.05; done", NULL),
            0);
        tf_unit_says(&run, "up");
        tf_program_stop(run.program, 5000 * MS);
        tf_unit_wait(&run);
        CU_ASSERT(run.result.stopped);
        CU_ASSERT_EQUAL(run.result.status, 4);
        TF_SAME(run.out, "up\nbye\n");
        tf_unit_close(&run);
    }
}

static void stop_kills_in_the_end(void)
{
    struct tf_unit_run run;
    FOR_EACH_KIND(run)
    {
        CU_ASSERT_EQUAL(tf_unit_start(&run, "trap '' TERM; echo up; while :; do sleep 0.05; done", NULL), 0);
        tf_unit_says(&run, "up");
        tf_program_stop(run.program, 100 * MS);
        tf_unit_wait(&run);
        CU_ASSERT(run.result.stopped);
        CU_ASSERT_EQUAL(run.result.end, TF_END_SIGNALED);
        CU_ASSERT_EQUAL(run.result.status, SIGKILL);
        CU_ASSERT_EQUAL(tf_program_signal(run.program, SIGTERM, &run.error), -1);
        tf_unit_close(&run);
    }
}

static void what_cannot_start_is_an_error(void)
{
    struct tf_unit_run run;
    FOR_EACH_KIND(run)
    {
        struct tf_program_options options = {.path = "/nonexistent/program"};
        CU_ASSERT_EQUAL(tf_unit_start(&run, "", &options), -1);
        TF_SAME(run.error.text, "executing /nonexistent/program: No such file or directory");
        options = (struct tf_program_options){.cwd = "/nonexistent"};
        CU_ASSERT_EQUAL(tf_unit_start(&run, "", &options), -1);
        TF_SAME(run.error.text, "changing directory to /nonexistent: No such file or directory");
        options = (struct tf_program_options){.stdin_path = "/nonexistent"};
        CU_ASSERT_EQUAL(tf_unit_start(&run, "", &options), -1);
        options = (struct tf_program_options){.stdout_path = "/nonexistent/out"};
        CU_ASSERT_EQUAL(tf_unit_start(&run, "", &options), -1);
        tf_unit_sh(&run, "exit 0", NULL);
        CU_ASSERT_EQUAL(run.result.status, 0);
        tf_unit_close(&run);
    }
}

static void it_gets_its_directory_input_and_environment(void)
{
    struct tf_unit_run run;
    char path[256], *long_value = malloc(300001);
    snprintf(path, sizeof path, "%s", tf_scratch("in"));
    FILE *file = fopen(path, "w");
    if (!file || !long_value)
        return;
    fputs("from the file\n", file);
    fclose(file);
    memset(long_value, 'e', 300000);
    memcpy(long_value, "LONG=", 5);
    long_value[100000] = 0; /* one string is limited to 128 KiB by the kernel */
    char *other = malloc(100001), *third = malloc(100001);
    memset(other, 'f', 100000);
    memset(third, 'g', 100000);
    memcpy(other, "SECOND=", 7);
    memcpy(third, "THIRD=", 6);
    other[100000] = third[100000] = 0;
    char *envp[] = {(char *)"PATH=/usr/bin:/bin", long_value, other, third, NULL};
    FOR_EACH_KIND(run)
    {
        struct tf_program_options options = {.cwd = "/usr", .stdin_path = path, .envp = envp};
        tf_unit_sh(&run, "pwd; cat; echo ${#LONG} ${#SECOND} ${#THIRD}", &options);
        TF_SAME(run.out, "/usr\nfrom the file\n99995 99993 99994\n");
        tf_unit_close(&run);
    }
    free(long_value);
    free(other);
    free(third);
}

static void it_starts_with_default_signals_and_no_descriptor_of_ours(void)
{
    struct tf_unit_run run;
    int leak = open("/dev/null", O_RDONLY); /* not close-on-exec */
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGPIPE, &ignore, &before);
    FOR_EACH_KIND(run)
    {
        tf_unit_sh(&run, "ls /proc/self/fd | wc -l; grep -E 'SigIgn|SigBlk' /proc/self/status", NULL);
        /* ls has 0, 1, 2 and the directory */
        TF_SAME(run.out, "4\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
        tf_unit_close(&run);
    }
    sigaction(SIGPIPE, &before, NULL);
    close(leak);
}

static void several_run_at_once(void)
{
    struct tf_unit_run run;
    FOR_EACH_KIND(run)
    {
        struct tf_program *program[8];
        char *argv[] = {(char *)"sh", (char *)"-c", (char *)"sleep 0.2; exit $0", (char *)"0", NULL};
        for (int i = 0; i < 8; i++) {
            char status[8];
            snprintf(status, sizeof status, "%d", i + 1);
            argv[3] = status;
            struct tf_program_options options = {
                .path = "/bin/sh", .argv = argv, .envp = (char *[]){NULL}, .capture = true};
            program[i] = tf_program_start(run.sandbox, &options, &run.error);
            TF_CHECK(program[i], "it starts: %s", run.error.text);
        }
        for (int turns = 0, ended = 0; turns < 200 && ended < 8; turns++) {
            tf_unit_turn(&run, 50);
            for (ended = 0; ended < 8 && tf_program_result(program[ended])->end != TF_END_RUNNING; ended++)
                ;
        }
        for (int i = 0; i < 8; i++) {
            CU_ASSERT_EQUAL(tf_program_result(program[i])->status, i + 1);
            CU_ASSERT(tf_program_pid(program[i]) > 0 && tf_program_inner_pid(program[i]) > 0);
            tf_program_free(program[i]);
        }
        tf_unit_close(&run);
    }
}

static void cpu_time_and_memory_are_measured(void)
{
    struct tf_unit_run run;
    FOR_EACH_KIND(run)
    {
        tf_unit_sh(&run, "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done", NULL);
        TF_CHECK(run.result.user_ns > 5 * MS, "%llu us", (unsigned long long)(run.result.user_ns / 1000));
        CU_ASSERT(run.result.peak_bytes > 100000);
        tf_unit_close(&run);
    }
}

TF_SUITE(launch, TF_TEST(a_status_is_passed_on), TF_TEST(a_signal_is_told),
         TF_TEST(outputs_are_captured_apart), TF_TEST(a_flood_is_read_bounded_and_counted),
         TF_TEST(output_up_to_the_limit_is_whole),
         TF_TEST(a_child_that_keeps_the_pipe_does_not_delay_the_end),
         TF_TEST(a_deadline_ends_what_ignores_sigterm), TF_TEST(stop_asks_first),
         TF_TEST(stop_kills_in_the_end), TF_TEST(what_cannot_start_is_an_error),
         TF_TEST(it_gets_its_directory_input_and_environment),
         TF_TEST(it_starts_with_default_signals_and_no_descriptor_of_ours), TF_TEST(several_run_at_once),
         TF_TEST(cpu_time_and_memory_are_measured))
