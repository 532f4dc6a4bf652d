#include "collect.h"

#include "ring.h"
#include "show.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Events come in bursts, faster than they can be written down: they are moved out
 * of the ring, which is small, into a queue first. */
enum { QUEUE_MAX = 1 << 19, BATCH = 256, TURN_MS = 50 };

struct queued {
    enum tf_collect_what what;
    struct tf_event event;
};

/* A call that had not returned when its event was read. */
struct pending {
    struct tf_event event;
    bool told; /* as TF_COLLECT_BLOCKED */
    bool gone; /* the ring has moved past it: its end will not be known */
};

struct tf_collect {
    struct tf_collect_options options;
    struct tf_segment *segment;
    FILE *jsonl;
    uint64_t cursor, lost;
    struct pending *pending;
    size_t pending_count, pending_room;
    struct queued *queue; /* queue[queue_first], ..., queue_count of them; never wraps */
    size_t queue_first, queue_count, queue_room;
    struct tf_event *kept;
    size_t kept_count, kept_room;
    bool unsorted;
    bool out_of_memory;
    int delivered;
};

struct tf_collect *tf_collect_open(const struct tf_collect_options *options, struct tf_error *error)
{
    struct tf_collect *collect = calloc(1, sizeof *collect);
    if (!collect) {
        tf_error_set(error, "out of memory");
        return NULL;
    }
    collect->options = *options;
    if (options->jsonl_path && !(collect->jsonl = fopen(options->jsonl_path, "ae"))) {
        tf_error_errno(error, errno, "creating %.300s", options->jsonl_path);
        free(collect);
        return NULL;
    }
    collect->segment = tf_segment_create(options->path, options->plan, options->flags);
    if (!collect->segment) {
        tf_error_errno(error, errno, "creating %.300s", options->path);
        tf_collect_close(collect);
        return NULL;
    }
    return collect;
}

struct tf_segment *tf_collect_segment(const struct tf_collect *collect)
{
    return collect->segment;
}

static void keep(struct tf_collect *collect, const struct tf_event *event)
{
    if (collect->kept_count == collect->kept_room) {
        size_t room = collect->kept_room ? 2 * collect->kept_room : 256;
        struct tf_event *kept = realloc(collect->kept, room * sizeof *kept);
        if (!kept) {
            collect->out_of_memory = true;
            return;
        }
        collect->kept = kept;
        collect->kept_room = room;
    }
    if (collect->kept_count && collect->kept[collect->kept_count - 1].number > event->number)
        collect->unsorted = true;
    collect->kept[collect->kept_count++] = *event;
}

static void deliver(struct tf_collect *collect, enum tf_collect_what what, const struct tf_event *event)
{
    if (collect->options.on_event)
        collect->options.on_event(collect->options.data, what, event);
    if (what == TF_COLLECT_BLOCKED)
        return;
    collect->delivered++;
    if (collect->options.keep)
        keep(collect, event);
    json_t *object = collect->jsonl ? tf_show_event_json(collect->segment, event) : NULL;
    if (object) {
        json_dumpf(object, collect->jsonl, JSON_COMPACT);
        putc('\n', collect->jsonl);
        json_decref(object);
    }
}

static void enqueue(struct tf_collect *collect, enum tf_collect_what what, const struct tf_event *event)
{
    if (collect->queue_first + collect->queue_count == collect->queue_room) {
        size_t room = collect->queue_room ? 2 * collect->queue_room : 256;
        struct queued *queue = realloc(collect->queue, room * sizeof *queue);
        if (!queue) {
            collect->out_of_memory = true;
            return;
        }
        collect->queue = queue;
        collect->queue_room = room;
    }
    collect->queue[collect->queue_first + collect->queue_count++] = (struct queued){what, *event};
}

static void add_pending(struct tf_collect *collect, const struct tf_event *event)
{
    if (collect->pending_count == collect->pending_room) {
        size_t room = collect->pending_room ? 2 * collect->pending_room : 64;
        struct pending *pending = realloc(collect->pending, room * sizeof *pending);
        if (!pending) {
            collect->out_of_memory = true;
            return;
        }
        collect->pending = pending;
        collect->pending_room = room;
    }
    collect->pending[collect->pending_count++] = (struct pending){.event = *event};
}

/* Delivers those that have returned by now; with tid, those of that thread only. */
static void check_pending(struct tf_collect *collect, uint32_t tid)
{
    size_t left = 0;
    for (size_t i = 0; i < collect->pending_count; i++) {
        struct pending *pending = &collect->pending[i];
        struct tf_event event;
        if (!pending->gone && (!tid || pending->event.tid == tid)) {
            enum tf_ring_got got = tf_ring_again(collect->segment, pending->event.number, &event);
            if (got == TF_RING_DONE) {
                enqueue(collect, pending->told ? TF_COLLECT_RESUMED : TF_COLLECT_RETURNED, &event);
                continue;
            }
            pending->gone = got == TF_RING_LOST;
            collect->lost += pending->gone;
        }
        collect->pending[left++] = *pending;
    }
    collect->pending_count = left;
}

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void tell_blocked(struct tf_collect *collect)
{
    uint64_t before_ns = clock_ns() - (uint64_t)TF_COLLECT_BLOCKED_MS * 1000000;
    for (size_t i = 0; i < collect->pending_count; i++) {
        struct pending *pending = &collect->pending[i];
        if (!pending->told && pending->event.time_ns < before_ns) {
            pending->told = true;
            enqueue(collect, TF_COLLECT_BLOCKED, &pending->event);
        }
    }
}

