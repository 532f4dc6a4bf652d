/* What the two ways of showing an event have in common. Internal to show*.c. */
#ifndef TF_SHOW_PARTS_H
#define TF_SHOW_PARTS_H

#include "segment.h"

#include <stdbool.h>
#include <stddef.h>

enum { ARGUMENTS_MAX = 6 };

/* Text that grows in storage of `size` bytes; `length` counts on beyond them. */
struct tf_line {
    char *out;
    size_t size, length;
};

void tf_line_put(struct tf_line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Of a known call: the text of argument i, which exists; whether it exists; whether
 * it is left out of the line; the first one that the call fills in (or one past the
 * last). */
void tf_show_put_argument(struct tf_line *line, const struct tf_event *event, int i);
bool tf_show_has_argument(const struct tf_event *event, int i);
bool tf_show_hides_argument(const struct tf_event *event, int i);
int tf_show_first_output(const struct tf_event *event);

/* The array of a poll or epoll_wait that has returned. */
void tf_show_put_waited(struct tf_line *line, const struct tf_event *event);

/* Argument i of the call (a known one) as text; its descriptor is a plain number.
 * Returns the length, as snprintf(3) does, or -1 where there is no such argument,
 * or it is one that the call fills in and has not returned. */
int tf_show_argument(const struct tf_event *event, int i, char *out, size_t size);

/* The base name of the segment's module `row`, counted from 1, copied to `out`, or
 * NULL. Other processes write these rows. */
const char *tf_show_module(const struct tf_segment *segment, unsigned int row, char *out, size_t size);

#endif
