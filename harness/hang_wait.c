#include "hang_wait.h"

#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static bool memory(pid_t pid, uint64_t address, void *out, size_t size)
{
    struct iovec ours = {out, size}, theirs = {(void *)(uintptr_t)address, size}; /* NOLINT */
    return process_vm_readv(pid, &ours, 1, &theirs, 1, 0) == (ssize_t)size;
}

enum { FUTEX_WAITV = 449 }; /* futex_waitv(2), by which the shim sleeps */

static bool add(struct tf_wait *wait, int fd)
{
    if (wait->fds == TF_WAIT_FDS)
        return false;
    wait->fd[wait->fds++] = fd;
    return true;
}

static bool polled(pid_t pid, uint64_t address, uint64_t count, struct tf_wait *wait)
{
    struct pollfd all[TF_WAIT_FDS];
    if (count == 0 || count > TF_WAIT_FDS || !memory(pid, address, all, count * sizeof *all))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        if (all[i].fd < 0)
            continue;
        if (!(all[i].events & (POLLIN | POLLOUT)) || !add(wait, all[i].fd))
            return false;
        wait->beyond_input |= !(all[i].events & POLLIN);
    }
    return wait->fds > 0;
}

static bool selected(pid_t pid, const uint64_t *arg, struct tf_wait *wait)
{
    fd_set set;
    size_t size = (size_t)(arg[0] + 63) / 64 * 8;
    if (arg[0] > FD_SETSIZE || !arg[1] || arg[2] || arg[3])
        return false;
    memset(&set, 0, sizeof set);
    if (!memory(pid, arg[1], &set, size))
        return false;
    for (int fd = 0; fd < (int)arg[0]; fd++)
        if (FD_ISSET(fd, &set) && !add(wait, fd))
            return false;
    return wait->fds > 0;
}

/* "tfd: 5 events: 19 data: ..." of proc(5), /proc/PID/fdinfo. */
static bool watched(pid_t pid, int epoll, struct tf_wait *wait)
{
    char text[8192];
    ssize_t length = tf_proc_read(text, sizeof text, "/proc/%d/fdinfo/%d", pid, epoll);
    if (length <= 0 || length >= (ssize_t)sizeof text - 1)
        return false;
    for (const char *line = text; (line = strstr(line, "tfd:")); line++) {
        int fd;
        unsigned events;
        if (sscanf(line, "tfd: %d events: %x", &fd, &events) != 2 || !(events & (EPOLLIN | EPOLLOUT)) ||
            !add(wait, fd))
            return false;
        wait->beyond_input |= !(events & EPOLLIN);
    }
    return wait->fds > 0;
}

/* Does the call end by itself after a time that it was given? */
static bool has_limit(long number, const uint64_t *arg)
{
    switch (number) {
    case SYS_nanosleep:
    case SYS_clock_nanosleep:
        return true;
#ifdef SYS_poll
    case SYS_poll:
        return (int)arg[2] >= 0;
    case SYS_select:
        return arg[4] != 0;
    case SYS_epoll_wait:
#endif
    case SYS_epoll_pwait:
        return (int)arg[3] >= 0;
    case SYS_epoll_pwait2:
        return arg[3] != 0;
    case SYS_ppoll:
    case SYS_rt_sigtimedwait:
        return arg[2] != 0;
    case SYS_pselect6:
        return arg[4] != 0;
    case SYS_futex:
        return arg[3] != 0;
    default:
        return false;
    }
}

