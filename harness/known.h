/* Findings that are known: those of an earlier run (a baseline), and those that a file
 * suppresses, with a reason and until a day.
 *
 * A baseline is any JSON in which findings are: a report of --format json or sarif, or
 * run.json of a kept run. A suppressions file has a line each, # begins a comment:
 *
 *   CHECK|ID [program=NAME] until=YYYY-MM-DD REASON
 *
 * Does not print.
 */
#ifndef TF_KNOWN_H
#define TF_KNOWN_H

#include "finding.h"

struct tf_known;

/* Either path may be NULL. `today`: YYYYMMDD, for the expiry; 0: of the clock. NULL with
 * *error filled: usage, exit status 2. */
struct tf_known *tf_known_load(const char *baseline, const char *suppressions, unsigned today,
                               struct tf_error *error);

/* Sets the finding's state, and its excuse. 0, or -1: no memory. NULL knows nothing. */
int tf_known_apply(const struct tf_known *known, struct tf_finding *finding);

void tf_known_free(struct tf_known *known); /* NULL is fine */

#endif
