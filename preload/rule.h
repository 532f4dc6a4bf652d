/* The rule grammar (tcpfault-rules(7)): text <-> struct tf_rule. The one parser.
 *
 *   CALLS[:KEY=VALUE | :FLAG]...
 *
 * Pure: no allocation, no locale, no globals; safe in any thread. Not meant for
 * signal handlers.
 */
#ifndef TF_RULE_H
#define TF_RULE_H

#include "plan.h"

#include <stddef.h>

struct tf_rule_error {
    size_t at;         /* byte offset in the text, from 0, where it went wrong */
    char message[320]; /* what was found, what was expected; no newline */
};

/* Parses one rule of `length` bytes (a NUL is an error like any other byte that
 * does not belong). Surrounding blanks are skipped. Returns 0, or -1 with
 * *error filled; *rule is then unspecified. rule->per_slot is left 0. */
int tf_rule_parse(const char *text, size_t length, struct tf_rule *rule, struct tf_rule_error *error);

/* Appends the rules of a ';'-separated text (empty ones are skipped) to *plan,
 * giving each its per_slot. Error offsets count from the start of `text`.
 * On -1 the plan holds the rules before the wrong one. */
int tf_plan_add(struct tf_plan *plan, const char *text, struct tf_rule_error *error);

/* Writes the rule in canonical form: parsing it again gives the same rule, text
 * aside. Returns the length that it needs, as snprintf(3) does. */
int tf_rule_format(const struct tf_rule *rule, char *out, size_t size);

/* Times as the grammar writes them, "200ms", "1.5s", "50us", "0": into
 * nanoseconds. Returns 0, or -1. Shared with scenarios and command lines. */
int tf_time_parse(const char *text, size_t length, uint64_t *ns);

/* Names, as the tables hold them. NULL / -1 / 0 where there is none. */
const char *tf_errno_name(int error);                 /* "ECONNRESET" */
int tf_errno_number(const char *name, size_t length); /* any errno of errno(3); -1 */
const char *tf_effect_name(enum tf_effect_id effect);
uint64_t tf_calls_named(const char *name, size_t length); /* a call or a %class; 0 */

/* How likely an errno is in production, and whether the next try may succeed:
 * errnos.def. */
enum tf_likelihood { TF_COMMON, TF_UNUSUAL, TF_RARE };
enum tf_lasting { TF_TRANSIENT, TF_PERSISTS, TF_GONE /* the connection */ };

struct tf_errno_info {
    uint8_t call; /* enum tf_call_id */
    uint8_t likelihood;
    uint8_t lasting;
    int16_t error;
};

/* All rows, grouped by call in calls.def's order, most likely first. */
extern const struct tf_errno_info tf_errno_info[];
extern const size_t tf_errno_infos;

/* The row for this call and errno, or NULL: the call cannot return it. */
const struct tf_errno_info *tf_errno_find(enum tf_call_id call, int error);

/* Fills `out` with the errno names that `call` can return, separated by ", ". */
void tf_errno_list(enum tf_call_id call, char *out, size_t size);

/* The dictionary word nearest to `word` (Damerau-Levenshtein, at most a third
 * of its letters wrong), or NULL. `words` ends with NULL. */
const char *tf_nearest(const char *word, size_t length, const char *const *words);

#endif