static enum tf_wait_kind look_closer(pid_t pid, long number, const uint64_t *arg, struct tf_wait *wait)
{
    bool input = false;
    switch (number) {
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_read:
    case SYS_readv:
        input = wait->directly = add(wait, (int)arg[0]);
        break;
    case SYS_sendto:
    case SYS_sendmsg:
    case SYS_write:
    case SYS_writev:
    case SYS_accept:
    case SYS_accept4:
        input = wait->beyond_input = wait->directly = add(wait, (int)arg[0]);
        break;
#ifdef SYS_poll
    case SYS_poll:
        input = (int)arg[2] < 0 && polled(pid, arg[0], arg[1], wait);
        break;
    case SYS_select:
        input = !arg[4] && selected(pid, arg, wait);
        break;
    case SYS_epoll_wait:
#endif
    case SYS_epoll_pwait:
        input = (int)arg[3] < 0 && watched(pid, (int)arg[0], wait);
        break;
    case SYS_epoll_pwait2:
        input = !arg[3] && watched(pid, (int)arg[0], wait);
        break;
    case SYS_ppoll:
        input = !arg[2] && polled(pid, arg[0], arg[1], wait);
        break;
    case SYS_pselect6:
        input = !arg[4] && selected(pid, arg, wait);
        break;
    case SYS_futex: {
        int what = (int)arg[1] & FUTEX_CMD_MASK;
        bool waits = what == FUTEX_WAIT || what == FUTEX_WAIT_BITSET || what == FUTEX_LOCK_PI;
        return waits && (arg[1] & FUTEX_PRIVATE_FLAG) && !arg[3] ? TF_WAIT_OTHER : TF_WAIT_HOPE;
    }
    case SYS_wait4:
    case SYS_waitid:
    case SYS_rt_sigsuspend:
#ifdef SYS_pause
    case SYS_pause:
#endif
        return TF_WAIT_OTHER;
    case FUTEX_WAITV:
        return TF_WAIT_SHIM;
    case SYS_rt_sigtimedwait:
        return arg[2] ? TF_WAIT_HOPE : TF_WAIT_OTHER;
    default:
        break;
    }
    return input ? TF_WAIT_INPUT : TF_WAIT_HOPE;
}

void tf_wait_look(pid_t pid, pid_t tid, struct tf_wait *wait)
{
    char stat[512];
    long number;
    uint64_t arg[6];
    *wait = (struct tf_wait){.kind = TF_WAIT_HOPE};
    if (tf_proc_read(wait->text, sizeof wait->text, "/proc/%d/task/%d/syscall", pid, tid) <= 0 ||
        sscanf(wait->text, "%ld %lx %lx %lx %lx %lx %lx", &number, &arg[0], &arg[1], &arg[2], &arg[3],
               &arg[4], &arg[5]) != 7)
        return;
    /* A thread that is stopped or dead is in no call. */
    const char *behind =
        tf_proc_read(stat, sizeof stat, "/proc/%d/task/%d/stat", pid, tid) > 0 ? strrchr(stat, ')') : NULL;
    if (behind && behind[1] && behind[2] == 'S') {
        wait->kind = look_closer(pid, number, arg, wait);
        wait->limited = has_limit(number, arg);
    }
}

const struct tf_event *tf_wait_pending(struct tf_collect *collect, struct tf_proc *proc, pid_t pid, pid_t tid)
{
    const struct tf_event *event;
    uint32_t inner = tf_proc_inner(proc, pid, tid);
    for (size_t i = 0; inner && (event = tf_collect_unfinished(collect, i)); i++)
        if (event->tid == inner)
            return event;
    return NULL;
}

bool tf_wait_timer(pid_t pid)
{
    char text[4096];
    if (tf_proc_read(text, sizeof text, "/proc/%d/timers", pid) > 0)
        return true;
    if (tf_proc_read(text, sizeof text, "/proc/%d/status", pid) <= 0)
        return true;
    const char *caught = strstr(text, "\nSigCgt:");
    return !caught || strtoull(caught + 8, NULL, 16) & 1U << (SIGALRM - 1);
}

bool tf_wait_of_shim(pid_t pid, pid_t tid)
{
    char name[32];
    return tf_proc_read(name, sizeof name, "/proc/%d/task/%d/comm", pid, tid) > 0 &&
           !strcmp(name, "tcpfault\n");
}

const struct tf_net_socket *tf_wait_row(const struct tf_net_rows *rows, pid_t pid, int fd)
{
    char path[64], target[64];
    unsigned long long inode;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
    ssize_t length = readlink(path, target, sizeof target - 1);
    target[length > 0 ? length : 0] = 0;
    if (sscanf(target, "socket:[%llu]", &inode) != 1)
        return NULL;
    for (size_t i = 0; i < rows->count; i++)
        if (rows->row[i].inode == inode)
            return &rows->row[i];
    return NULL;
}
