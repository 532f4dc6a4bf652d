#include "readiness.h"

#include "real.h"
#include "socket.h"

#include <string.h>

enum { SETS = 2048, WAYS = 8, MOST_POLLED = 4096, WORDS = FD_SETSIZE / 64 };

#define IN_EVENTS (EPOLLIN | EPOLLRDNORM | EPOLLRDBAND | EPOLLPRI | EPOLLRDHUP)
#define OUT_EVENTS (EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND)

/* How long a wait sleeps at the most while it has to look by itself whether a
 * held descriptor has failed. */
#define LOOK_NS UINT64_C(20000000)

/* An epoll_ctl of the program's, as it is to be at the end of the holds. */
struct registration {
    uint64_t cookie; /* of the socket; 0: free */
    int epfd, fd;
    uint32_t events;
    bool hidden, removed; /* changed in the kernel; not there at all */
    uint64_t data;
};

static struct registration registrations[SETS][WAYS];

static struct registration *set_of(int fd)
{
    return registrations[(unsigned)fd % SETS];
}

static struct registration *find(int epfd, int fd)
{
    struct registration *set = set_of(fd);
    for (int way = 0; way < WAYS; way++)
        if (set[way].cookie && set[way].fd == fd && set[way].epfd == epfd)
            return &set[way];
    return NULL;
}

static long control(int epfd, int op, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = {.events = events, .data.u64 = data};
    return tf_sys(SYS_epoll_ctl, epfd, op, fd, &event);
}

/* Is a one-shot registration waiting to be armed again? The kernel tells
 * (proc(5), fdinfo: "tfd:  7 events:  40000000 ..."); where it cannot, the call
 * that is being held is most likely the one after its event. */
static bool disarmed(int epfd, int fd)
{
    char path[40] = "/proc/self/fdinfo/", text[4096], wanted[24] = "tfd:", number[12];
    size_t kept = 0, digits = sizeof number - 1, length = strlen(path);
    bool result = true;

    number[digits] = 0;
    for (unsigned n = (unsigned)epfd; digits == sizeof number - 1 || n; n /= 10)
        number[--digits] = (char)('0' + n % 10);
    memcpy(path + length, number + digits, sizeof number - digits);
    digits = sizeof number - 1;
    for (unsigned n = (unsigned)fd; digits == sizeof number - 1 || n; n /= 10)
        number[--digits] = (char)('0' + n % 10);
    /* "tfd: %8d " */
    memset(wanted + 4, ' ', 9);
    length = strlen(number + digits);
    memcpy(wanted + (length < 8 ? 13 - length : 5), number + digits, length);
    strcpy(wanted + (length < 8 ? 13 : 5 + length), " ");

    long file = tf_sys(SYS_openat, -100 /* AT_FDCWD */, path, 02000000 /* O_CLOEXEC */);
    for (long got; file >= 0 && (got = tf_sys(SYS_read, file, text + kept, sizeof text - 1 - kept)) > 0;) {
        char *line = text, *end;
        text[kept + (size_t)got] = 0;
        for (; (end = strchr(line, '\n')); line = end + 1) {
            *end = 0;
            const char *events = strncmp(line, wanted, strlen(wanted)) == 0 ? strstr(line, "events:") : NULL;
            uint32_t bits = 0;
            for (const char *c = events ? events + 7 : ""; *c && *c != 'd'; c++)
                if (*c != ' ')
                    bits = bits << 4 | (uint32_t)(*c >= 'a' ? *c - 'a' + 10 : *c - '0');
            if (events)
                result = !(bits & ~(EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE));
        }
        kept = strlen(line);
        memmove(text, line, kept);
    }
    if (file >= 0)
        tf_sys(SYS_close, file);
    return result;
}

/* Brings the kernel's registration in line. */
static void apply(struct registration *entry, unsigned sides)
{
    uint32_t events = entry->events;

    if (sides & TF_SIDE_BIT(TF_SIDE_IN))
        events &= ~(uint32_t)IN_EVENTS;
    if (sides & TF_SIDE_BIT(TF_SIDE_OUT))
        events &= ~(uint32_t)OUT_EVENTS;
    /* epoll_ctl(2): an exclusive one cannot be modified, and a hang-up is always told. */
    bool remove = sides && ((entry->events & EPOLLEXCLUSIVE) || !(events & (IN_EVENTS | OUT_EVENTS)));
    long result = 0;
    if (remove && !entry->removed)
        result = control(entry->epfd, EPOLL_CTL_DEL, entry->fd, 0, 0);
    else if (!remove && entry->removed)
        result = control(entry->epfd, EPOLL_CTL_ADD, entry->fd, events, entry->data);
    else if (!remove)
        result = control(entry->epfd, EPOLL_CTL_MOD, entry->fd, events, entry->data);
    entry->hidden = sides != 0;
    entry->removed = remove;
    if (result == -ENOENT || result == -EBADF || result == -EINVAL) /* of an epoll instance that is gone */
        entry->cookie = 0;
}

