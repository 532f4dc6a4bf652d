#include "show.h"

#include "names.h"
#include "rule.h"
#include "show_names.h"
#include "show_parts.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ARGUMENTS_MAX = 6 };

/* How an argument is shown. */
enum kind {
    END,
    FD,      /* the call's own descriptor, with its addresses */
    NUMBER,  /* int */
    SIZE,    /* size_t */
    POINTER, /* NULL or hexadecimal */
    PEER,    /* the address that was passed: the event's peer */
    LOCAL,
    LENGTH,  /* a socklen_t *: shown as NULL or [..] */
    OPTION,
    VALUE,
    DATA_IN,   /* bytes that the call fills in */
    DATA_OUT,
    MESSAGE_IN, /* the same, of an iovec or a msghdr */
    MESSAGE_OUT,
    LIST, /* an array that events do not hold */
    FCNTL_ARGUMENT,
    NAMES, /* NAMES + enum tf_names */
};

#define NAMED(kind) (NAMES + TF_NAMES_##kind)

static const uint8_t arguments[TF_CALLS][ARGUMENTS_MAX] = {
    [TF_socket] = {NAMED(DOMAIN), NAMED(TYPE), NAMED(PROTOCOL)},
    [TF_bind] = {FD, LOCAL, NUMBER},
    [TF_listen] = {FD, NUMBER},
    [TF_accept] = {FD, PEER, LENGTH},
    [TF_accept4] = {FD, PEER, LENGTH, NAMED(ACCEPT)},
    [TF_connect] = {FD, PEER, NUMBER},
    [TF_close] = {FD},
    [TF_shutdown] = {FD, NAMED(HOW)},
    [TF_setsockopt] = {FD, NAMED(LEVEL), OPTION, VALUE, NUMBER},
    [TF_getsockopt] = {FD, NAMED(LEVEL), OPTION, VALUE, LENGTH},
    [TF_getsockname] = {FD, LOCAL, LENGTH},
    [TF_getpeername] = {FD, PEER, LENGTH},
    [TF_read] = {FD, DATA_IN, SIZE},
    [TF_readv] = {FD, MESSAGE_IN, NUMBER},
    [TF_preadv2] = {FD, MESSAGE_IN, NUMBER, NUMBER, NAMED(RWF)},
    [TF_recv] = {FD, DATA_IN, SIZE, NAMED(MSG)},
    [TF_recvfrom] = {FD, DATA_IN, SIZE, NAMED(MSG), POINTER, POINTER},
    [TF_recvmsg] = {FD, MESSAGE_IN, NAMED(MSG)},
    [TF_recvmmsg] = {FD, MESSAGE_IN, NUMBER, NAMED(MSG), POINTER},
    [TF_splice] = {FD, POINTER, NUMBER, POINTER, SIZE, NAMED(SPLICE)},
    [TF_write] = {FD, DATA_OUT, SIZE},
    [TF_writev] = {FD, MESSAGE_OUT, NUMBER},
    [TF_pwritev2] = {FD, MESSAGE_OUT, NUMBER, NUMBER, NAMED(RWF)},
    [TF_send] = {FD, DATA_OUT, SIZE, NAMED(MSG)},
    [TF_sendto] = {FD, DATA_OUT, SIZE, NAMED(MSG), POINTER, NUMBER},
    [TF_sendmsg] = {FD, MESSAGE_OUT, NAMED(MSG)},
    [TF_sendmmsg] = {FD, MESSAGE_OUT, NUMBER, NAMED(MSG)},
    [TF_sendfile] = {FD, NUMBER, POINTER, SIZE},
    [TF_splice_out] = {NUMBER, POINTER, FD, POINTER, SIZE, NAMED(SPLICE)},
    [TF_poll] = {LIST, NUMBER, NUMBER},
    [TF_ppoll] = {LIST, NUMBER, POINTER, POINTER},
    [TF_select] = {NUMBER, LIST, LIST, LIST, POINTER},
    [TF_pselect] = {NUMBER, LIST, LIST, LIST, POINTER, POINTER},
    [TF_epoll_wait] = {NUMBER, LIST, NUMBER, NUMBER},
    [TF_epoll_pwait] = {NUMBER, LIST, NUMBER, NUMBER, POINTER},
    [TF_epoll_pwait2] = {NUMBER, LIST, NUMBER, POINTER, POINTER},
    [TF_epoll_ctl] = {NUMBER, NAMED(EPOLL), FD, POINTER},
    [TF_dup] = {FD},
    [TF_dup2] = {FD, NUMBER},
    [TF_dup3] = {FD, NUMBER, NAMED(OPEN)},
    [TF_fcntl] = {FD, NAMED(FCNTL), FCNTL_ARGUMENT},
    [TF_ioctl] = {FD, NAMED(IOCTL), POINTER},
};

