#include "supervisor.h"

#include "hands.h"
#include "namespaces.h"
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FDS_MAX = 4, KILL_MS = 5000, HANDS_MS = 2000 };

struct child {
    pid_t pid;
    uint32_t id; /* 0: a second hand, which is no program and of whose end nobody is told */
};

struct supervisor {
    const struct tf_supervisor_start *start;
    struct tf_namespaces namespaces;
    int proc_fd; /* the /proc of this process's own pid namespace */
    pid_t group; /* where interactive programs go; 0: they stay */
    struct child *children;
    size_t count, room;
};

static uint64_t timeval_ns(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_usec * 1000;
}

static void tell(const struct supervisor *self, const struct tf_notice *notice, int fd)
{
    tf_supervisor_tell(self->start->socket_fd, notice, &fd, fd >= 0);
}

static void reap(void *data)
{
    struct supervisor *self = data;
    struct rusage usage;
    int status;
    for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &usage)) > 0;) {
        size_t i = 0;
        while (i < self->count && self->children[i].pid != pid)
            i++;
        if (i == self->count)
            continue; /* an orphan, or init */
        struct tf_notice notice = {.kind = TF_NOTICE_EXITED,
                                   .id = self->children[i].id,
                                   .pid = pid,
                                   .wait_status = status,
                                   .ended_ns = tf_clock_ns(),
                                   .user_ns = timeval_ns(usage.ru_utime),
                                   .system_ns = timeval_ns(usage.ru_stime),
                                   .peak_bytes = (uint64_t)usage.ru_maxrss * 1024};
        self->children[i] = self->children[--self->count];
        if (notice.id)
            tell(self, &notice, -1);
    }
}

static int kill_everything(struct supervisor *self)
{
    if (self->namespaces.init > 0)
        kill(self->namespaces.init, SIGKILL); /* and with it all of its namespace */
    struct tf_tree tree = {.proc_fd = self->proc_fd, .root = getpid(), .keep_root = true};
    return tf_tree_kill(&tree, KILL_MS, reap, self);
}

/* What they have done to sockets of others they undo. In a private network all of
 * those are about to go. */
static void dismiss_hands(struct supervisor *self)
{
    bool some = self->start->kind == TF_SANDBOX_HOST;
    for (int waited_ms = 0; some && waited_ms < HANDS_MS; waited_ms++) {
        some = false;
        for (size_t i = 0; i < self->count; i++) {
            if (self->children[i].id)
                continue;
            if (waited_ms == 0)
                kill(self->children[i].pid, SIGTERM);
            some = true;
        }
        if (some)
            nanosleep(&(struct timespec){0, 1000000}, NULL);
        reap(self);
    }
}

static _Noreturn void end(struct supervisor *self)
{
    dismiss_hands(self);
    /* The tool's death signal may come a second time, for its last thread. */
    int left = kill_everything(self);
    struct tf_notice notice = {.kind = TF_NOTICE_STOPPED, .left = left};
    tell(self, &notice, -1);
    _exit(0);
}

/* What a program starts with: the tool's own signals where it is interactive,
 * else the defaults, whatever the tool was started with (CI runners ignore
 * SIGPIPE, say, which would hide a program that dies of it). */
static void reset_signals(const struct tf_supervisor_start *start)
{
    for (int signal = 1; signal < NSIG; signal++) {
        struct sigaction action = {.sa_handler = SIG_DFL};
        if (start->interactive && !sigaction(signal, NULL, &action) && action.sa_handler == SIG_IGN)
            continue;
        /* A handler of the tool's must not run here, where its descriptors are gone.
         * sigaction(3) refuses 32 and 33, which posix_spawn(3) leaves ignored. */
        static const long defaults[4];
        syscall(SYS_rt_sigaction, signal, defaults, NULL, sizeof(uint64_t));
    }
    /* glibc keeps 32 and 33 for itself, and sigaction away from them; a caller
     * without it may have them ignored. The kernel's struct, all zero: SIG_DFL. */
    static const uint64_t defaults[4];
    for (int signal = 32; signal < 34 && !start->interactive; signal++)
        syscall(SYS_rt_sigaction, signal, defaults, NULL, sizeof(uint64_t));
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, start->interactive ? start->mask : &none, NULL);
}

