#include "show_parts.h"

#include "names.h"
#include "rule.h"
#include "show.h"
#include "show_names.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* How an argument is shown. */
enum kind {
    END,
    FD,      /* the call's own descriptor, with its addresses */
    NUMBER,  /* int */
    SIZE,    /* size_t */
    POINTER, /* NULL or hexadecimal */
    PEER,    /* the address that was passed: the event's peer */
    LOCAL,
    HIDDEN, /* not shown: an address's length */
    OPTION,
    VALUE,
    DATA_IN, /* bytes that the call fills in */
    DATA_OUT,
    MESSAGE_IN, /* the same, of an iovec or a msghdr */
    MESSAGE_OUT,
    LIST,   /* an array that events do not hold */
    WAITED, /* an array that they hold */
    FCNTL_ARGUMENT,
    NAMES, /* NAMES + enum tf_names */
};

#define NAMED(kind) (NAMES + TF_NAMES_##kind)

static const uint8_t arguments[TF_CALLS][ARGUMENTS_MAX] = {
    [TF_socket] = {NAMED(DOMAIN), NAMED(TYPE), NAMED(PROTOCOL)},
    [TF_bind] = {FD, LOCAL},
    [TF_listen] = {FD, NUMBER},
    [TF_accept] = {FD, PEER},
    [TF_accept4] = {FD, PEER, HIDDEN, NAMED(ACCEPT)},
    [TF_connect] = {FD, PEER},
    [TF_close] = {FD},
    [TF_shutdown] = {FD, NAMED(HOW)},
    [TF_setsockopt] = {FD, NAMED(LEVEL), OPTION, VALUE, NUMBER},
    [TF_getsockopt] = {FD, NAMED(LEVEL), OPTION, VALUE},
    [TF_getsockname] = {FD, LOCAL},
    [TF_getpeername] = {FD, PEER},
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
    [TF_poll] = {WAITED, NUMBER, NUMBER},
    [TF_ppoll] = {WAITED, NUMBER, POINTER, POINTER},
    [TF_select] = {NUMBER, LIST, LIST, LIST, POINTER},
    [TF_pselect] = {NUMBER, LIST, LIST, LIST, POINTER, POINTER},
    [TF_epoll_wait] = {NUMBER, WAITED, NUMBER, NUMBER},
    [TF_epoll_pwait] = {NUMBER, WAITED, NUMBER, NUMBER, POINTER},
    [TF_epoll_pwait2] = {NUMBER, WAITED, NUMBER, POINTER, POINTER},
    [TF_epoll_ctl] = {NUMBER, NAMED(EPOLL), FD, POINTER},
    [TF_dup] = {FD},
    [TF_dup2] = {FD, NUMBER},
    [TF_dup3] = {FD, NUMBER, NAMED(OPEN)},
    [TF_fcntl] = {FD, NAMED(FCNTL), FCNTL_ARGUMENT},
    [TF_ioctl] = {FD, NAMED(IOCTL), POINTER},
};

void tf_line_put(struct tf_line *line, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    size_t room = line->length < line->size ? line->size - line->length : 0;
    int length = vsnprintf(room ? line->out + line->length : NULL, room, format, list);
    va_end(list);
    line->length += length > 0 ? (size_t)length : 0;
}

static void put_descriptor(struct tf_line *line, const struct tf_event *event)
{
    char local[80], peer[80];
    tf_line_put(line, "%d", event->fd);
    if (event->fd < 0)
        return;
    tf_show_endpoint(&event->local, local, sizeof local);
    tf_show_endpoint(&event->peer, peer, sizeof peer);
    bool has_local = event->local.family && event->local.port && event->call != TF_bind;
    if (event->peer.family && event->role != TF_ROLE_LISTENER)
        tf_line_put(line, "<TCP %s->%s>", has_local ? local : "?", peer);
    else if (has_local)
        tf_line_put(line, "<TCP %s>", local);
    else
        tf_line_put(line, "<TCP>");
}

static bool moved_data(const struct tf_event *event, bool in)
{
    return event->result >= 0 && (event->data_length || (in && event->duration_ns != UINT64_MAX));
}

