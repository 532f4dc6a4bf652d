#include "later.h"

#include "hold.h"
#include "lock.h"
#include "socket.h"
#include "ttl.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/prctl.h>

enum { HEALS = 256, STACK = 64 * 1024 };
#define LINGER_NS UINT64_C(200000000)
#define STAY_NS UINT64_C(3600000000000) /* it is woken by the bell */

struct tf_lock tf_later_lock;

static struct {
    uint64_t cookie; /* 0: free */
    uint64_t when_ns;
    int fd;
} heals[HEALS];
static _Atomic uint32_t healing; /* how many of them */

static _Alignas(64) char stack[STACK];
static _Atomic int thread;    /* its id; the kernel clears it when the stack is free again */
static long thread_of;        /* the process that has it */
static _Atomic uint32_t bell; /* changes when there is something new to look at */
static _Atomic bool stays;    /* it does not end when nothing is pending */
static bool lives;            /* under the lock: it will look at the bell again */

static void heal(int at)
{
    struct tf_socket *socket = tf_socket_known(heals[at].fd, heals[at].cookie);
    if (socket)
        tf_ttl_heal(socket, heals[at].fd);
    heals[at].cookie = 0;
    atomic_fetch_sub(&healing, 1);
}

static uint64_t heal_due(uint64_t now)
{
    uint64_t next = UINT64_MAX;

    for (int i = 0; i < HEALS; i++)
        if (heals[i].cookie && heals[i].when_ns <= now)
            heal(i);
        else if (heals[i].cookie && heals[i].when_ns < next)
            next = heals[i].when_ns;
    return next;
}

void tf_later_close(unsigned first, unsigned last)
{
    uint64_t mask;

    if (atomic_load_explicit(&healing, memory_order_relaxed) == 0 || tf_sys(SYS_getpid) != tf_self.pid ||
        !tf_lock_enter(&tf_later_lock, true, &mask))
        return;
    for (int i = 0; i < HEALS; i++)
        if (heals[i].cookie && (unsigned)heals[i].fd >= first && (unsigned)heals[i].fd <= last)
            heal(i);
    tf_lock_leave(&tf_later_lock, mask);
}

/* No thread-local storage in here, and no libc beyond memcpy. */
static void run(void)
{
    uint64_t mask, idle_ns = 0;

    tf_sys(SYS_prctl, PR_SET_NAME, "tcpfault");
    for (;;) {
        uint32_t heard = atomic_load(&bell);
        if (!tf_lock_enter(&tf_later_lock, true, &mask))
            continue;
        uint64_t now = tf_now_ns(), next = tf_hold_step(now), healed = heal_due(now);
        if (healed < next)
            next = healed;
        if (next != UINT64_MAX) {
            idle_ns = 0;
        } else if (atomic_load(&stays)) {
            next = now + STAY_NS;
        } else {
            idle_ns = idle_ns ? idle_ns : now;
            next = idle_ns + LINGER_NS;
            lives = now < next;
        }
        bool ends = !lives;
        tf_lock_leave(&tf_later_lock, mask);
        if (ends)
            return;
        struct timespec until = {(time_t)(next / 1000000000u), (long)(next % 1000000000u)};
        tf_sys(SYS_futex, &bell, FUTEX_WAIT_BITSET_PRIVATE, heard, &until, 0, FUTEX_BITSET_MATCH_ANY);
    }
}

/* clone(2) without libc: the child runs on `top` with this thread's thread
 * pointer, and exits when run returns. */
static long start(unsigned long flags, void *top, _Atomic int *id)
{
    long result;
#if defined(__x86_64__)
    register long r10 __asm__("r10") = (long)id;
    register void (*r9)(void) __asm__("r9") = run;
    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "call *%%r9\n\t"
                     "xor %%edi, %%edi\n\t"
                     "mov $60, %%eax\n\t" /* exit(2), of this thread alone */
                     "syscall\n\t"
                     "1:"
                     : "=a"(result)
                     : "a"(SYS_clone), "D"(flags), "S"(top), "d"(id), "r"(r10), "r"(r9)
                     : "rcx", "r11", "memory");
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = SYS_clone;
    register long x0 __asm__("x0") = (long)flags;
    register void *x1 __asm__("x1") = top;
    register _Atomic int *x2 __asm__("x2") = id;
    register long x3 __asm__("x3") = 0;
    register _Atomic int *x4 __asm__("x4") = id;
    register void (*x5)(void) __asm__("x5") = run;
    __asm__ volatile("svc 0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, xzr\n\t"
                     "blr x5\n\t"
                     "mov x0, xzr\n\t"
                     "mov x8, #93\n\t" /* exit(2), of this thread alone */
                     "svc 0\n\t"
                     "1:"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "x30", "memory", "cc");
    result = x0;
#endif
    return result;
}

bool tf_later_wake(void)
{
    const unsigned long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                                CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
    uint64_t mask;
    long self = tf_sys(SYS_getpid), made = 1;

    if (!tf_lock_enter(&tf_later_lock, true, &mask))
        return false;
    if (thread_of != self) { /* a fork's child: the thread is its parent's */
        lives = false;
        atomic_store(&thread, 0);
    }
    if (!lives) {
        while (atomic_load(&thread) != 0) /* its stack is in use for a moment more */
            tf_sys(SYS_sched_yield);
        thread_of = self;
        lives = true;
        made = start(flags, stack + STACK, &thread);
        lives = made > 0;
    }
    tf_lock_leave(&tf_later_lock, mask);
    atomic_fetch_add(&bell, 1);
    tf_sys(SYS_futex, &bell, FUTEX_WAKE_PRIVATE, 1);
    return made > 0;
}

void tf_later_stay(void)
{
    atomic_store(&stays, true);
    tf_later_wake();
}

bool tf_later_heal(int fd, uint64_t cookie, uint64_t when_ns)
{
    uint64_t mask;
    int at = 0;

    if (!tf_lock_enter(&tf_later_lock, true, &mask))
        return false;
    while (at < HEALS && heals[at].cookie != 0)
        at++;
    if (at < HEALS) {
        heals[at].fd = fd;
        heals[at].when_ns = when_ns;
        heals[at].cookie = cookie;
        atomic_fetch_add(&healing, 1);
    }
    tf_lock_leave(&tf_later_lock, mask);
    return at < HEALS && tf_later_wake();
}

void tf_later_forget(void)
{
    for (int i = 0; i < HEALS; i++)
        heals[i].cookie = 0;
    atomic_store(&healing, 0);
    lives = false;
    atomic_store(&stays, false);
    atomic_store(&thread, 0);
    tf_hold_forget();
}
