#include "hang.h"

#include "hang_wait.h"
#include "rule.h"
#include "show.h"

#include <dirent.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* How long nothing must have happened before a proof is tried, and how long what it
 * found must stay the same. */
#define QUIET_NS UINT64_C(50000000)
#define STAYS_NS UINT64_C(40000000)
#define ANEW_NS UINT64_C(500000000) /* after one that failed */

enum { SOCKETS = 4096, THREADS = 256 };

/* What events told of a socket. By hash of the cookie; a newer one takes the place. */
struct known {
    uint64_t cookie;
    uint16_t silent;    /* nothing arrives any more, by this rule, from 1 */
    bool bounded;       /* SO_RCVTIMEO, SO_KEEPALIVE, TCP_USER_TIMEOUT */
    bool sends_bounded; /* SO_SNDTIMEO */
};

struct tf_hang {
    struct known known[SOCKETS];
    uint64_t last_ns, look_at_ns; /* of the last event; no look before */
    uint64_t suspected_ns;        /* since when the proof holds; 0: it does not */
    uint64_t signature;           /* of what it rests on */
    struct tf_event event;
    char message[512];
    pid_t pid;         /* as the host numbers it */
    uint64_t alone_ns; /* since when it is all there is of its program; 0: it is not */
    bool proven, told, never, kernel_gives_up;
};

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct tf_hang *tf_hang_new(bool kernel_gives_up)
{
    struct tf_hang *hang = calloc(1, sizeof *hang);
    if (hang)
        hang->kernel_gives_up = kernel_gives_up;
    return hang;
}

void tf_hang_free(struct tf_hang *hang)
{
    free(hang);
}

static struct known *of(struct tf_hang *hang, uint64_t cookie)
{
    struct known *known = &hang->known[cookie % SOCKETS];
    if (known->cookie != cookie)
        *known = (struct known){.cookie = cookie};
    return known;
}

static bool sets(const struct tf_event *event, int level, int name)
{
    return (int)event->arg[1] == level && (int)event->arg[2] == name;
}

void tf_hang_disturb(struct tf_hang *hang)
{
    hang->last_ns = clock_ns();
    hang->suspected_ns = 0;
    hang->proven = hang->told = hang->never = false;
    hang->alone_ns = 0;
    hang->look_at_ns = 0;
}

void tf_hang_event(struct tf_hang *hang, enum tf_collect_what what, const struct tf_event *event)
{
    if (what == TF_COLLECT_BLOCKED)
        return;
    tf_hang_disturb(hang);
    if (!event->cookie)
        return;
    if (event->flags & TF_EVENT_FIRED && event->effects & 1U << TF_EFFECT_drop &&
        tf_call_info[event->call].class == TF_CLASS_IN)
        of(hang, event->cookie)->silent = event->rule;
    if (event->call != TF_setsockopt || event->error)
        return;
    if (sets(event, SOL_SOCKET, SO_RCVTIMEO_OLD) || sets(event, SOL_SOCKET, SO_RCVTIMEO_NEW) ||
        sets(event, SOL_SOCKET, SO_KEEPALIVE) || sets(event, IPPROTO_TCP, TCP_USER_TIMEOUT))
        of(hang, event->cookie)->bounded = true;
    if (sets(event, SOL_SOCKET, SO_SNDTIMEO_OLD) || sets(event, SOL_SOCKET, SO_SNDTIMEO_NEW))
        of(hang, event->cookie)->sends_bounded = true;
}

static bool inherits(const struct tf_net_socket *one, const struct tf_net_socket *listener)
{
    return listener->state == TCP_LISTEN && listener->local.port == one->local.port;
}

bool tf_hang_bounded(struct tf_hang *hang, const struct tf_net_rows *rows, const struct tf_net_socket *row,
                     bool sends)
{
    const struct known *known = of(hang, row->cookie);
    bool bounded = known->bounded || (sends && known->sends_bounded);
    for (size_t i = 0; !bounded && i < rows->count; i++)
        if (inherits(row, &rows->row[i])) {
            known = of(hang, rows->row[i].cookie);
            bounded = known->bounded || (sends && known->sends_bounded);
        }
    return bounded;
}

uint64_t tf_hang_last_ns(const struct tf_hang *hang)
{
    return hang->last_ns;
}

/* ---- can anything still arrive? ---- */

static bool same_end(const struct tf_endpoint *a, const struct tf_endpoint *b)
{
    return a->family == b->family && a->port == b->port && !memcmp(a->ip, b->ip, sizeof a->ip);
}

