#include "show.h"

#include "rule.h"
#include "show_parts.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int tf_show_endpoint(const struct tf_endpoint *endpoint, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN];
    if (endpoint->family != 4 && endpoint->family != 6)
        return snprintf(out, size, "?");
    inet_ntop(endpoint->family == 4 ? AF_INET : AF_INET6, endpoint->ip, host, sizeof host);
    return snprintf(out, size, endpoint->family == 4 ? "%s:%u" : "[%s]:%u", host, endpoint->port);
}

int tf_show_time(const struct tf_segment *segment, uint64_t time_ns, char *out, size_t size)
{
    uint64_t real_ns = segment->created_realtime_ns + (time_ns - segment->created_monotonic_ns);
    time_t seconds = (time_t)(real_ns / 1000000000);
    struct tm parts;
    localtime_r(&seconds, &parts);
    return snprintf(out, size, "%02d:%02d:%02d.%06u", parts.tm_hour, parts.tm_min, parts.tm_sec,
                    (unsigned)(real_ns % 1000000000 / 1000));
}

const char *tf_show_module(const struct tf_segment *segment, unsigned int row, char *out, size_t size)
{
    if (row == 0 || row > TF_MODULES || atomic_load(&segment->module[row - 1].state) != 2)
        return NULL;
    const char *path = segment->module[row - 1].path;
    size_t length = strnlen(path, TF_MODULE_PATH);
    const char *base = memrchr(path, '/', length);
    base = base ? base + 1 : path;
    snprintf(out, size, "%.*s", (int)(length - (size_t)(base - path)), base);
    return out;
}

int tf_show_site(const struct tf_segment *segment, const struct tf_event *event, char *out, size_t size)
{
    char name[TF_MODULE_PATH];
    if (tf_show_module(segment, event->module, name, sizeof name))
        return snprintf(out, size, "%s+0x%" PRIx64, name, event->caller);
    return snprintf(out, size, "0x%" PRIx64, event->caller);
}

int tf_show_effects(uint32_t effects, char *out, size_t size)
{
    struct tf_line line = {out, size, 0};
    if (size)
        *out = 0;
    for (int effect = 0; effect < TF_EFFECTS; effect++) {
        if (!(effects & 1U << effect))
            continue;
        uint32_t later = effects >> (effect + 1);
        tf_line_put(&line, "%s%s", line.length == 0 ? "" : later ? ", " : " and ", tf_effect_name(effect));
    }
    return (int)line.length;
}

const char *tf_show_reason(unsigned int reason)
{
    static const char *const texts[] = {
#define REASON(id, text) [TF_REASON_##id] = text,
#include "reasons.def"
#undef REASON
    };
    return reason < TF_REASONS ? texts[reason] : "an unknown reason";
}

static void put_result(struct tf_line *line, const struct tf_event *event)
{
    const char *name = event->error ? tf_errno_name(event->error) : NULL,
               *text = strerrordesc_np(event->error);
    if (event->error && name)
        tf_line_put(line, " = %" PRId64 " %s (%s)", event->result, name, text ? text : "?");
    else if (event->error)
        tf_line_put(line, " = %" PRId64 " errno %d", event->result, event->error);
    else if (event->result == 0 && tf_call_info[event->call].class == TF_CLASS_WAIT)
        tf_line_put(line, " = 0 (Timeout)");
    else
        tf_line_put(line, " = %" PRId64, event->result);
}

static void put_rule(struct tf_line *line, const struct tf_event *event)
{
    char effects[128];
    if (!event->rule || (!(event->flags & TF_EVENT_FIRED) && !event->reason))
        return;
    tf_show_effects(event->effects, effects, sizeof effects);
    if (event->flags & TF_EVENT_FIRED)
        tf_line_put(line, " (injected: rule %u, %s)", event->rule, effects);
    else
        tf_line_put(line, " (not injected: rule %u, %s: %s)", event->rule, effects,
                    tf_show_reason(event->reason));
}

int tf_show_event(const struct tf_segment *segment, const struct tf_event *event, unsigned int flags,
                  char *out, size_t size)
{
    struct tf_line line = {out, size, 0};
    bool returned = event->duration_ns != UINT64_MAX && !(flags & TF_SHOW_UNFINISHED);
    if (size)
        *out = 0;
    if (!(flags & TF_SHOW_NO_TIME)) {
        char time[32];
        tf_show_time(segment, event->time_ns, time, sizeof time);
        tf_line_put(&line, "%s ", time);
    }
    if (!(flags & TF_SHOW_NO_PID))
        tf_line_put(&line, event->tid == event->pid ? "[%u] " : "[%u/%u] ", event->pid, event->tid);
    if (event->call >= TF_CALLS) {
        tf_line_put(&line, "call %u()", event->call);
        return (int)line.length;
    }
    const char *name = tf_call_info[event->call].name;
    int split = tf_show_first_output(event), i = 0;
    if (flags & TF_SHOW_RESUMED) {
        tf_line_put(&line, "<... %s resumed>", name);
        i = split;
    } else {
        tf_line_put(&line, "%s(", name);
    }
    for (; tf_show_has_argument(event, i) && (returned || i < split); i++) {
        if (i > 0 && !tf_show_hides_argument(event, i))
            tf_line_put(&line, ", ");
        tf_show_put_argument(&line, event, i);
    }
    if (returned) {
        tf_line_put(&line, ")");
        put_result(&line, event);
        if (!(flags & TF_SHOW_NO_TIME))
            tf_line_put(&line, " <%.6f>", (double)event->duration_ns / 1e9);
    } else {
        bool never = event->duration_ns == UINT64_MAX && !(flags & TF_SHOW_UNFINISHED);
        tf_line_put(&line, "%s <unfinished ...>%s", i > 0 && tf_show_has_argument(event, i) ? "," : "",
                    never ? ") = ?" : "");
    }
    put_rule(&line, event);
    return (int)line.length;
}
