/* What a wait was asked about, and what it found: the arrays of poll and
 * epoll_wait, as far as events hold them. */
#include "show_parts.h"

#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

enum { WIDE = 400 }; /* no further entry is begun beyond this */

/* poll(2) and epoll(7) number these alike. */
static const struct {
    uint32_t bit;
    const char *name;
} conditions[] = {
    {POLLIN, "IN"},         {POLLPRI, "PRI"},       {POLLOUT, "OUT"},       {POLLERR, "ERR"},
    {POLLHUP, "HUP"},       {POLLNVAL, "NVAL"},     {POLLRDNORM, "RDNORM"}, {POLLRDBAND, "RDBAND"},
    {POLLWRNORM, "WRNORM"}, {POLLWRBAND, "WRBAND"}, {POLLRDHUP, "RDHUP"},   {EPOLLONESHOT, "ONESHOT"},
    {EPOLLET, "ET"},
};

static void put_conditions(struct tf_line *line, const char *prefix, uint32_t value)
{
    const char *between = "";

    if (value == 0)
        tf_line_put(line, "0");
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++)
        if (value & conditions[i].bit) {
            tf_line_put(line, "%s%s%s", between, prefix, conditions[i].name);
            between = "|";
            value &= ~conditions[i].bit;
        }
    if (value)
        tf_line_put(line, "%s%#" PRIx32, between, value);
}

static void put_polled(struct tf_line *line, const struct pollfd *entry)
{
    tf_line_put(line, "{fd=%d, events=", entry->fd);
    put_conditions(line, "POLL", (uint16_t)entry->events);
    if (entry->revents) {
        tf_line_put(line, ", revents=");
        put_conditions(line, "POLL", (uint16_t)entry->revents);
    }
    tf_line_put(line, "}");
}

static void put_epolled(struct tf_line *line, const struct epoll_event *entry)
{
    uint64_t data = entry->data.u64;

    tf_line_put(line, "{events=");
    put_conditions(line, "EPOLL", entry->events);
    tf_line_put(line, ", data=%#" PRIx64 "}", data);
}

void tf_show_put_waited(struct tf_line *line, const struct tf_event *event)
{
    bool polls = event->call == TF_poll || event->call == TF_ppoll;
    bool more = event->flags & TF_EVENT_DATA_CUT;
    size_t size = polls ? sizeof(struct pollfd) : sizeof(struct epoll_event);
    size_t length = event->data_length <= TF_EVENT_DATA ? event->data_length : TF_EVENT_DATA;
    size_t begin = line->length, at = 0;
    struct pollfd polled;
    struct epoll_event epolled;

    tf_line_put(line, "[");
    for (; at + size <= length && line->length - begin < WIDE; at += size) {
        tf_line_put(line, at ? ", " : "");
        if (polls) {
            memcpy(&polled, event->data + at, sizeof polled);
            put_polled(line, &polled);
        } else {
            memcpy(&epolled, event->data + at, sizeof epolled);
            put_epolled(line, &epolled);
        }
    }
    more = more || at + size <= length || (at == 0 && (polls ? event->arg[1] > 0 : event->result > 0));
    tf_line_put(line, "%s]", !more ? "" : at ? ", ..." : "...");
}
