#include "segment.h"
#include "rule.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* In the shim close(2) is one of the intercepted calls. */
static void close_quietly(int fd)
{
    int saved = errno;
    syscall(SYS_close, fd);
    errno = saved;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now = {0, 0};
    syscall(SYS_clock_gettime, clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct tf_segment *map(int fd)
{
    void *at = mmap(NULL, sizeof(struct tf_segment), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return at == MAP_FAILED ? NULL : at;
}

struct tf_segment *tf_segment_create(const char *path, const struct tf_plan *plan, uint32_t flags)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0)
        return NULL;
    struct tf_segment *segment = NULL;
    if (fchmod(fd, 0666) == 0 && ftruncate(fd, (off_t)sizeof(*segment)) == 0)
        segment = map(fd);
    close_quietly(fd);
    if (!segment) {
        int saved = errno;
        unlink(path);
        errno = saved;
        return NULL;
    }
    segment->version = TF_SEGMENT_VERSION;
    segment->event_version = TF_EVENT_VERSION;
    segment->size = sizeof(*segment);
    segment->created_realtime_ns = clock_ns(CLOCK_REALTIME);
    segment->created_monotonic_ns = clock_ns(CLOCK_MONOTONIC);
    segment->flags = flags;
    segment->creator = (uint32_t)getpid();
    segment->plan = *plan;
    for (uint32_t i = 0; i < plan->rules; i++)
        segment->state[i].armed = 1;
    tf_segment_gate(segment);
    /* Last: who opens it meanwhile finds no segment yet. */
    __atomic_store_n(&segment->magic, TF_SEGMENT_MAGIC, __ATOMIC_RELEASE);
    return segment;
}

struct tf_segment *tf_segment_of(int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return NULL;
    /* A page beyond the end of the file would be a SIGBUS at its first touch. */
    errno = EPROTO;
    if (!S_ISREG(status.st_mode) || status.st_size < (off_t)sizeof(struct tf_segment))
        return NULL;
    struct tf_segment *segment = map(fd);
    if (segment && (__atomic_load_n(&segment->magic, __ATOMIC_ACQUIRE) != TF_SEGMENT_MAGIC ||
                    segment->version != TF_SEGMENT_VERSION || segment->event_version != TF_EVENT_VERSION ||
                    segment->size != sizeof(*segment) || segment->plan.rules > TF_RULES_MAX ||
                    segment->plan.per_connection > TF_PER_CONNECTION_MAX)) {
        tf_segment_close(segment);
        segment = NULL;
        errno = EPROTO;
    }
    return segment;
}

struct tf_segment *tf_segment_open(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    struct tf_segment *segment = tf_segment_of(fd);
    close_quietly(fd);
    return segment;
}

void tf_segment_close(struct tf_segment *segment)
{
    if (segment)
        munmap(segment, sizeof(*segment));
}

/* The gate. */

static uint64_t of_class(enum tf_class class)
{
    uint64_t calls = 0;
    for (int call = 0; call < TF_CALLS; call++)
        if (tf_call_info[call].class == class)
            calls |= TF_BIT(call);
    return calls;
}

/* connect's own failures are another matter: there is no connection yet. */
static bool ends_connections(const struct tf_rule *rule)
{
    for (int call = 0; call < TF_CALLS; call++) {
        const struct tf_errno_info *info = tf_errno_find((enum tf_call_id)call, rule->error);
        if (rule->calls & TF_BIT(call) && info && info->lasting == TF_GONE && call != TF_connect &&
            call != TF_close)
            return true;
    }
    return false;
}

static bool has(const struct tf_rule *rule, uint32_t effects)
{
    return rule->effects & effects;
}

static bool holds_sockets(const struct tf_rule *rule)
{
    const uint64_t held =
        of_class(TF_CLASS_IN) | of_class(TF_CLASS_OUT) | of_class(TF_CLASS_ACCEPT) | TF_BIT(TF_connect);
    return has(rule, 1u << TF_EFFECT_delay | 1u << TF_EFFECT_rate | 1u << TF_EFFECT_drop) &&
           rule->calls & held;
}

bool tf_segment_rations(const struct tf_rule *rule)
{
    return has(rule, 1u << TF_EFFECT_short | 1u << TF_EFFECT_rate) && rule->calls & of_class(TF_CLASS_IN);
}

uint64_t tf_segment_keeps(const struct tf_rule *rule)
{
    const uint64_t moving = of_class(TF_CLASS_IN) | of_class(TF_CLASS_OUT);
    const uint64_t asking = TF_BIT(TF_getsockopt) | TF_BIT(TF_getsockname);
    const uint64_t ended = moving | asking | TF_BIT(TF_bind) | TF_BIT(TF_ioctl);
    uint64_t calls = 0;

    if (holds_sockets(rule))
        calls |= moving | of_class(TF_CLASS_ACCEPT) | TF_BIT(TF_ioctl) | TF_BIT(TF_getsockopt) |
                 TF_BIT(TF_getpeername);
    if (rule->selects & TF_SELECT_BYTES || rule->per == TF_PER_CONNECTION || has(rule, 1u << TF_EFFECT_eof))
        calls |= moving;
    if (has(rule, 1u << TF_EFFECT_eof))
        calls |= TF_BIT(TF_getpeername);
    if (has(rule, 1u << TF_EFFECT_eof | 1u << TF_EFFECT_ignore) ||
        (has(rule, 1u << TF_EFFECT_error) && rule->calls & TF_BIT(TF_connect)))
        calls |= moving | asking;
    if (has(rule, 1u << TF_EFFECT_reset))
        calls |= ended;
    /* Its own calls stay quick to count until it has struck. */
    if (has(rule, 1u << TF_EFFECT_error) && ends_connections(rule))
        calls |= ended & ~rule->calls;
    return calls;
}

uint64_t tf_segment_always(const struct tf_segment *segment)
{
    const uint64_t forming = TF_BIT(TF_socket) | TF_BIT(TF_accept) | TF_BIT(TF_accept4) | TF_BIT(TF_connect) |
                             TF_BIT(TF_listen) | TF_BIT(TF_close) | TF_BIT(TF_shutdown) | TF_BIT(TF_dup) |
                             TF_BIT(TF_dup2) | TF_BIT(TF_dup3) | TF_BIT(TF_fcntl) | TF_BIT(TF_epoll_ctl);

    if (segment->flags & TF_RUN_TRACE)
        return TF_BIT(TF_CALLS) - 1;
    return segment->plan.rules > 0 ? forming : 0;
}

/* The calls by which the shim keeps its books. Armed or not: a rule that is
 * armed in the middle of a run finds connections counted from the beginning,
 * and what a rule has done outlives its being armed. */
static uint64_t keep(const struct tf_segment *segment)
{
    /* The waits that a hold is kept from; an epoll instance is told by other means
     * (readiness.h). */
    const uint64_t waits = TF_BIT(TF_poll) | TF_BIT(TF_ppoll) | TF_BIT(TF_select) | TF_BIT(TF_pselect);
    /* And those that tell of a hang-up (hangup.h). */
    const uint64_t hangups = of_class(TF_CLASS_WAIT) & ~(TF_BIT(TF_select) | TF_BIT(TF_pselect));
    const struct tf_plan *plan = &segment->plan;
    uint64_t calls = tf_segment_always(segment);

    for (uint32_t i = 0; i < plan->rules; i++)
        calls |= tf_segment_keeps(&plan->rule[i]) | (holds_sockets(&plan->rule[i]) ? waits : 0) |
                 (tf_segment_rations(&plan->rule[i]) ? hangups : 0);
    return calls;
}

/* Can this rule be counted on this call by looking at `when` alone? Role, family,
 * peer, local, conn and exe are in the interest mask of the descriptor. */
static bool countable(const struct tf_rule *rule, int call)
{
    const uint32_t looks = TF_SELECT_BYTES | TF_SELECT_ERRNO | TF_SELECT_CALLER | TF_SELECT_OPT;
    const uint8_t shape = tf_call_info[call].shape;
    return rule->per == TF_PER_RUN && rule->prob >= 1 && !(rule->selects & looks) &&
           (shape == TF_SHAPE_BUFFER || shape == TF_SHAPE_VECTOR || shape == TF_SHAPE_MESSAGE ||
            shape == TF_SHAPE_MESSAGES || shape == TF_SHAPE_COUNT);
}

void tf_segment_gate(struct tf_segment *segment)
{
    const uint64_t kept = keep(segment);
    for (int call = 0; call < TF_CALLS; call++) {
        uint8_t gate = kept & TF_BIT(call) ? TF_GATE_KEEP : 0;
        uint32_t armed = 0, last = 0;
        for (uint32_t i = 0; i < segment->plan.rules; i++)
            if (segment->plan.rule[i].calls & TF_BIT(call) && atomic_load(&segment->state[i].armed)) {
                gate |= TF_GATE_RULE;
                armed++;
                last = i;
            }
        uint8_t quick = 0;
        if (gate == TF_GATE_RULE && armed == 1 && countable(&segment->plan.rule[last], call))
            quick = (uint8_t)(last + 1);
        /* Never quick for a rule that is no longer the only one. */
        atomic_store(&segment->quick[call], 0);
        atomic_store(&segment->gate[call], gate);
        atomic_store(&segment->quick[call], quick);
    }
    /* One symbol, two directions: the wrapper asks before it knows which. */
    atomic_fetch_or(&segment->gate[TF_splice], atomic_load(&segment->gate[TF_splice_out]));
}
