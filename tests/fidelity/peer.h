/* The peer's parts. A request is a row of the table in peer.c; its function gets
 * the argument and writes the answer. */
#ifndef PEER_H
#define PEER_H

#include "probe.h"

#include <stdatomic.h>
#include <sys/types.h>

struct peer {
    int family, number;
    pid_t subject;
    atomic_int *phase; /* the subject's: how often it has gone into a call with '&' before it */
    int control, listener, connection, rival;
    int older; /* the connection before */
};

/* wire.c: what the network does. They need the namespace's capabilities. */
int wire_forge_reset(const struct peer *peer, uint32_t lost_bytes);
int wire_lose(const struct peer *peer, const char *what);
int wire_heal(const struct peer *peer, const char *what);

/* diag.c: "SUBJECT'S STATE PEER'S STATE" of the case's connection, by
 * sock_diag(7), once it no longer changes. */
void diag_states(const struct peer *peer, char *out, size_t size);

#endif
