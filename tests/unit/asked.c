#include "asked.h"

#include "rule.h"
#include "unit.h"

#include <arpa/inet.h>
#include <string.h>

struct tf_plan plan;
struct tf_rule_state state[TF_RULES_MAX];
_Atomic uint64_t process[TF_RULES_MAX];
_Atomic uint64_t connection[2][TF_PER_CONNECTION_MAX];
struct tf_effect effect;

void rules(const char *text)
{
    struct tf_rule_error error;
    memset(&plan, 0, sizeof(plan));
    memset(state, 0, sizeof(state));
    memset(process, 0, sizeof(process));
    memset(connection, 0, sizeof(connection));
    int result = tf_plan_add(&plan, text, &error);
    TF_CHECK(result == 0, "%s: %s", text, result ? error.message : "");
    for (uint32_t i = 0; i < plan.rules; i++)
        state[i].armed = 1;
}

struct tf_endpoint endpoint(const char *address, uint16_t port)
{
    struct tf_endpoint end = {.port = port};
    end.family = inet_pton(AF_INET, address, end.ip) == 1 ? 4 : 6;
    if (end.family == 6)
        inet_pton(AF_INET6, address, end.ip);
    return end;
}

struct tf_question question(enum tf_call_id call)
{
    return (struct tf_question){.call = call,
                                .role = TF_ROLE_CLIENT,
                                .family = AF_INET,
                                .conn = 2,
                                .local = endpoint("127.0.0.1", 40000),
                                .peer = endpoint("10.0.0.1", 80),
                                .opt_level = -1,
                                .exe = "curl",
                                .module = "libcurl.so.4",
                                .module_offset = 0x1234,
                                .function = "transfer"};
}

bool ask(const struct tf_question *asked, int which)
{
    struct tf_counters counters = {state, process, which < 0 ? NULL : connection[which]};
    return asked->real_errno ? tf_decide_after(&plan, &counters, asked, &effect)
                             : tf_decide(&plan, &counters, asked, &effect);
}

bool strikes(enum tf_call_id call)
{
    struct tf_question asked = question(call);
    return ask(&asked, 0);
}
