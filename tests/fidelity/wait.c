#include "subject.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>

/* poll's and epoll's flags have the same values (epoll_ctl(2) by poll(2)). */
static const struct {
    unsigned flag;
    const char *name;
} flags[] = {{POLLIN, "IN"},   {POLLPRI, "PRI"},   {POLLOUT, "OUT"},    {POLLERR, "ERR"},
             {POLLHUP, "HUP"}, {POLLNVAL, "NVAL"}, {POLLRDHUP, "RDHUP"}};

static void show_flags(unsigned seen, char *out, size_t size)
{
    size_t at = 0;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (seen & flags[i].flag)
            at += (size_t)snprintf(out + at, size - at, "%s%s", at ? " " : "", flags[i].name);
    if (at == 0)
        snprintf(out, size, "nothing");
}

static unsigned asked(enum want want)
{
    return (want & WANT_IN ? POLLIN | POLLRDHUP : 0U) | (want & WANT_OUT ? POLLOUT : 0U) |
           (want == WANT_ALL ? POLLPRI : 0U);
}

static void by_poll(int fd, enum want want, int timeout_ms, char *out, size_t size)
{
    struct pollfd waiting = {.fd = fd, .events = (short)asked(want)};
    if (poll(&waiting, 1, timeout_ms) < 0)
        probe_show_result(-1, out, size);
    else
        show_flags((unsigned short)waiting.revents, out, size);
}

static void by_select(int fd, enum want want, int timeout_ms, char *out, size_t size)
{
    struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
    fd_set sets[3];
    for (int i = 0; i < 3; i++) {
        FD_ZERO(&sets[i]);
        if ((unsigned)want & 1U << i)
            FD_SET(fd, &sets[i]);
    }
    int result = select(fd + 1, &sets[0], &sets[1], &sets[2], &timeout);
    if (result < 0)
        probe_show_result(-1, out, size);
    else
        snprintf(out, size, "%s%s%s%s", FD_ISSET(fd, &sets[0]) ? "read " : "",
                 FD_ISSET(fd, &sets[1]) ? "write " : "", FD_ISSET(fd, &sets[2]) ? "except " : "",
                 result == 0 ? "nothing" : "");
    if (*out && out[strlen(out) - 1] == ' ')
        out[strlen(out) - 1] = 0;
}

static bool watched(struct subject *subject, int fd)
{
    for (int i = 0; i < WATCHED; i++)
        if (subject->watched[i] == fd)
            return true;
    return false;
}

static void watch(struct subject *subject, int fd)
{
    bool edges = subject->mode == MODE_EPOLL_ET;
    struct epoll_event event = {.events = asked(WANT_ALL) | (edges ? (unsigned)EPOLLET : 0U), .data.fd = fd};

    if (watched(subject, fd))
        return;
    if (subject->epoll < 0)
        subject->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ctl(subject->epoll, EPOLL_CTL_ADD, fd, &event))
        return;
    for (int i = 0; i < WATCHED; i++) {
        if (subject->watched[i] < 0) {
            subject->watched[i] = fd;
            return;
        }
    }
}

void wait_watch(struct subject *subject, int fd)
{
    struct epoll_event event;
    struct timespec none = {0, 0};

    if (subject->mode != MODE_EPOLL_LT && subject->mode != MODE_EPOLL_ET)
        return;
    watch(subject, fd);
    epoll_pwait2(subject->epoll, &event, 1, &none, NULL);
}

/* What is reported of this descriptor; the others' events are not looked at. */
static int report(struct subject *subject, int fd, int timeout_ms, unsigned *seen)
{
    struct epoll_event events[WATCHED];
    int result = epoll_wait(subject->epoll, events, WATCHED, timeout_ms);
    *seen = 0;
    for (int i = 0; i < result; i++)
        if (events[i].data.fd == fd)
            *seen = events[i].events;
    return result;
}

/* An edge-triggered program asks for everything once, and waits on until what it
 * wants has come. */
static void by_epoll(struct subject *subject, int fd, enum want want, int timeout_ms, char *out, size_t size)
{
    struct epoll_event event = {.events = asked(want), .data.fd = fd};
    uint64_t end = probe_now_ms() + (uint64_t)timeout_ms;
    unsigned seen, enough = asked(want) | POLLERR | POLLHUP;
    int result;

    watch(subject, fd);
    if (subject->mode == MODE_EPOLL_LT)
        epoll_ctl(subject->epoll, EPOLL_CTL_MOD, fd, &event);
    do {
        uint64_t now = probe_now_ms();
        result = report(subject, fd, now < end ? (int)(end - now) : 0, &seen);
    } while (result > 0 && !(seen & enough) && probe_now_ms() < end);
    if (result < 0)
        probe_show_result(-1, out, size);
    else
        show_flags(seen, out, size);
}

void wait_for(struct subject *subject, int fd, enum want want, int timeout_ms, char *out, size_t size)
{
    *out = 0;
    switch (subject->mode) {
    case MODE_SELECT:
        by_select(fd, want, timeout_ms, out, size);
        break;
    case MODE_EPOLL_LT:
    case MODE_EPOLL_ET:
        by_epoll(subject, fd, want, timeout_ms, out, size);
        break;
    default:
        by_poll(fd, want, timeout_ms, out, size);
        break;
    }
}
