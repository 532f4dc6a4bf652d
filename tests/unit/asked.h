/* A call on a connection, asked of a plan: what the tests of decide() share. */
#ifndef TF_ASKED_H
#define TF_ASKED_H

#include "decide.h"

extern struct tf_plan plan;
extern struct tf_rule_state state[TF_RULES_MAX];
extern _Atomic uint64_t process[TF_RULES_MAX];
extern _Atomic uint64_t connection[2][TF_PER_CONNECTION_MAX];
extern struct tf_effect effect;

/* Makes the plan of these rules, all armed, nothing counted. */
void rules(const char *text);

struct tf_endpoint endpoint(const char *address, uint16_t port);

/* A call on the client's second connection, 127.0.0.1:40000 to 10.0.0.1:80. */
struct tf_question question(enum tf_call_id call);

/* Decides, into `effect`, before or (with real_errno) after the call, counting
 * per connection in connection[which]; nowhere for -1. */
bool ask(const struct tf_question *asked, int which);

/* The same for question(call). */
bool strikes(enum tf_call_id call);

#endif
