/* The steps of a case, in order; without any, the default order. */
#include "case_run.h"
#include "case_verdict.h"
#include "segment.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static struct tf_running *find(struct tf_case_run *run, const char *name)
{
    return &run->running[tf_case_actor(run->one, name)];
}

/* ---- conditions ---- */

struct counting {
    const struct tf_net_pattern *pattern;
    uint16_t port, peer;
    uint64_t count;
};

static bool count_socket(const struct tf_net_socket *socket, void *data)
{
    struct counting *counting = data;
    const struct tf_net_pattern *pattern = counting->pattern;
    bool state = pattern->states_count == 0;
    for (uint32_t i = 0; i < pattern->states_count; i++)
        state |= tf_net_state_number(pattern->states[i]) == socket->state;
    counting->count += state && (counting->port == 0 || socket->local.port == counting->port) &&
                       (counting->peer == 0 || socket->peer.port == counting->peer);
    return true;
}

uint16_t tf_case_port(const struct tf_case_run *run, const char *text)
{
    struct tf_wrong wrong;
    char *digits = text != NULL ? tf_subst(text, TF_SUBST_PORTS, &run->values, NULL, &wrong) : NULL;
    uint16_t number = digits != NULL ? (uint16_t)strtoul(digits, NULL, 10) : 0;
    free(digits);
    return number;
}

static uint64_t count_states(const struct tf_case_run *run, const struct tf_net_pattern *pattern)
{
    struct counting counting = {.pattern = pattern,
                                .port = tf_case_port(run, pattern->port),
                                .peer = tf_case_port(run, pattern->peer)};
    struct tf_error error;
    uint16_t any = counting.port != 0 ? counting.port : counting.peer;
    if (tf_net_sockets(run->sandbox, any, count_socket, &counting, &error) != 0)
        return 0;
    return counting.count;
}

static bool state_holds(struct tf_case_run *run, const void *pattern)
{
    const struct tf_net_pattern *state = pattern;
    return tf_range_holds(state->count, (int64_t)count_states(run, state));
}

static bool state_gone(struct tf_case_run *run, const void *pattern)
{
    return !state_holds(run, pattern);
}

static bool all_ended(struct tf_case_run *run, const struct tf_wait *wait)
{
    for (uint32_t i = 0; i < wait->exit_count; i++)
        if (tf_running_alive(find(run, wait->exit[i])))
            return false;
    return true;
}

static bool all_through(struct tf_case_run *run, const void *data)
{
    const struct tf_wait *wait = data;
    for (uint32_t i = 0; i < wait->exit_count; i++)
        if (!tf_running_through(find(run, wait->exit[i])))
            return tf_case_still(run);
    return true;
}

static bool listens(struct tf_case_run *run, const void *data)
{
    const struct tf_wait *wait = data;
    for (uint32_t i = 0; i < wait->listen_count; i++)
        if (!tf_running_listens(find(run, wait->listen[i])))
            return false;
    return true;
}

static bool written(struct tf_case_run *run, const void *data)
{
    const struct tf_wait *wait = data;
    bool out = wait->out_count > 0;
    const struct tf_find_in *in = out ? wait->out : wait->err;
    uint32_t count = out ? wait->out_count : wait->err_count;
    for (uint32_t i = 0; i < count; i++) {
        struct tf_running *running = find(run, in[i].program);
        tf_running_outputs(running);
        const char *text = out ? running->seen.out : running->seen.err;
        size_t length = out ? running->seen.out_length : running->seen.err_length;
        for (uint32_t j = 0; j < in[i].finds_count; j++)
            if (!tf_find_holds(&in[i].finds[j], text != NULL ? text : "", length, &run->values))
                return false;
    }
    return true;
}

static bool happened(struct tf_case_run *run, const void *data)
{
    const struct tf_wait *wait = data;
    const struct tf_running *running = find(run, wait->event->program);
    return tf_range_holds(wait->event->count, (int64_t)tf_running_watched(running, wait->event));
}

