/* Inside `tcpfault check`: what cmd_check.c, battery_baseline.c and battery_jobs.c
 * share. */
#ifndef TF_BATTERY_RUN_H
#define TF_BATTERY_RUN_H

#include "baseline.h"
#include "battery_bind.h"
#include "run.h"

struct tf_check_settings {
    struct tf_run_settings run; /* what both have in common */
    const char *peer, *send, *reply, *ready, *config, *explain;
    struct tf_list only, skip, env, battery;
};

struct tf_check {
    struct tf_check_settings settings;
    struct tf_run_command run;
    int part;           /* enum tf_part: what the target is */
    char *const *words; /* the target's command, as the user wrote it */
    struct tf_batteries batteries;
    struct tf_bound bound;
    struct tf_baseline baseline;
    struct tf_case_battery known; /* what all cases know */
    struct tf_case_battery *of;   /* by job */
    char (*ids)[TF_BATTERY_ID];   /* likewise */
    bool has_port;                /* {port} is in what the user gave for the target */
    char sent[PATH_MAX], reply[PATH_MAX], expect[24], request[24], address[64];
    struct tf_result without; /* faults: what that came to */
    /* For the line of progress. */
    uint64_t begun_ns;
    const struct tf_job *running[TF_RUN_JOBS];
    size_t runnings, findings;
};

/* The name of the target in messages: "server", "client". */
const char *tf_check_part(const struct tf_check *check);

/* ---- battery_baseline.c ---- */

/* Runs the programs without faults. 0; a signal that ended it; or -1 with *error filled:
 * they do not work. Then `say` has been called with further lines. */
int tf_check_baseline(struct tf_check *check, void (*say)(const char *line), struct tf_error *error);
void tf_baseline_fini(struct tf_baseline *baseline);

/* ---- battery_jobs.c ---- */

/* Makes the cases that are meant jobs. 0, or -1 with *error filled. */
int tf_check_make_jobs(struct tf_check *check, struct tf_error *error);
/* Is what was found without faults meant, too? */
bool tf_check_shows_baseline(const struct tf_check *check);
/* The command that runs this case again. NULL: no memory. */
char *tf_check_reproduction(const struct tf_check *check, const char *id);

#endif
