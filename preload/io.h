/* The bytes of a call, whatever shape they come in. */
#ifndef TF_IO_H
#define TF_IO_H

#include "shim.h"

/* How many bytes the call asks to move; for recvmmsg and sendmmsg those of the
 * first message. */
uint64_t tf_io_length(const struct tf_call *call);

/* Its flags (MSG_PEEK, MSG_DONTWAIT); 0 for calls without. */
int tf_io_flags(const struct tf_call *call);

/* How many bytes a result of tf_perform stands for; recvmmsg and sendmmsg
 * return messages, whose lengths are in the headers. 0 for a failure. */
uint64_t tf_io_moved(const struct tf_call *call, long result);

/* Does the real call, moving at most `most` bytes (>= 1). What comes back in
 * headers (msg_controllen, msg_flags, ...) arrives in the program's own. */
long tf_io_perform(struct tf_call *call, uint64_t most);

/* Goes on with an out call of which `from` bytes have moved: at most `most` more. */
long tf_io_perform_part(struct tf_call *call, uint64_t from, uint64_t most);

/* The same for an out call, with one bit of byte `at` (from 0, < length)
 * flipped on the way; the program's own bytes are not touched. */
long tf_io_perform_flipped(struct tf_call *call, uint64_t most, uint64_t at, unsigned bit);

/* Does MSG_TRUNC throw away what arrives? There is no buffer then (tcp(7)). */
bool tf_io_thrown_away(const struct tf_call *call);

/* Flips one bit of byte `at` (from 0) among those that an in call received. */
void tf_io_flip(struct tf_call *call, uint64_t at, unsigned bit);

/* Copies the first bytes that the call moved, or is to move. Returns how many. */
unsigned tf_io_preview(const struct tf_call *call, uint64_t moved, uint8_t *out, unsigned size);

#endif
