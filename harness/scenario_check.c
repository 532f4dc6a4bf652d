/* What a resolved case must agree on: names, numbers of faults, order of steps. */
#include "plan.h"
#include "scenario_keys.h"
#include "scenario_resolve.h"

#include <stdint.h>
#include <string.h>

struct check {
    const struct tf_case *one;
    struct tf_error *error;
    uint32_t step;    /* the one that is looked at */
    uint64_t started; /* by actor: a step so far, or the beginning, has started it */
};

#define REFUSE(check, at, ...)                                                                               \
    tf_scenario_refuse((check)->one->file, (at)->line, (at)->column, (check)->error, __VA_ARGS__)

/* The actor's index, or -1 with the error filled. */
static int find(const struct check *check, const char *name, int line, int column)
{
    int at = tf_case_actor(check->one, name);
    if (at < 0)
        tf_scenario_refuse(check->one->file, line, column, check->error, "no program is called \"%.64s\"",
                           name);
    return at;
}

/* ---- programs and what is expected of them ---- */

static int check_after(const struct check *check, const struct tf_actor *actor)
{
    for (uint32_t i = 0; i < actor->after_count; i++) {
        int at = find(check, actor->after[i], actor->line, actor->column);
        if (at < 0)
            return -1;
        if (check->one->actor[at].role != actor->role)
            return REFUSE(check, actor, "after: \"%s\" is not a %s like \"%s\"", actor->after[i],
                          actor->role == TF_PART_SERVER ? "server" : "client", actor->name);
    }
    return 0;
}

/* Takes programs away whose `after`s are gone, until none is left: or there is a circle. */
static int check_circles(const struct check *check)
{
    const struct tf_case *one = check->one;
    uint64_t gone = 0;
    for (uint32_t round = 0; round < one->actors; round++)
        for (uint32_t i = 0; i < one->actors; i++) {
            bool free = true;
            for (uint32_t j = 0; j < one->actor[i].after_count; j++)
                free &= (gone >> tf_case_actor(one, one->actor[i].after[j]) & 1) != 0;
            gone |= (uint64_t)free << i;
        }
    for (uint32_t i = 0; i < one->actors; i++)
        if ((gone >> i & 1) == 0)
            return REFUSE(check, &one->actor[i], "after: \"%s\" waits for itself", one->actor[i].name);
    return 0;
}

static int check_patterns(const struct check *check, const struct tf_actor *actor,
                          const struct tf_pattern *patterns, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (patterns[i].rule > actor->faults_count)
            return REFUSE(check, &patterns[i], "rule: \"%s\" has %u fault%s, not %u", actor->name,
                          actor->faults_count, actor->faults_count == 1 ? "" : "s", patterns[i].rule);
    return 0;
}

static int check_expect(const struct check *check, const struct tf_actor *actor,
                        const struct tf_expect *expect)
{
    if ((expect->exit_count > 0 || expect->exit_any) && expect->signal != 0)
        return REFUSE(check, expect, "\"%s\" can end with a status or by a signal, not both", actor->name);
    if (expect->outcome != 0 && (expect->exit_count > 0 || expect->exit_any || expect->signal != 0))
        return REFUSE(check, expect, "\"outcome\" says how \"%s\" ends; exit or signal cannot, too",
                      actor->name);
    if (expect->tolerated != 0 && expect->outcome == 0)
        return REFUSE(check, expect, "\"tolerated\" means nothing without \"outcome\"");
    if (expect->within_ns > 0 && expect->after_ns > expect->within_ns)
        return REFUSE(check, expect, "\"%s\" cannot end after its \"within\"", actor->name);
    if (!actor->shim && (expect->events_count > 0 || expect->never_count > 0 || expect->says_fired))
        return REFUSE(check, expect, "\"%s\" runs without the shim: it has no events and no faults",
                      actor->name);
    for (uint32_t i = 0; i < expect->never_count; i++)
        if ((expect->never[i].given & tf_key_bit(&tf_pattern_shape, "count")) != 0)
            return REFUSE(check, &expect->never[i], "\"count\" means nothing in never");
    if (check_patterns(check, actor, expect->events, expect->events_count) != 0)
        return -1;
    return check_patterns(check, actor, expect->never, expect->never_count);
}

