/* Is an output what it was without faults?
 *
 *   tf_alike_new
 *   tf_alike_learn   each output of a run without faults; two or more
 *   tf_alike_same    any other output
 *   tf_alike_free
 *
 * Dates, times, durations, process ids, ports behind an address, addresses in memory
 * and temporary paths never count. Nor does what differed between the outputs that
 * were learned: a word, a part of a line, some lines, their order; and of bytes that
 * are no text and differed, what they are, but not how many. Everything else does, to
 * the last newline. It would rather miss a difference than see one that
 * means nothing.
 *
 * Pure: looks at nothing but its arguments. One thread at a time.
 */
#ifndef TF_ALIKE_H
#define TF_ALIKE_H

#include <stdbool.h>
#include <stddef.h>

struct tf_alike;

/* The first line that differs. Texts are UTF-8 without control characters, cut;
 * where the output has fewer or more lines, one of them is "(nothing)". */
struct tf_alike_difference {
    size_t line; /* from 1, of the output that was asked about */
    char expected[200], got[200];
};

struct tf_alike *tf_alike_new(void); /* NULL: no memory */

/* The output, `length` bytes of anything. `dir`: the run's scratch directory, whose
 * path does not count; or NULL. 0, or -1: no memory, and nothing is learned. */
int tf_alike_learn(struct tf_alike *alike, const char *text, size_t length, const char *dir);

/* With nothing learned everything is the same. `difference` may be NULL; it is filled
 * where the answer is no. Without memory the answer is yes. */
bool tf_alike_same(const struct tf_alike *alike, const char *text, size_t length, const char *dir,
                   struct tf_alike_difference *difference);

/* Is it the beginning of such an output, down to nothing? In the middle of a line that
 * has varied, and where lines have come in another order, the answer is yes. */
bool tf_alike_begins(const struct tf_alike *alike, const char *text, size_t length, const char *dir);

void tf_alike_free(struct tf_alike *alike); /* NULL is fine */

#endif
