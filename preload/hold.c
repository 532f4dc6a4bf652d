#include "hold_parts.h"

#include "effect.h"
#include "io.h"
#include "later.h"
#include "readiness.h"
#include "socket.h"

#include <limits.h>
#include <linux/futex.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

enum { HOLDS = 1024, RANGES = 32 };

/* How often a hold is looked at while it lasts: what has arrived, and whether the
 * connection is broken. */
#define WATCH_NS UINT64_C(2000000)

/* A hold that began in this process. */
struct hold {
    uint64_t cookie; /* of the socket; 0: free */
    struct tf_socket *socket;
    int fd;
    uint8_t side;
    bool over;     /* only the rest is left */
    bool has_rest; /* of the decision, for the call that is made again */
    bool hidden;   /* registrations and SO_RCVLOWAT */
    uint64_t each_ns;
    uint64_t seen; /* what had arrived when it was looked at last: a position */
    struct {
        uint64_t end, free_ns;
    } range[RANGES]; /* in order; the first is the row's until_ns */
    unsigned ranges;
    struct tf_effect rest;
};

static struct hold holds[HOLDS];
_Atomic uint32_t tf_hold_changes;
static unsigned high; /* how many of holds[] were ever used */

static struct hold *find(uint64_t cookie, enum tf_side side)
{
    for (unsigned i = 0; i < high; i++)
        if (holds[i].cookie == cookie && holds[i].side == side)
            return &holds[i];
    return NULL;
}

static struct hold *claim(void)
{
    struct hold *rest = NULL;
    for (unsigned i = 0; i < high; i++) {
        if (holds[i].cookie == 0)
            return &holds[i];
        if (holds[i].over)
            rest = &holds[i];
    }
    if (high < HOLDS)
        return &holds[high++];
    return rest; /* a call that nobody has made again */
}

/* ---- the kernel's view ---- */

static int happened(int fd, short events)
{
    struct pollfd look = {.fd = fd, .events = events};
    struct timespec none = {0, 0};
    return tf_sys(SYS_ppoll, &look, 1, &none, 0, sizeof(uint64_t)) > 0 ? look.revents : 0;
}

/* An error that the program is to hear of now. A refusal is as late as the
 * connection would have been. */
static bool broken(const struct tf_socket *socket, int fd)
{
    return !(atomic_load(&socket->latches) & TF_LATCH_CONNECT_LATE) && (happened(fd, 0) & POLLERR);
}

/* The position up to which everything has arrived. The peer's FIN counts as a
 * byte: it is late, too. */
static uint64_t arrived(const struct hold *hold)
{
    int queued = 0;
    tf_sys(SYS_ioctl, hold->fd, SIOCINQ, &queued);
    return tf_hold_passed(hold->socket, TF_SIDE_IN) + (uint64_t)(queued > 0 ? queued : 0) +
           ((happened(hold->fd, POLLRDHUP) & (POLLRDHUP | POLLHUP)) != 0);
}

/* Half of the buffer, or the kernel would enlarge it for good (tcp_set_rcvlowat). */
static void raise_lowat(struct hold *hold)
{
    struct tf_hold *row = &hold->socket->hold[hold->side];
    int before = tf_socket_int_option(hold->fd, SOL_SOCKET, SO_RCVLOWAT, 1);
    int high_mark = tf_socket_int_option(hold->fd, SOL_SOCKET, SO_RCVBUF, 65536) / 2;

    if (atomic_load(&row->lowat) == 0)
        atomic_store(&row->lowat, before > 0 ? before : 1);
    tf_sys(SYS_setsockopt, hold->fd, SOL_SOCKET, SO_RCVLOWAT, &high_mark, sizeof high_mark);
}

/* Setting it wakes who waits, edge-triggered or not. */
static void lower_lowat(struct tf_socket *socket, enum tf_side side, int fd)
{
    int before = atomic_exchange(&socket->hold[side].lowat, 0);
    if (before)
        tf_sys(SYS_setsockopt, fd, SOL_SOCKET, SO_RCVLOWAT, &before, sizeof before);
}