static bool oneshot_disarmed(const struct registration *entry)
{
    return (entry->events & EPOLLONESHOT) && !entry->hidden && disarmed(entry->epfd, entry->fd);
}

void tf_readiness_hide(int fd, unsigned sides)
{
    struct registration *set = set_of(fd);
    for (int way = 0; way < WAYS; way++)
        if (set[way].cookie && set[way].fd == fd && !oneshot_disarmed(&set[way]))
            apply(&set[way], sides);
}

void tf_readiness_show(int fd, unsigned sides)
{
    struct registration *set = set_of(fd);
    for (int way = 0; way < WAYS; way++)
        if (set[way].cookie && set[way].fd == fd && set[way].hidden)
            apply(&set[way], sides);
}

void tf_readiness_again(int fd)
{
    struct registration *set = set_of(fd);
    uint64_t mask;

    if (!tf_lock_enter(&tf_later_lock, true, &mask))
        return;
    for (int way = 0; way < WAYS; way++) {
        const struct registration *entry = &set[way];
        if (!entry->cookie || entry->fd != fd || entry->hidden || !(entry->events & EPOLLET) ||
            oneshot_disarmed(entry))
            continue;
        if (entry->events & EPOLLEXCLUSIVE) {
            control(entry->epfd, EPOLL_CTL_DEL, fd, 0, 0);
            control(entry->epfd, EPOLL_CTL_ADD, fd, entry->events, entry->data);
        } else {
            control(entry->epfd, EPOLL_CTL_MOD, fd, entry->events, entry->data);
        }
    }
    tf_lock_leave(&tf_later_lock, mask);
}

int tf_readiness_fd(int epfd, uint64_t data)
{
    uint64_t mask;
    int fd = -1;

    if (!tf_lock_enter(&tf_later_lock, true, &mask))
        return -1;
    for (int i = 0; fd < 0 && i < SETS * WAYS; i++) {
        const struct registration *entry = &registrations[i / WAYS][i % WAYS];
        if (entry->cookie && entry->epfd == epfd && entry->data == data)
            fd = entry->fd;
    }
    tf_lock_leave(&tf_later_lock, mask);
    return fd;
}

/* ---- epoll_ctl ---- */

static void keep(int epfd, int fd, uint64_t cookie, const struct epoll_event *event)
{
    struct registration *entry = find(epfd, fd), *set = set_of(fd);

    for (int way = 0; !entry && way < WAYS; way++)
        if (set[way].cookie == 0)
            entry = &set[way];
    if (!entry) /* eight epoll instances, or numbers that were used again: the first is the oldest guess */
        entry = set;
    *entry = (struct registration){
        .cookie = cookie, .epfd = epfd, .fd = fd, .events = event->events, .data = event->data.u64};
}

/* Sides that are held, but not by this process, which has a registration now. */
static void join(struct tf_call *call, unsigned own)
{
    uint64_t look;
    unsigned others = tf_hold_sides(call->fd, &look) & ~own;

    for (int side = 0; side < TF_SIDES; side++)
        if (others & TF_SIDE_BIT(side))
            tf_hold_join(call, (enum tf_side)side, atomic_load(&call->socket->hold[side].until_ns));
}

