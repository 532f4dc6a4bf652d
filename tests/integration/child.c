#include "child.h"
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct it_child *children;
static int held[256];
static size_t holds;

uint64_t it_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void it_pause(void)
{
    const struct timespec moment = {0, 5000000};
    nanosleep(&moment, NULL);
}

void it_holds(int fd)
{
    if (fd >= 0 && holds < sizeof held / sizeof *held)
        held[holds++] = fd;
}

void it_release(void)
{
    while (holds > 0)
        close(held[--holds]);
}

/* In the child, after fork(). */
static void become(const struct it_command *command, int in, int out, int err, pid_t parent)
{
    static const char *const basic[] = {"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C.UTF-8",
                                        NULL};
    const char *env[64];
    const char *leaks = getenv("LSAN_OPTIONS");
    char home[PATH_MAX], kept[PATH_MAX];
    size_t n = 0;
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    setpgid(0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    dup2(in, 0);
    dup2(out, 1);
    dup2(err, 2);
    for (const char *const *each = basic; *each; each++)
        env[n++] = *each;
    snprintf(home, sizeof home, "HOME=%s", it_scratch());
    env[n++] = home;
    snprintf(kept, sizeof kept, "LSAN_OPTIONS=%s", leaks ? leaks : "");
    if (leaks)
        env[n++] = kept;
    for (const char *const *each = command->env; each && *each && n < 63; each++)
        env[n++] = *each;
    env[n] = NULL;
    if (chdir(it_scratch()) != 0)
        _exit(127);
    execvpe(command->argv[0], (char *const *)command->argv, (char *const *)env);
    dprintf(2, "cannot execute %s: %s\n", command->argv[0], strerror(errno));
    _exit(127);
}

struct it_child *it_start(const struct it_command *command)
{
    struct it_child *child = it_memory(sizeof *child);
    int in[2], out[2], err[2];
    pid_t self = getpid();

    *child = (struct it_child){.exit = 127, .over = true, .out_fd = -1, .err_fd = -1, .in_fd = -1};
    child->out = it_memory(1);
    child->err = it_memory(1);
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
        CHECK(!"a pipe could be made");
        return child;
    }
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    fflush(NULL);
    child->pid = fork();
    if (child->pid == 0)
        become(command,
               command->input_fd > 0 ? command->input_fd
               : command->input      ? in[0]
                                     : null,
               out[1], err[1], self);
    close(null);
    close(in[0]);
    close(out[1]);
    close(err[1]);
    child->in_fd = in[1];
    child->out_fd = out[0];
    child->err_fd = err[0];
    fcntl(child->out_fd, F_SETFL, O_NONBLOCK);
    fcntl(child->err_fd, F_SETFL, O_NONBLOCK);
    child->over = false;
    child->deadline_ns =
        it_now_ns() + (command->deadline_s ? command->deadline_s : IT_DEADLINE_S) * UINT64_C(1000000000);
    child->next = children;
    children = child;
    if (child->pid < 0) {
        CHECK(!"fork succeeded");
        child->over = true;
    }
    if (command->input && *command->input)
        it_tell(child, command->input);
    else if (!command->input)
        close(child->in_fd), child->in_fd = -1;
    return child;
}

void it_tell(struct it_child *child, const char *text)
{
    if (write(child->in_fd, text, strlen(text)) != (ssize_t)strlen(text))
        CHECK(!"the program's standard input took the text");
}

/* Reads what is there; false at the end. */
static bool take(int fd, char **text, size_t *length, uint64_t *bytes)
{
    static char chunk[1 << 16];
    ssize_t got = read(fd, chunk, sizeof chunk);

    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    if (got == 0)
        return false;
    *bytes += (uint64_t)got;
    size_t room = IT_KEPT_BYTES - *length, keep = (size_t)got < room ? (size_t)got : room;
    if (keep > 0) { /* it_memory is never freed before the end: grow by doubling */
        size_t have = 1;
        while (have < *length + 1)
            have *= 2;
        if (*length + keep + 1 > have || *length == 0) {
            size_t want = 1;
            while (want < *length + keep + 1)
                want *= 2;
            char *bigger = it_memory(want);
            memcpy(bigger, *text, *length);
            *text = bigger;
        }
        memcpy(*text + *length, chunk, keep);
        *length += keep;
        (*text)[*length] = 0;
    }
    return true;
}

