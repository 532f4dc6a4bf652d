/* How much a program received and sent over TCP. */
#ifndef TF_TRAFFIC_H
#define TF_TRAFFIC_H

#include "event.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct tf_traffic {
    bool known;
    uint64_t connections; /* those that were only tried among them */
    uint64_t received, sent;
};

/* Adds what the event moved. Behind recvmmsg and sendmmsg, which tell of messages and
 * not of bytes, nothing is known. */
void tf_traffic_event(struct tf_traffic *traffic, const struct tf_event *event);

bool tf_traffic_same(const struct tf_traffic *one, const struct tf_traffic *other);

/* "1 connection, 512 bytes received, 4 sent". As snprintf(3). */
int tf_traffic_say(const struct tf_traffic *traffic, char *out, size_t size);

/* The "tcp" of an object; nothing where it is not known. */
void tf_traffic_put(json_t *object, const struct tf_traffic *traffic);
struct tf_traffic tf_traffic_get(const json_t *object);

#endif