/* It does not end, and that is proven: of it alone, or of all together. */
static void tell_hang(struct tf_running *running)
{
    if (tf_running_alive(running) && !tf_running_through(running))
        tf_running_tell_still(running);
}

/* ---- steps ---- */

static uint64_t limit(const struct tf_case_run *run, uint64_t within_ns)
{
    uint64_t until = within_ns > 0 ? tf_case_now() + within_ns : run->deadline_ns;
    return until < run->deadline_ns ? until : run->deadline_ns;
}

struct condition {
    bool (*holds)(struct tf_case_run *, const void *);
    const void *data;
};

static bool holds_or_settled(struct tf_case_run *run, const void *data)
{
    const struct condition *condition = data;
    return condition->holds(run, condition->data) || tf_case_settled(run);
}

/* Of programs of which any outcome will do, the wait says how long they get: else there
 * would be no time left to see what became of the others. */
static bool is_only_patience(struct tf_case_run *run, const struct tf_wait *wait)
{
    for (uint32_t i = 0; i < wait->exit_count; i++) {
        const struct tf_expect *expect = &run->one->expect[tf_case_actor(run->one, wait->exit[i])];
        if (((expect->outcome | expect->tolerated) & TF_OUTCOME_ANY) == 0)
            return false;
    }
    return wait->exit_count > 0;
}

static void do_wait(struct tf_case_run *run, const struct tf_step *step)
{
    const struct tf_wait *wait = step->wait;
    bool (*holds)(struct tf_case_run *, const void *) = wait->exit_count > 0     ? all_through
                                                        : wait->listen_count > 0 ? listens
                                                        : wait->event != NULL    ? happened
                                                        : wait->state != NULL    ? state_holds
                                                        : wait->gone != NULL     ? state_gone
                                                                                 : written;
    const void *data = wait->state != NULL  ? (const void *)wait->state
                       : wait->gone != NULL ? (const void *)wait->gone
                                            : (const void *)wait;
    const struct condition condition = {holds, data};
    bool any = is_only_patience(run, wait);
    uint64_t within_ns = wait->within_ns;
    if (any && within_ns == 0)
        within_ns = (run->deadline_ns - tf_case_now()) / 3 + 1;
    bool held = tf_case_until(run, holds_or_settled, &condition, limit(run, within_ns));
    if (tf_case_settled(run))
        return;
    for (uint32_t i = 0; held && !any && i < wait->exit_count; i++)
        tell_hang(find(run, wait->exit[i]));
    if (held && !any && wait->exit_count > 0 && !all_ended(run, wait))
        tf_case_fail(run, false, "", "step", step->text, "never: it was proven to wait for ever");
    else if (!held && !any)
        tf_case_fail(run, false, "", "step", step->text,
                     wait->within_ns > 0 ? "not within that time" : "not until the deadline");
}

static void do_expect_state(struct tf_case_run *run, const struct tf_net_pattern *state)
{
    bool held = state->within_ns > 0 ? tf_case_until(run, state_holds, state, limit(run, state->within_ns))
                                     : state_holds(run, state);
    if (held)
        return;
    char got[64];
    uint64_t count = count_states(run, state);
    snprintf(got, sizeof(got), "%llu such socket%s", (unsigned long long)count, count == 1 ? "" : "s");
    tf_case_fail(run, false, "", "expect_state", state->text, got);
}

static void do_arm(struct tf_case_run *run, const struct tf_arming *arming, bool armed)
{
    const struct tf_running *running = find(run, arming->program);
    int rule = tf_case_fault(running->actor, arming);
    struct tf_segment *segment = tf_collect_segment(running->collect);
    for (uint32_t i = 0; i < running->actor->faults_count; i++)
        if (rule == 0 || (int)i + 1 == rule)
            atomic_store(&segment->state[i].armed, armed);
    tf_segment_gate(segment);
}

/* What was forked while its parent still ran is told now. */
static bool is_stopped(struct tf_case_run *run, const void *running)
{
    (void)run;
    bool stopped = tf_running_stopped(running);
    if (!stopped)
        tf_running_all(running, SIGSTOP);
    return stopped;
}