static int check_actor(const struct check *check, const struct tf_actor *actor)
{
    if (actor->run_count == 0)
        return REFUSE(check, actor, "program \"%s\" needs the key \"run\"", actor->name);
    if (!actor->shim && actor->faults_count > 0)
        return REFUSE(check, actor, "\"%s\" runs without the shim: it cannot have faults", actor->name);
    if (actor->faults_count > TF_RULES_MAX)
        return REFUSE(check, actor, "\"%s\" has more than %d faults", actor->name, TF_RULES_MAX);
    uint32_t per_connection = 0;
    for (uint32_t i = 0; i < actor->faults_count; i++) {
        per_connection += strstr(actor->faults[i].text, "per=connection") != NULL;
        if (per_connection > TF_PER_CONNECTION_MAX)
            return REFUSE(check, &actor->faults[i], "more than %d faults with per=connection",
                          TF_PER_CONNECTION_MAX);
    }
    return check_after(check, actor);
}

/* ---- steps ---- */

/* Programs that a step acts on must run, or have run, by then. */
static int check_running(const struct check *check, const struct tf_step *step, char *const *names,
                         uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        int at = find(check, names[i], step->line, step->column);
        if (at < 0)
            return -1;
        if ((check->started >> at & 1) == 0)
            return REFUSE(check, step, "\"%s\" has not been started by then", names[i]);
    }
    return 0;
}

static int check_start(struct check *check, const struct tf_step *step)
{
    for (uint32_t i = 0; i < step->start_count; i++) {
        int at = find(check, step->start[i], step->line, step->column);
        if (at < 0)
            return -1;
        if ((check->started >> at & 1) != 0)
            return REFUSE(check, step, "\"%s\" has been started before; see restart", step->start[i]);
        check->started |= UINT64_C(1) << at;
    }
    return 0;
}

static int check_arming(const struct check *check, const struct tf_arming *armings, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        int at = find(check, armings[i].program, armings[i].line, armings[i].column);
        if (at < 0)
            return -1;
        const struct tf_actor *actor = &check->one->actor[at];
        if (actor->faults_count == 0)
            return REFUSE(check, &armings[i], "\"%s\" has no faults", actor->name);
        if (tf_case_fault(actor, &armings[i]) >= 0)
            continue;
        if (armings[i].rule > 0)
            return REFUSE(check, &armings[i], "rule: \"%s\" has %u fault%s, not %u", actor->name,
                          actor->faults_count, actor->faults_count == 1 ? "" : "s", armings[i].rule);
        return REFUSE(check, &armings[i], "rule: \"%.80s\" is not among the faults of \"%s\"",
                      armings[i].rule_text, actor->name);
    }
    return 0;
}

static int check_state(const struct check *check, const struct tf_net_pattern *state, bool in_wait)
{
    if (state == NULL)
        return 0;
    if (state->port == NULL && state->peer == NULL)
        return REFUSE(check, state, "a state needs the key \"port\" or \"peer\"");
    if (in_wait && state->within_ns > 0)
        return REFUSE(check, state, "\"within\" belongs beside the condition, in wait");
    return 0;
}

static int check_found(const struct check *check, const struct tf_step *step, const struct tf_find_in *finds,
                       uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (check_running(check, step, &finds[i].program, 1) != 0)
            return -1;
    return 0;
}

