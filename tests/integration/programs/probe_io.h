/* Every way to receive from and to send to a socket, behind two shapes. Vectors
 * are cut into pieces of 3, 5 and the rest, with a guard behind each. */
#ifndef PROBE_IO_H
#define PROBE_IO_H

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* libc's own syscall(), past every preload: what the kernel says. */
#define KERNEL(...) (kernel_call()(__VA_ARGS__))
typedef long kernel_function(long number, ...);
static inline kernel_function *kernel_call(void)
{
    static kernel_function *own;
    if (!own)
        own = (kernel_function *)dlsym(dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD), "syscall");
    return own;
}

enum { PIECES = 3, GUARD = 8, GUARD_BYTE = 0xA5 };

struct pieces {
    struct iovec vector[PIECES];
    unsigned char *memory;
};

static inline void pieces_make(struct pieces *pieces, size_t size, const char *data)
{
    size_t cut[PIECES] = {size < 3 ? size : 3,
                          size < 3   ? 0
                          : size < 8 ? size - 3
                                     : 5,
                          size < 8 ? 0 : size - 8};
    unsigned char *at = pieces->memory = malloc(size + PIECES * GUARD);

    memset(at, GUARD_BYTE, size + PIECES * GUARD);
    for (int i = 0; i < PIECES; i++) {
        pieces->vector[i] = (struct iovec){at, cut[i]};
        if (data) {
            memcpy(at, data, cut[i]);
            data += cut[i];
        }
        at += cut[i] + GUARD;
    }
}

/* What arrived, in one piece; aborts where bytes were written beyond it. */
static inline void pieces_take(struct pieces *pieces, ssize_t got, char *data)
{
    size_t left = got > 0 ? (size_t)got : 0;

    for (int i = 0; i < PIECES; i++) {
        const unsigned char *at = pieces->vector[i].iov_base;
        size_t used = left < pieces->vector[i].iov_len ? left : pieces->vector[i].iov_len;
        memcpy(data, at, used);
        for (size_t j = used; j < pieces->vector[i].iov_len + GUARD; j++)
            if (at[j] != GUARD_BYTE) {
                printf("overrun ");
                abort();
            }
        data += used;
        left -= used;
    }
    free(pieces->memory);
}

/* The control data and flags of the last recvmsg. */
static struct {
    int flags;
    long queued; /* TCP_CM_INQ; -1: none came */
    size_t length;
} last_message;

static inline ssize_t in_readv(int fd, char *data, size_t size, int flags)
{
    struct pieces pieces;
    (void)flags;
    pieces_make(&pieces, size, NULL);
    ssize_t got = readv(fd, pieces.vector, PIECES);
    pieces_take(&pieces, got, data);
    return got;
}

static inline ssize_t in_preadv2(int fd, char *data, size_t size, int flags)
{
    struct pieces pieces;
    (void)flags;
    pieces_make(&pieces, size, NULL);
    ssize_t got = preadv2(fd, pieces.vector, PIECES, -1, 0);
    pieces_take(&pieces, got, data);
    return got;
}

static inline void note_message(const struct msghdr *message)
{
    last_message.flags = message->msg_flags;
    last_message.length = message->msg_controllen;
    last_message.queued = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR((struct msghdr *)message, c))
        if (c->cmsg_level == SOL_TCP && c->cmsg_type == TCP_CM_INQ) {
            int queued;
            memcpy(&queued, CMSG_DATA(c), sizeof queued);
            last_message.queued = queued;
        }
}

