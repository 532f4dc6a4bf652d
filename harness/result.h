/* What a case came to: what reports are made of.
 *
 * All text in it is UTF-8 without control characters other than newline and tab:
 * whatever programs wrote has been escaped (tf_text_clean) and cut.
 */
#ifndef TF_RESULT_H
#define TF_RESULT_H

#include "error.h"
#include "finding.h"
#include "traffic.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { TF_RESULT_VERSION = 1 }; /* of run.schema.json */

enum tf_status {
    TF_HELD,
    TF_FAILED,  /* an expectation or an automatic check does not hold */
    TF_BROKEN,  /* it says nothing: a fault not delivered, no shim, no program */
    TF_SKIPPED, /* what it needs is not here */
    TF_STATUSES,
};

enum tf_verdict { /* on the target of a battery */
                  TF_NO_VERDICT,
                  TF_PASS,
                  TF_FINDING,
                  TF_TOLERATED,      /* it degrades, as it may */
                  TF_NOT_APPLICABLE, /* it does nothing that the case is about */
                  TF_NOT_TESTED,     /* a limit of the tool or of the machine */
                  TF_VERDICTS,
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

/* A rule of a program, and what came of it. */
struct tf_rule_result {
    char *text, *fault; /* "connect:error=EINTR:when=1", its effects: "error=EINTR" */
    char *calls;        /* names of the calls that it struck, blanks between; "" */
    uint64_t counted, fired, undelivered;
};

struct tf_program_result_text {
    char *name, *command;
    char *end; /* "exited with status 7", "ran until stopped" */
    uint64_t ran_ns;
    uint64_t fired;                /* faults that struck */
    char *out, *err;               /* the last of each output */
    uint64_t out_bytes, err_bytes; /* of all of it */
    struct tf_traffic tcp;
    struct {       /* without faults, as far as it was the same each time */
        char *end; /* NULL: nothing is known */
        struct tf_traffic tcp;
    } usual;
    struct tf_rule_result *rules;
    size_t rules_count;
};

struct tf_result {
    char *file, *suite, *name, *about; /* suite: the scenario file's name */
    unsigned line;                     /* of the case in the file; 0: unknown */
    enum tf_status status;
    enum tf_verdict verdict;
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
    json_t *timeline;   /* the same as objects, those of events.jsonl in part; or NULL */
    char **transitions; /* of TCP's states that were gone through: "SYN_SENT ESTABLISHED" */
    size_t transitions_count;
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

const char *tf_status_name(enum tf_status status);    /* "ok", "failed", "broken", "skipped" */
const char *tf_verdict_name(enum tf_verdict verdict); /* "pass", "not applicable"; of none "" */

/* The check of a failure by which a fault was never delivered. */
#define TF_UNFIRED "unfired"

/* Each appends; text may be NULL for "", is cleaned and cut. 0, or -1: no memory. */
int tf_result_failure(struct tf_result *result, bool broken, const char *program, const char *check,
                      const char *expected, const char *got);
/* Its rule `number`, from 1, has struck nothing of `counted` calls that met its
 * selectors; `why` it could not happen, or NULL. */
int tf_result_unfired(struct tf_result *result, const char *program, unsigned int number, const char *rule,
                      uint64_t counted, const char *why);
int tf_result_event(struct tf_result *result, const char *line);
int tf_result_note(struct tf_result *result, const char *line);
int tf_result_transition(struct tf_result *result, const char *states); /* where it is not there yet */
/* Takes the event, a new reference; may be NULL. */
int tf_result_moment(struct tf_result *result, json_t *event);
/* Takes what *finding owns, in every case. The same id is counted, not kept again. */
int tf_result_finding(struct tf_result *result, struct tf_finding *finding);
struct tf_rule_result *tf_result_rule(struct tf_program_result_text *program, const char *text);
struct tf_program_result_text *tf_result_program(struct tf_result *result); /* a new, empty one; NULL */
/* What it did without faults, from several runs of which this is the first or another:
 * what is not as in the first is forgotten. */
void tf_result_usual(struct tf_program_result_text *program, bool first, const char *end,
                     const struct tf_traffic *tcp);
void tf_result_forget_usual(struct tf_program_result_text *program);
/* "1 connection, 512 bytes received, 4 sent; without faults exited with status 0, ..."
 * 0, or -1: there is nothing to tell. */
int tf_program_traffic(const struct tf_program_result_text *program, char *out, size_t size);
/* Did it end otherwise, or move other bytes, than without faults? */
bool tf_program_differs(const struct tf_program_result_text *program);

void tf_result_fini(struct tf_result *result);

/* How many of its findings are new and of this severity. */
size_t tf_result_findings(const struct tf_result *result, enum tf_severity severity);

/* To JSON and back; NULL, or -1 with *error filled. */
json_t *tf_result_json(const struct tf_result *result);
int tf_result_parse(struct tf_result *result, const json_t *json, struct tf_error *error);

/* A copy with everything that is no printable UTF-8 as \xNN, newlines and tabs
 * kept; at most `limit` bytes of the end (cut_front) or of the beginning, with
 * "..." for the rest. The caller frees it. NULL: no memory. */
char *tf_text_clean(const char *text, size_t length, size_t limit, bool cut_front);

/* A JSON string of it, cleaned where it is no UTF-8. */
json_t *tf_text_json(const char *text);

/* ---- reports ---- */

struct tf_report_style {
    bool color, quiet, verbose;
    struct tf_told *told; /* what this report has told already; NULL: everything is told whole */
};

/* One format. Functions may be NULL. Each result comes once, in order; `end` has
 * them all. They write to `out` and know no other output. */
struct tf_report {
    const char *name;
    const char *suffix; /* of files that hold it: ".xml" */
    void (*begin)(FILE *out, const struct tf_report_style *style, size_t cases);
    void (*each)(FILE *out, const struct tf_report_style *style, const struct tf_result *result,
                 size_t number);
    void (*end)(FILE *out, const struct tf_report_style *style, const struct tf_run *run);
};

extern const struct tf_report tf_report_term, tf_report_tap, tf_report_junit, tf_report_json, tf_report_sarif,
    tf_report_markdown, tf_report_html;
extern const struct tf_report *const tf_reports[]; /* ends with NULL */

/* By name, and by the name of the file it is to be written to. NULL where there is
 * none. */
const struct tf_report *tf_report_find(const char *name);
const struct tf_report *tf_report_of_file(const char *path);
/* "term, tap or json". As snprintf(3). */
int tf_report_names(char *out, size_t size);

/* What a finding of the case `where` says to people, each line behind `indent`. One
 * that is told already is named, with the case where it was explained. */
void tf_report_finding(FILE *out, const struct tf_report_style *style, const char *indent, const char *where,
                       const struct tf_finding *finding);

/* A run as one JSON document, that of run.schema.json. NULL: no memory. */
json_t *tf_run_json(const struct tf_run *run);

#endif
