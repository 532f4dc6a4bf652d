/* Which programs of a case would wait for ever: one for what can no longer come, or
 * all for each other. And which would not. */
#include "case_run.h"
#include "show.h"

#include <stdlib.h>
#include <string.h>

bool tf_running_through(const struct tf_running *running)
{
    return !tf_running_alive(running) ||
           (running->judge != NULL &&
            tf_judge_ends_never(running->judge, running->collect, tf_program_pid(running->program)));
}

/* False where somebody could do something who cannot be looked at: a program without
 * the shim, or the case with what it holds in the network. */
static bool gather(struct tf_case_run *run)
{
    for (uint32_t i = 0; i < run->one->actors; i++) {
        const struct tf_running *running = &run->running[i];
        run->parts[i] = (struct tf_standstill_part){.hang = NULL};
        if (running->program == NULL)
            continue;
        if (running->judge == NULL)
            return false;
        run->parts[i].hang = tf_judge_hang(running->judge);
        run->parts[i].collect = running->collect;
        run->parts[i].first =
            tf_running_alive(running) && !running->ended ? tf_program_pid(running->program) : -1;
    }
    return run->held == NULL;
}

bool tf_case_still(struct tf_case_run *run)
{
    if (run->options->kind != TF_SANDBOX_PRIVATE || !gather(run))
        return false;
    if (run->proc.root == 0)
        tf_proc_init(&run->proc, run->sandbox);
    return tf_standstill_look(&run->still, run->parts, run->one->actors, run->sandbox, &run->proc);
}

void tf_running_tell_still(struct tf_running *running)
{
    struct tf_case_run *run = running->run;
    size_t self = (size_t)(running - run->running);
    const struct tf_standstill_part *part = &run->parts[self];
    char message[512], others[256] = "", peer[80] = "";
    if (!part->waits)
        return;
    for (size_t i = 0; i < run->one->actors && strlen(others) < sizeof(others) - 100; i++) {
        const struct tf_standstill_part *other = &run->parts[i];
        if (i == self || other->hang == NULL || other->first <= 0)
            continue;
        snprintf(others + strlen(others), sizeof(others) - strlen(others), "%s%.40s %s%s",
                 others[0] != '\0' ? ", " : "", run->one->actor[i].name, other->waits ? "in " : "for clients",
                 other->waits ? tf_call_info[other->event.call].name : "");
    }
    if (part->event.peer.family != 0)
        tf_show_endpoint(&part->event.peer, peer, sizeof(peer));
    snprintf(message, sizeof(message),
             "it is blocked in %s%s%s, without a time limit, while all others wait, too, without one: %s",
             tf_call_info[part->event.call].name, peer[0] != '\0' ? ", peer " : "", peer, others);
    tf_judge_hangs(running->judge, &part->event, message);
}

bool tf_running_patient(struct tf_running *running)
{
    struct tf_net_rows rows = {0};
    struct tf_error error;
    bool limited = false;
    pid_t pid;
    if (running->judge == NULL || running->collect == NULL)
        return false;
    if (tf_net_rows(running->run->sandbox, 0, &rows, &error) != 0)
        rows.count = 0;
    for (size_t i = 0; !limited && (pid = tf_running_process(running, i)) >= 0; i++)
        limited = pid > 0 && tf_hang_limited(tf_judge_hang(running->judge), running->collect, &rows,
                                             &running->proc, pid);
    free(rows.row);
    return limited;
}