static bool on_loopback(const struct tf_endpoint *end)
{
    static const uint8_t one[16] = {[15] = 1};
    return (end->family == 4 && end->ip[0] == 127) || (end->family == 6 && !memcmp(end->ip, one, sizeof one));
}

/* The peer's socket is of this machine, and is no more: whoever had it went without
 * a word. */
static bool peer_gone(const struct tf_net_rows *rows, const struct tf_net_socket *socket)
{
    if (!on_loopback(&socket->peer) || !on_loopback(&socket->local))
        return false;
    for (size_t i = 0; i < rows->count; i++)
        if (same_end(&rows->row[i].local, &socket->peer) && same_end(&rows->row[i].peer, &socket->local))
            return false;
    return true;
}

/* Will nothing arrive on this descriptor for all time? */
static bool silent(struct tf_hang *hang, const struct tf_net_rows *rows, pid_t pid, int fd,
                   const struct tf_event *pending, const struct tf_plan *plan, const char **why)
{
    const struct tf_net_socket *row = tf_wait_row(rows, pid, fd);
    if (!row)
        return false;
    const struct known *known = of(hang, row->cookie);
    bool dropping = pending && pending->cookie == row->cookie && pending->rule &&
                    pending->effects & 1U << TF_EFFECT_drop && pending->rule <= plan->rules &&
                    tf_call_info[pending->call].class == TF_CLASS_IN;
    unsigned rule = dropping ? pending->rule : known->silent;
    if (tf_hang_bounded(hang, rows, row, false) || rule > plan->rules ||
        (rule && plan->rule[rule - 1].drop_ns) || (row->send_queue && hang->kernel_gives_up))
        return false;
    /* What a drop has struck stays silent, whatever the kernel's queue holds. Where the
     * acknowledgement of what was sent is lost, too, the kernel gives up after a quarter
     * of an hour (tcp(7), tcp_retries2): a limit that is not the program's. */
    if (rule) {
        *why = row->send_queue ? "from which nothing arrives any more, not even acknowledgements"
                               : "from which nothing arrives any more";
        return row->state != TCP_CLOSE && row->state != TCP_LISTEN && row->state != TCP_SYN_SENT;
    }
    *why = "whose peer is gone without a word";
    return (row->state == TCP_ESTABLISHED || row->state == TCP_FIN_WAIT2) && !row->receive_queue &&
           !row->send_queue && peer_gone(rows, row);
}

/* ---- who waits ---- */

struct verdict {
    struct tf_event event;
    const char *why;
    size_t waiting; /* threads that wait for TCP */
    size_t threads;
    uint64_t signature;
    pid_t pid;
};

/* Every thread waits for ever; `tcp`: and those that wait for TCP in vain. */
static bool all_blocked(struct tf_hang *hang, struct tf_collect *collect, struct tf_proc *proc, pid_t pid,
                        const struct tf_net_rows *rows, struct verdict *verdict)
{
    char path[48];
    const struct tf_plan *plan = &tf_collect_segment(collect)->plan;
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *tasks = tf_wait_timer(pid) ? NULL : opendir(path);
    bool blocked = tasks != NULL;
    for (struct dirent *entry; blocked && (entry = readdir(tasks));) {
        struct tf_wait wait;
        pid_t tid = atoi(entry->d_name);
        if (tid <= 0 || tf_wait_of_shim(pid, tid))
            continue;
        tf_wait_look(pid, tid, &wait);
        blocked = wait.kind != TF_WAIT_HOPE && !wait.beyond_input;
        if (!rows) { /* an ancestor: whatever it waits for */
            continue;
        }
        const struct tf_event *pending = tf_wait_pending(collect, proc, pid, tid);
        if (wait.kind == TF_WAIT_SHIM && pending && tf_call_info[pending->call].class == TF_CLASS_IN) {
            wait.kind = TF_WAIT_INPUT;
            wait.fd[wait.fds++] = pending->fd;
        }
        blocked = blocked && wait.kind != TF_WAIT_SHIM;
        for (size_t i = 0; blocked && i < wait.fds; i++)
            blocked = silent(hang, rows, pid, wait.fd[i], pending, plan, &verdict->why);
        blocked = blocked && (wait.kind != TF_WAIT_INPUT || pending);
        for (const char *at = wait.text; *at; at++)
            verdict->signature = verdict->signature * 31 + (unsigned char)*at;
        verdict->threads++;
        if (wait.kind == TF_WAIT_INPUT && pending && verdict->waiting++ == 0)
            verdict->event = *pending;
    }
    if (tasks)
        closedir(tasks);
    return blocked;
}

