/* A list of findings, each id once. Internal to judge.c and its parts. */
#ifndef TF_FINDINGS_H
#define TF_FINDINGS_H

#include "callsite.h"
#include "check.h"
#include "known.h"

struct tf_findings {
    struct tf_finding *finding;
    size_t count, room;
    const struct tf_segment *segment;
    const char *program, *binary, *reproduce;
    const char *const *allow;
    const struct tf_known *known;
    struct tf_callsites *sites;
    bool no_memory;
};

/* Makes the finding, or counts it where its id is there already. `message` is copied,
 * *at (NULL or empty: the event's call) taken over. */
void tf_findings_add(struct tf_findings *findings, enum tf_check_id id, const struct tf_event *event,
                     const struct tf_life *life, const struct tf_frames *at, const struct tf_event *log,
                     size_t log_count, const char *message);

/* The 16 digits and a NUL. */
void tf_finding_id(const char *check, const char *program, const char *call, const char *error,
                   const char *function, const char *module, uint64_t offset, char out[17]);

void tf_findings_free(struct tf_findings *findings);

#endif