static void note_end(struct it_child *child, int status)
{
    child->over = true;
    child->exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* One look, of `ms` at most. */
static void look(struct it_child *child, int ms)
{
    struct pollfd fds[2] = {{child->out_fd, POLLIN, 0}, {child->err_fd, POLLIN, 0}};
    int status;

    poll(fds, 2, ms);
    if (fds[0].revents && !take(child->out_fd, &child->out, &child->out_length, &child->out_bytes))
        close(child->out_fd), child->out_fd = -1;
    if (fds[1].revents && !take(child->err_fd, &child->err, &child->err_length, &child->err_bytes))
        close(child->err_fd), child->err_fd = -1;
    struct rusage usage;
    if (!child->over && wait4(child->pid, &status, WNOHANG, &usage) == child->pid) {
        child->peak_bytes = (uint64_t)usage.ru_maxrss * 1024;
        note_end(child, status);
    }
    if (!child->over && it_now_ns() > child->deadline_ns) {
        child->late = true;
        kill(-child->pid, SIGKILL);
        kill(child->pid, SIGKILL);
        if (waitpid(child->pid, &status, 0) == child->pid)
            note_end(child, status);
    }
}

struct it_child *it_finish(struct it_child *child)
{
    if (child->in_fd >= 0)
        close(child->in_fd), child->in_fd = -1;
    while (!child->over)
        look(child, child->out_fd < 0 && child->err_fd < 0 ? 2 : 20);
    /* A descendant may hold the output open for ever. */
    uint64_t grace = it_now_ns() + UINT64_C(500000000);
    while ((child->out_fd >= 0 || child->err_fd >= 0) && it_now_ns() < grace)
        look(child, 20);
    return child;
}

struct it_child *it_run(const struct it_command *command)
{
    struct it_child *child = it_finish(it_start(command));
    CHECK_SAYING(!child->late,
                 it_text("%s ends before its deadline\n%s%s", command->argv[0], child->out, child->err));
    return child;
}

bool it_says(struct it_child *child, const char *text)
{
    while (!strstr(child->out, text) && !strstr(child->err, text)) {
        if (child->over && child->out_fd < 0 && child->err_fd < 0)
            return false;
        if (child->over && it_now_ns() > child->deadline_ns)
            return false;
        look(child, 20);
    }
    return true;
}

void it_attend(struct it_child *child, double seconds)
{
    uint64_t end = it_now_ns() + (uint64_t)(seconds * 1e9);
    while (!child->over && it_now_ns() < end)
        look(child, 10);
}

/* Children of this process, adopted ones included. */
static pid_t any_child(void)
{
    int pid = -1;
    FILE *list = fopen("/proc/thread-self/children", "re");
    if (!list)
        return -1;
    if (fscanf(list, "%d", &pid) != 1)
        pid = -1;
    fclose(list);
    return pid;
}

void it_kill_all(void)
{
    for (struct it_child *child = children; child; child = child->next) {
        if (child->in_fd >= 0)
            close(child->in_fd);
        if (child->out_fd >= 0)
            close(child->out_fd);
        if (child->err_fd >= 0)
            close(child->err_fd);
        if (!child->over)
            kill(-child->pid, SIGKILL);
    }
    children = NULL;
    for (pid_t pid; (pid = any_child()) > 0;) {
        kill(pid, SIGKILL);
        if (waitpid(pid, NULL, 0) < 0 && errno == ECHILD)
            break;
    }
}

double it_cpu_seconds(pid_t pid)
{
    char text[1024];
    unsigned long user = 0, system = 0;
    FILE *stat = fopen(it_text("/proc/%d/stat", pid), "re");

    if (!stat)
        return -1;
    size_t got = fread(text, 1, sizeof text - 1, stat);
    fclose(stat);
    text[got] = 0;
    const char *name_end = strrchr(text, ')');
    if (!name_end ||
        sscanf(name_end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        return -1;
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}
