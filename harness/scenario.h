/* Scenario files (tcpfault-scenario(5)): YAML -> the cases that they describe.
 *
 *   text --scenario_yaml.c--> nodes with places --scenario_canon.c, by the table in
 *   scenario_keys.c--> one canonical spelling --libcyaml, scenario_schema.c-->
 *   struct tf_setup --scenario_resolve.c--> struct tf_case, ready to run
 *
 * Nothing here runs, prints, or looks at the machine. Any thread.
 */
#ifndef TF_SCENARIO_H
#define TF_SCENARIO_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TF_SCENARIO_BYTES = 1 << 20, /* of a file */
    TF_SCENARIO_DEPTH = 32,
    TF_SCENARIO_NODES = 50000,
    TF_SCENARIO_KEYS = 1000, /* in one mapping */
    TF_SCENARIO_CASES = 1000,
    TF_SCENARIO_PROGRAMS = 32, /* in one case */
    TF_SCENARIO_STEPS = 256,   /* in one case */
    TF_SCENARIO_NAMES = 64,    /* in one list of names, settings or conditions */
    TF_SCENARIO_PORTS = 32,    /* named ones, in one case */
};

#define TF_SECOND_NS UINT64_C(1000000000)

/* A number or a range of them. N+ ends at INT64_MAX. */
struct tf_range {
    int64_t min, max;
};

struct tf_pair {
    char *name, *value; /* value NULL: `~` */
    int line, column;   /* of the name */
};

struct tf_find {
    char *text;
    bool regex, absent;
    int line, column;
};

struct tf_find_in { /* in one program's output */
    char *program;
    struct tf_find *finds;
    uint32_t finds_count;
    int line, column;
};

struct tf_fault {
    char *text; /* with {port}s in it */
    bool armed;
    uint64_t given;
    int line, column;
};

enum tf_part { TF_PART_DEFAULT, TF_PART_SERVER, TF_PART_CLIENT };
/* In a battery: whose command a program is. */
enum tf_stands { TF_STANDS_SELF, TF_STANDS_TARGET, TF_STANDS_PEER };
/* What may become of a program of a battery: bits. */
enum tf_outcome {
    TF_OUTCOME_SAME = 1,
    TF_OUTCOME_ERROR = 2,
    TF_OUTCOME_PART = 4,
    TF_OUTCOME_OTHER = 8,
    TF_OUTCOME_ANY = 16
};
/* What `requires` wants to be known. */
enum tf_bytes { TF_BYTES_NONE, TF_BYTES_SEND, TF_BYTES_REPLY };
enum tf_ready {
    TF_READY_DEFAULT,
    TF_READY_LISTEN,
    TF_READY_NONE,
    TF_READY_STDOUT,
    TF_READY_STDERR,
    TF_READY_FILE,
    TF_READY_TEXT /* it listens, and one of its outputs has the text: tcpfault check --ready */
};

/* `given`, here and below: which keys the file has, as bits of their rows in
 * scenario_keys.c; line and column: where the mapping stands. */
struct tf_actor { /* a program of a scenario */
    char *name;
    uint64_t given;
    int line, column;
    char **run;
    uint32_t run_count;
    struct tf_fault *faults;
    uint32_t faults_count;
    struct tf_pair *env, *files;
    uint32_t env_count, files_count;
    char *stdin_text, *cwd;
    int role;         /* enum tf_part; never the default once resolved */
    int ready;        /* enum tf_ready; likewise */
    char *ready_text; /* regular expression, or file name, or text */
    int stop;         /* signal */
    char **after;
    uint32_t after_count;
    bool shim;
    int stands; /* enum tf_stands */
};

struct tf_pattern {            /* of events */
    char *program;             /* in wait: {event: ...}; else NULL */
    int bytes;                 /* in requires: enum tf_bytes, and then it is no event */
    uint64_t calls;            /* TF_BITs */
    bool has_error, any_error; /* error: given; any: whichever */
    int error;                 /* 0: none, success */
    bool has_result, has_opt;
    struct tf_range result;
    int role;        /* enum tf_role; 0 any */
    uint32_t family; /* AF_INET, AF_INET6; 0 any */
    int opt_level, opt_name;
    uint32_t rule; /* from 1; 0 any */
    struct tf_range count;
    char *text; /* as the file has it, for reports */
    uint64_t given;
    int line, column;
};

struct tf_expect {
    char *name; /* of the program */
    uint64_t given;
    int line, column;
    int64_t *exit; /* NULL: not said */
    uint32_t exit_count;
    bool exit_any;
    int signal;
    struct tf_find *out, *err;
    uint32_t out_count, err_count;
    char *stdout_is, *stdout_file;
    uint64_t within_ns, after_ns; /* 0: not said */
    bool says_alive, alive;
    bool says_fired;
    struct tf_range fired;
    struct tf_pattern *events, *never;
    uint32_t events_count, never_count;
    unsigned outcome, tolerated; /* enum tf_outcome; 0: not said */
};

struct tf_net_pattern {
    char *port, *peer; /* digits or {port}; NULL: any */
    char **states;
    uint32_t states_count;
    struct tf_range count;
    uint64_t within_ns; /* 0: not said */
    char *text;
    uint64_t given;
    int line, column;
};

