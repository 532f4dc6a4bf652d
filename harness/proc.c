#include "proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

ssize_t tf_proc_read(char *out, size_t size, const char *format, ...)
{
    char path[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(path, sizeof path, format, arguments);
    va_end(arguments);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    ssize_t got = fd < 0 ? -1 : 1;
    while (got > 0 && length < size - 1) {
        got = read(fd, out + length, size - 1 - length);
        length += got > 0 ? (size_t)got : 0;
    }
    if (fd >= 0)
        close(fd);
    out[length] = 0;
    return got < 0 ? -1 : (ssize_t)length;
}

void tf_proc_init(struct tf_proc *proc, const struct tf_sandbox *sandbox)
{
    *proc = (struct tf_proc){.root = tf_sandbox_pid(sandbox),
                             .inside = tf_sandbox_kind(sandbox) == TF_SANDBOX_HOST};
}

/* The innermost of the ids that /proc/PID/status lists, and the parent. */
static uint32_t inner_of(const char *directory, const char *name, pid_t *parent)
{
    char text[4096];
    unsigned long id = 0;
    if (tf_proc_read(text, sizeof text, "%s/%.20s/status", directory, name) <= 0)
        return 0;
    const char *up = strstr(text, "\nPPid:"), *ids = strstr(text, "\nNSpid:");
    *parent = up ? atoi(up + 6) : 0;
    const char *end = ids ? strchr(ids + 1, '\n') : NULL;
    for (char *at = ids ? (char *)ids + 7 : NULL, *next; at && at < end; at = next) {
        unsigned long value = strtoul(at, &next, 10);
        if (next == at)
            break;
        id = value;
    }
    return (uint32_t)id;
}

static bool below(pid_t pid, pid_t root)
{
    char name[24];
    for (int depth = 0; pid > 1 && depth < 64; depth++) {
        if (pid == root)
            return true;
        snprintf(name, sizeof name, "%d", pid);
        pid_t parent = 0;
        if (!inner_of("/proc", name, &parent))
            return false;
        pid = parent;
    }
    return false;
}

static pid_t search(const char *directory, uint32_t inner, pid_t root)
{
    DIR *all = opendir(directory);
    pid_t found = 0, parent;
    for (struct dirent *entry; !found && all && (entry = readdir(all));) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
            inner_of(directory, entry->d_name, &parent) != inner)
            continue;
        pid_t pid = atoi(entry->d_name);
        if (!root || below(pid, root))
            found = pid;
    }
    if (all)
        closedir(all);
    return found;
}

pid_t tf_proc_host(struct tf_proc *proc, uint32_t pid)
{
    char path[32];
    if (proc->inside || !pid)
        return (pid_t)pid;
    for (unsigned i = 0; i < proc->known_count; i++) {
        if (proc->known[i].inner != pid)
            continue;
        snprintf(path, sizeof path, "/proc/%d", proc->known[i].host);
        if (!access(path, F_OK))
            return proc->known[i].host;
        proc->known[i] = proc->known[--proc->known_count];
        break;
    }
    pid_t host = search("/proc", pid, proc->root);
    if (host && proc->known_count < sizeof proc->known / sizeof *proc->known) {
        proc->known[proc->known_count].inner = pid;
        proc->known[proc->known_count++].host = host;
    }
    return host;
}

pid_t tf_proc_thread(struct tf_proc *proc, pid_t host, uint32_t tid)
{
    char directory[48];
    if (proc->inside)
        return (pid_t)tid;
    snprintf(directory, sizeof directory, "/proc/%d/task", host);
    return search(directory, tid, 0);
}

uint32_t tf_proc_inner(const struct tf_proc *proc, pid_t host, pid_t thread)
{
    char directory[48], name[24];
    pid_t parent;
    if (proc->inside)
        return (uint32_t)thread;
    snprintf(directory, sizeof directory, "/proc/%d/task", host);
    snprintf(name, sizeof name, "%d", thread);
    return inner_of(directory, name, &parent);
}