long tf_readiness_ctl(struct tf_call *call)
{
    int epfd = (int)call->arg[0], op = (int)call->arg[1], fd = call->fd;
    const struct epoll_event *event = (const struct epoll_event *)call->arg[3];
    uint64_t mask;
    long result;

    if (!event && op != EPOLL_CTL_DEL)
        return tf_perform(call->id, call->arg);
    if (!tf_lock_enter(&tf_later_lock, true, &mask))
        return tf_perform(call->id, call->arg);
    struct registration *entry = find(epfd, fd);
    uint64_t cookie = atomic_load(&call->socket->cookie);
    if (entry && entry->cookie != cookie) { /* of a socket that had this number before */
        entry->cookie = 0;
        entry = NULL;
    }
    bool removed = entry && entry->removed;
    unsigned hidden = 0;
    if (removed && op == EPOLL_CTL_DEL) {
        result = 0;
    } else if (removed && op == EPOLL_CTL_ADD) {
        result = -EEXIST;
    } else {
        if (removed) /* as the program believes it to be */
            control(epfd, EPOLL_CTL_ADD, fd, entry->events, entry->data);
        result = tf_perform(call->id, call->arg);
    }
    if (result == 0 && op == EPOLL_CTL_DEL && entry)
        entry->cookie = 0;
    if (result == 0 && op != EPOLL_CTL_DEL) {
        keep(epfd, fd, cookie, event);
        hidden = tf_hold_hidden(cookie); /* now: a hold that ends is behind the lock */
        if (hidden && (entry = find(epfd, fd)))
            apply(entry, hidden);
    }
    tf_lock_leave(&tf_later_lock, mask);
    if (result == 0 && op != EPOLL_CTL_DEL)
        join(call, hidden);
    return result;
}

/* ---- poll and select ---- */

static uint64_t span_ns(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec;
}

/* When the program's own timeout is over; UINT64_MAX: never. */
static uint64_t deadline_of(const struct tf_call *call, uint64_t now)
{
    const struct timeval *value = (const struct timeval *)call->arg[4];

    switch (call->id) {
    case TF_poll:
        return (int)call->arg[2] < 0 ? UINT64_MAX : now + (uint64_t)(int)call->arg[2] * 1000000u;
    case TF_ppoll:
        return call->arg[2] ? now + span_ns((const struct timespec *)call->arg[2]) : UINT64_MAX;
    case TF_pselect:
        return call->arg[4] ? now + span_ns((const struct timespec *)call->arg[4]) : UINT64_MAX;
    default:
        return value ? now + (uint64_t)value->tv_sec * 1000000000u + (uint64_t)value->tv_usec * 1000u
                     : UINT64_MAX;
    }
}

