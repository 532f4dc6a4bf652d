#include "hand.h"

#include <linux/futex.h>
#include <sys/prctl.h>

bool tf_hand_can(uint32_t what)
{
    return (atomic_load(&tf_self.segment->hands.can) & what) == what;
}

static struct tf_hand_slot *try_claim(uint32_t *state)
{
    struct tf_hand_slot *slot = tf_self.segment->hands.slot;

    for (int i = 0; i < TF_HAND_SLOTS; i++) {
        uint32_t seen = atomic_load(&slot[i].state);
        if (TF_HAND_PHASE(seen) != TF_HAND_FREE)
            continue;
        /* Before the claim: a claim without a time would be taken for stale. */
        atomic_store(&slot[i].claimed_ns, tf_now_ns());
        if (atomic_compare_exchange_strong(&slot[i].state, &seen, seen + TF_HAND_CLAIMED)) {
            *state = seen;
            return &slot[i];
        }
    }
    return NULL;
}

/* Others may be asking, as many as there are slots. */
static struct tf_hand_slot *claim(uint32_t *state)
{
    const uint64_t until = tf_now_ns() + TF_HAND_DEADLINE_NS;
    const struct timespec moment = {0, 1000000};
    struct tf_hand_slot *slot;

    while (!(slot = try_claim(state)) && tf_now_ns() < until)
        tf_sys(SYS_nanosleep, &moment, 0);
    return slot;
}

/* Waits while the slot is in one of the two phases that are the hand's. */
static long await(struct tf_hand_slot *slot, uint32_t freed, uint64_t until_ns)
{
    for (;;) {
        uint32_t state = atomic_load_explicit(&slot->state, memory_order_acquire);
        uint64_t now = tf_now_ns();
        if (state == freed + TF_HAND_DONE)
            return 0;
        if ((state != freed + TF_HAND_ASKED && state != freed + TF_HAND_TAKEN) || now >= until_ns)
            return -ETIMEDOUT;
        struct timespec rest = {(time_t)((until_ns - now) / 1000000000u),
                                (long)((until_ns - now) % 1000000000u)};
        tf_sys(SYS_futex, &slot->state, FUTEX_WAIT, state, &rest);
    }
}

long tf_hand_ask(enum tf_hand_op op, const struct tf_socket *socket, int fd, uint64_t lasts_ns)
{
    struct tf_hands *hands = &tf_self.segment->hands;
    uint32_t freed;

    if (!tf_hand_can(TF_HAND_THERE))
        return -ENOSYS;
    struct tf_hand_slot *slot = claim(&freed);
    if (!slot)
        return -EBUSY;
    slot->op = op;
    slot->pid = (uint32_t)tf_sys(SYS_getpid);
    slot->fd = fd;
    slot->cookie = atomic_load(&socket->cookie);
    slot->lasts_ns = lasts_ns;
    slot->local = socket->local;
    slot->peer = socket->peer;
    /* Where Yama guards ptrace, and with it pidfd_getfd: EINVAL elsewhere. */
    if (op == TF_HAND_KEEP)
        tf_sys(SYS_prctl, PR_SET_PTRACER, atomic_load(&hands->pid), 0, 0, 0);
    uint64_t until = tf_now_ns() + TF_HAND_DEADLINE_NS;
    atomic_store_explicit(&slot->state, freed + TF_HAND_ASKED, memory_order_release);
    atomic_fetch_add(&hands->bell, 1);
    tf_sys(SYS_futex, &hands->bell, FUTEX_WAKE, 1);
    long result = await(slot, freed, until);
    uint32_t asked = freed + TF_HAND_ASKED, done = freed + TF_HAND_DONE;
    if (result == 0)
        result = slot->result;
    /* One that the hand is at stays its own, and goes stale. */
    if (!atomic_compare_exchange_strong(&slot->state, &done, freed + 8))
        atomic_compare_exchange_strong(&slot->state, &asked, freed + 8);
    return result;
}
