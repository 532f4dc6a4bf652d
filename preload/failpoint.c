#define FIU_ENABLE 1 /* without it fiu.h turns its functions into constants */
#include "failpoint.h"
#include "lock.h"
#include "rule.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <fiu-control.h>
#include <fiu.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct asked {
    const struct tf_question *question;
    const struct tf_counters *counters;
    struct tf_effect *effect;
    bool decided;
};

static __thread struct asked *asked; /* what the callback below is asked about */
static struct tf_lock inside;        /* libfiu, whose own locks are not for signal handlers and forks */
static __thread uint64_t before_fork;

static bool decide(struct asked *what)
{
    const struct tf_plan *plan = &tf_self.segment->plan;
    return what->question->real_errno ? tf_decide_after(plan, what->counters, what->question, what->effect)
                                      : tf_decide(plan, what->counters, what->question, what->effect);
}

static int callback(const char *name, int *failnum, void **failinfo, unsigned int *flags)
{
    (void)name, (void)failinfo, (void)flags;
    if (!asked)
        return 0; /* the program asks for a tcp/ point by itself */
    asked->decided = decide(asked);
    *failnum = 1;
    return asked->decided;
}

static const char *const point_names[TF_CALLS] = {
#define CALL(id, name, ...) [TF_##id] = "tcp/" name,
#include "calls.def"
#undef CALL
};

bool tf_failpoint(const struct tf_question *question, const struct tf_counters *counters,
                  struct tf_effect *effect)
{
    struct asked what = {.question = question, .counters = counters, .effect = effect};
    uint64_t before;

    if (!tf_lock_enter(&inside, false, &before))
        return decide(&what);
    asked = &what;
    bool failed = fiu_fail(point_names[question->call]) != 0;
    asked = NULL;
    if (failed && !what.decided && !question->real_errno) {
        /* Enabled by libfiu's own means: failinfo is the errno, as in its POSIX
         * preload; without one, the likeliest of this call. */
        int error = (int)(intptr_t)fiu_failinfo();
        for (size_t i = 0; error == 0 && i < tf_errno_infos; i++)
            if (tf_errno_info[i].call == question->call)
                error = tf_errno_info[i].error;
        *effect = (struct tf_effect){
            .rule = UINT16_MAX, .effects = 1u << TF_EFFECT_error, .error = error, .allow_any = true};
    }
    tf_lock_leave(&inside, before);
    return failed;
}

/* The calls that a failure point's name stands for: ours, or those of libfiu's
 * POSIX preload, which end users have in their scripts. A final '*' matches
 * anything, as in libfiu. */
static uint64_t calls_of_point(const char *name)
{
    static const char *const prefixes[] = {"tcp/", "posix/io/net/", "posix/io/rw/"};
    size_t length = strlen(name);
    bool wild = length > 0 && name[length - 1] == '*';
    uint64_t calls = 0;

    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        size_t prefix = strlen(prefixes[i]);
        if (wild && length - 1 <= prefix && strncmp(name, prefixes[i], length - 1) == 0)
            return TF_BIT(TF_CALLS) - 1;
        if (strncmp(name, prefixes[i], prefix) != 0)
            continue;
        const char *rest = name + prefix;
        for (int id = 0; id < TF_CALLS; id++)
            if (wild ? strncmp(tf_call_info[id].name, rest, strlen(rest) - 1) == 0
                     : strcmp(tf_call_info[id].name, rest) == 0)
                calls |= TF_BIT(id);
        if (i > 0 && strcmp(rest, "accept") == 0) /* programs that call accept4 would not notice */
            calls |= TF_BIT(TF_accept4);
    }
    return calls;
}

/* From now on all calls of this process are looked at: fiu-ctrl may have named
 * any of them. */
static const _Atomic uint8_t all_gates[64] = {[0 ... 63] = TF_GATE_RULE | TF_GATE_KEEP};

static void enabled(uint64_t calls, bool on)
{
    if (!on) {
        atomic_fetch_and(&tf_self.failpoints, ~calls);
        return;
    }
    if (!tf_start_bare())
        return;
    atomic_fetch_or(&tf_self.failpoints, calls);
    for (int id = 0; id < TF_CALLS; id++)
        tf_self.quick[id].counted = NULL;
    tf_forget_range(0, TF_DESCRIPTORS - 1);
    tf_self.gate = all_gates;
}

