#include "show.h"

#include "rule.h"
#include "show_names.h"
#include "show_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ARGUMENT_TEXT = 320 };

static const char *const roles[] = {
    [TF_ROLE_CLIENT] = "client", [TF_ROLE_SERVER] = "server", [TF_ROLE_LISTENER] = "listener"};

static void set(json_t *object, const char *key, json_t *value)
{
    json_object_set_new_nocheck(object, key, value);
}

static void set_endpoint(json_t *object, const char *key, const struct tf_endpoint *endpoint)
{
    char text[80];
    if (!endpoint->family)
        return;
    tf_show_endpoint(endpoint, text, sizeof text);
    set(object, key, json_string_nocheck(text));
}

/* JSON has no bytes: text where it is ASCII, with the escapes of the line. */
static void set_data(json_t *object, const struct tf_event *event)
{
    char quoted[4 * TF_EVENT_DATA + 8];
    if (!event->data_length)
        return;
    size_t length = event->data_length < TF_EVENT_DATA ? event->data_length : TF_EVENT_DATA;
    tf_show_quote(event->data, length, 0, quoted, sizeof quoted);
    set(object, "data", json_stringn_nocheck(quoted + 1, strlen(quoted) - 2));
    if (event->flags & TF_EVENT_DATA_CUT)
        set(object, "data_cut", json_true());
}

static json_t *effects_list(uint32_t effects)
{
    json_t *list = json_array();
    for (int effect = 0; effect < TF_EFFECTS; effect++) {
        if (effects & 1U << effect)
            json_array_append_new(list, json_string_nocheck(tf_effect_name(effect)));
    }
    return list;
}

static void set_rule(json_t *object, const struct tf_segment *segment, const struct tf_event *event)
{
    if (!event->rule)
        return;
    set(object, "rule", json_integer(event->rule));
    if (event->rule <= segment->plan.rules && segment->plan.rules <= TF_RULES_MAX)
        set(object, "rule_text", json_string(segment->plan.rule[event->rule - 1].text));
    set(object, "ordinal", json_integer((json_int_t)event->ordinal));
    set(object, "effects", effects_list(event->effects));
    set(object, "fired", json_boolean(event->flags & TF_EVENT_FIRED));
    if (event->reason)
        set(object, "reason", json_string_nocheck(tf_show_reason(event->reason)));
}

static void set_site(json_t *object, const struct tf_segment *segment, const struct tf_event *event)
{
    char name[TF_MODULE_PATH], offset[32];
    if (!event->caller)
        return;
    json_t *site = json_object();
    if (tf_show_module(segment, event->module, name, sizeof name))
        set(site, "module", json_string(name));
    snprintf(offset, sizeof offset, "0x%" PRIx64, event->caller);
    set(site, "offset", json_string_nocheck(offset));
    set(object, "site", site);
}

static json_t *arguments_list(const struct tf_event *event)
{
    json_t *list = json_array();
    char text[ARGUMENT_TEXT];
    for (int i = 0; tf_show_argument(event, i, text, sizeof text) >= 0; i++) {
        if (*text)
            json_array_append_new(list, json_string_nocheck(text));
    }
    return list;
}

json_t *tf_show_event_json(const struct tf_segment *segment, const struct tf_event *event)
{
    json_t *object = json_object();
    if (!object)
        return NULL;
    uint64_t real_ns = segment->created_realtime_ns + (event->time_ns - segment->created_monotonic_ns);
    set(object, "number", json_integer((json_int_t)event->number));
    set(object, "time_ns", json_integer((json_int_t)real_ns));
    set(object, "pid", json_integer(event->pid));
    set(object, "tid", json_integer(event->tid));
    set(object, "call", json_string_nocheck(event->call < TF_CALLS ? tf_call_info[event->call].name : "?"));
    if (event->call < TF_CALLS)
        set(object, "args", arguments_list(event));
    if (event->fd >= 0)
        set(object, "fd", json_integer(event->fd));
    if (event->cookie)
        set(object, "socket", json_integer((json_int_t)event->cookie));
    if (event->conn)
        set(object, "conn", json_integer(event->conn));
    if (event->role > TF_ROLE_NONE && event->role <= TF_ROLE_LISTENER)
        set(object, "role", json_string_nocheck(roles[event->role]));
    set_endpoint(object, "local", &event->local);
    set_endpoint(object, "peer", &event->peer);
    if (event->flags & TF_EVENT_NONBLOCKING)
        set(object, "nonblocking", json_true());
    if (event->duration_ns != UINT64_MAX) {
        set(object, "duration_ns", json_integer((json_int_t)event->duration_ns));
        set(object, "result", json_integer(event->result));
        const char *name = event->error ? tf_errno_name(event->error) : NULL;
        if (event->error)
            set(object, "errno", name ? json_string_nocheck(name) : json_integer(event->error));
    } else {
        set(object, "unfinished", json_true());
    }
    if (event->position)
        set(object, "position", json_integer((json_int_t)event->position));
    if (event->flags & TF_EVENT_VALUE)
        set(object, "value", json_integer(event->value));
    set_data(object, event);
    set_rule(object, segment, event);
    set_site(object, segment, event);
    return object;
}