static inline ssize_t in_recvmsg(int fd, char *data, size_t size, int flags)
{
    struct pieces pieces;
    char control[256], name[64];
    pieces_make(&pieces, size, NULL);
    struct msghdr message = {.msg_name = name,
                             .msg_namelen = sizeof name,
                             .msg_iov = pieces.vector,
                             .msg_iovlen = PIECES,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    ssize_t got = recvmsg(fd, &message, flags);
    if (got >= 0 && (message.msg_iov != pieces.vector || message.msg_iovlen != PIECES))
        abort();
    note_message(&message);
    pieces_take(&pieces, got, data);
    return got;
}

/* Two messages; the bytes of both count. */
static inline ssize_t in_recvmmsg(int fd, char *data, size_t size, int flags)
{
    struct pieces pieces;
    char second[16], control[256];
    struct iovec vector = {second, sizeof second};
    pieces_make(&pieces, size, NULL);
    struct mmsghdr messages[2] = {{.msg_hdr = {.msg_iov = pieces.vector,
                                               .msg_iovlen = PIECES,
                                               .msg_control = control,
                                               .msg_controllen = sizeof control}},
                                  {.msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1}}};
    int got = recvmmsg(fd, messages, 2, flags | MSG_WAITFORONE, NULL);
    if (got >= 0)
        note_message(&messages[0].msg_hdr);
    pieces_take(&pieces, got > 0 ? messages[0].msg_len : 0, data);
    if (got == 2) {
        memcpy(data + messages[0].msg_len, second, messages[1].msg_len);
        return (ssize_t)messages[0].msg_len + messages[1].msg_len;
    }
    return got > 0 ? (ssize_t)messages[0].msg_len : got;
}

static inline ssize_t in_splice(int fd, char *data, size_t size, int flags)
{
    int pipes[2];
    (void)flags;
    if (pipe(pipes) != 0)
        abort();
    ssize_t got = splice(fd, NULL, pipes[1], NULL, size, 0);
    int error = errno;
    if (got > 0 && KERNEL(SYS_read, pipes[0], data, size) != got)
        abort();
    close(pipes[0]);
    close(pipes[1]);
    errno = error;
    return got;
}

static inline ssize_t in_read(int fd, char *data, size_t size, int flags)
{
    (void)flags;
    return read(fd, data, size);
}

static inline ssize_t in_dl_read(int fd, char *data, size_t size, int flags)
{
    ssize_t (*real)(int, void *, size_t) = (ssize_t(*)(int, void *, size_t))dlsym(RTLD_DEFAULT, "__read");
    (void)flags;
    return real(fd, data, size);
}

static inline ssize_t in_sys_read(int fd, char *data, size_t size, int flags)
{
    (void)flags;
    return syscall(SYS_read, fd, data, size);
}

static inline ssize_t in_sys_recvfrom(int fd, char *data, size_t size, int flags)
{
    return syscall(SYS_recvfrom, fd, data, size, flags, NULL, NULL);
}

static inline ssize_t in_recv(int fd, char *data, size_t size, int flags)
{
    return recv(fd, data, size, flags);
}

static inline ssize_t in_recvfrom(int fd, char *data, size_t size, int flags)
{
    char name[64];
    socklen_t length = sizeof name;
    return recvfrom(fd, data, size, flags, (struct sockaddr *)name, &length);
}

#define OUT_PIECES(name, call)                                                                               \
    static inline ssize_t out_##name(int fd, const char *data, size_t size, int flags)                       \
    {                                                                                                        \
        struct pieces pieces;                                                                                \
        pieces_make(&pieces, size, data);                                                                    \
        struct msghdr message = {.msg_iov = pieces.vector, .msg_iovlen = PIECES};                            \
        (void)message, (void)flags;                                                                          \
        ssize_t sent = call;                                                                                 \
        free(pieces.memory);                                                                                 \
        return sent;                                                                                         \
    }
OUT_PIECES(writev, writev(fd, pieces.vector, PIECES))
OUT_PIECES(pwritev2, pwritev2(fd, pieces.vector, PIECES, -1, 0))
OUT_PIECES(sendmsg, sendmsg(fd, &message, flags))

