/* A finding: what was wrong in a run, without anybody having been asked to look.
 *
 * Checks (check.h) make findings from events; a result (result.h) holds them;
 * reports show them. All text is UTF-8 as in result.h.
 */
#ifndef TF_FINDING_H
#define TF_FINDING_H

#include "error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How sure and how bad: an error fails the run, a warning does too unless the user
 * says otherwise, a note never does. SARIF's levels. */
enum tf_severity { TF_NOTE, TF_WARNING, TF_ERROR };

/* What a check stands for; one row of checks.def. */
struct tf_check_info {
    const char *name;  /* "spin", "close-wait-leak": what --allow and suppressions name */
    const char *title; /* a few words */
    enum tf_severity severity;
    const char *why;    /* two sentences: why it is wrong, and what a good program does */
    const char *source; /* "accept(2), Error handling; RFC 9293 3.10.4" */
};

/* One place in the program, the innermost first. */
struct tf_frame {
    char *module;    /* path of the file */
    uint64_t offset; /* of the return address in it */
    char *function;  /* "" where the symbols say nothing */
    char *file;      /* source; "" without debug information */
    unsigned line;   /* 0: unknown */
};

enum tf_finding_state {
    TF_FINDING_NEW,
    TF_FINDING_KNOWN,      /* in the baseline */
    TF_FINDING_SUPPRESSED, /* in a suppressions file that has not expired */
};

struct tf_finding {
    /* The same bug has the same id across runs and seeds: 16 hexadecimal digits of a
     * hash of the check, the program's base name, the call, the errno and the call
     * site (function, or module and offset where there is none). */
    char id[17];
    const struct tf_check_info *check;
    enum tf_finding_state state;
    char *excuse;     /* the reason of a suppression, or "" */
    char *program;    /* its name in the scenario, or its base name */
    char *message;    /* one sentence: what it did, with numbers */
    char *rule;       /* the fault that came before, or "" */
    char *call;       /* "accept4", or "" where it is about no call */
    char *error;      /* "EMFILE", or "" */
    uint64_t event;   /* number of the event it is about; UINT64_MAX: none */
    uint64_t time_ns; /* since the start of the run */
    uint32_t conn;    /* the Nth connection of the run; 0: none */
    struct tf_frame *frames;
    size_t frames_count; /* 0: the call site is not known, and `message` says why */
    char **life;         /* the socket's life up to there: lines as of strace(1) */
    size_t life_count;
    char *reproduce; /* a command line */
    unsigned times;  /* how often it was made; the same id is one finding */
    /* Of a finding that was read back: what `check` points to, for a table that
     * this program need not have. Freed with it. */
    struct tf_check_info *read_check;
};

const char *tf_severity_name(enum tf_severity severity);        /* "note", "warning", "error" */
const char *tf_finding_state_name(enum tf_finding_state state); /* "new", "known", "suppressed" */

/* Does it count against the run? Neither a note, nor what is known or excused. */
bool tf_finding_counts(const struct tf_finding *finding);

/* "FUNCTION at FILE:LINE", "FUNCTION in MODULE+0xOFFSET", "MODULE+0xOFFSET". As
 * snprintf(3). */
int tf_frame_show(const struct tf_frame *frame, char *out, size_t size);

/* "warning: spin: MESSAGE (main at server.c:7)" */
int tf_finding_show(const struct tf_finding *finding, char *out, size_t size);

/* To JSON, with all that its check says, and back; NULL, or -1 with *error filled
 * and nothing to free. Texts that are NULL are "". */
json_t *tf_finding_json(const struct tf_finding *finding);
int tf_finding_parse(struct tf_finding *finding, const json_t *json, struct tf_error *error);

void tf_finding_fini(struct tf_finding *finding);

#endif
