/* What can be seen of a socket without a call that a fault strikes: readiness,
 * state, time, other processes and threads. */
#include "subject.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static enum want want_of(const char *argument)
{
    return strcmp(argument, "out") == 0 ? WANT_OUT : strcmp(argument, "all") == 0 ? WANT_ALL : WANT_IN;
}

/* Until it is ready; a descriptor that blocks needs no wait. */
static void step_wait(struct subject *subject, const char *argument, char *out, size_t size)
{
    if (subject->mode != MODE_BLOCKING)
        wait_for(subject, subject->at, want_of(argument), PROBE_PATIENCE, out, size);
}

/* What is ready now. */
static void step_ready(struct subject *subject, const char *argument, char *out, size_t size)
{
    wait_for(subject, subject->at, *argument ? want_of(argument) : WANT_ALL, 0, out, size);
}

/* Nothing is to come, for a while. */
static void step_quiet(struct subject *subject, const char *argument, char *out, size_t size)
{
    wait_for(subject, subject->at, want_of(argument), PROBE_QUIET, out, size);
}

static void step_watch(struct subject *subject, const char *argument, char *out, size_t size)
{
    (void)argument;
    (void)out;
    (void)size;
    wait_watch(subject, subject->at);
}

static void step_state(struct subject *subject, const char *argument, char *out, size_t size)
{
    (void)argument;
    snprintf(out, size, "%s", probe_state_name(probe_state(subject->at)));
}

/* Bytes to be received, and those sent that are not acknowledged: tcp(7). */
static void step_queued(struct subject *subject, const char *argument, char *out, size_t size)
{
    int in = -1;
    (void)argument;
    probe_show_result(ioctl(subject->at, SIOCINQ, &in) ? -1 : in, out, size);
}

static void step_unsent(struct subject *subject, const char *argument, char *out, size_t size)
{
    enum { ACK_MS = 2000 }; /* it may be delayed, and the machine busy */
    int unsent = -1, result;
    uint64_t end = probe_now_ms() + ACK_MS;
    (void)argument;
    do
        result = ioctl(subject->at, SIOCOUTQ, &unsent);
    while (result == 0 && unsent > 0 && probe_now_ms() < end && (probe_sleep_ms(1), true));
    probe_show_result(result ? -1 : unsent, out, size);
}

static void step_flags(struct subject *subject, const char *argument, char *out, size_t size)
{
    int flags = fcntl(subject->at, F_GETFL);
    (void)argument;
    snprintf(out, size, "%s", flags & O_NONBLOCK ? "O_NONBLOCK" : "none");
}

static uint64_t cpu_ms(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000 +
           (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000;
}

static void step_mark(struct subject *subject, const char *argument, char *out, size_t size)
{
    (void)argument;
    (void)out;
    (void)size;
    subject->mark_ms = probe_now_ms();
    subject->mark_cpu_ms = cpu_ms();
}

/* "time:MS": since the mark, MS milliseconds have passed, and not seconds more. */
static void step_time(struct subject *subject, const char *argument, char *out, size_t size)
{
    enum { SLACK_MS = 8000, CLOCK_MS = 2 };
    uint64_t passed = probe_now_ms() - subject->mark_ms, least = strtoull(argument, NULL, 10);
    snprintf(out, size, "%s",
             passed + CLOCK_MS < least   ? "too early"
             : passed > least + SLACK_MS ? "too late"
                                         : "in time");
}

/* Since the mark, the processor had nothing to do. */
static void step_idle(struct subject *subject, const char *argument, char *out, size_t size)
{
    enum { IDLE_MS = 40 };
    (void)argument;
    snprintf(out, size, "%s", cpu_ms() - subject->mark_cpu_ms < IDLE_MS ? "idle" : "busy");
}

static void step_signals(struct subject *subject, const char *argument, char *out, size_t size)
{
    (void)subject;
    (void)argument;
    snprintf(out, size, "%d", subject_signals);
}

/* A forked child's view of the same socket. */
static void step_child(struct subject *subject, const char *argument, char *out, size_t size)
{
    int ends[2];
    char ready[PROBE_TEXT], bytes[64] = "", got[PROBE_TEXT];
    (void)argument;

    if (pipe(ends))
        return;
    pid_t pid = fork();
    if (pid == 0) {
        alarm(PROBE_PATIENCE / 1000);
        enum mode mode = subject->mode;
        subject->mode = mode == MODE_SELECT ? mode : MODE_POLL; /* an inherited epoll is the parent's */
        wait_for(subject, subject->at, WANT_ALL, 0, ready, sizeof ready);
        probe_show_bytes(recv(subject->at, bytes, sizeof bytes, MSG_DONTWAIT), bytes, got, sizeof got);
        dprintf(ends[1], "%s; recv %s", ready, got);
        _exit(0);
    }
    close(ends[1]);
    ssize_t length = read(ends[0], out, size - 1);
    out[length > 0 ? length : 0] = 0;
    close(ends[0]);
    waitpid(pid, NULL, 0);
}

static void *other_thread(void *data)
{
    struct subject *subject = data;
    char bytes[64] = "";
    char *saw = subject->thread_saw;

    atomic_store(&subject->thread_id, (int)syscall(SYS_gettid));
    if (subject->mode == MODE_BLOCKING)
        probe_show_bytes(recv(subject->at, bytes, sizeof bytes, 0), bytes, saw, PROBE_TEXT);
    else
        wait_for(subject, subject->at, WANT_IN, PROBE_PATIENCE, saw, PROBE_TEXT);
    return NULL;
}

/* Goes on once the other thread sleeps in its call. */
static void step_thread(struct subject *subject, const char *argument, char *out, size_t size)
{
    (void)argument;
    errno = pthread_create(&subject->thread, NULL, other_thread, subject);
    probe_show_result(errno ? -1 : 0, out, size);
    for (uint64_t end = probe_now_ms() + PROBE_PATIENCE; !errno && probe_now_ms() < end; probe_sleep_ms(1))
        if (atomic_load(&subject->thread_id) && probe_asleep(getpid(), atomic_load(&subject->thread_id)))
            break;
}

/* What the other thread's call came to. */
static void step_joined(struct subject *subject, const char *argument, char *out, size_t size)
{
    struct timespec end;
    (void)argument;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += PROBE_PATIENCE / 1000;
    snprintf(out, size, "%s",
             pthread_timedjoin_np(subject->thread, NULL, &end) ? "still asleep" : subject->thread_saw);
}

const struct step steps_views[] = {
    {"child", step_child},
    {"idle", step_idle},

    {"joined", step_joined},
    {"mark", step_mark},
    {"flags", step_flags},
    {"queued", step_queued},
    {"quiet", step_quiet},
    {"ready", step_ready},
    {"signals", step_signals},
    {"state", step_state},
    {"thread", step_thread},
    {"time", step_time},
    {"unsent", step_unsent},
    {"wait", step_wait},
    {"watch", step_watch},

    {0},
};
