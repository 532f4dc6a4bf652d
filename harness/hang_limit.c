#include "hang.h"
#include "hang_wait.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

/* As it was passed: the shim may wait for less at a time. */
static bool passed_limit(const struct tf_event *event)
{
    switch (event->call) {
    case TF_poll:
        return (int)event->arg[2] >= 0;
    case TF_epoll_wait:
    case TF_epoll_pwait:
        return (int)event->arg[3] >= 0;
    case TF_ppoll:
        return event->arg[2] != 0;
    case TF_select:
    case TF_pselect:
        return event->arg[4] != 0;
    case TF_epoll_pwait2:
        return event->arg[3] != 0;
    default:
        return false;
    }
}

static bool thread_limited(struct tf_hang *hang, struct tf_collect *collect, const struct tf_net_rows *rows,
                           struct tf_proc *proc, pid_t pid, pid_t tid)
{
    const struct tf_event *event = tf_wait_pending(collect, proc, pid, tid);
    struct tf_wait wait;
    if (tf_wait_of_shim(pid, tid))
        return false;
    tf_wait_look(pid, tid, &wait);
    bool limited = event != NULL ? passed_limit(event) : wait.limited;
    if (event != NULL && tf_call_info[event->call].class != TF_CLASS_WAIT) {
        wait.fd[0] = event->fd;
        wait.fds = 1;
        wait.beyond_input = event->call == TF_connect || tf_call_info[event->call].class == TF_CLASS_OUT;
    }
    for (size_t i = 0; i < wait.fds && !limited; i++) {
        const struct tf_net_socket *row = tf_wait_row(rows, pid, wait.fd[i]);
        limited = row != NULL && tf_hang_bounded(hang, rows, row, wait.beyond_input);
    }
    return limited;
}

bool tf_hang_limited(struct tf_hang *hang, struct tf_collect *collect, const struct tf_net_rows *rows,
                     struct tf_proc *proc, pid_t pid)
{
    char path[48];
    bool limited = tf_wait_timer(pid);
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *tasks = limited ? NULL : opendir(path);
    for (struct dirent *entry; tasks && !limited && (entry = readdir(tasks));) {
        pid_t tid = atoi(entry->d_name);
        limited = tid > 0 && thread_limited(hang, collect, rows, proc, pid, tid);
    }
    if (tasks)
        closedir(tasks);
    return limited;
}
