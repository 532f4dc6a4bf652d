/* Events as people and programs read them: one line as strace(1) would write it,
 * one JSON object. Pure; any thread. Does not print.
 */
#ifndef TF_SHOW_H
#define TF_SHOW_H

#include "segment.h"

#include <jansson.h>
#include <stddef.h>

enum tf_show_flag {
    TF_SHOW_NO_TIME = 1 << 0, /* no time of day, no duration: for comparing runs */
    TF_SHOW_NO_PID = 1 << 1,
    TF_SHOW_UNFINISHED = 1 << 2, /* show it as not returned, whatever the event says */
    TF_SHOW_RESUMED = 1 << 3,    /* "<... recv resumed> ..." */
};

/* 12:01:02.123456 [17] connect(5<TCP 127.0.0.1:40000->127.0.0.1:6379>,
 * 127.0.0.1:6379) = -1 ECONNREFUSED (Connection refused) <0.000045> (injected: rule 1, error)
 *
 * One line, no newline, cut where it does not fit in `size`; 1024 is enough for
 * any event. Returns the length that it needs, as snprintf(3) does. The segment
 * gives the time of day, modules and rules. */
int tf_show_event(const struct tf_segment *segment, const struct tf_event *event, unsigned int flags,
                  char *out, size_t size);

/* The same, for programs. Fields that say nothing are left out. NULL when out of
 * memory. tcpfault(1) documents the fields. */
json_t *tf_show_event_json(const struct tf_segment *segment, const struct tf_event *event);

/* "127.0.0.1:6379", "[::1]:6379", "?" where unknown. As snprintf(3). */
int tf_show_endpoint(const struct tf_endpoint *endpoint, char *out, size_t size);

/* Where the call came from: "curl+0x1234", "libc.so.6+0x99". As snprintf(3). */
int tf_show_site(const struct tf_segment *segment, const struct tf_event *event, char *out, size_t size);

/* "error", "delay and short": the effects of a set. As snprintf(3). */
int tf_show_effects(uint32_t effects, char *out, size_t size);

/* Why a fault did not happen; "" for TF_REASON_none. */
const char *tf_show_reason(unsigned int reason);

/* "12:01:02.123456", local time, of a CLOCK_MONOTONIC moment of the run. */
int tf_show_time(const struct tf_segment *segment, uint64_t time_ns, char *out, size_t size);

#endif
