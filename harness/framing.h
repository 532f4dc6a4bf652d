/* Does a reply say how long it is? */
#ifndef TF_FRAMING_H
#define TF_FRAMING_H

#include <stdbool.h>
#include <stddef.h>

/* Its head ends with the first empty line, or else with its first line; one line of it
 * has the word "length" and then, in decimal, how many bytes are behind the head (as
 * RFC 9112, 6.2 has it, and many protocols like it). Or the head says that it is
 * "chunked", and the last chunk is there (RFC 9112, 7.1). `size` bytes of anything.
 * Pure. */
bool tf_framing_told(const char *reply, size_t size);

#endif