unsigned tf_hold_hidden(uint64_t cookie)
{
    unsigned sides = 0;
    for (unsigned i = 0; i < high; i++)
        if (holds[i].cookie == cookie && holds[i].hidden)
            sides |= TF_SIDE_BIT(holds[i].side);
    return sides;
}

static void hide(struct hold *hold)
{
    hold->hidden = true;
    if (hold->side == TF_SIDE_IN && !tf_hold_listens(hold->socket))
        raise_lowat(hold);
    tf_readiness_hide(hold->fd, tf_hold_hidden(hold->cookie));
}

static void show(struct hold *hold)
{
    atomic_fetch_add(&tf_hold_changes, 1);
    tf_sys(SYS_futex, &tf_hold_changes, FUTEX_WAKE_PRIVATE, INT_MAX);
    hold->hidden = false;
    lower_lowat(hold->socket, (enum tf_side)hold->side, hold->fd);
    tf_readiness_show(hold->fd, tf_hold_hidden(hold->cookie));
}

/* ---- its life, under the lock ---- */

static void end(struct hold *hold)
{
    struct tf_hold *row = &hold->socket->hold[hold->side];

    if (hold->side == TF_SIDE_IN && !tf_hold_listens(hold->socket))
        atomic_store(&row->free_to, arrived(hold)); /* of what came last, nothing is late any more */
    atomic_store(&row->until_ns, 0);
    atomic_fetch_and(&hold->socket->latches, ~(uint32_t)TF_LATCH_CONNECT_LATE);
    show(hold);
    hold->over = true;
    if (!hold->has_rest)
        hold->cookie = 0;
}

static void add_range(struct hold *hold, uint64_t to, uint64_t free_ns)
{
    if (hold->ranges == RANGES) { /* the last takes it in */
        hold->range[RANGES - 1].end = to;
        hold->range[RANGES - 1].free_ns = free_ns;
        return;
    }
    hold->range[hold->ranges].end = to;
    hold->range[hold->ranges].free_ns = free_ns;
    hold->ranges++;
}

static void watch(struct hold *hold, uint64_t now)
{
    uint64_t to = arrived(hold);
    if (to > hold->seen)
        add_range(hold, to, now + hold->each_ns);
    if (to > hold->seen)
        hold->seen = to;
}

/* Frees what is due. */
static void advance(struct hold *hold, uint64_t now)
{
    struct tf_hold *row = &hold->socket->hold[hold->side];
    unsigned due = 0;

    while (due < hold->ranges && hold->range[due].free_ns <= now)
        due++;
    if (due == 0)
        return;
    if (due == hold->ranges) {
        end(hold);
        return;
    }
    atomic_store(&row->free_to, hold->range[due - 1].end);
    hold->ranges -= due;
    memmove(hold->range, hold->range + due, hold->ranges * sizeof *hold->range);
    atomic_store(&row->until_ns, hold->range[0].free_ns);
    show(hold);
}

static bool pending(const struct hold *hold, uint64_t cookie)
{
    return hold->cookie && !hold->over && (cookie == 0 || hold->cookie == cookie);
}

static uint64_t step(struct hold *hold, uint64_t now)
{
    if (!tf_socket_known(hold->fd, hold->cookie)) { /* closed where nobody saw it */
        hold->cookie = 0;
        return UINT64_MAX;
    }
    if (broken(hold->socket, hold->fd))
        end(hold);
    if (!hold->over && hold->each_ns)
        watch(hold, now);
    if (!hold->over)
        advance(hold, now);
    if (hold->over || hold->cookie == 0)
        return UINT64_MAX;
    uint64_t look = now + WATCH_NS;
    return look < hold->range[0].free_ns ? look : hold->range[0].free_ns;
}

/* Those of one socket, or of all (0). The sides that are due together are uncovered
 * before one of them is shown: a connection that is made is one edge, not two. */
static uint64_t step_those(uint64_t cookie, uint64_t now)
{
    uint64_t next = UINT64_MAX;

    for (unsigned i = 0; i < high; i++)
        if (pending(&holds[i], cookie) && holds[i].range[0].free_ns <= now)
            holds[i].hidden = false;
    for (unsigned i = 0; i < high; i++) {
        if (!pending(&holds[i], cookie))
            continue;
        uint64_t then = step(&holds[i], now);
        next = then < next ? then : next;
    }
    return next;
}

