#include "spins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { STREAKS = 1024, THREADS = 1024, GAINS = 4096, LOOK_AFTER = 64 };

/* A call that took as long as this has waited; what took less may just have been
 * out of luck on a busy machine: the kernel knows which (proc.h). Where it does not
 * tell, it has waited if such calls make up most of the time. */
#define WAITED_NS UINT64_C(250000000)
#define MAYBE_WAITED_NS UINT64_C(1000000)
#define LOOK_AGAIN_NS UINT64_C(200000000)

struct streak {
    struct tf_event first;
    uint64_t count, fired, last_ns, waits, gains; /* gains: of the thread, or on the socket */
    uint64_t waited_from_ns, waited_ns;
    struct tf_cpu cpu_from, cpu; /* looks at what the thread has had of the CPUs */
    uint64_t looked_ns;          /* the event at the last one; 0: there was none */
};

/* What a thread has done since the run's begin. */
struct thread {
    uint32_t pid, tid;
    uint64_t waits; /* calls that waited */
    uint64_t maybe_waited_ns;
    uint64_t gains; /* calls that got something done */
};

struct tf_spins {
    uint64_t gain[GAINS];          /* calls that got something done, by socket; some share a place */
    struct streak streak[STREAKS]; /* by hash; a newer one takes the place */
    struct thread thread[THREADS];
    struct tf_spin spin[TF_SPINS_MAX];
    size_t count;
    tf_spins_cpu *cpu;
    void *data;
};

struct tf_spins *tf_spins_new(tf_spins_cpu *cpu, void *data)
{
    struct tf_spins *spins = calloc(1, sizeof *spins);
    if (spins) {
        spins->cpu = cpu;
        spins->data = data;
    }
    return spins;
}

void tf_spins_free(struct tf_spins *spins)
{
    free(spins);
}

