#include "judge_log.h"

#include <stdlib.h>

static size_t place_of(const struct tf_event *event)
{
    uint64_t kind = (uint64_t)event->call << 40 | (uint64_t)(uint32_t)event->error << 8 |
                    (event->result > 0 ? 2U : event->result == 0) << 1 |
                    (event->flags & TF_EVENT_FIRED ? 1 : 0);
    uint64_t sum = event->cookie * UINT64_C(0x9e3779b97f4a7c15) ^ kind * UINT64_C(0xc2b2ae3d27d4eb4f) ^
                   event->caller * UINT64_C(0x165667b19e3779f9) ^ (uint64_t)event->tid << 17;
    sum ^= sum >> 31;
    return (size_t)(sum * UINT64_C(0x9e3779b97f4a7c15) >> 40) % TF_LOG_PLACES;
}

/* Room for one more; NULL: there is none. */
static struct tf_event *room_for_one(struct tf_judge_log *log)
{
    if (log->count == TF_LOG_EVENTS) {
        log->partial = true;
        return NULL;
    }
    if (log->count == log->room) {
        size_t room = log->room ? 2 * log->room : 1024;
        struct tf_event *grown = realloc(log->event, room * sizeof *grown);
        if (!grown) {
            log->no_memory = true;
            return NULL;
        }
        log->event = grown;
        log->room = room;
    }
    return &log->event[log->count++];
}

void tf_judge_log_event(struct tf_judge_log *log, const struct tf_event *event)
{
    if (event->call >= TF_CALLS || log->sorted)
        return;
    if (!log->place && !(log->place = calloc(TF_LOG_PLACES, sizeof *log->place))) {
        log->no_memory = true;
        return;
    }
    struct tf_log_place *place = &log->place[place_of(event)];
    if (place->count > TF_LOG_SAME && event->call != TF_close && event->duration_ns != UINT64_MAX) {
        log->event[place->last] = *event; /* of those beyond the first ones, the last */
        return;
    }
    struct tf_event *kept = room_for_one(log);
    if (!kept)
        return;
    *kept = *event;
    place->last = (uint32_t)(kept - log->event);
    place->count += place->count <= TF_LOG_SAME;
}

static int by_number(const void *one, const void *other)
{
    const struct tf_event *a = one, *b = other;
    return (a->number > b->number) - (a->number < b->number);
}

void tf_judge_log_sort(struct tf_judge_log *log)
{
    if (log->count)
        qsort(log->event, log->count, sizeof *log->event, by_number);
    log->sorted = true;
}

void tf_judge_log_fini(struct tf_judge_log *log)
{
    free(log->event);
    free(log->place);
    *log = (struct tf_judge_log){0};
}