/* Does nobody above it, within the run, have a time limit? */
static bool abandoned(struct tf_hang *hang, struct tf_collect *collect, struct tf_proc *proc, pid_t pid)
{
    for (pid_t up = tf_proc_parent(pid); up > 1 && up != proc->root; up = tf_proc_parent(up)) {
        struct verdict ignored = {0};
        if (tf_proc_parent(up) == proc->root && !proc->inside) /* the namespace's first process */
            return true;
        if (!all_blocked(hang, collect, proc, up, NULL, &ignored))
            return false;
    }
    return true;
}

static bool prove(struct tf_hang *hang, struct tf_collect *collect, const struct tf_sandbox *sandbox,
                  struct tf_proc *proc, struct verdict *verdict)
{
    struct tf_net_rows rows = {0};
    struct tf_error error;
    bool proven = false, looked = false;
    const struct tf_event *event, *before;
    for (size_t i = 0; !proven && (event = tf_collect_unfinished(collect, i)); i++) {
        size_t same = 0;
        while ((before = tf_collect_unfinished(collect, same)) && before->pid != event->pid)
            same++;
        if (same < i) /* another thread of one that was looked at */
            continue;
        pid_t pid = tf_proc_host(proc, event->pid);
        *verdict = (struct verdict){.pid = pid};
        if (!pid || (!looked && tf_net_rows(sandbox, 0, &rows, &error)))
            break;
        looked = true;
        proven = all_blocked(hang, collect, proc, pid, &rows, verdict) && verdict->waiting &&
                 abandoned(hang, collect, proc, pid);
    }
    free(rows.row);
    return proven;
}

static void conclude(struct tf_hang *hang, const struct verdict *verdict, uint64_t now)
{
    char threads[48] = "", peer[80], where[120] = "";
    const struct tf_event *event = &verdict->event;
    if (verdict->threads > 1)
        snprintf(threads, sizeof threads, ", as all of its %zu threads", verdict->threads);
    if (event->peer.family) {
        tf_show_endpoint(&event->peer, peer, sizeof peer);
        snprintf(where, sizeof where, " from %s", peer);
    }
    snprintf(
        hang->message, sizeof hang->message,
        "it is blocked in %s%s%s, without a time limit, on a connection %s (it went quiet %.0f ms before "
        "that was proven)",
        tf_call_info[event->call].name, where, threads, verdict->why, (double)(now - hang->last_ns) / 1e6);
    hang->event = *event;
    hang->pid = verdict->pid;
    hang->proven = true;
}

void tf_hang_look(struct tf_hang *hang, struct tf_collect *collect, const struct tf_sandbox *sandbox,
                  struct tf_proc *proc)
{
    struct verdict verdict;
    uint64_t now = clock_ns();
    if (hang->proven || now < hang->last_ns + QUIET_NS || now < hang->look_at_ns ||
        !tf_collect_unfinished(collect, 0))
        return;
    if (!prove(hang, collect, sandbox, proc, &verdict)) {
        hang->suspected_ns = 0;
        hang->look_at_ns = now + (now - hang->last_ns < ANEW_NS ? QUIET_NS / 2 : ANEW_NS);
        return;
    }
    if (!hang->suspected_ns || hang->signature != verdict.signature) {
        hang->suspected_ns = now;
        hang->signature = verdict.signature;
    } else if (now >= hang->suspected_ns + STAYS_NS) {
        conclude(hang, &verdict, now);
    }
}

bool tf_hang_proven(struct tf_hang *hang, struct tf_event *event, char *message, size_t size)
{
    if (!hang->proven || hang->told)
        return false;
    hang->told = true;
    *event = hang->event;
    snprintf(message, size, "%s", hang->message);
    return true;
}

/* The last of those of which each is the only child of the one before. */
static pid_t last_of(pid_t first)
{
    pid_t child = tf_proc_child(first);
    for (; child > 0; child = tf_proc_child(first))
        first = child;
    return child == 0 ? first : 0;
}

bool tf_hang_ends_never(struct tf_hang *hang, struct tf_collect *collect, const struct tf_sandbox *sandbox,
                        struct tf_proc *proc, pid_t first)
{
    struct verdict verdict;
    uint64_t now = clock_ns();
    if (!hang->proven || hang->never)
        return hang->never;
    if (last_of(first) != hang->pid || !prove(hang, collect, sandbox, proc, &verdict) ||
        verdict.pid != hang->pid)
        hang->alone_ns = 0;
    else if (!hang->alone_ns)
        hang->alone_ns = now;
    else
        hang->never = now >= hang->alone_ns + STAYS_NS;
    return hang->never;
}