/* ---- a growing line ---- */

struct line {
    char *out;
    size_t size, length;
};

static void put(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct line *line, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    size_t room = line->length < line->size ? line->size - line->length : 0;
    int length = vsnprintf(room ? line->out + line->length : NULL, room, format, list);
    va_end(list);
    line->length += length > 0 ? (size_t)length : 0;
}

/* ---- parts of a line ---- */

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
    struct line line = {out, size, 0};
    if (size)
        *out = 0;
    for (int effect = 0; effect < TF_EFFECTS; effect++) {
        if (!(effects & 1U << effect))
            continue;
        uint32_t later = effects >> (effect + 1);
        put(&line, "%s%s", line.length == 0 ? "" : later ? ", " : " and ", tf_effect_name(effect));
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

static void put_descriptor(struct line *line, const struct tf_event *event)
{
    char local[80], peer[80];
    put(line, "%d", event->fd);
    if (event->fd < 0)
        return;
    tf_show_endpoint(&event->local, local, sizeof local);
    tf_show_endpoint(&event->peer, peer, sizeof peer);
    bool has_local = event->local.family && event->local.port && event->call != TF_bind;
    if (event->peer.family && event->role != TF_ROLE_LISTENER)
        put(line, "<TCP %s->%s>", has_local ? local : "?", peer);
    else if (has_local)
        put(line, "<TCP %s>", local);
    else
        put(line, "<TCP>");
}

static bool moved_data(const struct tf_event *event, bool in)
{
    return event->result >= 0 && (event->data_length || (in && event->duration_ns != UINT64_MAX));
}

static void put_data(struct line *line, const struct tf_event *event, uint64_t pointer, bool in, bool list)
{
    char quoted[4 * TF_EVENT_DATA + 8];
    if (moved_data(event, in) || (!in && event->data_length)) {
        size_t length = event->data_length < TF_EVENT_DATA ? event->data_length : TF_EVENT_DATA;
        tf_show_quote(event->data, length, event->flags & TF_EVENT_DATA_CUT, quoted, sizeof quoted);
        put(line, list ? "[%s]" : "%s", quoted);
    } else if (pointer) {
        put(line, "%#" PRIx64, pointer);
    } else {
        put(line, "NULL");
    }
}

static void put_endpoint(struct line *line, const struct tf_endpoint *endpoint, uint64_t pointer)
{
    char text[80];
    if (!pointer) {
        put(line, "NULL");
        return;
    }
    tf_show_endpoint(endpoint, text, sizeof text);
    put(line, "%s", text);
}

static void put_option_value(struct line *line, const struct tf_event *event, uint64_t pointer)
{
    const char *name = event->call == TF_getsockopt ? tf_option_name((int)event->arg[1], (int)event->arg[2]) : NULL;
    const char *error = event->value && name && !strcmp(name, "SO_ERROR") ? tf_errno_name(event->value) : NULL;
    if (!(event->flags & TF_EVENT_VALUE))
        put(line, pointer ? "%#" PRIx64 : "NULL", pointer);
    else if (error)
        put(line, "[%s]", error);
    else
        put(line, "[%d]", event->value);
}

static void put_fcntl_argument(struct line *line, const struct tf_event *event, uint64_t value)
{
    char text[128];
    if ((int)event->arg[1] == F_SETFL) {
        tf_names_write(TF_NAMES_OPEN, value, text, sizeof text);
        put(line, "%s", text);
    } else {
        put(line, "%" PRId64, (int64_t)value);
    }
}

/* One argument's text. */
static void put_argument(struct line *line, const struct tf_event *event, int i)
{
    uint64_t value = event->arg[i];
    unsigned int kind = arguments[event->call][i];
    char text[256];
    switch (kind) {
    case FD:
        put_descriptor(line, event);
        return;
    case NUMBER:
        put(line, "%d", (int)value);
        return;
    case SIZE:
        put(line, "%" PRIu64, value);
        return;
    case POINTER:
        put(line, value ? "%#" PRIx64 : "NULL", value);
        return;
    case LIST:
        put(line, value ? "[...]" : "NULL");
        return;
    case PEER:
        put_endpoint(line, &event->peer, value);
        return;
    case LOCAL:
        put_endpoint(line, &event->local, value);
        return;
    case LENGTH:
        put(line, value ? "[...]" : "NULL");
        return;
    case OPTION: {
        const char *name = tf_option_name((int)event->arg[1], (int)value);
        if (name)
            put(line, "%s", name);
        else
            put(line, "%d", (int)value);
        return;
    }
    case VALUE:
        put_option_value(line, event, value);
        return;
    case DATA_IN:
    case DATA_OUT:
    case MESSAGE_IN:
    case MESSAGE_OUT:
        put_data(line, event, value, kind == DATA_IN || kind == MESSAGE_IN, kind >= MESSAGE_IN);
        return;
    case FCNTL_ARGUMENT:
        put_fcntl_argument(line, event, value);
        return;
    default:
        tf_names_write(kind - NAMES, value, text, sizeof text);
        put(line, "%s", text);
    }
}

/* Is its value known only when the call has returned? */
static bool is_output(const struct tf_event *event, int i)
{
    switch (arguments[event->call][i]) {
    case DATA_IN:
    case MESSAGE_IN:
    case LENGTH:
        return true;
    case LIST:
        return tf_call_info[event->call].class == TF_CLASS_WAIT;
    case PEER:
        return event->call != TF_connect;
    case LOCAL:
        return event->call != TF_bind;
    case VALUE:
        return event->call == TF_getsockopt;
    default:
        return false;
    }
}

static int first_output(const struct tf_event *event)
{
    int i = 0;
    while (i < ARGUMENTS_MAX && arguments[event->call][i] && !is_output(event, i))
        i++;
    return i;
}

static void put_result(struct line *line, const struct tf_event *event)
{
    const char *name = event->error ? tf_errno_name(event->error) : NULL, *text = strerrordesc_np(event->error);
    if (event->error && name)
        put(line, " = %" PRId64 " %s (%s)", event->result, name, text ? text : "?");
    else if (event->error)
        put(line, " = %" PRId64 " errno %d", event->result, event->error);
    else if (event->result == 0 && tf_call_info[event->call].class == TF_CLASS_WAIT)
        put(line, " = 0 (Timeout)");
    else
        put(line, " = %" PRId64, event->result);
}

static void put_rule(struct line *line, const struct tf_event *event)
{
    char effects[128];
    if (!event->rule || (!(event->flags & TF_EVENT_FIRED) && !event->reason))
        return;
    tf_show_effects(event->effects, effects, sizeof effects);
    if (event->flags & TF_EVENT_FIRED)
        put(line, " (injected: rule %u, %s)", event->rule, effects);
    else
        put(line, " (not injected: rule %u, %s: %s)", event->rule, effects, tf_show_reason(event->reason));
}

int tf_show_event(const struct tf_segment *segment, const struct tf_event *event, unsigned int flags, char *out,
                  size_t size)
{
    struct line line = {out, size, 0};
    bool returned = event->duration_ns != UINT64_MAX && !(flags & TF_SHOW_UNFINISHED);
    if (size)
        *out = 0;
    if (!(flags & TF_SHOW_NO_TIME)) {
        char time[32];
        tf_show_time(segment, event->time_ns, time, sizeof time);
        put(&line, "%s ", time);
    }
    if (!(flags & TF_SHOW_NO_PID))
        put(&line, event->tid == event->pid ? "[%u] " : "[%u/%u] ", event->pid, event->tid);
    if (event->call >= TF_CALLS) {
        put(&line, "call %u()", event->call);
        return (int)line.length;
    }
    const char *name = tf_call_info[event->call].name;
    int split = first_output(event), i = 0;
    if (flags & TF_SHOW_RESUMED) {
        put(&line, "<... %s resumed>", name);
        i = split;
    } else {
        put(&line, "%s(", name);
    }
    for (; i < ARGUMENTS_MAX && arguments[event->call][i] && (returned || i < split); i++) {
        if (i > 0)
            put(&line, ", ");
        put_argument(&line, event, i);
    }
    if (returned) {
        put(&line, ")");
        put_result(&line, event);
        if (!(flags & TF_SHOW_NO_TIME))
            put(&line, " <%.6f>", (double)event->duration_ns / 1e9);
    } else {
        bool never = event->duration_ns == UINT64_MAX && !(flags & TF_SHOW_UNFINISHED);
        put(&line, "%s <unfinished ...>%s", i > 0 && arguments[event->call][i] ? "," : "", never ? ") = ?" : "");
    }
    put_rule(&line, event);
    return (int)line.length;
}

int tf_show_argument(const struct tf_event *event, int i, char *out, size_t size)
{
    struct line line = {out, size, 0};
    if (i >= ARGUMENTS_MAX || !arguments[event->call][i] || (event->duration_ns == UINT64_MAX && is_output(event, i)))
        return -1;
    if (arguments[event->call][i] == FD)
        put(&line, "%d", event->fd);
    else
        put_argument(&line, event, i);
    return (int)line.length;
}