static uint64_t mix(uint64_t sum, uint64_t value)
{
    sum = (sum ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return sum ^ sum >> 29;
}

static struct thread *thread_of(struct tf_spins *spins, const struct tf_event *event)
{
    struct thread *thread = &spins->thread[mix(event->pid, event->tid) % THREADS];
    if (thread->pid != event->pid || thread->tid != event->tid)
        *thread = (struct thread){.pid = event->pid, .tid = event->tid};
    return thread;
}

/* The same call, of the same thread, on the same socket, at the same site, that came
 * to the same. */
static uint64_t key_of(const struct tf_event *event)
{
    uint64_t sum = mix(event->tid, event->cookie);
    return mix(mix(sum, (uint64_t)event->call << 32 | (uint32_t)event->error), event->caller);
}

static bool same(const struct tf_event *a, const struct tf_event *b)
{
    return a->tid == b->tid && a->pid == b->pid && a->cookie == b->cookie && a->call == b->call &&
           a->error == b->error && a->caller == b->caller && a->module == b->module;
}

static bool is_wait(const struct tf_event *event)
{
    return tf_call_info[event->call].class == TF_CLASS_WAIT;
}

/* Has the call done something, so that what comes next is not the same again? */
static bool gains(const struct tf_event *event)
{
    switch (tf_call_info[event->call].class) {
    case TF_CLASS_IN:
    case TF_CLASS_OUT:
        return event->result > 0;
    case TF_CLASS_ACCEPT:
        return event->result >= 0;
    default:
        break;
    }
    switch (event->call) {
    case TF_socket:
    case TF_connect:
    case TF_close:
    case TF_listen:
    case TF_shutdown:
        return true;
    default:
        return false;
    }
}

/* Can it go round by itself? EINTR is the doing of whoever sends the signals. */
static bool repeats(const struct tf_event *event)
{
    unsigned class = tf_call_info[event->call].class;
    if (event->error == EINTR || event->error == EBADF)
        return false;
    if (class == TF_CLASS_WAIT)
        return event->result > 0;
    return (class == TF_CLASS_IN && (event->error || event->result == 0)) ||
           ((class == TF_CLASS_OUT || class == TF_CLASS_ACCEPT) && event->error);
}

static void look_at_cpu(const struct tf_spins *spins, struct streak *streak)
{
    struct tf_cpu cpu;
    if (!spins->cpu || streak->count % LOOK_AFTER ||
        (streak->looked_ns && streak->last_ns < streak->looked_ns + LOOK_AGAIN_NS) ||
        !spins->cpu(spins->data, streak->first.pid, streak->first.tid, &cpu))
        return;
    if (!streak->looked_ns)
        streak->cpu_from = cpu;
    streak->looked_ns = streak->last_ns;
    streak->cpu = cpu;
}

/* Of the time between the looks; < 0: not known. */
static double share(const struct streak *streak, uint64_t from_ns, uint64_t to_ns)
{
    if (streak->cpu.at_ns <= streak->cpu_from.at_ns || !to_ns)
        return -1;
    double share = (double)(to_ns - from_ns) / (double)(streak->cpu.at_ns - streak->cpu_from.at_ns);
    return share > 1 ? 1 : share;
}

static void end_streak(struct tf_spins *spins, struct streak *streak)
{
    uint64_t span = streak->count ? streak->last_ns - streak->first.time_ns : 0;
    double cpu = share(streak, streak->cpu_from.used_ns, streak->cpu.used_ns);
    double busy = share(streak, streak->cpu_from.busy_ns, streak->cpu.busy_ns);
    bool waits = busy >= 0 ? busy < 0.25 : streak->waited_ns >= span / 4 * 3;
    bool long_enough = span >= TF_SPIN_LEAST_NS && !waits &&
                       (double)streak->count * 1e9 >= (double)TF_SPIN_LEAST_PER_S * (double)span;
    if (long_enough) {
        struct tf_spin spin = {.event = streak->first,
                               .count = streak->count,
                               .fired = streak->fired,
                               .from_ns = streak->first.time_ns,
                               .to_ns = streak->last_ns,
                               .cpu = cpu,
                               .busy = busy >= 0 ? busy : cpu};
        size_t at = 0;
        while (at < spins->count && !same(&spins->spin[at].event, &spin.event))
            at++;
        if (at < spins->count && spins->spin[at].count < spin.count)
            spins->spin[at] = spin;
        else if (at == spins->count && at < TF_SPINS_MAX)
            spins->spin[spins->count++] = spin;
    }
    streak->count = 0;
}

/* What went round on a socket on which a call has got something done is over. */
static void gain_on(struct tf_spins *spins, const struct tf_event *event)
{
    if (gains(event) && event->cookie)
        spins->gain[event->cookie % GAINS]++;
}

void tf_spins_event(struct tf_spins *spins, const struct tf_event *event)
{
    if (event->call >= TF_CALLS || event->duration_ns == UINT64_MAX)
        return;
    struct thread *thread = thread_of(spins, event);
    thread->waits += event->duration_ns >= WAITED_NS;
    thread->maybe_waited_ns += event->duration_ns >= MAYBE_WAITED_NS ? event->duration_ns : 0;
    thread->gains += gains(event);
    if (!repeats(event)) {
        gain_on(spins, event);
        return;
    }
    uint64_t done = is_wait(event) ? thread->gains : spins->gain[event->cookie % GAINS];
    struct streak *streak = &spins->streak[key_of(event) % STREAKS];
    bool over = streak->count &&
                (!same(&streak->first, event) || streak->waits != thread->waits || streak->gains != done);
    if (over)
        end_streak(spins, streak);
    if (streak->count == 0)
        *streak = (struct streak){.first = *event,
                                  .waits = thread->waits,
                                  .gains = done,
                                  .waited_from_ns = thread->maybe_waited_ns};
    streak->count++;
    streak->fired += (event->flags & TF_EVENT_FIRED) != 0;
    streak->last_ns = event->time_ns;
    streak->waited_ns = thread->maybe_waited_ns - streak->waited_from_ns;
    look_at_cpu(spins, streak);
}

const struct tf_spin *tf_spins_all(struct tf_spins *spins, size_t *count)
{
    for (size_t i = 0; i < STREAKS; i++)
        if (spins->streak[i].count)
            end_streak(spins, &spins->streak[i]);
    *count = spins->count;
    return spins->spin;
}
