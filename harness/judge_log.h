/* The events that checks look at: all of them, but for what repeats. Internal to
 * judge.c. */
#ifndef TF_JUDGE_LOG_H
#define TF_JUDGE_LOG_H

#include "event.h"

#include <stdbool.h>
#include <stddef.h>

/* Of alike events the first TF_LOG_SAME are kept, and the last. */
enum {
    TF_LOG_SAME = 64,        /* alike events kept of one socket */
    TF_LOG_EVENTS = 200000,  /* in all */
    TF_LOG_PLACES = 1 << 16, /* of counters: what shares one is counted together */
};

struct tf_log_place {
    uint32_t count, last; /* how many are kept, and where the last of them is */
};

struct tf_judge_log {
    struct tf_event *event;
    size_t count, room;
    struct tf_log_place *place; /* TF_LOG_PLACES of them */
    bool partial, sorted, no_memory;
};

/* Keeps it or not; nothing more once they were sorted. */
void tf_judge_log_event(struct tf_judge_log *log, const struct tf_event *event);
void tf_judge_log_sort(struct tf_judge_log *log);
void tf_judge_log_fini(struct tf_judge_log *log);

#endif
