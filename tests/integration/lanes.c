#include "lanes.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_JOBS = 16 };

struct lane {
    pid_t pid; /* 0: idle */
    const char *suite;
    int output;
};

static void start(struct lane *lane, const char *suite)
{
    pid_t parent = getpid();

    lane->suite = suite;
    lane->output = memfd_create(suite, MFD_CLOEXEC);
    lane->pid = lane->output < 0 ? -1 : fork();
    if (lane->pid < 0) {
        perror(suite);
        exit(2);
    }
    if (lane->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(2);
        dup2(lane->output, STDOUT_FILENO);
        dup2(lane->output, STDERR_FILENO);
        execl("/proc/self/exe", "integration", suite, (char *)NULL);
        perror("/proc/self/exe");
        _exit(2);
    }
}

static void print(const struct lane *lane, int status)
{
    char part[4096];

    lseek(lane->output, 0, SEEK_SET);
    for (ssize_t got; (got = read(lane->output, part, sizeof part)) > 0;)
        fwrite(part, 1, (size_t)got, stdout);
    close(lane->output);
    if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
        printf("%s: 0 passed, 1 failed: wait status %#x\n", lane->suite, (unsigned)status);
    fflush(stdout);
}

static int finish(struct lane *lanes, int jobs)
{
    int status = 0;
    pid_t pid = waitpid(-1, &status, 0);

    for (int i = 0; i < jobs; i++)
        if (lanes[i].pid == pid) {
            print(&lanes[i], status);
            lanes[i].pid = 0;
        }
    return status;
}

static struct lane *idle(struct lane *lanes, int jobs)
{
    for (int i = 0; i < jobs; i++)
        if (lanes[i].pid == 0)
            return &lanes[i];
    return NULL;
}

int it_lanes(const char *const *suites, int jobs)
{
    struct lane lanes[MOST_JOBS] = {{0}};
    int running = 0, failed = 0;

    jobs = jobs < 1 ? 1 : jobs > MOST_JOBS ? MOST_JOBS : jobs;
    while (*suites || running) {
        struct lane *lane = *suites ? idle(lanes, jobs) : NULL;
        if (lane) {
            start(lane, *suites++);
            running++;
        } else {
            failed |= finish(lanes, jobs) != 0;
            running--;
        }
    }
    return failed;
}