uint64_t tf_hold_step(uint64_t now_ns)
{
    return step_those(0, now_ns);
}

void tf_hold_forget(void)
{
    for (unsigned i = 0; i < high; i++)
        holds[i].cookie = 0;
}

void tf_hold_close(unsigned first, unsigned last)
{
    uint64_t mask;

    /* A vfork child closes its own descriptors, but has its parent's records. */
    if (!tf_self.segment || atomic_load_explicit(&tf_self.segment->holds, memory_order_relaxed) == 0 ||
        tf_sys(SYS_getpid) != tf_self.pid || !tf_lock_enter(&tf_later_lock, true, &mask))
        return;
    for (unsigned i = 0; i < high; i++)
        if (holds[i].cookie && (unsigned)holds[i].fd >= first && (unsigned)holds[i].fd <= last) {
            holds[i].has_rest = false;
            if (holds[i].over || !tf_socket_known(holds[i].fd, holds[i].cookie))
                holds[i].cookie = 0;
            else
                end(&holds[i]);
        }
    tf_lock_leave(&tf_later_lock, mask);
}

bool tf_hold_start(struct tf_call *call, enum tf_side side, uint64_t until_ns, uint64_t each_ns,
                   const struct tf_effect *rest)
{
    uint64_t mask, cookie = atomic_load(&call->socket->cookie);
    struct tf_hold *row = &call->socket->hold[side];

    call->reason = TF_REASON_no_room;
    if (!tf_later_wake() || !tf_lock_enter(&tf_later_lock, true, &mask))
        return false;
    struct hold *hold = find(cookie, side);
    if (!hold)
        hold = claim();
    if (hold) {
        call->reason = TF_REASON_none;
        *hold = (struct hold){.cookie = cookie,
                              .socket = call->socket,
                              .fd = call->fd,
                              .side = (uint8_t)side,
                              .each_ns = each_ns,
                              .has_rest = rest != NULL};
        if (rest)
            hold->rest = *rest;
        hold->seen = each_ns ? arrived(hold) : UINT64_MAX;
        add_range(hold, hold->seen, until_ns);
        if (atomic_load(&row->free_to) > tf_hold_passed(call->socket, side))
            atomic_store(&row->free_to, 0);
        atomic_store(&row->until_ns, until_ns);
        atomic_store(&tf_self.segment->holds, 1);
        hide(hold);
    }
    tf_lock_leave(&tf_later_lock, mask);
    tf_later_wake();
    return hold != NULL;
}

/* A hold is over that nobody has ended: it began in a process that is gone, or has
 * become another image. */
static void settle(struct tf_socket *socket, enum tf_side side, int fd)
{
    if (atomic_load(&socket->hold[side].until_ns) != 0) {
        atomic_store(&socket->hold[side].until_ns, 0);
        lower_lowat(socket, side, fd);
    }
}

/* Ends what this process has on the socket, since the connection is broken. */
static void break_off(struct tf_socket *socket)
{
    uint64_t mask, cookie = atomic_load(&socket->cookie);

    if (!tf_lock_enter(&tf_later_lock, true, &mask))
        return;
    for (unsigned i = 0; i < high; i++)
        if (pending(&holds[i], cookie))
            end(&holds[i]);
    tf_lock_leave(&tf_later_lock, mask);
}

/* What is due in this process is done now, whether or not the thread has come to it:
 * a wait that says ready and the call that follows must agree. False: the hold is
 * another process's. */
static bool catch_up(struct tf_socket *socket, enum tf_side side, uint64_t now)
{
    uint64_t mask, cookie = atomic_load(&socket->cookie);

    if (!tf_lock_enter(&tf_later_lock, true, &mask))
        return false;
    struct hold *hold = find(cookie, side);
    bool own = hold && !hold->over;
    if (own)
        step_those(cookie, now);
    tf_lock_leave(&tf_later_lock, mask);
    return own;
}

