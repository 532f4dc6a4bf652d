/* How a case begins, and what brings the real event about on the subject's side. */
#include "subject.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool asked(struct subject *subject, const char *request, char *out, size_t size)
{
    subject_ask(subject, request, out, size);
    return strcmp(out, "ok") == 0;
}

static bool has_mode(const struct subject *subject, int fd)
{
    int one = subject->mode != MODE_BLOCKING;
    return ioctl(fd, FIONBIO, &one) == 0;
}

static int new_socket(const struct subject *subject, enum probe_port port)
{
    struct sockaddr_storage address;
    socklen_t length =
        probe_address(&address, subject->family, PLACE_HERE, probe_port(subject->number, port));
    int one = 1, fd = socket(subject->family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || port == PORT_PEER)
        return fd;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    return bind(fd, (struct sockaddr *)&address, length) ? -1 : fd;
}

/* A connection that the subject made; "client:small-segments" for a paced one: the
 * first ten go out at once. */
static void step_client(struct subject *subject, const char *argument, char *out, size_t size)
{
    struct sockaddr_storage address;
    socklen_t length =
        probe_address(&address, subject->family, PLACE_HERE, probe_port(subject->number, PORT_PEER));
    int small = 1000, fd = new_socket(subject, PORT_PEER);

    if (!asked(subject, "listen", out, size))
        return;
    if (*argument)
        setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &small, sizeof small);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, length) || !has_mode(subject, fd)) {
        probe_show_result(-1, out, size);
        return;
    }
    subject->at = subject->connection = fd;
    asked(subject, "accept", out, size);
    wait_watch(subject, fd);
}

/* A listener, with nobody in its queue. */
static void step_listening(struct subject *subject, const char *argument, char *out, size_t size)
{
    (void)argument;
    int fd = new_socket(subject, PORT_SUBJECT);
    if (fd < 0 || listen(fd, 16) || !has_mode(subject, fd)) {
        probe_show_result(-1, out, size);
        return;
    }
    subject->at = subject->listener = fd;
    wait_watch(subject, fd);
}

/* A connection that the subject accepted. */
static void step_server(struct subject *subject, const char *argument, char *out, size_t size)
{
    (void)argument;
    int fd = new_socket(subject, PORT_SUBJECT);
    if (fd < 0 || listen(fd, 16)) {
        probe_show_result(-1, out, size);
        return;
    }
    subject->listener = fd;
    if (!asked(subject, "connect", out, size))
        return;
    subject->at = subject->connection = accept(fd, NULL, NULL);
    if (subject->at < 0 || !has_mode(subject, subject->at))
        probe_show_result(-1, out, size);
    wait_watch(subject, subject->at);
}

static void step_use(struct subject *subject, const char *argument, char *out, size_t size)
{
    (void)out;
    (void)size;
    subject->at = strcmp(argument, "listener") == 0    ? subject->listener
                  : strcmp(argument, "duplicate") == 0 ? subject->duplicate
                                                       : subject->connection;
}

static void step_keep(struct subject *subject, const char *argument, char *out, size_t size)
{
    (void)out;
    (void)size;
    *(strcmp(argument, "listener") == 0 ? &subject->listener : &subject->connection) = subject->at;
}

/* ---- waiting for what is on its way, without a call that could be struck ---- */

static void step_until(struct subject *subject, const char *argument, char *out, size_t size)
{
    uint64_t end = probe_now_ms() + PROBE_PATIENCE;
    for (;;) {
        const char *state = probe_state_name(probe_state(subject->at));
        if (strcmp(state, argument) == 0)
            return;
        if (probe_now_ms() > end) {
            snprintf(out, size, "still %s", state);
            return;
        }
        probe_sleep_ms(1);
    }
}

/* Takes the pending error away. */
static void step_forget(struct subject *subject, const char *argument, char *out, size_t size)
{
    int error = 0;
    socklen_t length = sizeof error;
    (void)argument;
    probe_show_result(getsockopt(subject->at, SOL_SOCKET, SO_ERROR, &error, &length), out, size);
}

/* N bytes are there to be received. */
static void step_arrived(struct subject *subject, const char *argument, char *out, size_t size)
{
    uint64_t end = probe_now_ms() + PROBE_PATIENCE;
    int wanted = atoi(argument), queued = 0;
    while (ioctl(subject->at, FIONREAD, &queued) == 0 && queued < wanted && probe_now_ms() < end)
        probe_sleep_ms(1);
    if (queued < wanted)
        snprintf(out, size, "%d bytes", queued);
}

/* ---- limits, rights, timeouts ---- */

/* Not one descriptor more. */
static void step_full(struct subject *subject, const char *argument, char *out, size_t size)
{
    struct rlimit limit;
    (void)subject;
    (void)argument;
    int next = memfd_create("next", 0);
    close(next);
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = (rlim_t)next;
    probe_show_result(setrlimit(RLIMIT_NOFILE, &limit), out, size);
}

static void step_room(struct subject *subject, const char *argument, char *out, size_t size)
{
    struct rlimit limit;
    (void)subject;
    (void)argument;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    probe_show_result(setrlimit(RLIMIT_NOFILE, &limit), out, size);
}

static void step_unprivileged(struct subject *subject, const char *argument, char *out, size_t size)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    (void)subject;
    (void)argument;
    probe_show_result(syscall(SYS_capset, &header, none), out, size);
}

/* What a sandbox's filter says to socket(): "deny:EAFNOSUPPORT". */
static void step_deny(struct subject *subject, const char *argument, char *out, size_t size)
{
    unsigned error = strcmp(argument, "EACCES") == 0 ? EACCES : EAFNOSUPPORT;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    (void)subject;
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    probe_show_result(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), out, size);
}

