/* The states of sockets, from the calls in events.jsonl. Internal to saved_session.c. */
#ifndef TF_SAVED_LIFE_H
#define TF_SAVED_LIFE_H

#include "lifecycle.h"
#include "result.h"

/* Tells `lives` of it, and adds the state of its socket behind it where that is
 * known: "state". */
void tf_saved_live(struct tf_lives *lives, json_t *json);

/* Appends which states the sockets went through. */
void tf_result_lives(struct tf_result *result, const struct tf_lives *lives);

#endif
