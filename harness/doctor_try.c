#include "doctor_try.h"

#include "namespaces.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DEADLINE_MS = 8000 };

const struct tf_probe tf_probes[TF_PROBES] = {
#define PROBE(id, where, name, about) [TF_PROBE_##id] = {#id, name, about, TF_PROBE_##where},
#include "probes.def"
#undef PROBE
};

static tf_try *const tries[TF_PROBES] = {
#define PROBE(id, where, name, about) [TF_PROBE_##id] = tf_try_##id,
#include "probes.def"
#undef PROBE
};

void tf_works(struct tf_probed *finding, const char *format, ...)
{
    va_list arguments;
    *finding = (struct tf_probed){.tried = true, .works = true};
    va_start(arguments, format);
    vsnprintf(finding->detail, sizeof finding->detail, format, arguments);
    va_end(arguments);
}

void tf_refused(struct tf_probed *finding, int error, enum tf_cause cause, const char *what)
{
    *finding = (struct tf_probed){.tried = true, .error = error, .cause = cause};
    snprintf(finding->detail, sizeof finding->detail, "%.200s%s%s", what, error ? ": " : "",
             error ? strerror(error) : "");
}

bool tf_blocked(long result, int answer)
{
    return result != -1 || errno != answer;
}

enum tf_cause tf_cause_of_eperm(enum tf_cause otherwise)
{
    struct tf_machine machine;
    int saved = errno;
    tf_doctor_machine(&machine);
    errno = saved;
    bool confined = *machine.apparmor && strncmp(machine.apparmor, "unconfined", 10) != 0;
    if (machine.seccomp > 0)
        return confined ? TF_CAUSE_seccomp_apparmor : TF_CAUSE_seccomp;
    return confined ? TF_CAUSE_apparmor : otherwise;
}

pid_t tf_sleeper(void)
{
    pid_t parent = getpid(), child = _Fork();
    if (child)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (getppid() == parent)
        poll(NULL, 0, 1000);
    _exit(0);
}

int tf_loopback_pair(int fds[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || fds[0] < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) ||
        listen(listener, 1) || getsockname(listener, (struct sockaddr *)&address, &length) ||
        connect(fds[0], (struct sockaddr *)&address, sizeof address))
        return -1;
    fds[1] = accept4(listener, (struct sockaddr *)&address, &length, SOCK_CLOEXEC);
    close(listener);
    return fds[1] < 0 ? -1 : 0;
}

bool tf_readable(int fd, int ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, ms) == 1 && wait.revents & POLLIN;
}

/* ---- in a child ---- */

struct record {
    enum tf_probe_id id;
    struct tf_probed finding;
};

static _Noreturn void run_probe(enum tf_probe_id id, int out)
{
    struct record record = {.id = id};
    tries[id](&record.finding);
    _exit(write(out, &record, sizeof record) == sizeof record ? 0 : 1);
}

static void try_one(enum tf_probe_id id, struct tf_probed *finding);

static struct tf_namespaces namespaces; /* of the process that tf_try_private_network put into one */

void tf_try_private_network(struct tf_probed *finding)
{
    const struct tf_permits *permits = &namespaces.permits;
    struct tf_machine before;
    tf_doctor_machine(&before);
    if (tf_namespaces_enter(&namespaces)) {
        tf_refused(finding, 0, tf_cause_of_private(&before, permits->error), permits->why);
        finding->error = permits->error;
    } else {
        tf_works(finding, "%s",
                 permits->user_namespace ? "in a user namespace: programs there cannot change user"
                                         : "without a user namespace: programs there may change user");
    }
}

/* This process enters a private network, and its children are then where a run's
 * supervisor is. */
static _Noreturn void run_private(int out)
{
    struct record record = {.id = TF_PROBE_private_network};
    tf_try_private_network(&record.finding);
    bool inside = record.finding.works;
    bool written = write(out, &record, sizeof record) == sizeof record;
    for (enum tf_probe_id id = 0; id < TF_PROBES && written && inside; id++) {
        if (tf_probes[id].where != TF_PROBE_PRIVATE)
            continue;
        record = (struct record){.id = id};
        try_one(id, &record.finding);
        written = write(out, &record, sizeof record) == sizeof record;
    }
    if (namespaces.init > 0) {
        kill(namespaces.init, SIGKILL);
        waitpid(namespaces.init, NULL, 0);
    }
    _exit(written ? 0 : 1);
}

static void become_quiet(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent && getppid() != 0) /* 0: it is outside of this pid namespace */
        _exit(1);
    signal(SIGPIPE, SIG_IGN);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* of one that a filter kills */
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3 && null >= 0; fd++)
        dup2(null, fd);
}

/* ---- in the parent of one ---- */

static int left_ms(const struct timespec *end)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long ms = (end->tv_sec - now.tv_sec) * 1000 + (end->tv_nsec - now.tv_nsec) / 1000000;
    return ms > 0 ? (int)ms : 0;
}

/* Waits for the child's end; it has had its time. */
static int reap(pid_t child, const struct timespec *end)
{
    int status = 0;
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (left_ms(end) == 0)
            kill(child, SIGKILL);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    return status;
}

static void say_end(struct tf_probed *finding, int status)
{
    if (finding->tried)
        return;
    bool filtered = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
    tf_refused(finding, 0, filtered ? TF_CAUSE_seccomp : TF_CAUSE_unknown,
               filtered              ? "the process that tried it was killed for a system call"
               : WIFSIGNALED(status) ? "the process that tried it was killed, or gave no answer"
                                     : "the process that tried it ended without an answer");
}

/* Forks; the child runs `main_of`, and what it writes goes into findings[]. */
static int in_child(enum tf_probe_id id, struct tf_probed *findings, int deadline_ms)
{
    int pipes[2];
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += deadline_ms / 1000;
    if (pipe2(pipes, O_CLOEXEC))
        return -1;
    pid_t self = getpid(), child = _Fork();
    if (child == 0) {
        close(pipes[0]);
        become_quiet(self);
        if (id == TF_PROBE_private_network)
            run_private(pipes[1]);
        run_probe(id, pipes[1]);
    }
    close(pipes[1]);
    struct record record;
    while (child > 0 && tf_readable(pipes[0], left_ms(&end)) &&
           read(pipes[0], &record, sizeof record) == sizeof record)
        findings[record.id] = record.finding;
    close(pipes[0]);
    return child > 0 ? reap(child, &end) : -1;
}

static void try_one(enum tf_probe_id id, struct tf_probed *finding)
{
    struct tf_probed findings[TF_PROBES] = {0};
    int status = in_child(id, findings, DEADLINE_MS);
    *finding = findings[id];
    say_end(finding, status);
}

void tf_doctor_try(struct tf_probed *findings)
{
    int inside = 0;
    memset(findings, 0, TF_PROBES * sizeof *findings);
    for (enum tf_probe_id id = 0; id < TF_PROBES; id++) {
        if (tf_probes[id].where == TF_PROBE_PRIVATE)
            inside++;
        else if (id != TF_PROBE_private_network)
            try_one(id, &findings[id]);
    }
    int status = in_child(TF_PROBE_private_network, findings, (inside + 1) * DEADLINE_MS);
    say_end(&findings[TF_PROBE_private_network], status);
    for (enum tf_probe_id id = 0; id < TF_PROBES; id++) {
        if (!findings[id].tried && findings[TF_PROBE_private_network].works)
            say_end(&findings[id], status);
        else if (!findings[id].tried)
            snprintf(findings[id].detail, sizeof findings[id].detail, "not tried without a private network");
    }
}
