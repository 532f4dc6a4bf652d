/* Sockets that stay: close-wait-leak, fin-wait-leak, descriptor-leak, exec-leak.
 *
 * False alarms: what stays for a moment is being worked on; a relay that keeps one
 * direction open after the other's end is right; at its end a program may leave its
 * descriptors to the kernel. So only what the kernel's table still showed while the
 * program ran, long after it mattered, or what piles up, counts. */
#include "check.h"

#include <errno.h>
#include <netinet/tcp.h>

#define LONG_NS UINT64_C(1000000000)
enum { PILE = 3, BIG_PILE = 8 };

/* Is another connection of the same process open that it has opened itself? */
static bool relays(const struct tf_evidence *evidence, uint32_t pid)
{
    for (const struct tf_life *life = evidence->life; life < evidence->life + evidence->life_count; life++)
        if (life->pid == pid && life->opening == TF_OPENING_ACTIVE && !life->released_ns &&
            life->established_ns)
            return true;
    return false;
}

static bool in_state(const struct tf_evidence *evidence, const struct tf_life *life, unsigned state)
{
    const struct tf_kernel_socket *row = tf_kernel_of(evidence, life->cookie);
    return row && row->state == state && row->inode && !life->released_ns;
}

void tf_check_close_wait_leak(const struct tf_evidence *evidence)
{
    const struct tf_life *worst = NULL;
    unsigned count = 0;
    for (const struct tf_life *life = evidence->life; life < evidence->life + evidence->life_count; life++) {
        if (life->eof_at == TF_NO_EVENT || !in_state(evidence, life, TCP_CLOSE_WAIT) ||
            evidence->kernel_ns < life->last_ns + LONG_NS)
            continue;
        count++;
        worst = worst ? worst : life;
    }
    if (!worst || (count < BIG_PILE && relays(evidence, worst->pid)))
        return;
    const struct tf_event *eof = &evidence->event[worst->eof_at];
    tf_found(evidence, TF_CHECK_close_wait_leak, eof, worst,
             "%u socket%s in CLOSE_WAIT, the first since %.1f s: %s had read the end of file", count,
             count == 1 ? " was" : "s were", (double)(evidence->kernel_ns - worst->eof_ns) / 1e9,
             tf_call_info[eof->call].name);
}

void tf_check_fin_wait_leak(const struct tf_evidence *evidence)
{
    const struct tf_life *first = NULL;
    unsigned count = 0;
    for (const struct tf_life *life = evidence->life; life < evidence->life + evidence->life_count; life++) {
        if (!life->shut_ns || !in_state(evidence, life, TCP_FIN_WAIT2) ||
            evidence->kernel_ns < life->last_ns + LONG_NS)
            continue;
        count++;
        first = first ? first : life;
    }
    if (count >= BIG_PILE)
        tf_found(evidence, TF_CHECK_fin_wait_leak, &evidence->event[first->last_at], first,
                 "%u sockets were in FIN_WAIT2, the first since %.1f s", count,
                 (double)(evidence->kernel_ns - first->shut_ns) / 1e9);
}

/* When a call on it failed for good; TF_NO_EVENT: none did. */
static size_t failed_at(const struct tf_evidence *evidence, const struct tf_life *life)
{
    if (life->failed_at != TF_NO_EVENT && !life->established_ns)
        return life->failed_at;
    if (!life->broken_ns && !life->eof_ns)
        return TF_NO_EVENT;
    for (size_t i = life->last_at; i-- > 0;)
        if (evidence->event[i].cookie == life->cookie && tf_life_breaks(evidence->event[i].error))
            return i;
    return life->broken_ns && tf_life_breaks(evidence->event[life->last_at].error) ? life->last_at
                                                                                   : TF_NO_EVENT;
}

/* The kernel closes what a process that has ended left open. */
static bool holder_is_there(const struct tf_evidence *evidence, const struct tf_life *life)
{
    for (size_t i = 0; life->holders && i < evidence->presents; i++)
        if (evidence->present[i] == life->holder[0].pid)
            return true;
    return life->holders && life->holder[0].pid == evidence->end->pid;
}

void tf_check_descriptor_leak(const struct tf_evidence *evidence)
{
    const struct tf_life *first = NULL;
    size_t first_at = TF_NO_EVENT;
    unsigned count = 0, closed = 0;
    for (const struct tf_life *life = evidence->life; life < evidence->life + evidence->life_count; life++) {
        size_t at = life->cookie && life->role != TF_ROLE_LISTENER ? failed_at(evidence, life) : TF_NO_EVENT;
        if (at == TF_NO_EVENT)
            continue;
        /* The same descriptor has come to be another's: it was closed unseen. */
        bool lost = !life->released_ns && holder_is_there(evidence, life);
        for (size_t i = life->last_at + 1; lost && i < evidence->events; i++)
            lost = !(evidence->event[i].pid == life->holder[0].pid &&
                     (evidence->event[i].fd == life->holder[0].fd ||
                      (evidence->event[i].result == life->holder[0].fd &&
                       (evidence->event[i].call == TF_socket ||
                        tf_event_class(&evidence->event[i]) == TF_CLASS_ACCEPT))) &&
                     evidence->event[i].cookie != life->cookie);
        uint64_t until = evidence->asked_ns < evidence->end_ns ? evidence->asked_ns : evidence->end_ns;
        lost = lost && until > life->last_ns + LONG_NS / 5;
        closed += !lost;
        count += lost;
        if (lost && !first) {
            first = life;
            first_at = at;
        }
    }
    if (first && count >= PILE)
        tf_found(evidence, TF_CHECK_descriptor_leak, &evidence->event[first_at], first,
                 "%u sockets on which a call had failed were never closed (%u were)", count, closed);
}

void tf_check_exec_leak(const struct tf_evidence *evidence)
{
    for (size_t i = 0; i < evidence->processes; i++) {
        const struct tf_process *process = &evidence->segment->process[i];
        uint32_t pid = atomic_load(&process->pid);
        if (!evidence->outlives[i] || pid == evidence->end->pid)
            continue;
        for (uint32_t j = 0; j < process->inherited_count && j < TF_INHERITED; j++) {
            const struct tf_life *life = tf_lives_find(evidence->lives, process->inherited[j].cookie);
            if (!life || !life->listening_ns || life->pid == pid)
                continue;
            bool used = false;
            for (size_t k = 0; k < evidence->events && !used; k++)
                used = evidence->event[k].pid == pid && evidence->event[k].cookie == life->cookie;
            if (!used)
                tf_found(evidence, TF_CHECK_exec_leak,
                         life->created_at == TF_NO_EVENT ? NULL : &evidence->event[life->created_at], life,
                         "%s (process %u) was executed with the listener on port %u, and still had it after "
                         "the program's end",
                         process->exe, pid, life->local.port);
        }
    }
}
