#include "saved_life.h"

#include "rule.h"
#include "sandbox.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

static json_int_t number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static const char *word(const json_t *value)
{
    const char *text = json_string_value(value);
    return text != NULL ? text : "";
}

static enum tf_role role_of(const char *name)
{
    return strcmp(name, "client") == 0     ? TF_ROLE_CLIENT
           : strcmp(name, "server") == 0   ? TF_ROLE_SERVER
           : strcmp(name, "listener") == 0 ? TF_ROLE_LISTENER
                                           : TF_ROLE_NONE;
}

static int error_of(const json_t *error)
{
    if (json_is_integer(error))
        return (int)json_integer_value(error);
    return json_is_string(error) ? tf_errno_number(word(error), strlen(word(error))) : 0;
}

/* Those arguments whose meaning a life depends on; of the others, numbers. */
static uint64_t argument_of(const char *text)
{
    static const struct {
        const char *name;
        uint64_t value;
    } names[] = {{"SOL_SOCKET", SOL_SOCKET},
                 {"SO_ERROR", SO_ERROR},
                 {"SHUT_RD", SHUT_RD},
                 {"SHUT_WR", SHUT_WR},
                 {"SHUT_RDWR", SHUT_RDWR},
                 {"F_DUPFD", F_DUPFD},
                 {"F_DUPFD_CLOEXEC", F_DUPFD_CLOEXEC}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i].name, text) == 0)
            return names[i].value;
    long long value;
    char behind;
    return sscanf(text, "%lld%c", &value, &behind) == 1 ? (uint64_t)value : UINT64_MAX;
}

static bool read_event(const json_t *json, struct tf_event *event)
{
    const char *name = word(json_object_get(json, "call"));
    const json_t *args = json_object_get(json, "args");
    unsigned int call = 0;
    while (call < TF_CALLS && strcmp(tf_call_info[call].name, name) != 0)
        call++;
    if (call == TF_CALLS)
        return false;
    const json_t *fd = json_object_get(json, "fd");
    bool unfinished = json_is_true(json_object_get(json, "unfinished"));
    *event = (struct tf_event){
        .call = (uint16_t)call,
        .number = (uint64_t)number(json, "number"),
        .time_ns = (uint64_t)number(json, "time_ns"),
        .duration_ns = unfinished ? UINT64_MAX : (uint64_t)number(json, "duration_ns"),
        .pid = (uint32_t)number(json, "pid"),
        .tid = (uint32_t)number(json, "tid"),
        .cookie = (uint64_t)number(json, "socket"),
        .conn = (uint32_t)number(json, "conn"),
        .fd = json_is_integer(fd) ? (int32_t)json_integer_value(fd) : -1,
        .result = number(json, "result"),
        .error = error_of(json_object_get(json, "errno")),
        .role = (uint8_t)role_of(word(json_object_get(json, "role"))),
        .value = (int32_t)number(json, "value"),
        .flags = json_object_get(json, "value") != NULL ? TF_EVENT_VALUE : 0,
        .local = {.family = json_object_get(json, "local") != NULL ? 4 : 0},
        .peer = {.family = json_object_get(json, "peer") != NULL ? 4 : 0},
    };
    for (size_t i = 0; i < json_array_size(args) && i < 6; i++)
        event->arg[i] = argument_of(word(json_array_get(args, i)));
    return true;
}

void tf_saved_live(struct tf_lives *lives, json_t *json)
{
    struct tf_event event;
    if (lives == NULL || !read_event(json, &event) || tf_lives_event(lives, &event) != 0)
        return;
    const struct tf_life *life = tf_lives_find(lives, event.cookie);
    const char *state = life != NULL && life->state > 0 ? tf_net_state_name(life->state) : NULL;
    if (state != NULL)
        json_object_set_new(json, "state", json_string(state));
}

void tf_result_lives(struct tf_result *result, const struct tf_lives *lives)
{
    char states[40];
    for (unsigned int from = 1; from < TF_STATES && lives != NULL; from++)
        for (unsigned int to = 1; to < TF_STATES; to++) {
            const char *one = tf_net_state_name(from), *other = tf_net_state_name(to);
            if ((tf_lives_transitions(lives, from) & 1U << to) == 0 || one == NULL || other == NULL)
                continue;
            snprintf(states, sizeof(states), "%s %s", one, other);
            tf_result_transition(result, states);
        }
}