static _Noreturn void become_program(const struct supervisor *self, const int *fds,
                                     const struct tf_request *request, int report_fd)
{
    /* If the supervisor is killed from outside, at least its children go too. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!self->start->interactive)
        setpgid(0, 0);
    else if (self->group)
        setpgid(0, self->group);
    reset_signals(self->start);
    int std[3], next = 1;
    for (int i = 0; i < 3; i++)
        std[i] = request->has_std[i] ? fds[next++] : -1;
    if (!self->start->interactive) {
        /* Nothing of the tool's but what it hands on. */
        int keep[5] = {std[0], std[1], std[2], fds[0], report_fd};
        for (int fd = 3; fd < 1024; fd++) {
            bool kept = false;
            for (int i = 0; i < 5; i++)
                kept = kept || fd == keep[i];
            if (!kept)
                close(fd);
        }
        close_range(1024, ~0U, 0);
    }
    tf_supervisor_exec(fds[0], std, report_fd);
}

static bool remember(struct supervisor *self, pid_t pid, uint32_t id)
{
    if (self->count == self->room) {
        size_t room = self->room ? 2 * self->room : 16;
        struct child *children = realloc(self->children, room * sizeof *children);
        if (!children)
            return false;
        self->children = children;
        self->room = room;
    }
    self->children[self->count++] = (struct child){pid, id};
    return true;
}

static void spawn(struct supervisor *self, const struct tf_request *request, const int *fds)
{
    struct tf_notice notice = {.kind = TF_NOTICE_SPAWNED, .id = request->id, .started_ns = tf_clock_ns()};
    int report[2];
    if (pipe2(report, O_CLOEXEC)) {
        notice.error = errno;
        snprintf(notice.failed, sizeof notice.failed, "pipe");
        tell(self, &notice, -1);
        return;
    }
    pid_t pid = _Fork(); /* see fork_supervisor */
    if (pid == 0)
        become_program(self, fds, request, report[1]);
    close(report[1]);
    if (pid < 0 || !remember(self, pid, request->id)) {
        notice.error = pid < 0 ? errno : ENOMEM;
        snprintf(notice.failed, sizeof notice.failed, "starting a process");
        if (pid > 0)
            kill(pid, SIGKILL);
    } else {
        struct tf_notice failure;
        notice.pid = pid;
        bool alive = read(report[0], &notice.inner_pid, sizeof notice.inner_pid) == sizeof notice.inner_pid;
        if (alive && read(report[0], &failure, sizeof failure) == sizeof failure) {
            notice.error = failure.error;
            memcpy(notice.failed, failure.failed, sizeof notice.failed);
        } else if (!alive) {
            notice.error = EIO;
            snprintf(notice.failed, sizeof notice.failed, "starting a process");
        }
        if (notice.error) {
            self->count--; /* no program: it has no exit to tell of */
            waitpid(pid, NULL, 0);
        }
    }
    close(report[0]);
    tell(self, &notice, -1);
}

static void write_sysctl(struct supervisor *self, const struct tf_request *request)
{
    struct tf_notice notice = {.kind = TF_NOTICE_SYSCTL};
    char path[256];
    snprintf(path, sizeof path, "/proc/sys/%s", request->name);
    /* "net.ipv4.conf.eth0/1.x": as sysctl(8), a dot separates and a slash is a dot. */
    for (char *at = path + strlen("/proc/sys/"); *at; at++)
        *at = *at == '.' ? '/' : *at == '/' ? '.' : *at;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, request->value, strlen(request->value)) < 0) {
        notice.error = errno;
        snprintf(notice.failed, sizeof notice.failed, "sysctl %.100s", request->name);
    }
    if (fd >= 0)
        close(fd);
    tell(self, &notice, -1);
}

static void start_hands(struct supervisor *self, int segment_fd)
{
    struct tf_notice notice = {.kind = TF_NOTICE_HANDS};
    int report[2];
    char ready;
    snprintf(notice.failed, sizeof notice.failed, "starting the second hand");
    if (pipe2(report, O_CLOEXEC)) {
        notice.error = errno;
        tell(self, &notice, -1);
        return;
    }
    pid_t supervisor = getpid();
    pid_t pid = _Fork(); /* see fork_supervisor */
    if (pid == 0)
        tf_hands_main(segment_fd, self->start->kind, supervisor, report[1]);
    notice.error = pid < 0 ? errno : remember(self, pid, 0) ? 0 : ENOMEM;
    close(report[1]);
    struct pollfd answer = {.fd = report[0], .events = POLLIN};
    if (!notice.error && (poll(&answer, 1, HANDS_MS) != 1 || read(report[0], &ready, 1) != 1))
        notice.error = EIO;
    if (notice.error && pid > 0)
        kill(pid, SIGKILL);
    close(report[0]);
    tell(self, &notice, -1);
}

static struct child *find(struct supervisor *self, uint32_t id)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->children[i].id == id)
            return &self->children[i];
    }
    return NULL;
}