/* "Scheduler Statistics" of the kernel's documents: what it had of the CPUs, and how long
 * it has waited for one. */
static bool scheduled(pid_t host, pid_t thread, unsigned long long *used, unsigned long long *queued)
{
    char text[128];
    return tf_proc_read(text, sizeof text, "/proc/%d/task/%d/schedstat", host, thread) > 0 &&
           sscanf(text, "%llu %llu", used, queued) == 2;
}

uint64_t tf_proc_queued_ns(pid_t pid)
{
    unsigned long long used, queued;
    return scheduled(pid, pid, &used, &queued) ? queued : 0;
}

bool tf_proc_cpu(struct tf_proc *proc, uint32_t pid, uint32_t tid, struct tf_cpu *cpu)
{
    char text[512];
    unsigned long long user, system, used, queued;
    struct timespec now;
    pid_t host = tf_proc_host(proc, pid), thread = host ? tf_proc_thread(proc, host, tid) : 0;
    if (!thread)
        return false;
    clock_gettime(CLOCK_MONOTONIC, &now);
    *cpu = (struct tf_cpu){.at_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec};
    if (scheduled(host, thread, &used, &queued) && used) {
        cpu->used_ns = used;
        cpu->busy_ns = used + queued;
        return true;
    }
    if (tf_proc_read(text, sizeof text, "/proc/%d/task/%d/stat", host, thread) <= 0)
        return false;
    /* Fields 14 and 15, in clock ticks: proc(5). */
    const char *behind = strrchr(text, ')');
    if (!behind ||
        sscanf(behind, ") %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu", &user, &system) != 2)
        return false;
    cpu->used_ns = (user + system) * (1000000000 / (uint64_t)sysconf(_SC_CLK_TCK));
    return true;
}

/* The state of a process or thread, and its parent; 'X': it is not there. */
static char state_of(pid_t pid, pid_t *parent)
{
    char text[512], state;
    if (tf_proc_read(text, sizeof text, "/proc/%d/stat", pid) <= 0)
        return 'X';
    const char *behind = strrchr(text, ')'); /* the name may hold anything */
    return behind && sscanf(behind, ") %c %d", &state, parent) == 2 ? state : 'X';
}

pid_t tf_proc_parent(pid_t pid)
{
    pid_t parent;
    char state = state_of(pid, &parent);
    return state != 'Z' && state != 'X' ? parent : 0;
}

static bool all_in(pid_t pid, const char *states)
{
    char path[32];
    pid_t parent;
    bool all = true;
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    for (struct dirent *entry; all && tasks && (entry = readdir(tasks));)
        if (entry->d_name[0] != '.')
            all = strchr(states, state_of(atoi(entry->d_name), &parent)) != NULL;
    if (tasks)
        closedir(tasks);
    return all;
}

bool tf_proc_stopped(pid_t pid)
{
    return all_in(pid, "TtZX");
}

bool tf_proc_rests(pid_t pid)
{
    return all_in(pid, "STtZX");
}

bool tf_proc_descends(pid_t pid, pid_t from)
{
    for (int depth = 0; pid > 1 && depth < 64; depth++, pid = tf_proc_parent(pid))
        if (pid == from)
            return true;
    return false;
}

bool tf_proc_alive(struct tf_proc *proc, uint32_t pid)
{
    pid_t host = tf_proc_host(proc, pid);
    return host && tf_proc_parent(host) > 0;
}

pid_t tf_proc_child(pid_t pid)
{
    DIR *all = opendir("/proc");
    pid_t found = 0;
    for (struct dirent *entry; found >= 0 && all && (entry = readdir(all));) {
        pid_t one = atoi(entry->d_name);
        if (one > 0 && tf_proc_parent(one) == pid)
            found = found ? -1 : one;
    }
    if (all)
        closedir(all);
    return found;
}
