/* Inside a running case: what case.c, case_actor.c, case_steps.c and case_watch.c
 * share. */
#ifndef TF_CASE_RUN_H
#define TF_CASE_RUN_H

#include "case.h"
#include "collect.h"
#include "expect.h"
#include "judge.h"
#include "launch.h"
#include "proc.h"
#include "standstill.h"

#include <stdio.h>
#include <uv.h>

enum {
    TF_GRACE_S = 2,  /* from the stop signal to SIGKILL */
    TF_TURN_MS = 10, /* how often conditions are looked at */
    TF_RECENT = 12,  /* events kept of a program's last */
    TF_BEFORE = 5,   /* and before and after its first fault */
    TF_AROUND = 14,
    TF_EVENTS_BYTES = 64 << 20, /* of events.jsonl */
};

struct tf_running { /* a program of the case */
    const struct tf_actor *actor;
    struct tf_case_run *run;
    struct tf_collect *collect; /* NULL without the shim */
    struct tf_judge *judge;     /* NULL without the shim */
    const char **allow;         /* names of checks, for it */
    uint32_t pid;               /* of the last start, as it sees itself */
    struct tf_program *program; /* of the last start; NULL before the first */
    unsigned int starts;
    bool ended;           /* its last start has */
    bool listened;        /* its last start has called listen(2) with success */
    uint16_t listen_port; /* there, or 0 */
    struct tf_seen seen;
    struct tf_earlier { /* what its earlier starts wrote */
        char *text;
        size_t length;
        uint64_t bytes;
    } earlier[2];                      /* by enum tf_stream */
    struct tf_event recent[TF_RECENT]; /* a ring */
    uint64_t recents;
    struct tf_event around[TF_AROUND]; /* its first fault */
    size_t arounds;
    char *command;                /* for reports */
    struct tf_proc proc;          /* of its processes */
    bool never_ready;             /* it was to be, until the end */
    bool patient;                 /* at the deadline it was in a wait with a time limit of its own */
    struct tf_observed *observed; /* case_observe.c */
    struct tf_nofile {            /* case_nofile.c: what its processes had before */
        pid_t pid;
        uint64_t soft;
    } * nofile;
    size_t nofiles;
};

struct tf_case_port {
    char name[68];
    struct tf_port port;
};

struct tf_case_run {
    const struct tf_case *one;
    const struct tf_case_options *options;
    struct tf_result *result;
    uv_loop_t loop;
    uv_timer_t timer;
    struct tf_sandbox *sandbox;
    struct tf_running running[TF_SCENARIO_PROGRAMS];
    struct tf_case_port ports[TF_SCENARIO_PORTS];
    size_t ports_count;
    struct tf_values values;
    char *dir; /* {dir} */
    uint64_t started_ns, deadline_ns;
    struct tf_held *held; /* what steps hold in the network */
    struct tf_old *old;   /* connections of which a segment will be late */
    struct tf_spares {
        int fds[TF_SOCKETS_MAX];
        size_t count;
    } spares[2]; /* sockets for them, not used yet: IPv4, IPv6 */
    struct tf_standstill still;
    struct tf_standstill_part parts[TF_SCENARIO_PROGRAMS]; /* by program */
    struct tf_proc proc;
    bool over;    /* nothing more is to be done: it failed, or the deadline passed */
    FILE *events; /* events.jsonl; NULL once it is full */
    uint64_t events_bytes;
};

uint64_t tf_case_now(void); /* CLOCK_MONOTONIC */

/* Is there nothing left to do, because the target has ended, as it may? */
bool tf_case_settled(const struct tf_case_run *run);

/* Turns the loop until `holds`, or until `until_ns`. */
bool tf_case_until(struct tf_case_run *run, bool (*holds)(struct tf_case_run *run, const void *data),
                   const void *data, uint64_t until_ns);

/* A failure of the case as a whole, or of the tool; the case is over. */
void tf_case_fail(struct tf_case_run *run, bool broken, const char *program, const char *check,
                  const char *expected, const char *got);

/* Whether it can run here. Otherwise its result says why it is skipped. */
bool tf_case_needs_met(const struct tf_case_run *run);

/* ---- case_start.c ---- */

int tf_running_prepare(struct tf_case_run *run, uint32_t at, struct tf_error *error);
/* Starts it, and waits for nothing. */
int tf_running_launch(struct tf_running *running, struct tf_error *error);
/* "DIRECTORY/NAME.suffix"; "NAME.2.suffix" for its second start. NULL: no memory. */
char *tf_running_file(const struct tf_running *running, const char *suffix);

/* ---- case_judge.c ---- */

int tf_running_judge_from_now(struct tf_running *running, struct tf_error *error);
/* Its findings, into the result. */
void tf_running_judge(struct tf_running *running);

/* It has ended with success, though its output is not what it is without faults. The
 * event may be NULL. */