static void read_ring(struct tf_collect *collect)
{
    struct tf_event event;
    uint64_t lost;
    while (collect->queue_count < QUEUE_MAX) {
        switch (tf_ring_read(collect->segment, &collect->cursor, &event, &lost)) {
        case TF_RING_EMPTY:
            return;
        case TF_RING_LOST:
            collect->lost += lost;
            break;
        case TF_RING_UNFINISHED:
            check_pending(collect, event.tid);
            add_pending(collect, &event);
            break;
        case TF_RING_DONE:
            /* What this thread was in before has returned, too. */
            check_pending(collect, event.tid);
            enqueue(collect, TF_COLLECT_RETURNED, &event);
            break;
        }
    }
}

/* Delivers what is queued, looking after the ring in between; until nothing is
 * left or, so that the caller's loop turns, for some time. */
static void deliver_queue(struct tf_collect *collect, uint64_t until_ns)
{
    while (collect->queue_count > 0) {
        for (int i = 0; i < BATCH && collect->queue_count > 0; i++) {
            const struct queued *first = &collect->queue[collect->queue_first++];
            collect->queue_count--;
            deliver(collect, first->what, &first->event);
        }
        if (collect->queue_count == 0)
            collect->queue_first = 0;
        else if (collect->queue_first > collect->queue_room / 2) {
            memmove(collect->queue, collect->queue + collect->queue_first,
                    collect->queue_count * sizeof *collect->queue);
            collect->queue_first = 0;
        }
        read_ring(collect);
        if (clock_ns() >= until_ns)
            break;
    }
}

static int end_of_turn(struct tf_collect *collect, struct tf_error *error)
{
    if (collect->delivered && collect->options.on_drained)
        collect->options.on_drained(collect->options.data);
    if (collect->out_of_memory)
        return tf_error_set(error, "out of memory: events were lost");
    if (collect->jsonl && (fflush(collect->jsonl) || ferror(collect->jsonl)))
        return tf_error_errno(error, errno, "writing the file of events");
    return collect->delivered;
}

int tf_collect_drain(struct tf_collect *collect, struct tf_error *error)
{
    collect->delivered = 0;
    check_pending(collect, 0);
    read_ring(collect);
    if (collect->options.blocked)
        tell_blocked(collect);
    deliver_queue(collect, clock_ns() + TURN_MS * UINT64_C(1000000));
    return end_of_turn(collect, error);
}

static int by_number(const void *one, const void *other)
{
    const struct tf_event *a = one, *b = other;
    return (a->number > b->number) - (a->number < b->number);
}

int tf_collect_finish(struct tf_collect *collect, struct tf_error *error)
{
    collect->delivered = 0;
    read_ring(collect);
    deliver_queue(collect, UINT64_MAX);
    check_pending(collect, 0);
    if (collect->pending_count)
        qsort(collect->pending, collect->pending_count, sizeof *collect->pending, by_number);
    for (size_t i = 0; i < collect->pending_count; i++)
        enqueue(collect, TF_COLLECT_NEVER, &collect->pending[i].event);
    collect->pending_count = 0;
    deliver_queue(collect, UINT64_MAX);
    return end_of_turn(collect, error) < 0 ? -1 : 0;
}

uint64_t tf_collect_lost(const struct tf_collect *collect)
{
    /* What writers dropped leaves a gap that the reader has counted. */
    return collect->lost;
}

const struct tf_event *tf_collect_events(struct tf_collect *collect, size_t *count)
{
    if (collect->unsorted) {
        qsort(collect->kept, collect->kept_count, sizeof *collect->kept, by_number);
        collect->unsorted = false;
    }
    *count = collect->kept_count;
    return collect->kept;
}

const struct tf_event *tf_collect_unfinished(const struct tf_collect *collect, size_t i)
{
    return i < collect->pending_count ? &collect->pending[i].event : NULL;
}

unsigned int tf_collect_processes(const struct tf_collect *collect)
{
    unsigned int count = 0;
    while (count < TF_PROCESSES && atomic_load(&collect->segment->process[count].pid))
        count++;
    return count;
}

void tf_collect_close(struct tf_collect *collect)
{
    if (!collect)
        return;
    if (collect->jsonl)
        fclose(collect->jsonl);
    tf_segment_close(collect->segment);
    free(collect->pending);
    free(collect->queue);
    free(collect->kept);
    free(collect);
}
