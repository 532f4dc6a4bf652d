#include "standstill.h"

#include "hang_wait.h"
#include "supervisor.h"

#include <dirent.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUIET_NS UINT64_C(80000000)
#define STAYS_NS UINT64_C(60000000)
#define ANEW_NS UINT64_C(300000000) /* after a look that has found hope */

struct look {
    struct tf_standstill_part *part;
    size_t parts;
    struct tf_proc *proc;
    struct tf_net_rows rows;
    uint64_t signature;
};

/* Do its rules do nothing more by themselves, once they have struck? */
static bool rules_rest(const struct tf_plan *plan)
{
    for (uint32_t i = 0; i < plan->rules; i++) {
        const struct tf_rule *rule = &plan->rule[i];
        if (rule->drop_ns || rule->effects & (1U << TF_EFFECT_delay | 1U << TF_EFFECT_rate))
            return false;
    }
    return true;
}

/* A probe of a closed window is answered for ever, and changes nothing. */
static bool network_rests(const struct tf_net_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        const struct tf_net_socket *row = &rows->row[i];
        bool forgotten = row->state == TCP_FIN_WAIT2 && !row->inode;
        bool rests = row->timer == TF_TIMER_NONE || row->timer == TF_TIMER_PROBE;
        if (!rests && !forgotten && row->state != TCP_TIME_WAIT)
            return false;
    }
    return true;
}

/* Only a process of this network can write to it. Who reads may be the tool. */
static bool is_internal(pid_t pid, int fd)
{
    char path[64], target[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
    ssize_t length = readlink(path, target, sizeof target - 1);
    target[length > 0 ? length : 0] = 0;
    return !strncmp(target, "pipe:", 5) || !strcmp(target, "anon_inode:[eventfd]");
}

/* Of one thread. */
static bool waits_in_vain(struct look *look, pid_t pid, pid_t tid)
{
    struct tf_wait wait;
    const struct tf_event *pending = NULL;
    struct tf_standstill_part *of = NULL;
    tf_wait_look(pid, tid, &wait);
    for (const char *at = wait.text; *at; at++)
        look->signature = look->signature * 31 + (unsigned char)*at;
    if (wait.kind != TF_WAIT_INPUT)
        return wait.kind == TF_WAIT_OTHER;
    for (size_t i = 0; i < look->parts && !pending; i++) {
        of = &look->part[i];
        pending = of->hang ? tf_wait_pending(of->collect, look->proc, pid, tid) : NULL;
    }
    for (size_t i = 0; i < wait.fds; i++) {
        const struct tf_net_socket *row = tf_wait_row(&look->rows, pid, wait.fd[i]);
        if (!row && (wait.beyond_input || !is_internal(pid, wait.fd[i])))
            return false;
        if (!row)
            continue;
        if (!pending || (wait.directly && tf_hang_bounded(of->hang, &look->rows, row, wait.beyond_input)))
            return false;
        if (row->state != TCP_LISTEN && !of->waits) {
            of->waits = true;
            of->event = *pending;
        }
    }
    return true;
}

static bool process_waits(struct look *look, pid_t pid)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *tasks = tf_wait_timer(pid) ? NULL : opendir(path);
    bool waits = tasks != NULL;
    for (struct dirent *entry; waits && (entry = readdir(tasks));) {
        pid_t tid = atoi(entry->d_name);
        if (tid > 0 && !tf_wait_of_shim(pid, tid))
            waits = waits_in_vain(look, pid, tid);
    }
    if (tasks)
        closedir(tasks);
    return waits;
}

/* The supervisor's own children are the tool's, but for the programs. */
static bool is_tools(const struct look *look, pid_t pid, pid_t parent)
{
    bool program = false;
    for (size_t i = 0; i < look->parts; i++)
        program |= look->part[i].hang && look->part[i].first == pid;
    return parent == look->proc->root && !program;
}

static bool is_below(pid_t pid, pid_t root)
{
    for (int depth = 0; pid > 1 && pid != root && depth < 64; depth++)
        pid = tf_proc_parent(pid);
    return pid == root;
}

static bool processes_wait(struct look *look)
{
    DIR *all = opendir("/proc");
    bool wait = all != NULL;
    for (struct dirent *entry; wait && (entry = readdir(all));) {
        pid_t pid = atoi(entry->d_name), parent = pid > 0 ? tf_proc_parent(pid) : 0;
        if (parent > 0 && parent != look->proc->root && !is_below(parent, look->proc->root))
            continue;
        if (parent > 0 && !is_tools(look, pid, parent))
            wait = process_waits(look, pid);
    }
    if (all)
        closedir(all);
    return wait;
}

static bool rests(struct look *look, const struct tf_sandbox *sandbox)
{
    struct tf_error error;
    for (size_t i = 0; i < look->parts; i++) {
        if (!look->part[i].hang)
            continue;
        look->part[i].waits = false;
        if (!rules_rest(&tf_collect_segment(look->part[i].collect)->plan))
            return false;
    }
    if (tf_net_rows(sandbox, 0, &look->rows, &error) || !network_rests(&look->rows) || !processes_wait(look))
        return false;
    bool any = false;
    for (size_t i = 0; i < look->parts; i++)
        any |= look->part[i].waits;
    return any;
}

bool tf_standstill_look(struct tf_standstill *still, struct tf_standstill_part *part, size_t parts,
                        const struct tf_sandbox *sandbox, struct tf_proc *proc)
{
    uint64_t now = tf_clock_ns(), last = 0;
    for (size_t i = 0; i < parts; i++)
        if (part[i].hang && tf_hang_last_ns(part[i].hang) > last)
            last = tf_hang_last_ns(part[i].hang);
    if (now < last + QUIET_NS)
        still->since_ns = still->look_at_ns = 0;
    if (!parts || now < last + QUIET_NS || now < still->look_at_ns)
        return false;
    struct look look = {.part = part, .parts = parts, .proc = proc};
    bool holds = rests(&look, sandbox);
    free(look.rows.row);
    if (!holds) {
        still->since_ns = 0;
        still->look_at_ns = now + ANEW_NS;
    } else if (!still->since_ns || look.signature != still->signature) {
        still->since_ns = now;
        still->signature = look.signature;
    } else {
        return now >= still->since_ns + STAYS_NS;
    }
    return false;
}