void tf_running_wrong(struct tf_running *running, const struct tf_event *event, const char *message);

/* ---- case_compare.c ---- */

/* Runs the case again without faults, where one has struck: beside what its programs
 * did stands then what they do as usual. Where nothing was found (`held`), and success
 * was told though the output is another, that is made a finding. */
void tf_case_compare(struct tf_case_run *run, bool held);
/* Into the result, of the program `at`, what it did in one of several runs without
 * faults. That it was ended from outside, and how, is nothing of its own. */
void tf_case_usually(struct tf_case_run *run, size_t at, bool first, const char *end,
                     const struct tf_traffic *tcp);
/* In that run: what it is to be compared with. */
void tf_case_take_usual(struct tf_case_run *run);

/* ---- case_actor.c ---- */

/* Starts it and waits until it is ready. Where that fails the case is over. */
void tf_running_start(struct tf_running *running);
bool tf_running_alive(const struct tf_running *running);
/* Asks it to end, and after the grace ends it; waits for that. */
void tf_running_stop(struct tf_case_run *run, struct tf_running *const *list, size_t count);
void tf_running_finish(struct tf_running *running); /* after the sandbox's end: fills seen */
void tf_running_fini(struct tf_running *running);
/* Before it is started again: it has ended; what it wrote is kept. */
void tf_running_forget(struct tf_running *running);
/* Both outputs of all starts so far, in seen. */
void tf_running_outputs(struct tf_running *running);

/* ---- case_watch.c ---- */

/* tf_collect_options.on_event. */
void tf_running_event(void *data, enum tf_collect_what what, const struct tf_event *event);
/* Makes the list of patterns that are counted. */
int tf_running_watches(struct tf_running *running, struct tf_error *error);
uint64_t tf_running_watched(const struct tf_running *running, const struct tf_pattern *pattern);
/* Appends the events around each program's first fault and its last ones, in the
 * order of time, to the result. */
void tf_case_show(struct tf_case_run *run);
/* Does one of its processes listen? */
bool tf_running_listens(struct tf_running *running);

/* ---- case_left.c ---- */

/* Has its first process ended as that of a daemon does? */
bool tf_running_daemon(const struct tf_running *running);
/* And does what it left behind listen? */
bool tf_running_serves(const struct tf_running *running);
/* How many processes it has, or has left behind; with a signal, each is sent it. */
size_t tf_running_all(const struct tf_running *running, int signal);
/* The same, for something else to be done to each; as the harness numbers them. */
size_t tf_running_each(const struct tf_running *running, void (*visit)(pid_t pid, void *data), void *data);
/* Has SIGSTOP taken effect, on each thread of each of them? */
bool tf_running_stopped(const struct tf_running *running);
/* Is no thread of theirs running, or about to? */
bool tf_running_rests(const struct tf_running *running);

/* The process of the segment's row `row`, as the host numbers it; 0: it is gone; -1:
 * there is no such row. Under the shim only. */
pid_t tf_running_process(struct tf_running *running, size_t row);

/* ---- case_nofile.c ---- */

/* Lowers RLIMIT_NOFILE of its processes to the first descriptor that each does not
 * have, or gives them back what they had. Where that fails the case is over. */
void tf_running_nofile(struct tf_running *running, bool limited);

/* ---- case_hang.c ---- */

/* Has it ended, or is it proven that it never will? To be asked again and again. */
bool tf_running_through(const struct tf_running *running);
/* The same of all programs: they wait for each other. */
bool tf_case_still(struct tf_case_run *run);
/* Does it wait with a limit of its own, or one that it has set its socket? Or does it
 * sleep, or have a timer? */
bool tf_running_patient(struct tf_running *running);
/* Makes that a finding on this one. */
void tf_running_tell_still(struct tf_running *running);

/* ---- case_held.c, case_fill.c, case_late.c: real sockets of the tool's own in the sandbox ---- */

/* The number of a port that a step names. */
uint16_t tf_case_port(const struct tf_case_run *run, const char *text);

/* These bring about what the step says, and look into the kernel's tables whether it
 * is so. Where it is not, the case is broken and over. */
void tf_case_occupy(struct tf_case_run *run, const struct tf_step *step);
void tf_case_time_wait(struct tf_case_run *run, const struct tf_step *step);
void tf_case_late_segment(struct tf_case_run *run, const struct tf_step *step);
void tf_case_fill(struct tf_case_run *run, const struct tf_step *step);
/* Ends it; what has ended already (`for`) is no mistake. */
void tf_case_vacate(struct tf_case_run *run, const struct tf_step *step);
void tf_case_drain(struct tf_case_run *run, const struct tf_step *step);

/* Ends what was to last until now. Waits for nothing. */
void tf_held_expire(struct tf_case_run *run);
void tf_held_end(struct tf_case_run *run); /* all of it */

/* ---- case_steps.c ---- */

void tf_case_steps(struct tf_case_run *run);

#endif
