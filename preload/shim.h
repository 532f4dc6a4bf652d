/* The shim inside one process. Rules for code that lives in somebody else's
 * program, in this file's users:
 *
 *   - after start-up it never prints, exits or allocates;
 *   - an unarmed call reads one byte and jumps on: no lock, no write;
 *   - nothing is held across a real call: not a lock, not a flag. A handler may
 *     siglongjmp out of it, a thread may be cancelled in it;
 *   - what is cached by descriptor number can be wrong (closed behind our back,
 *     a vfork child's close) and is verified before anything is done by it;
 *   - errno changes only where the program would see it change.
 *
 * Results travel as the kernel returns them, a value or -errno, until the last
 * step (tf_intercept) turns them into the C convention.
 */
#ifndef TF_SHIM_H
#define TF_SHIM_H

#include "call.h"
#include "clock.h"
#include "decide.h"
#include "segment.h"
#include "sys.h"

#include <stdbool.h>
#include <stddef.h>

enum { TF_DESCRIPTORS = 1 << 16 };

struct tf_self {
    const _Atomic uint8_t *gate; /* by call; TF_BOOT_GATE before start-up */
    /* By call, where the segment's quick[] names a rule: its counter, and which
     * values of it, first to first + span, go to tf_intercept. */
    struct {
        _Atomic uint64_t *counted;
        uint64_t first, span;
        uint64_t pad;
    } quick[64];
    struct tf_segment *segment;   /* NULL: nothing is armed in this process */
    _Atomic int started;          /* 0 no, 1 at it, 2 yes */
    long pid;                     /* whose descriptors tf_settled is about */
    _Atomic uint64_t failpoints;  /* calls that libfiu's own control enabled */
    uint64_t keep;                /* calls that are seen on every socket, whatever the rules */
    bool asks_caller, asks_errno; /* some rule has caller=, errno= */
    char exe[32];
    _Atomic uint64_t counted[TF_RULES_MAX]; /* per=process */
};

extern struct tf_self tf_self;

/* By descriptor: the calls that may pass unseen, as TF_BITs, and TF_SETTLED
 * once that is known; all ones for what is not a TCP socket, 0 for what has not
 * been looked at. Descriptors beyond the table are always looked at. Written
 * without order: a stale 0 costs a look, and everything else is verified. */
extern uint64_t tf_settled[TF_DESCRIPTORS];

#define TF_SETTLED TF_BIT(63)
_Static_assert(TF_CALLS < 63, "bit 63 is TF_SETTLED");

/* A vfork child has descriptors of its own and its parent's table: what it finds
 * out is not written there. */
static inline void tf_settle(int fd, uint64_t pass)
{
    if ((unsigned)fd < TF_DESCRIPTORS && tf_sys(SYS_getpid) == tf_self.pid)
        tf_settled[fd] = pass | TF_SETTLED;
}

static inline void tf_forget(int fd)
{
    if ((unsigned)fd < TF_DESCRIPTORS)
        tf_settled[fd] = 0;
}

static inline void tf_forget_range(unsigned first, unsigned last)
{
    for (unsigned fd = first; fd <= last && fd < TF_DESCRIPTORS; fd++)
        if (tf_settled[fd]) /* pages that were never written stay so */
            tf_settled[fd] = 0;
}

/* May the call go straight on? First question, a byte: is anything armed? Read
 * without atomics, so that it is one instruction; a byte cannot tear. */
static inline bool tf_idle(enum tf_call_id id)
{
    return __builtin_expect(!((const uint8_t *)tf_self.gate)[id], 1);
}

/* A call that tf_spared counted and does not spare: tf_intercept takes the
 * ordinal from here, for counting it again would shift everybody's. */
struct tf_counted {
    _Atomic uint64_t *counter; /* NULL: none */
    enum tf_call_id id;
    uint64_t ordinal;
};
extern __thread struct tf_counted tf_counted;

/* Second: could anything strike it on this descriptor? Where the one rule for
 * this call only counts, it is counted right here. The rest is tf_intercept's. */
static inline __attribute__((always_inline)) bool tf_spared(enum tf_call_id id, unsigned fd)
{
    if (fd >= TF_DESCRIPTORS)
        return false;
    uint64_t settled = tf_settled[fd];
    if (settled & TF_BIT(id))
        return true;
    _Atomic uint64_t *counted = tf_self.quick[id].counted;
    if (!counted || !settled)
        return false;
    uint64_t before = atomic_fetch_add_explicit(counted, 1, memory_order_relaxed);
    if (before - tf_self.quick[id].first > tf_self.quick[id].span)
        return true;
    tf_counted = (struct tf_counted){counted, id, before + 1};
    return false;
}

/* This thread, as the kernel numbers it. A system call, for a fork's or vfork's
 * child has its parent's memory. */
struct tf_thread {
    uint32_t pid, tid;
};
static inline struct tf_thread tf_thread(void)
{
    extern __thread struct tf_thread tf_this_thread;
    uint32_t pid = (uint32_t)tf_sys(SYS_getpid);
    if (tf_this_thread.pid != pid)
        tf_this_thread = (struct tf_thread){pid, (uint32_t)tf_sys(SYS_gettid)};
    return tf_this_thread;
}

/* One intercepted call on its way. */
struct tf_call {
    enum tf_call_id id;
    int fd;
    long arg[6];
    const void *caller;       /* return address */
    struct tf_socket *socket; /* NULL: not one TCP socket */
    struct tf_socket *made;   /* what an accept returned */
    bool nonblocking;         /* the descriptor's or this call's flag */
    struct tf_effect effect;
    enum tf_reason reason; /* why the effect was not delivered */
    bool fired;
};

/* exec.c: remembers what later images of this process need: the run's segment,
 * and parts of the environment. */
void tf_exec_remember(char *const *environment, const char *segment_path);

/* init.c: starts the shim once; true when it is up. It allocates, so only the
 * constructor calls it, and libfiu's control functions: a call may come from
 * inside malloc. What other constructors do before ours passes unseen. */
bool tf_start(void);

/* Makes a segment without rules for a process that has none, when libfiu's own
 * control enables a point there. False where that failed. */
bool tf_start_bare(void);

/* wrap.c: the real function, found with dlsym(RTLD_NEXT). A cancellation point
 * where libc's is one. */
long tf_perform(enum tf_call_id id, const long arg[6]);
void tf_resolve(void);

/* intercept.c: the way of a call: find the socket, decide, apply, record. */
long tf_intercept(enum tf_call_id id, const void *caller, const long arg[6]);

/* apply.c: carries the decided effect out; returns the call's result. */
long tf_apply(struct tf_call *call);
long tf_apply_after(struct tf_call *call, long result);

#endif
