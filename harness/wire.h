/* Segments lost on the way: rules of nftables in a network namespace of our own,
 * where they can be had. On the host nothing is ever touched.
 *
 * What is dropped is dropped where it arrives, so that the sender's kernel knows
 * no more than of a real loss. All of it goes with the namespace.
 */
#ifndef TF_WIRE_H
#define TF_WIRE_H

#include "call.h"
#include "error.h"

struct tf_wire;

/* In the namespace that the caller is in. NULL with *error filled. */
struct tf_wire *tf_wire_open(struct tf_error *error);

/* Of the segments from one end of a connection to the other:
 *   TF_WIRE_DARK  none arrives
 *   TF_WIRE_MUTE  no RST does, and a FIN only without being one: what it carried
 *                 else would otherwise be lost with it, again and again
 * until lasts_ns are over (0: for ever) or the pair of addresses is used by a new
 * connection. Returns 0 or -errno. */
enum tf_wire_set { TF_WIRE_DARK, TF_WIRE_MUTE };
int tf_wire_add(struct tf_wire *wire, enum tf_wire_set set, const struct tf_endpoint *from,
                const struct tf_endpoint *to, uint64_t lasts_ns);

void tf_wire_close(struct tf_wire *wire);

#endif