static int check_wait(const struct check *check, const struct tf_step *step, const struct tf_wait *wait)
{
    uint64_t conditions = wait->given & ~tf_key_bit(&tf_wait_shape, "within");
    if (__builtin_popcountll(conditions) != 1)
        return REFUSE(check, wait, "wait needs one of exit, listen, stdout, stderr, event, state and gone");
    if (check_running(check, step, wait->exit, wait->exit_count) != 0 ||
        check_running(check, step, wait->listen, wait->listen_count) != 0 ||
        check_found(check, step, wait->out, wait->out_count) != 0 ||
        check_found(check, step, wait->err, wait->err_count) != 0 ||
        check_state(check, wait->state, true) != 0 || check_state(check, wait->gone, true) != 0)
        return -1;
    if (wait->event == NULL)
        return 0;
    int at = find(check, wait->event->program, wait->event->line, wait->event->column);
    if (at < 0 || check_running(check, step, &wait->event->program, 1) != 0)
        return -1;
    if (!check->one->actor[at].shim)
        return REFUSE(check, wait->event, "\"%s\" runs without the shim: it has no events",
                      wait->event->program);
    return check_patterns(check, &check->one->actor[at], wait->event, 1);
}

/* Whether an earlier step holds this port, or fills a queue of it. */
static bool was_held(const struct check *check, const char *port, bool occupied)
{
    for (uint32_t i = 0; i < check->step; i++) {
        const struct tf_step *step = &check->one->steps[i];
        const char *held = occupied && step->occupy != NULL  ? step->occupy->port
                           : !occupied && step->fill != NULL ? step->fill->port
                                                             : NULL;
        if (held != NULL && strcmp(held, port) == 0)
            return true;
    }
    return false;
}

static bool turns_off(const struct tf_case *one, const char *sysctl)
{
    for (uint32_t i = 0; i < one->sysctl_count; i++)
        if (strcmp(one->sysctl[i].name, sysctl) == 0)
            return strcmp(one->sysctl[i].value, "0") == 0;
    return false;
}

static bool same(const char *one, const char *other)
{
    return one == NULL || other == NULL ? one == other : strcmp(one, other) == 0;
}

bool tf_late_of(const struct tf_late *late, const struct tf_leave *leave)
{
    return leave != NULL && same(late->port, leave->port) && same(late->peer, leave->peer) &&
           same(late->address, leave->address);
}

static int check_late(const struct check *check, const struct tf_late *late)
{
    bool left = false;
    for (uint32_t i = 0; i < check->step; i++)
        left |= tf_late_of(late, check->one->steps[i].time_wait);
    if (!left)
        return REFUSE(check, late, "late_segment: no step before it leaves a TIME_WAIT of %s and %s",
                      late->port, late->peer);
    /* RFC 9293, 3.10.7.4: it gets no answer, and changes nothing. */
    if (late->reset && !late->acceptable)
        return REFUSE(check, late,
                      "late_segment: a RST that is not acceptable does nothing; "
                      "acceptable: true makes it so");
    /* RFC 7323, PAWS: they show that it is old. */
    if (late->acceptable && !late->reset && !turns_off(check->one, "net.ipv4.tcp_timestamps"))
        return REFUSE(check, late,
                      "late_segment: old data is never acceptable while there are timestamps; "
                      "sandbox: {sysctl: {net.ipv4.tcp_timestamps: 0}} turns them off");
    return 0;
}

/* Whether a step before has limited this program. */
static int check_limited(const struct check *check, const struct tf_step *step)
{
    for (uint32_t i = 0; i < step->restore_nofile_count; i++) {
        bool limited = false;
        for (uint32_t j = 0; j < check->step; j++) {
            const struct tf_step *before = &check->one->steps[j];
            for (uint32_t k = 0; k < before->limit_nofile_count; k++)
                limited |= strcmp(before->limit_nofile[k], step->restore_nofile[i]) == 0;
        }
        if (!limited)
            return REFUSE(check, step, "restore_nofile: no step before it limits \"%s\"",
                          step->restore_nofile[i]);
    }
    return 0;
}