/* libfiu calls these through its PLT for what comes in by its FIFO, so they
 * end here first. Each point of ours that the name covers is enabled in turn;
 * any other name goes on as it is. */
#define CONTROL(function, on, params, call_own, call_all)                                                    \
    __attribute__((visibility("default"))) int function params                                               \
    {                                                                                                        \
        static int(*real) params;                                                                            \
        int result = 0;                                                                                      \
        uint64_t before;                                                                                     \
        tf_start();                                                                                          \
        if (!real)                                                                                           \
            real = (int(*) params)dlsym(RTLD_NEXT, #function);                                               \
        uint64_t calls = calls_of_point(name);                                                               \
        bool own = tf_lock_mine(&inside); /* our own registration */                                         \
        if (!own && !tf_lock_enter(&inside, false, &before))                                                 \
            return -1;                                                                                       \
        if (calls == 0)                                                                                      \
            result = call_all;                                                                               \
        for (int id = 0; id < TF_CALLS; id++)                                                                \
            if (calls & TF_BIT(id)) {                                                                        \
                const char *point = point_names[id];                                                         \
                result |= call_own;                                                                          \
            }                                                                                                \
        if (!own) {                                                                                          \
            enabled(calls, on);                                                                              \
            tf_lock_leave(&inside, before);                                                                  \
        }                                                                                                    \
        return result;                                                                                       \
    }

CONTROL(fiu_enable, true, (const char *name, int failnum, void *failinfo, unsigned int flags),
        real(point, failnum, failinfo, flags), real(name, failnum, failinfo, flags))
CONTROL(fiu_enable_random, true,
        (const char *name, int failnum, void *failinfo, unsigned int flags, float probability),
        real(point, failnum, failinfo, flags, probability), real(name, failnum, failinfo, flags, probability))
CONTROL(fiu_enable_external, true,
        (const char *name, int failnum, void *failinfo, unsigned int flags, external_cb_t *external_cb),
        real(point, failnum, failinfo, flags, external_cb), real(name, failnum, failinfo, flags, external_cb))
CONTROL(fiu_disable, false, (const char *name), real(point), real(name))

static char control_base[PATH_MAX];

/* libfiu opens the FIFOs anew for each command, and makes them for their owner
 * alone: a daemon that drops its rights would lose them. Also for the FIFOs that
 * its fork handler makes for a child. */
static void share_control(void)
{
    char path[PATH_MAX + 32];
    static const char *const ends[] = {"in", "out"};

    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s-%ld.%s", control_base, tf_sys(SYS_getpid), ends[i]);
        tf_sys(SYS_fchmodat, AT_FDCWD, path, 0666);
    }
}

int tf_failpoint_start(const char *control)
{
    struct tf_segment *segment = tf_self.segment;
    uint64_t before;
    uint64_t calls = 0;

    fiu_init(0);
    if (!tf_lock_enter(&inside, false, &before))
        return -1;
    for (uint32_t i = 0; i < segment->plan.rules; i++)
        calls |= segment->plan.rule[i].calls;
    for (int id = 0; id < TF_CALLS; id++)
        if (calls & TF_BIT(id))
            fiu_enable_external(point_names[id], 1, NULL, 0, callback);
    /* The FIFO's thread inherits a mask that leaves the program's signals to
     * the program's threads. */
    atomic_store_explicit(&inside.holder, 0, memory_order_release);
    int result = control ? fiu_rc_fifo(control) : 0;
    if (control && result == 0) {
        snprintf(control_base, sizeof control_base, "%s", control);
        share_control();
        pthread_atfork(NULL, NULL, share_control); /* behind libfiu's own */
    }
    tf_sys(SYS_rt_sigprocmask, SIG_SETMASK, &before, 0, sizeof(uint64_t));
    return result;
}

int tf_failpoint_commands(const char *commands)
{
    char line[512];

    while (*commands) {
        size_t length = strcspn(commands, "\n");
        char *error = NULL;
        if (length >= sizeof line)
            return -1;
        memcpy(line, commands, length);
        line[length] = 0;
        if (length && fiu_rc_string(line, &error) != 0)
            return -1;
        commands += length + (commands[length] == '\n');
    }
    return 0;
}

void tf_failpoint_before_fork(void)
{
    uint64_t before;
    tf_lock_enter(&inside, false, &before);
    before_fork = before;
}

void tf_failpoint_after_fork(void)
{
    tf_lock_leave(&inside, before_fork);
}