/* Two messages: the data, and an exclamation mark. */
static inline ssize_t out_sendmmsg(int fd, const char *data, size_t size, int flags)
{
    struct pieces pieces;
    struct iovec mark = {(void *)"!", 1};
    pieces_make(&pieces, size, data);
    struct mmsghdr messages[2] = {{.msg_hdr = {.msg_iov = pieces.vector, .msg_iovlen = PIECES}},
                                  {.msg_hdr = {.msg_iov = &mark, .msg_iovlen = 1}}};
    int sent = sendmmsg(fd, messages, 2, flags);
    free(pieces.memory);
    return sent == 2   ? (ssize_t)messages[0].msg_len + messages[1].msg_len
           : sent == 1 ? (ssize_t)messages[0].msg_len
                       : sent;
}

static inline ssize_t out_sendfile(int fd, const char *data, size_t size, int flags)
{
    off_t offset = 0;
    int file = memfd_create("data", 0);
    (void)flags;
    if (pwrite(file, data, size, 0) != (ssize_t)size)
        abort();
    ssize_t sent = sendfile(fd, file, &offset, size);
    int error = errno;
    if (sent > 0 && offset != sent)
        abort();
    close(file);
    errno = error;
    return sent;
}

static inline ssize_t out_splice(int fd, const char *data, size_t size, int flags)
{
    int pipes[2];
    (void)flags;
    if (pipe(pipes) != 0 || KERNEL(SYS_write, pipes[1], data, size) != (long)size)
        abort();
    ssize_t sent = splice(pipes[0], NULL, fd, NULL, size, 0);
    int error = errno;
    close(pipes[0]);
    close(pipes[1]);
    errno = error;
    return sent;
}

static inline ssize_t out_write(int fd, const char *data, size_t size, int flags)
{
    (void)flags;
    return write(fd, data, size);
}

static inline ssize_t out_dl_write(int fd, const char *data, size_t size, int flags)
{
    ssize_t (*real)(int, const void *, size_t) =
        (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_DEFAULT, "__write");
    (void)flags;
    return real(fd, data, size);
}

static inline ssize_t out_dl_send(int fd, const char *data, size_t size, int flags)
{
    ssize_t (*real)(int, const void *, size_t, int) =
        (ssize_t(*)(int, const void *, size_t, int))dlsym(RTLD_DEFAULT, "__send");
    return real(fd, data, size, flags);
}

static inline ssize_t out_sys_sendto(int fd, const char *data, size_t size, int flags)
{
    return syscall(SYS_sendto, fd, data, size, flags, NULL, 0);
}

static inline ssize_t out_send(int fd, const char *data, size_t size, int flags)
{
    return send(fd, data, size, flags);
}

static inline ssize_t out_sendto(int fd, const char *data, size_t size, int flags)
{
    return sendto(fd, data, size, flags, NULL, 0);
}

typedef ssize_t in_call(int fd, char *data, size_t size, int flags);
typedef ssize_t out_call(int fd, const char *data, size_t size, int flags);

static const struct {
    const char *name;
    in_call *in;
    out_call *out;
} io_calls[] = {
    {"read", in_read, NULL},
    {"readv", in_readv, NULL},
    {"preadv2", in_preadv2, NULL},
    {"recv", in_recv, NULL},
    {"recvfrom", in_recvfrom, NULL},
    {"recvmsg", in_recvmsg, NULL},
    {"recvmmsg", in_recvmmsg, NULL},
    {"splice", in_splice, NULL},
    {"__read", in_dl_read, NULL},
    {"sys_read", in_sys_read, NULL},
    {"sys_recvfrom", in_sys_recvfrom, NULL},
    {"write", NULL, out_write},
    {"writev", NULL, out_writev},
    {"pwritev2", NULL, out_pwritev2},
    {"send", NULL, out_send},
    {"sendto", NULL, out_sendto},
    {"sendmsg", NULL, out_sendmsg},
    {"sendmmsg", NULL, out_sendmmsg},
    {"sendfile", NULL, out_sendfile},
    {"splice_out", NULL, out_splice},
    {"__write", NULL, out_dl_write},
    {"__send", NULL, out_dl_send},
    {"sys_sendto", NULL, out_sys_sendto},
    {NULL, NULL, NULL},
};

#endif
