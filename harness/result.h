/* What a case came to: what reports are made of.
 *
 * All text in it is UTF-8 without control characters other than newline and tab:
 * whatever programs wrote has been escaped (tf_text_clean) and cut.
 */
#ifndef TF_RESULT_H
#define TF_RESULT_H

#include "error.h"
#include "finding.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { TF_RESULT_VERSION = 1 };

enum tf_status {
    TF_HELD,
    TF_FAILED,  /* an expectation or an automatic check does not hold */
    TF_BROKEN,  /* it says nothing: a fault not delivered, no shim, no program */
    TF_SKIPPED, /* what it needs is not here */
    TF_STATUSES,
};

enum {                          /* bytes of text that a result keeps */
       TF_RESULT_OUTPUT = 4096, /* of the end of each output */
       TF_RESULT_VALUE = 1024,  /* of an expected or found value */
       TF_RESULT_EVENTS = 40,   /* lines */
       TF_RESULT_FAILURES = 64,
};

struct tf_failure {
    char *program; /* "" where it is about the case */
    char *check;   /* the key of the expectation, or the automatic check */
    char *expected, *got;
    bool broken; /* the tool's failure, not the program's */
};

struct tf_program_result_text {
    char *name, *command;
    char *end; /* "exited with status 7", "ran until stopped" */
    uint64_t ran_ns;
    uint64_t fired;                /* faults that struck */
    char *out, *err;               /* the last of each output */
    uint64_t out_bytes, err_bytes; /* of all of it */
};

struct tf_result {
    char *file, *suite, *name, *about; /* suite: the scenario file's name */
    enum tf_status status;
    char *reason; /* why it is skipped or broken, or ""; one line */
    uint64_t seed;
    unsigned int repeat; /* from 1; 0 where cases run once */
    uint64_t started_realtime_ns, duration_ns;
    struct tf_failure *failures;
    size_t failures_count;
    struct tf_program_result_text *programs;
    size_t programs_count;
    struct tf_finding *findings;
    size_t findings_count;
    char **events; /* around the fault, and the last ones: lines as of strace(1) */
    size_t events_count;
    char **notes;
    size_t notes_count;
    char *reproduce; /* a command line */
    char *directory; /* with everything about it, relative to the run's; or "" */
};

/* All of a run, in the order of the files. */
struct tf_run {
    const struct tf_result *results;
    size_t count;
    size_t counts[TF_STATUSES];
    uint64_t seed, duration_ns, started_realtime_ns;
    const char *command; /* as it was called */
    const char *sandbox; /* one sentence: namespaces, or why not */
};

const char *tf_status_name(enum tf_status status); /* "ok", "failed", "broken", "skipped" */

/* Each appends; text may be NULL for "", is cleaned and cut. 0, or -1: no memory. */
int tf_result_failure(struct tf_result *result, bool broken, const char *program, const char *check,
                      const char *expected, const char *got);
int tf_result_event(struct tf_result *result, const char *line);
int tf_result_note(struct tf_result *result, const char *line);
struct tf_program_result_text *tf_result_program(struct tf_result *result); /* a new, empty one; NULL */

void tf_result_fini(struct tf_result *result);

/* To JSON and back; NULL, or -1 with *error filled. */
json_t *tf_result_json(const struct tf_result *result);
int tf_result_parse(struct tf_result *result, const json_t *json, struct tf_error *error);

/* A copy with everything that is no printable UTF-8 as \xNN, newlines and tabs
 * kept; at most `limit` bytes of the end (cut_front) or of the beginning, with
 * "..." for the rest. The caller frees it. NULL: no memory. */
char *tf_text_clean(const char *text, size_t length, size_t limit, bool cut_front);

/* ---- reports ---- */

struct tf_report_style {
    bool color, quiet, verbose;
};

/* One format. Functions may be NULL. Each result comes once, in order; `end` has
 * them all. They write to `out` and know no other output. */
struct tf_report {
    const char *name;
    void (*begin)(FILE *out, const struct tf_report_style *style, size_t cases);
    void (*each)(FILE *out, const struct tf_report_style *style, const struct tf_result *result,
                 size_t number);
    void (*end)(FILE *out, const struct tf_report_style *style, const struct tf_run *run);
};

extern const struct tf_report tf_report_term, tf_report_tap, tf_report_junit, tf_report_json;
extern const struct tf_report *const tf_reports[]; /* ends with NULL */

/* NULL where there is none. */
const struct tf_report *tf_report_find(const char *name);

#endif
