/* A server whose first process has done its part, which is to leave a daemon behind:
 * what is left of it. */
#include "case_run.h"
#include "segment.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The supervisor's own processes, and the peers that are this program. */
static bool is_ours(pid_t pid)
{
    char path[64], theirs[4096], own[4096];
    snprintf(path, sizeof(path), "/proc/%d/exe", pid);
    ssize_t length = readlink(path, theirs, sizeof(theirs)),
            wanted = readlink("/proc/self/exe", own, sizeof(own));
    return length < 0 || (length == wanted && memcmp(theirs, own, (size_t)length) == 0);
}

/* One of its processes: below the first, as long as that is there. */
static bool is_its(const struct tf_running *running, pid_t pid)
{
    const struct tf_case_run *run = running->run;
    if (!running->ended)
        return tf_proc_descends(pid, tf_program_pid(running->program));
    if (!tf_proc_descends(pid, tf_sandbox_pid(run->sandbox)) || is_ours(pid))
        return false;
    for (uint32_t i = 0; i < run->one->actors; i++) {
        const struct tf_running *other = &run->running[i];
        if (other != running && other->program != NULL && !other->ended &&
            tf_proc_descends(pid, tf_program_pid(other->program)))
            return false;
    }
    return true;
}

size_t tf_running_each(const struct tf_running *running, void (*visit)(pid_t pid, void *data), void *data)
{
    DIR *proc = opendir("/proc");
    size_t count = 0;
    for (struct dirent *entry; proc != NULL && (entry = readdir(proc)) != NULL;) {
        char *end;
        long pid = strtol(entry->d_name, &end, 10);
        if (*end != '\0' || pid <= 1 || !is_its(running, (pid_t)pid))
            continue;
        count++;
        visit((pid_t)pid, data);
    }
    if (proc != NULL)
        closedir(proc);
    return count;
}

static void send_signal(pid_t pid, void *signal)
{
    if (*(int *)signal != 0)
        kill(pid, *(int *)signal);
}

size_t tf_running_all(const struct tf_running *running, int signal)
{
    return tf_running_each(running, send_signal, &signal);
}

struct halt {
    bool stopped;
    size_t living;
};

static void and_stopped(pid_t pid, void *data)
{
    struct halt *halt = data;
    halt->stopped &= tf_proc_stopped(pid);
    halt->living += tf_proc_parent(pid) != 0;
}

/* One that has just exited may have left a daemon, which is known for its own when the
 * exit has been told. */
bool tf_running_stopped(const struct tf_running *running)
{
    struct halt halt = {.stopped = true};
    tf_running_each(running, and_stopped, &halt);
    return halt.stopped && (halt.living > 0 || running->ended);
}

static void and_rests(pid_t pid, void *rests)
{
    *(bool *)rests &= tf_proc_rests(pid);
}

bool tf_running_rests(const struct tf_running *running)
{
    bool rests = true;
    tf_running_each(running, and_rests, &rests);
    return rests;
}

bool tf_running_daemon(const struct tf_running *running)
{
    return running->ended && running->actor->role == TF_PART_SERVER &&
           running->seen.end.end == TF_END_EXITED && running->seen.end.status == 0;
}

bool tf_running_serves(const struct tf_running *running)
{
    struct tf_error error;
    /* Nobody else can hold the listener. */
    return tf_running_daemon(running) && running->listened && running->listen_port != 0 &&
           tf_net_listening(running->run->sandbox, running->listen_port, &error) == 1;
}

pid_t tf_running_process(struct tf_running *running, size_t row)
{
    const struct tf_segment *segment = tf_collect_segment(running->collect);
    uint32_t pid = row < TF_PROCESSES ? atomic_load(&segment->process[row].pid) : 0;
    if (pid == 0)
        return -1;
    pid_t host = tf_proc_alive(&running->proc, pid) ? tf_proc_host(&running->proc, pid) : 0;
    /* The number may be somebody else's by now. */
    return host > 0 && tf_proc_descends(host, tf_sandbox_pid(running->run->sandbox)) ? host : 0;
}
