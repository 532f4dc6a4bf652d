/* What the two ways of showing an event have in common. Internal to show*.c. */
#ifndef TF_SHOW_PARTS_H
#define TF_SHOW_PARTS_H

#include "segment.h"

#include <stddef.h>

/* Argument i of the call (a known one) as text; its descriptor is a plain number.
 * Returns the length, as snprintf(3) does, or -1 where there is no such argument,
 * or it is one that the call fills in and has not returned. */
int tf_show_argument(const struct tf_event *event, int i, char *out, size_t size);

/* The base name of the segment's module `row`, counted from 1, copied to `out`, or
 * NULL. Other processes write these rows. */
const char *tf_show_module(const struct tf_segment *segment, unsigned int row, char *out, size_t size);

#endif