static void do_signal(struct tf_case_run *run, const struct tf_signalling *signalling)
{
    struct tf_running *running = find(run, signalling->program);
    struct tf_error error;
    bool all = running->ended || signalling->signal == SIGSTOP || signalling->signal == SIGCONT;
    running->seen.signalled |= UINT64_C(1) << signalling->signal;
    if (!tf_running_alive(running))
        tf_case_fail(run, false, signalling->program, "step", "to run, so that it can be signalled",
                     "it has ended");
    else if (all) {
        tf_running_all(running, signalling->signal);
        /* Until then a thread may still take a connection from the queue. */
        if (signalling->signal == SIGSTOP)
            tf_case_until(run, is_stopped, running, run->deadline_ns);
    } else if (tf_program_signal(running->program, signalling->signal, &error) != 0)
        tf_case_fail(run, true, signalling->program, "step", "to be signalled", error.text);
    else if (running->judge != NULL)
        tf_judge_disturb(running->judge);
}

static void stop_named(struct tf_case_run *run, char *const *names, uint32_t count)
{
    struct tf_running *list[TF_SCENARIO_NAMES];
    for (uint32_t i = 0; i < count; i++)
        list[i] = find(run, names[i]);
    tf_running_stop(run, list, count);
}

static bool never(struct tf_case_run *run, const void *data)
{
    (void)run;
    (void)data;
    return false;
}

static void do_step(struct tf_case_run *run, const struct tf_step *step)
{
    for (uint32_t i = 0; i < step->start_count; i++)
        tf_running_start(find(run, step->start[i]));
    if (step->wait != NULL)
        do_wait(run, step);
    for (uint32_t i = 0; i < step->signal_count && !run->over; i++)
        do_signal(run, &step->signal[i]);
    stop_named(run, step->stop, step->stop_count);
    stop_named(run, step->restart, step->restart_count);
    for (uint32_t i = 0; i < step->restart_count && !run->over; i++) {
        tf_running_forget(find(run, step->restart[i]));
        tf_running_start(find(run, step->restart[i]));
    }
    for (uint32_t i = 0; i < step->limit_nofile_count && !run->over; i++)
        tf_running_nofile(find(run, step->limit_nofile[i]), true);
    for (uint32_t i = 0; i < step->restore_nofile_count && !run->over; i++)
        tf_running_nofile(find(run, step->restore_nofile[i]), false);
    for (uint32_t i = 0; i < step->arm_count; i++)
        do_arm(run, &step->arm[i], true);
    for (uint32_t i = 0; i < step->disarm_count; i++)
        do_arm(run, &step->disarm[i], false);
    if (step->expect_state != NULL)
        do_expect_state(run, step->expect_state);
    if (step->occupy != NULL)
        tf_case_occupy(run, step);
    if (step->vacate != NULL)
        tf_case_vacate(run, step);
    if (step->time_wait != NULL)
        tf_case_time_wait(run, step);
    if (step->late_segment != NULL)
        tf_case_late_segment(run, step);
    if (step->fill != NULL)
        tf_case_fill(run, step);
    if (step->drain != NULL)
        tf_case_drain(run, step);
    if (step->pause_ns > 0)
        tf_case_until(run, never, NULL, limit(run, step->pause_ns));
}

/* ---- the default order ---- */

static bool started_by_a_step(const struct tf_case *one, const char *name)
{
    for (uint32_t i = 0; i < one->steps_count; i++)
        for (uint32_t j = 0; j < one->steps[i].start_count; j++)
            if (strcmp(one->steps[i].start[j], name) == 0)
                return true;
    return false;
}

static bool may_start(struct tf_case_run *run, const struct tf_actor *actor)
{
    for (uint32_t i = 0; i < actor->after_count; i++)
        if (find(run, actor->after[i])->program == NULL && !started_by_a_step(run->one, actor->after[i]))
            return false;
    return true;
}