struct tf_wait {
    char **exit, **listen;
    uint32_t exit_count, listen_count;
    struct tf_find_in *out, *err;
    uint32_t out_count, err_count;
    struct tf_pattern *event;
    struct tf_net_pattern *state, *gone;
    uint64_t within_ns; /* 0: until the case's deadline */
    uint64_t given;
    int line, column;
};

struct tf_arming {
    char *program;
    uint32_t rule; /* from 1; 0: see rule_text, or all of them where that is NULL */
    char *rule_text;
    uint64_t given;
    int line, column;
};

struct tf_signalling {
    char *program;
    int signal;
    int line, column;
};

/* ---- what steps put into the network: case_held.c, case_fill.c, case_late.c ---- */

enum tf_queue { TF_QUEUE_ACCEPT, TF_QUEUE_SYN };

struct tf_occupy {
    char *port, *address; /* address NULL, here and below: 127.0.0.1 */
    bool listen, reuseaddr, reuseport;
    uint64_t for_ns; /* 0, here and below: until a step or the case ends it */
    uint64_t given;
    int line, column;
};

struct tf_leave { /* a TIME_WAIT */
    char *port, *peer, *address;
    int first; /* enum tf_part: which end of the connection closes first */
    bool reuseaddr;
    char *data; /* what each end sends before; NULL: nothing */
    uint64_t given;
    int line, column;
};

enum { TF_LEAVE_DATA = 1000 }; /* bytes of it, at most: one segment */

struct tf_late { /* a segment of the connection that has left a TIME_WAIT */
    char *port, *peer, *address;
    int to; /* enum tf_part: at which end it arrives */
    bool acceptable, reset;
    uint64_t given;
    int line, column;
};

struct tf_fill {
    char *port, *address;
    int queue; /* enum tf_queue */
    uint64_t for_ns;
    uint64_t given;
    int line, column;
};

struct tf_step { /* exactly one of these is given */
    char **start, **stop, **restart, **limit_nofile, **restore_nofile;
    uint32_t start_count, stop_count, restart_count, limit_nofile_count, restore_nofile_count;
    struct tf_wait *wait;
    struct tf_signalling *signal;
    uint32_t signal_count;
    struct tf_arming *arm, *disarm;
    uint32_t arm_count, disarm_count;
    struct tf_net_pattern *expect_state;
    struct tf_occupy *occupy;
    struct tf_leave *time_wait;
    struct tf_late *late_segment;
    struct tf_fill *fill;
    char *vacate, *drain; /* ports */
    uint64_t pause_ns;
    uint64_t given;
    char *text; /* as the file has it, for reports */
    int line, column;
};

/* One case, whole: nothing is left to inherit. */
struct tf_case {
    const struct tf_scenario *file;
    const char *name;                 /* where the file is one case: the file's */
    const char *about, *why, *source; /* or NULL */
    int line, column;
    struct tf_actor *actor;   /* in the file's order; servers and clients mixed */
    struct tf_expect *expect; /* by actor */
    uint32_t actors;
    struct tf_step *steps; /* NULL: the default order */
    uint32_t steps_count;
    char **tags, **needs; /* the file's, then the case's */
    uint32_t tags_count, needs_count;
    struct tf_pair *allow, *sysctl; /* likewise; a name stands once */
    uint32_t allow_count, sysctl_count;
    struct tf_pattern *requires; /* the file's, then the case's */
    uint32_t requires_count;
    uint64_t timeout_ns;
    uint64_t seed;
    bool has_seed, allow_unfired;
};

struct tf_scenario {
    char *path;
    char *name;
    int battery; /* enum tf_part: what the target is; default: it is no battery */
    struct tf_case *cases;
    size_t cases_count;
    struct tf_setup *setup; /* owns what the cases point to */
};

/* The default deadline of a case. */
#define TF_CASE_TIMEOUT_NS (10 * TF_SECOND_NS)

/* Reads a scenario. `path` is for messages and the default name. Returns NULL with
 * *error filled: "PATH:LINE:COLUMN: ...", line and column from 1, columns in
 * characters. */
struct tf_scenario *tf_scenario_parse(const char *path, const char *text, size_t size,
                                      struct tf_error *error);

/* The same from a file; at most TF_SCENARIO_BYTES of it are read. */
struct tf_scenario *tf_scenario_load(const char *path, struct tf_error *error);

/* The text of a file, `*size` bytes of it, at most one more than TF_SCENARIO_BYTES. The
 * caller frees it. NULL with *error filled. */
char *tf_scenario_read(const char *path, size_t *size, struct tf_error *error);

void tf_scenario_free(struct tf_scenario *scenario); /* NULL is fine */

/* The case's actor of that name, or -1. */
int tf_case_actor(const struct tf_case *one, const char *name);

/* Which fault an `arm` or `disarm` means: from 1; 0 all of the actor's; -1 none. */
int tf_case_fault(const struct tf_actor *actor, const struct tf_arming *arming);

/* Is it a segment of the connection that leaves this TIME_WAIT (NULL: none)? */
bool tf_late_of(const struct tf_late *late, const struct tf_leave *leave);

/* The automatic checks that `allow` may name; ends with NULL. */
extern const char *const tf_scenario_checks[];

#endif