static void put_data(struct tf_line *line, const struct tf_event *event, uint64_t pointer, bool in, bool list)
{
    char quoted[4 * TF_EVENT_DATA + 8];
    if (moved_data(event, in) || (!in && event->data_length)) {
        size_t length = event->data_length < TF_EVENT_DATA ? event->data_length : TF_EVENT_DATA;
        tf_show_quote(event->data, length, event->flags & TF_EVENT_DATA_CUT, quoted, sizeof quoted);
        tf_line_put(line, list ? "[%s]" : "%s", quoted);
    } else if (pointer) {
        tf_line_put(line, "%#" PRIx64, pointer);
    } else {
        tf_line_put(line, "NULL");
    }
}

static void put_endpoint(struct tf_line *line, const struct tf_endpoint *endpoint, uint64_t pointer)
{
    char text[80];
    if (!pointer) {
        tf_line_put(line, "NULL");
        return;
    }
    tf_show_endpoint(endpoint, text, sizeof text);
    tf_line_put(line, "%s", text);
}

static void put_option_value(struct tf_line *line, const struct tf_event *event, uint64_t pointer)
{
    const char *name =
        event->call == TF_getsockopt ? tf_option_name((int)event->arg[1], (int)event->arg[2]) : NULL;
    const char *error =
        event->value && name && !strcmp(name, "SO_ERROR") ? tf_errno_name(event->value) : NULL;
    if (!(event->flags & TF_EVENT_VALUE))
        tf_line_put(line, pointer ? "%#" PRIx64 : "NULL", pointer);
    else if (error)
        tf_line_put(line, "[%s]", error);
    else
        tf_line_put(line, "[%d]", event->value);
}

static void put_fcntl_argument(struct tf_line *line, const struct tf_event *event, uint64_t value)
{
    char text[128];
    if ((int)event->arg[1] == F_SETFL) {
        tf_names_write(TF_NAMES_OPEN, value, text, sizeof text);
        tf_line_put(line, "%s", text);
    } else {
        tf_line_put(line, "%" PRId64, (int64_t)value);
    }
}

void tf_show_put_argument(struct tf_line *line, const struct tf_event *event, int i)
{
    uint64_t value = event->arg[i];
    unsigned int kind = arguments[event->call][i];
    char text[256];
    switch (kind) {
    case FD:
        put_descriptor(line, event);
        return;
    case NUMBER:
        tf_line_put(line, "%d", (int)value);
        return;
    case SIZE:
        tf_line_put(line, "%" PRIu64, value);
        return;
    case POINTER:
        tf_line_put(line, value ? "%#" PRIx64 : "NULL", value);
        return;
    case LIST:
        tf_line_put(line, value ? "[...]" : "NULL");
        return;
    case WAITED:
        if (value)
            tf_show_put_waited(line, event);
        else
            tf_line_put(line, "NULL");
        return;
    case PEER:
        put_endpoint(line, &event->peer, value);
        return;
    case LOCAL:
        put_endpoint(line, &event->local, value);
        return;
    case HIDDEN:
        return;
    case OPTION: {
        const char *name = tf_option_name((int)event->arg[1], (int)value);
        if (name)
            tf_line_put(line, "%s", name);
        else
            tf_line_put(line, "%d", (int)value);
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
        tf_line_put(line, "%s", text);
    }
}

/* Is its value known only when the call has returned? */
static bool is_output(const struct tf_event *event, int i)
{
    switch (arguments[event->call][i]) {
    case DATA_IN:
    case MESSAGE_IN:
        return true;
    case LIST:
    case WAITED:
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

int tf_show_first_output(const struct tf_event *event)
{
    int i = 0;
    while (i < ARGUMENTS_MAX && arguments[event->call][i] && !is_output(event, i))
        i++;
    return i;
}

bool tf_show_has_argument(const struct tf_event *event, int i)
{
    return i < ARGUMENTS_MAX && arguments[event->call][i];
}

bool tf_show_hides_argument(const struct tf_event *event, int i)
{
    return arguments[event->call][i] == HIDDEN;
}

int tf_show_argument(const struct tf_event *event, int i, char *out, size_t size)
{
    struct tf_line line = {out, size, 0};
    if (size)
        *out = 0;
    if (!tf_show_has_argument(event, i) || (event->duration_ns == UINT64_MAX && is_output(event, i)))
        return -1;
    if (arguments[event->call][i] == FD)
        tf_line_put(&line, "%d", event->fd);
    else
        tf_show_put_argument(&line, event, i);
    return (int)line.length;
}