/* Rounds over the programs of one role: each starts once those in its `after` have. */
static void start_all(struct tf_case_run *run, int role)
{
    for (uint32_t round = 0; round < run->one->actors; round++)
        for (uint32_t i = 0; i < run->one->actors && !run->over; i++) {
            struct tf_running *running = &run->running[i];
            if (running->actor->role == role && running->program == NULL && !tf_case_settled(run) &&
                !started_by_a_step(run->one, running->actor->name) && may_start(run, running->actor))
                tf_running_start(running);
        }
}

/* Where any outcome will do, only those are waited for of which something is expected;
 * or where there are none, all. */
static bool others_count(const struct tf_case_run *run, uint32_t at)
{
    for (uint32_t i = 0; i < run->one->actors; i++) {
        unsigned outcomes = run->one->expect[i].outcome | run->one->expect[i].tolerated;
        if (i != at && run->one->actor[i].role == TF_PART_CLIENT && run->running[i].program != NULL &&
            (outcomes & TF_OUTCOME_ANY) == 0)
            return true;
    }
    return false;
}

/* Clients end by themselves, unless they are expected to be alive; servers when
 * they are not, or when they are to be killed by a signal that we won't send. */
static bool is_waited_for(const struct tf_case_run *run, uint32_t at)
{
    const struct tf_expect *expect = &run->one->expect[at];
    const struct tf_actor *actor = &run->one->actor[at];
    unsigned outcomes = expect->outcome | expect->tolerated;
    if (run->running[at].program == NULL)
        return false;
    if (outcomes != 0 && actor->role == TF_PART_SERVER)
        return (outcomes & (TF_OUTCOME_SAME | TF_OUTCOME_ANY)) == 0;
    if ((outcomes & TF_OUTCOME_ANY) != 0 && others_count(run, at))
        return false;
    if (expect->says_alive)
        return !expect->alive;
    return actor->role == TF_PART_CLIENT || (expect->signal != 0 && expect->signal != actor->stop);
}

static bool clients_through(struct tf_case_run *run, const void *data)
{
    (void)data;
    for (uint32_t i = 0; i < run->one->actors && !tf_case_settled(run); i++)
        if (is_waited_for(run, i) && !tf_running_through(&run->running[i]))
            return tf_case_still(run);
    return true;
}

static void stop_the_rest(struct tf_case_run *run)
{
    struct tf_running *list[TF_SCENARIO_PROGRAMS];
    size_t count = 0;
    for (uint32_t i = run->one->actors; i-- > 0;)
        if (tf_running_alive(&run->running[i]))
            list[count++] = &run->running[i];
    tf_running_stop(run, list, count);
}

bool tf_case_settled(const struct tf_case_run *run)
{
    int target = run->one->file->battery == TF_PART_SERVER ? tf_case_target(run->one) : -1;
    const struct tf_running *running = target >= 0 ? &run->running[target] : NULL;
    return running != NULL && running->program != NULL && !tf_running_alive(running) &&
           !running->seen.stopping && tf_outcome_may_end(&run->one->expect[target]);
}

void tf_case_steps(struct tf_case_run *run)
{
    start_all(run, TF_PART_SERVER);
    start_all(run, TF_PART_CLIENT);
    for (uint32_t i = 0; i < run->one->steps_count && !run->over && !tf_case_settled(run); i++)
        do_step(run, &run->one->steps[i]);
    bool in_time = run->over || tf_case_until(run, clients_through, NULL, run->deadline_ns);
    for (uint32_t i = 0; i < run->one->actors; i++) {
        struct tf_running *running = &run->running[i];
        bool runs = tf_running_alive(running);
        running->seen.alive = runs || running->seen.stopping; /* a step may have stopped it */
        running->seen.hung = !run->over && runs && is_waited_for(run, i);
        running->seen.proven = running->seen.hung && in_time;
        running->patient = runs && running->actor->role == TF_PART_CLIENT && tf_running_patient(running);
        if (running->seen.proven)
            tell_hang(running);
    }
    if (in_time && !run->over)
        stop_the_rest(run);
}
