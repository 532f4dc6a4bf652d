#include "namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What init tells the supervisor once it is set up. */
struct report {
    int error; /* errno; 0 */
    bool fresh_proc, ipv6;
};

static int write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t written = write(fd, text, strlen(text));
    int saved = errno;
    close(fd);
    errno = saved;
    return written == (ssize_t)strlen(text) ? 0 : -1;
}

static int loopback_up(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int result = ioctl(fd, SIOCSIFFLAGS, &request);
    int saved = errno;
    close(fd);
    errno = saved;
    return result;
}

static bool ipv6_usable(void)
{
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int result = bind(fd, (struct sockaddr *)&address, sizeof address);
    close(fd);
    return result == 0;
}

static void init_set_up(struct report *report)
{
    /* Only a process inside the pid namespace can mount its /proc. Refused in
     * containers whose own /proc is partly masked (mount_namespaces(7)). */
    report->fresh_proc = mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0;
    static const char *const disabled[] = {"all", "default", "lo"};
    for (size_t i = 0; i < sizeof disabled / sizeof *disabled; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", disabled[i]);
        write_file(path, "0");
    }
    report->error = loopback_up() ? errno : 0;
    report->ipv6 = ipv6_usable();
}

/* pid 1: reaps orphans, and takes the whole namespace with it when it dies. */
static _Noreturn void init_main(int life_fd, int report_fd)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "tcpfault-init");
    struct report report = {0};
    init_set_up(&report);
    if (write(report_fd, &report, sizeof report) != sizeof report)
        _exit(1);
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    if (dup2(life_fd, 0) < 0 || dup2(signalfd(-1, &child, 0), 1) < 0)
        _exit(1);
    close_range(2, ~0U, 0);
    for (;;) {
        struct pollfd fds[] = {{.fd = 0}, {.fd = 1, .events = POLLIN}};
        struct signalfd_siginfo info;
        poll(fds, 2, -1);
        /* If the supervisor died before prctl, only the pipe tells. */
        if (fds[0].revents || (fds[1].revents && read(1, &info, sizeof info) < 0))
            _exit(0);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
}

static int refuse(struct tf_permits *permits, const char *what, int error)
{
    snprintf(permits->why, sizeof permits->why, "%s: %s", what, strerror(error));
    permits->error = error;
    return -1;
}

/* user_namespaces(7): one line each, the caller's own ids, setgroups given up. */
static int map_own_ids(uid_t uid, gid_t gid, struct tf_permits *permits)
{
    char text[64];
    if (write_file("/proc/self/setgroups", "deny") && errno != ENOENT)
        return refuse(permits, "writing /proc/self/setgroups in a user namespace", errno);
    snprintf(text, sizeof text, "%u %u 1\n", gid, gid);
    if (write_file("/proc/self/gid_map", text))
        return refuse(permits, "writing /proc/self/gid_map in a user namespace", errno);
    snprintf(text, sizeof text, "%u %u 1\n", uid, uid);
    if (write_file("/proc/self/uid_map", text))
        return refuse(permits, "writing /proc/self/uid_map in a user namespace", errno);
    return 0;
}

static int start_init(struct tf_namespaces *namespaces)
{
    struct tf_permits *permits = &namespaces->permits;
    int life[2], report_pipe[2];
    if (pipe2(life, O_CLOEXEC))
        return refuse(permits, "pipe", errno);
    if (pipe2(report_pipe, O_CLOEXEC))
        return refuse(permits, "pipe", errno);
    namespaces->init = _Fork();
    if (namespaces->init == 0) {
        close(life[1]);
        init_main(life[0], report_pipe[1]);
    }
    close(life[0]);
    close(report_pipe[1]);
    namespaces->life_fd = life[1];
    struct report report = {0};
    ssize_t got = namespaces->init > 0 ? read(report_pipe[0], &report, sizeof report) : -1;
    int saved = errno;
    close(report_pipe[0]);
    if (namespaces->init < 0)
        return refuse(permits, "the first process of a pid namespace", saved);
    if (got != sizeof report)
        return refuse(permits, "the first process of a pid namespace", EIO);
    if (report.error)
        return refuse(permits, "bringing the loopback device up", report.error);
    permits->fresh_proc = report.fresh_proc;
    permits->ipv6 = report.ipv6;
    return 0;
}

int tf_namespaces_enter(struct tf_namespaces *namespaces)
{
    *namespaces = (struct tf_namespaces){.init = -1, .life_fd = -1};
    struct tf_permits *permits = &namespaces->permits;
    int flags = CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWNS;
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(flags)) {
        if (unshare(CLONE_NEWUSER | flags))
            return refuse(permits, "unshare of user and network namespaces", errno);
        permits->user_namespace = true;
        if (map_own_ids(uid, gid, permits))
            return -1;
    }
    if (mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL))
        return refuse(permits, "making the mounts of a mount namespace private", errno);
    if (start_init(namespaces))
        return -1;
    permits->private_network = true;
    return 0;
}

static void probe_in_child(int fd)
{
    struct tf_namespaces namespaces;
    if (tf_namespaces_enter(&namespaces))
        namespaces.permits.private_network = false;
    ssize_t written = write(fd, &namespaces.permits, sizeof namespaces.permits);
    if (namespaces.init > 0) {
        kill(namespaces.init, SIGKILL);
        waitpid(namespaces.init, NULL, 0);
    }
    _exit(written == (ssize_t)sizeof namespaces.permits ? 0 : 1);
}

const struct tf_permits *tf_sandbox_probe(void)
{
    static struct tf_permits permits;
    static bool done;
    if (done)
        return &permits;
    done = true;
    int report[2];
    if (pipe2(report, O_CLOEXEC)) {
        refuse(&permits, "pipe", errno);
        return &permits;
    }
    pid_t child = _Fork();
    if (child == 0)
        probe_in_child(report[1]);
    close(report[1]);
    struct pollfd answer = {.fd = report[0], .events = POLLIN};
    if (child < 0) {
        refuse(&permits, "fork", errno);
    } else {
        if (poll(&answer, 1, 5000) != 1 || read(report[0], &permits, sizeof permits) != sizeof permits)
            snprintf(permits.why, sizeof permits.why, "the process that tried it gave no answer");
        /* It ends by itself, after its init: nobody else need reap that. */
        for (int waited_ms = 0; waitpid(child, NULL, WNOHANG) == 0; waited_ms++) {
            if (waited_ms == 5000)
                kill(child, SIGKILL);
            nanosleep(&(struct timespec){0, 1000000}, NULL);
        }
    }
    close(report[0]);
    if (!permits.private_network)
        permits.ipv6 = ipv6_usable();
    return &permits;
}
