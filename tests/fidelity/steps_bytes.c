/* The calls that move bytes: each shape of buffer that there is. */
#include "subject.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SMALL = 64 };

/* Two parts, so that what is moved by one call comes from both. */
static int halves(char *bytes, size_t length, struct iovec parts[2])
{
    size_t half = length > 2 ? 3 : length;
    parts[0] = (struct iovec){bytes, half};
    parts[1] = (struct iovec){bytes + half, length - half};
    return 2;
}

static long by_recv(int fd, char *bytes, size_t length)
{
    return recv(fd, bytes, length, 0);
}

static long by_read(int fd, char *bytes, size_t length)
{
    return read(fd, bytes, length);
}

static long by_readv(int fd, char *bytes, size_t length)
{
    struct iovec parts[2];
    return readv(fd, parts, halves(bytes, length, parts));
}

static long by_recvmsg(int fd, char *bytes, size_t length)
{
    struct iovec parts[2];
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)halves(bytes, length, parts)};
    return recvmsg(fd, &message, 0);
}

static long by_recvmmsg(int fd, char *bytes, size_t length)
{
    struct iovec parts[2];
    struct mmsghdr message = {
        .msg_hdr = {.msg_iov = parts, .msg_iovlen = (size_t)halves(bytes, length, parts)}};
    int result = recvmmsg(fd, &message, 1, 0, NULL);
    return result == 1 ? (long)message.msg_len : result;
}

static long by_send(int fd, char *bytes, size_t length)
{
    return send(fd, bytes, length, 0);
}

static long by_write(int fd, char *bytes, size_t length)
{
    return write(fd, bytes, length);
}

static long by_writev(int fd, char *bytes, size_t length)
{
    struct iovec parts[2];
    return writev(fd, parts, halves(bytes, length, parts));
}

static long by_sendmsg(int fd, char *bytes, size_t length)
{
    struct iovec parts[2];
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)halves(bytes, length, parts)};
    return sendmsg(fd, &message, 0);
}

static long by_sendmmsg(int fd, char *bytes, size_t length)
{
    struct iovec parts[2];
    struct mmsghdr message = {
        .msg_hdr = {.msg_iov = parts, .msg_iovlen = (size_t)halves(bytes, length, parts)}};
    int result = sendmmsg(fd, &message, 1, 0);
    return result == 1 ? (long)message.msg_len : result;
}

static long by_sendfile(int fd, char *bytes, size_t length)
{
    int file = memfd_create("bytes", MFD_CLOEXEC);
    off_t from = 0;
    if (file < 0 || pwrite(file, bytes, length, 0) != (ssize_t)length)
        return -1;
    long result = sendfile(fd, file, &from, length);
    int saved = errno;
    close(file);
    errno = saved;
    return result;
}

typedef long (*mover)(int fd, char *bytes, size_t length);

static void receive(struct subject *subject, const char *argument, mover by, char *out, size_t size)
{
    char bytes[SMALL] = "";
    size_t length = *argument ? strtoul(argument, NULL, 10) : sizeof bytes;
    probe_show_bytes(by(subject->at, bytes, length), bytes, out, size);
}

static void transmit(struct subject *subject, const char *argument, mover by, char *out, size_t size)
{
    char bytes[SMALL];
    int before = subject_broken_pipes;
    snprintf(bytes, sizeof bytes, "%s", *argument ? argument : "data!");
    probe_show_result(by(subject->at, bytes, strlen(bytes)), out, size);
    if (subject_broken_pipes > before)
        strncat(out, " SIGPIPE", size - strlen(out) - 1);
}

#define RECEIVES(name)                                                                                       \
    static void step_##name(struct subject *subject, const char *argument, char *out, size_t size)           \
    {                                                                                                        \
        receive(subject, argument, by_##name, out, size);                                                    \
    }
#define SENDS(name)                                                                                          \
    static void step_##name(struct subject *subject, const char *argument, char *out, size_t size)           \
    {                                                                                                        \
        transmit(subject, argument, by_##name, out, size);                                                   \
    }
RECEIVES(recv)
RECEIVES(read)
RECEIVES(readv)
RECEIVES(recvmsg)
RECEIVES(recvmmsg)
SENDS(send)
SENDS(write)
SENDS(writev)
SENDS(sendmsg)
SENDS(sendmmsg)
SENDS(sendfile)

static void step_peek(struct subject *subject, const char *argument, char *out, size_t size)
{
    char bytes[SMALL] = "";
    (void)argument;
    probe_show_bytes(recv(subject->at, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT), bytes, out, size);
}

static mover mover_of(const char *name)
{
    static const struct {
        const char *name;
        mover by;
    } movers[] = {{"sendfile", by_sendfile}, {"sendmsg", by_sendmsg}, {"writev", by_writev}};
    for (size_t i = 0; i < sizeof movers / sizeof *movers; i++)
        if (strcmp(movers[i].name, name) == 0)
            return movers[i].by;
    return by_send;
}

/* "bulk:N" or "bulk:N:writev": N bytes of the numbered stream in one call: "all",
 * "part", an errno. */
static void step_bulk(struct subject *subject, const char *argument, char *out, size_t size)
{
    char *end;
    size_t length = strtoul(argument, &end, 10);
    char *bytes = malloc(length);
    for (size_t i = 0; bytes && i < length; i++)
        bytes[i] = probe_stream_byte(subject->sent + i);
    long sent = bytes ? mover_of(*end ? end + 1 : "")(subject->at, bytes, length) : -1;
    if (sent < 0)
        probe_show_result(-1, out, size);
    else
        snprintf(out, size, "%s", (size_t)sent == length ? "all" : "part");
    free(bytes);
    if (sent > 0)
        subject->sent += (uint64_t)sent;
}

const struct step steps_bytes[] = {
    {"bulk", step_bulk},         {"peek", step_peek},
    {"read", step_read},         {"readv", step_readv},
    {"recv", step_recv},         {"recvmmsg", step_recvmmsg},
    {"recvmsg", step_recvmsg},   {"send", step_send},
    {"sendfile", step_sendfile}, {"sendmmsg", step_sendmmsg},
    {"sendmsg", step_sendmsg},   {"write", step_write},
    {"writev", step_writev},     {0},
};