/* *look_ns: when to look again, whether or not it is held at `now` (0: by the clock). */
static bool held_at(uint64_t now, struct tf_socket *socket, enum tf_side side, int fd, uint64_t *look_ns)
{
    struct tf_hold *row = &socket->hold[side];
    uint64_t until = atomic_load(&row->until_ns);

    /* One for ever is looked at, too: its connection may break. */
    *look_ns = until == 0 ? UINT64_MAX : until == UINT64_MAX ? UINT64_MAX - 1 : until;
    if (until == 0)
        return false;
    if (broken(socket, fd)) {
        break_off(socket);
        *look_ns = UINT64_MAX;
        return false;
    }
    now = now ? now : tf_now_ns();
    if (until <= now && catch_up(socket, side, now))
        *look_ns = until = atomic_load(&row->until_ns);
    if (until == 0) {
        *look_ns = UINT64_MAX;
        return false;
    }
    if (until > now)
        return side == TF_SIDE_OUT || tf_hold_listens(socket) ||
               tf_hold_passed(socket, side) >= atomic_load(&row->free_to);
    *look_ns = now + WATCH_NS;
    if (until + TF_HOLD_LOOK_NS <= now) {
        settle(socket, side, fd);
        *look_ns = UINT64_MAX;
    }
    return false;
}

bool tf_hold_is(struct tf_socket *socket, enum tf_side side, int fd, uint64_t *look_ns)
{
    return held_at(0, socket, side, fd, look_ns);
}

/* Of one moment: a late connect's sides end together. Where an end came in between,
 * it is asked again. */
unsigned tf_hold_sides(int fd, uint64_t *look_ns)
{
    struct tf_socket *socket = tf_socket_of(fd);
    unsigned sides = 0;

    *look_ns = UINT64_MAX;
    for (int tries = 0; socket && tries < 3; tries++) {
        _Atomic uint64_t *in = &socket->hold[TF_SIDE_IN].until_ns, *out = &socket->hold[TF_SIDE_OUT].until_ns;
        uint64_t in_ns = atomic_load(in), out_ns = atomic_load(out), until;
        uint64_t now = in_ns && out_ns ? tf_now_ns() : 0;

        sides = held_at(now, socket, TF_SIDE_IN, fd, look_ns) ? TF_SIDE_BIT(TF_SIDE_IN) : 0;
        sides |= held_at(now, socket, TF_SIDE_OUT, fd, &until) ? TF_SIDE_BIT(TF_SIDE_OUT) : 0;
        *look_ns = until < *look_ns ? until : *look_ns;
        if (!now || (atomic_load(in) == in_ns && atomic_load(out) == out_ns))
            break;
    }
    return sides;
}

/* The rest of a decision whose hold is over. */
bool tf_hold_take_rest(struct tf_call *call, enum tf_side side)
{
    uint64_t mask;
    bool taken = false;

    if (!tf_lock_enter(&tf_later_lock, true, &mask))
        return false;
    struct hold *hold = find(atomic_load(&call->socket->cookie), side);
    if (hold && hold->has_rest) {
        call->effect = hold->rest;
        hold->has_rest = false;
        if (hold->over)
            hold->cookie = 0;
        taken = true;
    }
    tf_lock_leave(&tf_later_lock, mask);
    return taken;
}

/* The hold of another process: the registrations of this one are in the way, too. */
void tf_hold_join(struct tf_call *call, enum tf_side side, uint64_t until)
{
    uint64_t mask;

    if (!tf_lock_enter(&tf_later_lock, true, &mask))
        return;
    bool own = find(atomic_load(&call->socket->cookie), side) != NULL;
    tf_lock_leave(&tf_later_lock, mask);
    if (!own)
        tf_hold_start(call, side, until, 0, NULL);
    call->reason = TF_REASON_none;
}

void tf_hold_hide(const struct tf_socket *socket, enum tf_side side)
{
    uint64_t mask;

    if (!tf_lock_enter(&tf_later_lock, true, &mask))
        return;
    struct hold *hold = find(atomic_load(&socket->cookie), side);
    if (hold && !hold->over && !hold->hidden)
        hide(hold);
    tf_lock_leave(&tf_later_lock, mask);
}
