/* A slot's state is the number of the event in it and a phase. A slot changes
 * hands only by compare-and-swap to BUSY, so that of two who want it one gives
 * up: a late completion meets another number and does nothing; a writer that
 * meets BUSY drops its event, and counts it, rather than wait.
 *
 * The reader checks the state before and after its copy. Words are stored with
 * release and loaded with acquire, so that a reader that saw a new word sees the
 * BUSY before it; both are plain moves on x86.
 */
#include "ring.h"

#include "clock.h"
#include "sys.h"

#include <string.h>

enum phase { EMPTY, BUSY, OPEN, DONE };

enum { WORDS = sizeof(struct tf_event) / sizeof(uint64_t) };

/* How long a reader waits for a writer between its number and its event, when
 * events after it are there already. It is preempted, or was killed there. */
#define GRACE_NS 20000000u

typedef uint64_t __attribute__((may_alias)) word;

static uint64_t state_of(uint64_t number, enum phase phase)
{
    return number << 2 | phase;
}

static struct tf_slot *slot_of(struct tf_segment *segment, uint64_t number)
{
    return &segment->event[number % TF_EVENTS];
}

static void store(struct tf_event *to, const struct tf_event *event)
{
    const word *from = (const word *)event;
    for (int i = 0; i < WORDS; i++)
        __atomic_store_n((word *)to + i, from[i], __ATOMIC_RELEASE);
}

static void load(struct tf_event *event, const struct tf_event *from)
{
    for (int i = 0; i < WORDS; i++)
        ((word *)event)[i] = __atomic_load_n((const word *)from + i, __ATOMIC_ACQUIRE);
}

uint64_t tf_ring_enter(struct tf_segment *segment, const struct tf_event *event)
{
    uint64_t number = atomic_fetch_add_explicit(&segment->next_event, 1, memory_order_relaxed);
    struct tf_slot *slot = slot_of(segment, number);
    uint64_t old = atomic_load_explicit(&slot->state, memory_order_relaxed);
    /* Behind by a lap: a newer event may be there already. */
    bool late = old >> 2 > number;
    if (late || (old & 3) == BUSY ||
        !atomic_compare_exchange_strong_explicit(&slot->state, &old, state_of(number, BUSY),
                                                 memory_order_acquire, memory_order_relaxed)) {
        atomic_fetch_add_explicit(&segment->lost_events, 1, memory_order_relaxed);
        return number;
    }
    store(&slot->event, event);
    __atomic_store_n(&slot->event.number, number, __ATOMIC_RELEASE);
    __atomic_store_n(&slot->event.duration_ns, UINT64_MAX, __ATOMIC_RELEASE);
    atomic_store_explicit(&slot->state, state_of(number, OPEN), memory_order_release);
    return number;
}

void tf_ring_leave(struct tf_segment *segment, uint64_t number, const struct tf_event *event)
{
    struct tf_slot *slot = slot_of(segment, number);
    uint64_t open = state_of(number, OPEN);
    if (!atomic_compare_exchange_strong_explicit(&slot->state, &open, state_of(number, BUSY),
                                                 memory_order_acquire, memory_order_relaxed))
        return;
    store(&slot->event, event);
    __atomic_store_n(&slot->event.number, number, __ATOMIC_RELEASE);
    atomic_store_explicit(&slot->state, state_of(number, DONE), memory_order_release);
}

/* One look at event `number`. EMPTY: not there (yet). */
static enum tf_ring_got look(struct tf_segment *segment, uint64_t number, struct tf_event *event)
{
    struct tf_slot *slot = slot_of(segment, number);
    uint64_t before = atomic_load_explicit(&slot->state, memory_order_acquire);
    if (before != 0 && before >> 2 > number)
        return TF_RING_LOST;
    if (before != state_of(number, OPEN) && before != state_of(number, DONE))
        return TF_RING_EMPTY;
    load(event, &slot->event);
    if (atomic_load_explicit(&slot->state, memory_order_relaxed) != before)
        return TF_RING_EMPTY;
    return (before & 3) == DONE ? TF_RING_DONE : TF_RING_UNFINISHED;
}

/* Is a later event there already? */
static bool followed(struct tf_segment *segment, uint64_t number)
{
    uint64_t next = atomic_load_explicit(&segment->next_event, memory_order_acquire);
    for (uint64_t n = number + 1; n < next && n < number + TF_EVENTS; n++) {
        uint64_t state = atomic_load_explicit(&slot_of(segment, n)->state, memory_order_relaxed);
        if (state >> 2 >= n && (state & 3) > BUSY)
            return true;
    }
    return false;
}

static void nap(void)
{
    struct timespec time = {0, 100000};
    tf_sys(SYS_nanosleep, &time, NULL);
}

enum tf_ring_got tf_ring_read(struct tf_segment *segment, uint64_t *cursor, struct tf_event *event,
                              uint64_t *lost)
{
    uint64_t began_ns = 0;
    *lost = 0;
    for (;;) {
        uint64_t next = atomic_load_explicit(&segment->next_event, memory_order_acquire);
        if (*cursor >= next)
            return TF_RING_EMPTY;
        enum tf_ring_got got = look(segment, *cursor, event);
        if (got == TF_RING_DONE || got == TF_RING_UNFINISHED) {
            (*cursor)++;
            return got;
        }
        if (got == TF_RING_LOST || next - *cursor > TF_EVENTS) {
            *lost = next - *cursor > TF_EVENTS ? next - *cursor - TF_EVENTS : 1;
            *cursor += *lost;
            return TF_RING_LOST;
        }
        if (began_ns == 0) {
            if (!followed(segment, *cursor))
                return TF_RING_EMPTY;
            began_ns = tf_now_ns();
        } else if (tf_now_ns() - began_ns > GRACE_NS) {
            *lost = 1;
            (*cursor)++;
            return TF_RING_LOST;
        } else {
            nap();
        }
    }
}

enum tf_ring_got tf_ring_again(struct tf_segment *segment, uint64_t number, struct tf_event *event)
{
    enum tf_ring_got got = look(segment, number, event);
    return got == TF_RING_EMPTY ? TF_RING_UNFINISHED : got;
}
