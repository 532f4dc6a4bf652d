/* Inside battery_baseline.c: some runs without faults at the same time, each a case of a
 * scenario of the tool's own, and what they tell. */
#ifndef TF_BATTERY_PHASE_H
#define TF_BATTERY_PHASE_H

#include "battery_run.h"

#include <jansson.h>

enum { TF_PHASE = 2 };

struct tf_phase {
    struct tf_check *check;
    struct tf_scenario *scenario;
    struct tf_case_battery battery;
    struct tf_jobs jobs;
    json_t *observed[TF_PHASE]; /* case_observe.c's, of each job; or NULL */
    uint64_t answered;          /* bytes, to what a relay has recorded; 0: not known */
    void (*say)(const char *line);
};

/* Runs the cases of these names; `second` may be NULL. 0, the signal that ended them, or
 * -1 with *error filled. */
int tf_phase_run(struct tf_phase *phase, const char *first, const char *second, struct tf_error *error);
void tf_phase_forget(struct tf_phase *phase);

/* Did the case run, the server to its end, and these programs (ends with NULL) with
 * success? 0, or -1 with *error filled, and what they wrote has been said. */
int tf_phase_check(const struct tf_phase *phase, size_t job, const char *const *clients,
                   struct tf_error *error);
/* Says that this program does not do what it is for. Returns -1. */
int tf_phase_fails(const struct tf_phase *phase, size_t job, const char *program, const char *what,
                   struct tf_error *error);
/* How a program ended: its exit status, or -1; `how`: in words. */
int tf_phase_status(const json_t *observed, const char *program, char *how, size_t size);
/* What it wrote, and its status. 0 or -1. */
int tf_phase_learn(struct tf_usual *usual, const struct tf_job *job, const json_t *observed,
                   const char *program);
/* Where the target listens, or what it connects to; IPv4 rather than IPv6. `port` 0: any.
 * NULL: nowhere. */
const json_t *tf_phase_place(const json_t *observed, bool listens, int port);
/* The size of a file there; 0: there is none. */
uint64_t tf_phase_bytes(const char *directory, const char *name);

#endif
