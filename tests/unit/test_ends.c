/* Nothing that was ever started outlives the sandbox, or the tool. */
#include "sandbox_run.h"
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const enum tf_sandbox_kind kinds[] = {TF_SANDBOX_HOST, TF_SANDBOX_PRIVATE};

#define FOR_EACH_KIND(run)                                                                                   \
    for (int kind = 0; kind < 2; kind++)                                                                     \
        if (tf_unit_open(&(run), kinds[kind]) == 0)

/* Daemons of every kind: each holds the FIFO open, and says so. */
static const char daemons[] = "exec 9>\"$FIFO\"\n"
                              "(setsid sh -c '(echo a >&9; exec sleep 300) & exit' &)\n"
                              "nohup setsid sh -c 'echo b >&9; exec sleep 300' >/dev/null 2>&1 &\n"
                              "(trap '' TERM HUP INT; echo c >&9; exec sleep 300) &\n"
                              "sleep 300 & sleep 0.3; echo all >&9; $THEN\n";

static int make_fifo(char *variable, size_t size)
{
    snprintf(variable, size, "FIFO=%s", tf_scratch("fifo"));
    unlink(variable + 5);
    if (mkfifo(variable + 5, 0600))
        return -1;
    return open(variable + 5, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

static void daemons_die_with_the_sandbox(void)
{
    struct tf_unit_run run;
    FOR_EACH_KIND(run)
    {
        char fifo[300];
        int fd = make_fifo(fifo, sizeof fifo);
        struct tf_program_options options = {
            .envp = (char *[]){(char *)"PATH=/usr/bin:/bin", fifo, (char *)"THEN=exit 0", NULL}};
        tf_unit_sh(&run, daemons, &options);
        CU_ASSERT(tf_unit_read_until(fd, "all"));
        CU_ASSERT_EQUAL(tf_sandbox_stop(run.sandbox, &run.error), 0);
        TF_CHECK(tf_unit_read_until(fd, ""), "nobody holds the FIFO any more");
        close(fd);
        tf_unit_close(&run);
    }
}

static void stopping_the_sandbox_ends_its_programs(void)
{
    struct tf_unit_run run;
    FOR_EACH_KIND(run)
    {
        CU_ASSERT_EQUAL(tf_unit_start(&run, "trap '' TERM; sleep 300; sleep 300", NULL), 0);
        CU_ASSERT_EQUAL(tf_sandbox_stop(run.sandbox, &run.error), 0);
        CU_ASSERT(run.ended && run.result.stopped);
        CU_ASSERT_EQUAL(run.result.status, SIGKILL);
        CU_ASSERT_EQUAL(tf_unit_start(&run, "exit 0", NULL), -1);
        TF_SAME(run.error.text, "the sandbox has been stopped");
        tf_unit_close(&run);
    }
}

/* The tool, in a process of its own, to be killed. */
static _Noreturn void tool_to_be_killed(enum tf_sandbox_kind kind, char *fifo)
{
    struct tf_unit_run run;
    struct tf_program_options options = {
        .envp = (char *[]){(char *)"PATH=/usr/bin:/bin", fifo, (char *)"THEN=sleep 300", NULL}};
    if (tf_unit_open(&run, kind) || tf_unit_start(&run, daemons, &options))
        _exit(1);
    for (;;)
        tf_unit_turn(&run, 1000);
}

static void everything_dies_when_the_tool_is_killed(void)
{
    for (int kind = 0; kind < 2; kind++) {
        char fifo[300];
        if (kinds[kind] == TF_SANDBOX_PRIVATE && !tf_sandbox_probe()->private_network)
            continue;
        int fd = make_fifo(fifo, sizeof fifo);
        pid_t tool = fork();
        if (tool == 0)
            tool_to_be_killed(kinds[kind], fifo);
        CU_ASSERT(tf_unit_read_until(fd, "all"));
        kill(tool, SIGKILL);
        waitpid(tool, NULL, 0);
        TF_CHECK(tf_unit_read_until(fd, ""), "nobody holds the FIFO any more (kind %d)", kind);
        close(fd);
    }
}

static void a_killed_supervisor_is_noticed(void)
{
    struct tf_unit_run run;
    FOR_EACH_KIND(run)
    {
        CU_ASSERT_EQUAL(tf_unit_start(&run, "exec sleep 300", NULL), 0);
        pid_t pid = tf_program_pid(run.program);
        kill(tf_sandbox_pid(run.sandbox), SIGKILL);
        tf_unit_wait(&run);
        CU_ASSERT_EQUAL(run.result.end, TF_END_SIGNALED);
        int gone = 0;
        for (int i = 0; i < 500 && !gone; i++) {
            char path[64], text[256] = "";
            snprintf(path, sizeof path, "/proc/%d/stat", pid);
            FILE *file = fopen(path, "r");
            gone = !file || !fgets(text, sizeof text, file) || strstr(text, ") Z") || strstr(text, ") X");
            if (file)
                fclose(file);
            usleep(10000);
        }
        TF_CHECK(gone, "its program is dead");
        tf_unit_close(&run);
    }
}

TF_SUITE(ends, TF_TEST(daemons_die_with_the_sandbox), TF_TEST(stopping_the_sandbox_ends_its_programs),
         TF_TEST(everything_dies_when_the_tool_is_killed), TF_TEST(a_killed_supervisor_is_noticed))