static int check_held(const struct check *check, const struct tf_step *step)
{
    if (step->vacate != NULL && !was_held(check, step->vacate, true))
        return REFUSE(check, step, "vacate: no step before it occupies %s", step->vacate);
    if (step->drain != NULL && !was_held(check, step->drain, false))
        return REFUSE(check, step, "drain: no step before it fills a queue of %s", step->drain);
    if (step->time_wait != NULL && step->time_wait->peer != NULL &&
        strcmp(step->time_wait->peer, step->time_wait->port) == 0)
        return REFUSE(check, step->time_wait, "time_wait: the peer's port must be another");
    if (step->time_wait != NULL && step->time_wait->data != NULL &&
        strlen(step->time_wait->data) > TF_LEAVE_DATA)
        return REFUSE(check, step->time_wait, "time_wait: data of more than %d bytes", TF_LEAVE_DATA);
    if (step->late_segment != NULL && check_late(check, step->late_segment) != 0)
        return -1;
    /* With cookies (ip-sysctl.rst, tcp_syncookies) a full queue of SYNs is no obstacle. */
    if (step->fill != NULL && step->fill->queue == TF_QUEUE_SYN &&
        !turns_off(check->one, "net.ipv4.tcp_syncookies"))
        return REFUSE(check, step->fill,
                      "fill: a queue of SYNs is never full while there are SYN cookies; "
                      "sandbox: {sysctl: {net.ipv4.tcp_syncookies: 0}} turns them off");
    return 0;
}

static int check_step(struct check *check, const struct tf_step *step)
{
    if (__builtin_popcountll(step->given) != 1)
        return REFUSE(check, step, "a step needs exactly one key, such as wait; this one has %d",
                      __builtin_popcountll(step->given));
    for (uint32_t i = 0; i < step->signal_count; i++)
        if (check_running(check, step, &step->signal[i].program, 1) != 0)
            return -1;
    if (check_start(check, step) != 0 || check_running(check, step, step->stop, step->stop_count) != 0 ||
        check_running(check, step, step->restart, step->restart_count) != 0 ||
        check_running(check, step, step->limit_nofile, step->limit_nofile_count) != 0 ||
        check_limited(check, step) != 0 || check_arming(check, step->arm, step->arm_count) != 0 ||
        check_arming(check, step->disarm, step->disarm_count) != 0 ||
        check_state(check, step->expect_state, false) != 0 || check_held(check, step) != 0)
        return -1;
    return step->wait != NULL ? check_wait(check, step, step->wait) : 0;
}

static int check_steps(struct check *check)
{
    const struct tf_case *one = check->one;
    uint64_t by_steps = 0;
    if (one->steps_count > TF_SCENARIO_STEPS)
        return REFUSE(check, one, "more than %d steps in a case", TF_SCENARIO_STEPS);
    for (uint32_t i = 0; i < one->steps_count; i++)
        for (uint32_t j = 0; j < one->steps[i].start_count; j++) {
            int at = tf_case_actor(one, one->steps[i].start[j]);
            by_steps |= at >= 0 ? UINT64_C(1) << at : 0;
        }
    check->started = ~by_steps;
    for (check->step = 0; check->step < one->steps_count; check->step++)
        if (check_step(check, &one->steps[check->step]) != 0)
            return -1;
    return 0;
}

/* A battery is about a target, which has the part that the battery is for. */
static int check_battery(const struct check *check)
{
    const struct tf_case *one = check->one;
    bool found = false;
    for (uint32_t i = 0; i < one->actors; i++) {
        const struct tf_actor *actor = &one->actor[i];
        found |= actor->stands == TF_STANDS_TARGET;
        if (actor->stands == TF_STANDS_TARGET && actor->role != one->file->battery)
            return REFUSE(check, actor, "\"%s\" runs {target}, which is a %s in this battery", actor->name,
                          one->file->battery == TF_PART_SERVER ? "server" : "client");
    }
    return found || one->file->battery == TF_PART_DEFAULT
               ? 0
               : REFUSE(check, one, "no program of this case runs {target}");
}

int tf_case_check(const struct tf_case *one, struct tf_error *error)
{
    struct check check = {.one = one, .error = error};
    if (one->actors == 0)
        return tf_scenario_refuse(one->file, one->line, one->column, error,
                                  "there is no program to run; expected programs, server or client");
    for (uint32_t i = 0; i < one->actors; i++)
        if (check_actor(&check, &one->actor[i]) != 0 ||
            check_expect(&check, &one->actor[i], &one->expect[i]) != 0)
            return -1;
    return check_battery(&check) != 0 || check_circles(&check) != 0 ? -1 : check_steps(&check);
}