static void handle(struct supervisor *self, const struct tf_request *request, const int *fds)
{
    const struct child *child = request->id ? find(self, request->id) : NULL;
    switch (request->kind) {
    case TF_REQUEST_SPAWN:
        spawn(self, request, fds);
        break;
    case TF_REQUEST_SIGNAL:
        /* Not reaped yet: the number cannot be anybody else's. */
        if (child)
            kill(request->group ? -child->pid : child->pid, request->signal);
        if (request->awaited)
            tell(self, &(struct tf_notice){.kind = TF_NOTICE_SIGNALLED}, -1);
        break;
    case TF_REQUEST_KILL:
        if (child) {
            struct tf_tree tree = {.proc_fd = self->proc_fd,
                                   .root = child->pid,
                                   .group = self->start->interactive ? 0 : child->pid};
            tf_tree_kill(&tree, KILL_MS, reap, self);
        }
        break;
    case TF_REQUEST_SOCKET:
        tf_supervisor_make_sockets(self->start->socket_fd, request);
        break;
    case TF_REQUEST_SYSCTL:
        write_sysctl(self, request);
        break;
    case TF_REQUEST_HANDS:
        start_hands(self, fds[0]);
        break;
    case TF_REQUEST_STOP:
        end(self);
    }
}

/* One request. The end of the file is the tool's. */
static void receive(struct supervisor *self)
{
    struct tf_request request;
    char control[CMSG_SPACE(FDS_MAX * sizeof(int))];
    struct iovec bytes = {&request, sizeof request};
    struct msghdr message = {
        .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t got = recvmsg(self->start->socket_fd, &message, MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR)
        return;
    if (got != (ssize_t)sizeof request)
        end(self);
    int fds[FDS_MAX] = {-1, -1, -1, -1};
    size_t count = 0;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
        count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(header), count * sizeof(int));
    }
    handle(self, &request, fds);
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

/* Descriptors that the tool opened for itself are close-on-exec; the others are
 * what it was started with, and may be meant for the program ("prog 3<file"). */
static void drop_descriptors(int keep)
{
    DIR *directory = opendir("/proc/self/fd");
    if (!directory)
        return;
    int doomed[1024];
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(directory)) && count < sizeof doomed / sizeof *doomed;) {
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] != '.' && fd != keep && fd != dirfd(directory) &&
            fcntl(fd, F_GETFD) & FD_CLOEXEC)
            doomed[count++] = fd;
    }
    closedir(directory);
    for (size_t i = 0; i < count; i++)
        close(doomed[i]);
}

/* Bound to the tool's life. Where there is no pid namespace to do it, this
 * process has to do the killing, so it must hear of the tool's death alive. */
static void bind_life(const struct tf_supervisor_start *start)
{
    prctl(PR_SET_PDEATHSIG, start->kind == TF_SANDBOX_PRIVATE ? SIGKILL : SIGTERM);
    if (getppid() != start->tool)
        raise(SIGTERM);
}

static int set_up(struct supervisor *self)
{
    const struct tf_supervisor_start *start = self->start;
    struct tf_notice notice = {.kind = TF_NOTICE_READY};
    self->proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    prctl(PR_SET_NAME, "tcpfault-super");
    if (start->kind == TF_SANDBOX_PRIVATE) {
        if (!start->interactive)
            setsid();
        if (tf_namespaces_enter(&self->namespaces)) {
            notice.error = EPERM;
            snprintf(notice.failed, sizeof notice.failed, "%.159s", self->namespaces.permits.why);
        }
        notice.permits = self->namespaces.permits;
    } else {
        self->namespaces = (struct tf_namespaces){.init = -1, .life_fd = -1};
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        self->group = getpgrp();
        /* Out of the group of the tool, lest a signal to all of it spares nobody
         * who could clean up. */
        if (start->interactive)
            setpgid(0, 0);
        else
            setsid();
    }
    bind_life(start); /* again: entering a user namespace may have cleared it */
    int diag_fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    tell(self, &notice, diag_fd);
    if (diag_fd >= 0)
        close(diag_fd);
    return notice.error ? -1 : 0;
}

_Noreturn void tf_supervisor_main(const struct tf_supervisor_start *start)
{
    struct supervisor self = {.start = start};
    sigset_t blocked, watched;
    sigfillset(&blocked);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    bind_life(start);
    drop_descriptors(start->socket_fd);
    sigemptyset(&watched);
    sigaddset(&watched, SIGCHLD);
    sigaddset(&watched, SIGTERM);
    int signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0 || set_up(&self))
        _exit(1);
    for (;;) {
        struct pollfd fds[] = {{.fd = start->socket_fd, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0)
            continue;
        struct signalfd_siginfo signal;
        while (read(signals, &signal, sizeof signal) == sizeof signal) {
            if (signal.ssi_signo == SIGTERM)
                end(&self);
        }
        reap(&self);
        if (fds[0].revents)
            receive(&self);
    }
}
