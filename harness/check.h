/* What a check has to go by, and how it says what it has found.
 *
 * A check is a row of checks.def and a function tf_check_ID in a file check_*.c. It
 * sees the run when it is over. It would rather say nothing than something false.
 */
#ifndef TF_CHECK_H
#define TF_CHECK_H

#include "judge.h"

enum tf_check_id {
#define CHECK(id, ...) TF_CHECK_##id,
#include "checks.def"
#undef CHECK
    TF_CHECKS
};

extern const struct tf_check_info tf_check_info[TF_CHECKS];

/* One thread that made the same call, which came to the same, over and over, without
 * getting on and without waiting in between. */
struct tf_spin {
    struct tf_event event; /* the first of them */
    uint64_t count, fired, from_ns, to_ns;
    double cpu;  /* share of one CPU, 0..1; < 0: not known */
    double busy; /* the same and what it waited for one: what it would take alone */
};

/* A row of the kernel's table, when it was looked at last while the program ran. */
struct tf_kernel_socket {
    uint64_t cookie, inode;
    uint8_t state;
    uint32_t receive_queue, send_queue;
    struct tf_endpoint local, peer;
};

struct tf_evidence {
    const struct tf_segment *segment;
    const struct tf_event *event; /* by number; repetitions beyond the first ones are left out */
    size_t events;
    const struct tf_lives *lives;
    const struct tf_life *life;
    size_t life_count;
    const struct tf_spin *spin;
    size_t spins;
    const struct tf_kernel_socket *kernel;
    size_t kernel_count;
    uint64_t kernel_ns; /* when; 0: never */
    const struct tf_judge_end *end;
    uint64_t began_ns, end_ns; /* CLOCK_MONOTONIC */
    uint64_t asked_ns;         /* when it was asked to end; UINT64_MAX: never */
    bool serves_for_ever;
    /* By number of the segment's process rows, up to `processes`: was it there when
     * the program's end had come? */
    const bool *outlives;
    size_t processes;
    /* Its processes that were there when it was asked to end. */
    const uint32_t *present;
    size_t presents;
    /* Binds that gave EADDRINUSE while the port was only in TIME_WAIT: event numbers. */
    const uint64_t *only_time_wait;
    size_t only_time_waits;
    struct tf_findings *findings;
};

/* The event and the life may be NULL. */
void tf_found(const struct tf_evidence *evidence, enum tf_check_id id, const struct tf_event *event,
              const struct tf_life *life, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The frames of a place that is no call's, the innermost first. */
struct tf_frames {
    struct tf_frame *frame; /* malloc'ed, as tf_frames_free takes it */
    size_t count;
};

/* The same, where the program itself has told the place: *at is taken over; with a
 * count of 0 it is the event's call. */
void tf_found_at(const struct tf_evidence *evidence, enum tf_check_id id, const struct tf_event *event,
                 const struct tf_frames *at, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* ---- what checks have in common ---- */

const struct tf_life *tf_life_of(const struct tf_evidence *evidence, const struct tf_event *event);
/* The next event on the same socket, by the same thread where `tid`; NULL: none. */
const struct tf_event *tf_next_on(const struct tf_evidence *evidence, const struct tf_event *event, bool tid);
bool tf_event_returned(const struct tf_event *event);
bool tf_event_fired(const struct tf_event *event);
unsigned tf_event_class(const struct tf_event *event); /* enum tf_class */
uint64_t tf_event_end_ns(const struct tf_event *event);
const char *tf_error_name(int error);
/* A signal that asks a program to end: what it then does is no failure. */
bool tf_asked_to_end(const struct tf_evidence *evidence, uint64_t time_ns);
/* Did it die of a signal that tells of a bug, and that no rule has sent? */
bool tf_crashed(const struct tf_evidence *evidence);
/* The last call of the process that the program is; NULL: none. */
const struct tf_event *tf_last_event(const struct tf_evidence *evidence);
const struct tf_kernel_socket *tf_kernel_of(const struct tf_evidence *evidence, uint64_t cookie);

#define CHECK(id, ...) void tf_check_##id(const struct tf_evidence *evidence);
#include "checks.def"
#undef CHECK

#endif
