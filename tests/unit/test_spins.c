#include "spins.h"

#include "unit.h"

#include <errno.h>

/* What the kernel says of a thread that has run, waited for a CPU and slept. */
struct thread {
    uint64_t now_ns;
    double used, queued; /* of its time */
    bool known;
};

static bool cpu_of(void *data, uint32_t pid, uint32_t tid, struct tf_cpu *cpu)
{
    const struct thread *thread = data;
    (void)pid;
    (void)tid;
    *cpu = (struct tf_cpu){.at_ns = thread->now_ns,
                           .used_ns = (uint64_t)((double)thread->now_ns * thread->used),
                           .busy_ns = (uint64_t)((double)thread->now_ns * (thread->used + thread->queued))};
    return thread->known;
}

/* Two seconds of recv that gives EAGAIN, for `took_ns` each. */
static size_t spins_of(struct thread *thread, uint64_t took_ns, double *busy)
{
    struct tf_spins *spins = tf_spins_new(cpu_of, thread);
    size_t count;
    struct tf_event event = {.call = TF_recv,
                             .pid = 1,
                             .tid = 1,
                             .cookie = 7,
                             .error = EAGAIN,
                             .result = -1,
                             .duration_ns = took_ns};
    for (thread->now_ns = 1000000; thread->now_ns < UINT64_C(2000000000); thread->now_ns += took_ns) {
        event.time_ns = thread->now_ns;
        tf_spins_event(spins, &event);
    }
    const struct tf_spin *spin = tf_spins_all(spins, &count);
    *busy = count ? spin->busy : -1;
    tf_spins_free(spins);
    return count;
}

static void a_thread_that_does_not_wait_spins(void)
{
    double busy;
    struct thread alone = {.used = 1, .known = true}, unknown = {.known = false};
    CU_ASSERT_EQUAL(spins_of(&alone, 10000, &busy), 1);
    CU_ASSERT(busy > 0.9);
    CU_ASSERT_EQUAL(spins_of(&unknown, 10000, &busy), 1);
    CU_ASSERT(busy < 0);
}

static void a_thread_that_is_kept_from_the_cpu_spins_too(void)
{
    double busy;
    struct thread crowded = {.used = 0.1, .queued = 0.88, .known = true};
    CU_ASSERT_EQUAL(spins_of(&crowded, 3000000, &busy), 1);
    CU_ASSERT(busy > 0.9);
}

static void a_thread_that_sleeps_in_its_calls_does_not(void)
{
    double busy;
    struct thread sleeps = {.used = 0.02, .queued = 0.1, .known = true}, unknown = {.known = false};
    CU_ASSERT_EQUAL(spins_of(&sleeps, 3000000, &busy), 0);
    CU_ASSERT_EQUAL(spins_of(&unknown, 3000000, &busy), 0);
}

TF_SUITE(spins, TF_TEST(a_thread_that_does_not_wait_spins),
         TF_TEST(a_thread_that_is_kept_from_the_cpu_spins_too),
         TF_TEST(a_thread_that_sleeps_in_its_calls_does_not))
