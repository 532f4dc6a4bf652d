/* One case, run: its sandbox, its programs, its steps, its judgement.
 *
 * Belongs to a process of its own, whose main thread it is (sandbox.h), and which
 * ends with it. Does not print.
 */
#ifndef TF_CASE_H
#define TF_CASE_H

#include "result.h"
#include "sandbox.h"
#include "scenario.h"

struct tf_known;
struct tf_case_battery;

/* What the programs of a case without faults wrote, and how they ended. */
struct tf_case_usual {
    struct {
        bool good; /* it ended by itself with status 0 */
        char *out; /* standard output */
        size_t length;
        char *how; /* it ended */
        struct tf_traffic tcp;
    } of[TF_SCENARIO_PROGRAMS];
};

struct tf_case_options {
    const char *directory;               /* exists, empty, absolute: outputs, events.jsonl, {dir} as dir/ */
    const char *fixtures, *build, *shim; /* absolute paths */
    uint64_t seed, timeout_ns;
    enum tf_sandbox_kind kind;
    bool events;                           /* write events.jsonl */
    const struct tf_known *known;          /* known.h, or NULL */
    const char *why_host;                  /* for reports, where kind is TF_SANDBOX_HOST */
    const struct tf_case_battery *battery; /* baseline.h; NULL: it is none */
    struct tf_case_usual *usual;           /* filled by a run that arms no fault; NULL: one as any other */
};

/* Runs it, and appends to *result what it came to, status and reason among it.
 * Never fails: what goes wrong is in the result. */
void tf_case_run(const struct tf_case *one, const struct tf_case_options *options, struct tf_result *result);

/* Finds `program` as execvp(3) would, from directory `cwd`; `search` NULL: PATH.
 * 0, or -1 with *error filled. */
int tf_case_which(const char *program, const char *cwd, const char *search, char *path, size_t size,
                  struct tf_error *error);

/* Removes a directory and all in it, following no link. */
void tf_remove_tree(const char *path);

#endif
