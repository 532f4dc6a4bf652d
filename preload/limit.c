/* RLIMIT_NPROC: a program that forbids itself new threads (haproxy does) would
 * forbid ours. The one that it may need is started before. */
#include "later.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <sys/resource.h>

#define EXPORT __attribute__((visibility("default")))

static bool plan_has_a_later(void)
{
    const struct tf_plan *plan = &tf_self.segment->plan;
    const uint32_t late = 1u << TF_EFFECT_delay | 1u << TF_EFFECT_rate | 1u << TF_EFFECT_drop;

    for (uint32_t i = 0; i < plan->rules; i++)
        if (plan->rule[i].effects & late)
            return true;
    return false;
}

static void before(int resource, const struct rlimit *limit)
{
    struct rlimit now = {0};

    if (resource == RLIMIT_NPROC && limit && tf_self.segment && plan_has_a_later() &&
        tf_sys(SYS_prlimit64, 0, RLIMIT_NPROC, NULL, &now) == 0 && limit->rlim_cur < now.rlim_cur)
        tf_later_stay();
}

EXPORT int tf_setrlimit(int resource, const struct rlimit *limit) __asm__("setrlimit");
int tf_setrlimit(int resource, const struct rlimit *limit)
{
    int (*real)(int, const struct rlimit *) =
        (int (*)(int, const struct rlimit *))dlsym(RTLD_NEXT, "setrlimit");
    before(resource, limit);
    return real(resource, limit);
}

EXPORT int tf_prlimit(pid_t pid, int resource, const struct rlimit *limit,
                      struct rlimit *old) __asm__("prlimit");
int tf_prlimit(pid_t pid, int resource, const struct rlimit *limit, struct rlimit *old)
{
    int (*real)(pid_t, int, const struct rlimit *, struct rlimit *) =
        (int (*)(pid_t, int, const struct rlimit *, struct rlimit *))dlsym(RTLD_NEXT, "prlimit");
    if (pid == 0 || pid == (pid_t)tf_sys(SYS_getpid))
        before(resource, limit);
    return real(pid, resource, limit, old);
}

/* The same functions where off_t and rlim_t have 64 bits. */
__asm__(".globl setrlimit64\n.type setrlimit64, %function\n.set setrlimit64, setrlimit");
__asm__(".globl prlimit64\n.type prlimit64, %function\n.set prlimit64, prlimit");