static void step_timeout(struct subject *subject, const char *argument, char *out, size_t size)
{
    int option = strncmp(argument, "in:", 3) == 0 ? SO_RCVTIMEO : SO_SNDTIMEO,
        ms = atoi(strchr(argument, ':') + 1);
    struct timeval time = {ms / 1000, ms % 1000 * 1000};
    probe_show_result(setsockopt(subject->at, SOL_SOCKET, option, &time, sizeof time), out, size);
}

/* SIGUSR1's handler has SA_RESTART from here on. */
static void step_restart(struct subject *subject, const char *argument, char *out, size_t size)
{
    struct sigaction action;
    (void)subject;
    (void)argument;
    sigaction(SIGUSR1, NULL, &action);
    action.sa_flags |= SA_RESTART;
    probe_show_result(sigaction(SIGUSR1, &action, NULL), out, size);
}

/* Another process that shares the listener takes the connection that is queued,
 * and resets it. */
static void step_steal(struct subject *subject, const char *argument, char *out, size_t size)
{
    struct linger none = {1, 0};
    int status = 1;
    (void)argument;
    pid_t pid = fork();
    if (pid == 0) {
        int fd = accept(subject->listener, NULL, NULL);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
        _exit(fd < 0 ? 1 : 0);
    }
    waitpid(pid, &status, 0);
    snprintf(out, size, "%s", status ? "nothing to steal" : "ok");
}

/* ---- many bytes ---- */

static ssize_t send_some(struct subject *subject)
{
    char bytes[4096];
    struct iovec vector = {bytes, sizeof bytes};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = probe_stream_byte(subject->sent + i);
    ssize_t sent = sendmsg(subject->at, &message, MSG_DONTWAIT);
    if (sent > 0)
        subject->sent += (uint64_t)sent;
    return sent;
}

/* Sends until no more fits, by a call that no rule names, and the network has
 * moved what it can to the peer's buffer. Buffers of a size that was set don't
 * grow (tcp(7), tcp_wmem). */
static void step_fill(struct subject *subject, const char *argument, char *out, size_t size)
{
    enum { ROUNDS = 25, ROUND_MS = 20, BYTES = 1 << 15 };
    int bytes = BYTES;
    (void)argument;

    setsockopt(subject->at, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    if (!asked(subject, "narrow", out, size))
        return;
    *out = 0;
    for (int round = 0; round < ROUNDS; round++) {
        ssize_t sent = send_some(subject);
        if (sent > 0)
            round = -1;
        else if (errno == EAGAIN)
            probe_sleep_ms(ROUND_MS);
        else
            probe_show_result(-1, out, size);
    }
}

/* Sends N bytes of the numbered stream, waiting as often as it takes. */
static void step_pour(struct subject *subject, const char *argument, char *out, size_t size)
{
    uint64_t end = subject->sent + strtoull(argument, NULL, 10);
    char bytes[4096], seen[PROBE_TEXT];

    while (subject->sent < end) {
        size_t length = 0;
        for (; length < sizeof bytes && subject->sent + length < end; length++)
            bytes[length] = probe_stream_byte(subject->sent + length);
        ssize_t sent = send(subject->at, bytes, length, 0);
        if (sent < 0 && errno == EAGAIN && subject->mode != MODE_BLOCKING) {
            wait_for(subject, subject->at, WANT_OUT, PROBE_PATIENCE, seen, sizeof seen);
            if (strcmp(seen, "nothing") != 0)
                continue;
        }
        if (sent <= 0) {
            probe_show_result(sent, out, size);
            return;
        }
        subject->sent += (uint64_t)sent;
    }
    snprintf(out, size, "all");
}

/* "drain", with what the subject has sent so far. */
static void step_drain(struct subject *subject, const char *argument, char *out, size_t size)
{
    char request[PROBE_TEXT];
    snprintf(request, sizeof request, "%sdrain:%llu", argument, (unsigned long long)subject->sent);
    subject_ask(subject, request, out, size);
}

/* Receives N bytes of the numbered stream, waiting as often as it takes. */
static void step_gather(struct subject *subject, const char *argument, char *out, size_t size)
{
    uint64_t end = subject->received + strtoull(argument, NULL, 10);
    char bytes[4096], seen[PROBE_TEXT];

    while (subject->received < end) {
        uint64_t left = end - subject->received;
        ssize_t got = recv(subject->at, bytes, left < sizeof bytes ? left : sizeof bytes, 0);
        if (got < 0 && errno == EAGAIN && subject->mode != MODE_BLOCKING) {
            wait_for(subject, subject->at, WANT_IN, PROBE_PATIENCE, seen, sizeof seen);
            if (strcmp(seen, "nothing") != 0)
                continue;
        }
        if (got <= 0) {
            snprintf(out, size, "incomplete: %s", got ? strerrorname_np(errno) : "0");
            return;
        }
        for (ssize_t i = 0; i < got; i++, subject->received++) {
            if (bytes[i] != probe_stream_byte(subject->received)) {
                snprintf(out, size, "wrong");
                return;
            }
        }
    }
    snprintf(out, size, "whole");
}

const struct step steps_setup[] = {
    {"arrived", step_arrived},
    {"client", step_client},
    {"deny", step_deny},
    {"drain", step_drain},
    {"fill", step_fill},
    {"forget", step_forget},
    {"full", step_full},
    {"gather", step_gather},
    {"keep", step_keep},
    {"listening", step_listening},
    {"pour", step_pour},
    {"restart", step_restart},
    {"room", step_room},
    {"server", step_server},
    {"steal", step_steal},
    {"timeout", step_timeout},
    {"unprivileged", step_unprivileged},
    {"until", step_until},
    {"use", step_use},
    {0},
};