/* What a wait has left, cut to the next moment at which it has to look again. */
static struct timespec *rest_of(uint64_t now, uint64_t deadline, uint64_t look, struct timespec *rest)
{
    uint64_t until = deadline < look ? deadline : look;
    if (until == UINT64_MAX)
        return NULL;
    uint64_t ns = until > now ? until - now : 0;
    *rest = (struct timespec){(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    return rest;
}

static short without(short events, unsigned sides)
{
    if (sides & TF_SIDE_BIT(TF_SIDE_IN))
        events &= (short)~IN_EVENTS;
    if (sides & TF_SIDE_BIT(TF_SIDE_OUT))
        events &= (short)~OUT_EVENTS;
    return events;
}

/* Fills asked[] with what the program asks of those that are not held. */
static uint64_t ask_polled(const struct pollfd *own, struct pollfd *asked, size_t count, uint64_t now)
{
    uint64_t look = UINT64_MAX, until = 0;

    for (size_t i = 0; i < count; i++) {
        unsigned sides = own[i].fd >= 0 ? tf_hold_sides(own[i].fd, &until) : 0;
        asked[i] = (struct pollfd){own[i].fd, without(own[i].events, sides), 0};
        if (sides && asked[i].events == 0)
            asked[i].fd = -1; /* a hang-up would be told at once */
        if (own[i].fd >= 0 && until < look)
            look = until;
    }
    if (look > now + LOOK_NS && look != UINT64_MAX)
        look = now + LOOK_NS;
    return look;
}

static long wait_polled(struct tf_call *call)
{
    struct pollfd *own = (struct pollfd *)call->arg[0];
    size_t count = (size_t)call->arg[1];
    struct pollfd asked[count ? count : 1];
    uint64_t now = tf_now_ns(), until = 0;
    const uint64_t deadline = deadline_of(call, now);

    for (;; now = tf_now_ns()) {
        struct timespec rest;
        uint64_t look = ask_polled(own, asked, count, now);
        const long arg[6] = {(long)asked, (long)count, (long)rest_of(now, deadline, look, &rest),
                             call->id == TF_ppoll ? call->arg[3] : 0};
        long ready = tf_perform(TF_ppoll, arg);
        if (ready < 0)
            return ready;
        ready = 0;
        for (size_t i = 0; i < count; i++) {
            unsigned sides = asked[i].fd >= 0 && asked[i].revents ? tf_hold_sides(own[i].fd, &until) : 0;
            own[i].revents = sides ? without(asked[i].revents, sides) & (short)~POLLHUP : asked[i].revents;
            ready += own[i].revents != 0;
        }
        if (ready > 0 || tf_now_ns() >= deadline)
            return ready;
    }
}

struct sets {
    unsigned long in[WORDS], out[WORDS], other[WORDS];
};

static bool has(const unsigned long *set, int fd)
{
    return set[fd / 64] & (1ul << (fd % 64));
}

/* Takes the held ones out of the sets. */
static uint64_t ask_selected(struct sets *sets, int count, uint64_t now)
{
    uint64_t look = UINT64_MAX, until = 0;

    for (int fd = 0; fd < count; fd++) {
        if (!has(sets->in, fd) && !has(sets->out, fd) && !has(sets->other, fd))
            continue;
        unsigned sides = tf_hold_sides(fd, &until);
        if (sides & TF_SIDE_BIT(TF_SIDE_IN)) {
            sets->in[fd / 64] &= ~(1ul << (fd % 64));
            sets->other[fd / 64] &= ~(1ul << (fd % 64));
        }
        if (sides & TF_SIDE_BIT(TF_SIDE_OUT))
            sets->out[fd / 64] &= ~(1ul << (fd % 64));
        if (until < look)
            look = until;
    }
    if (look > now + LOOK_NS && look != UINT64_MAX)
        look = now + LOOK_NS;
    return look;
}

static int bits(const struct sets *sets, size_t words)
{
    int count = 0;
    for (size_t i = 0; i < words; i++)
        count += __builtin_popcountl(sets->in[i]) + __builtin_popcountl(sets->out[i]) +
                 __builtin_popcountl(sets->other[i]);
    return count;
}

static void load(unsigned long *to, long from, size_t words)
{
    if (from)
        memcpy(to, (const void *)from, words * sizeof *to);
    else
        memset(to, 0, words * sizeof *to);
}

static void store(long to, const unsigned long *from, size_t words)
{
    if (to)
        memcpy((void *)to, from, words * sizeof *from);
}

static long wait_selected(struct tf_call *call)
{
    int count = (int)call->arg[0];
    size_t words = ((size_t)count + 63) / 64;
    struct sets sets;
    uint64_t now = tf_now_ns();
    const uint64_t deadline = deadline_of(call, now);
    long ready;

    for (;; now = tf_now_ns()) {
        struct timespec rest;
        load(sets.in, call->arg[1], words);
        load(sets.out, call->arg[2], words);
        load(sets.other, call->arg[3], words);
        uint64_t look = ask_selected(&sets, count, now);
        const long arg[6] = {count,
                             call->arg[1] ? (long)sets.in : 0,
                             call->arg[2] ? (long)sets.out : 0,
                             call->arg[3] ? (long)sets.other : 0,
                             (long)rest_of(now, deadline, look, &rest),
                             call->id == TF_pselect ? call->arg[5] : 0};
        ready = tf_perform(TF_pselect, arg);
        if (ready < 0)
            break;
        if (ready > 0) { /* a hold may have begun meanwhile */
            ask_selected(&sets, count, now);
            ready = bits(&sets, words);
        }
        if (ready > 0 || tf_now_ns() >= deadline)
            break;
    }
    if (ready >= 0) {
        store(call->arg[1], sets.in, words);
        store(call->arg[2], sets.out, words);
        store(call->arg[3], sets.other, words);
    }
    if (call->id == TF_select && call->arg[4]) { /* select(2): Linux tells what is left */
        uint64_t left = tf_now_ns() < deadline ? deadline - tf_now_ns() : 0;
        *(struct timeval *)call->arg[4] =
            (struct timeval){(time_t)(left / 1000000000u), (long)(left % 1000000000u / 1000)};
    }
    return ready;
}

long tf_readiness_wait(struct tf_call *call)
{
    bool polls = call->id == TF_poll || call->id == TF_ppoll;
    bool selects = call->id == TF_select || call->id == TF_pselect;

    if (atomic_load_explicit(&tf_self.segment->holds, memory_order_relaxed) == 0)
        return tf_perform(call->id, call->arg);
    if (polls && (size_t)call->arg[1] <= MOST_POLLED)
        return wait_polled(call);
    if (selects && (int)call->arg[0] > 0 && (int)call->arg[0] <= FD_SETSIZE)
        return wait_selected(call);
    return tf_perform(call->id, call->arg);
}
