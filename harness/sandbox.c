#include "sandbox.h"

#include "supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MS = 10000 };

struct expected {
    struct expected *next;
    uint32_t id;
    void (*exited)(void *data, const struct tf_notice *notice);
    void *data;
};

struct queued {
    struct queued *next;
    struct tf_notice notice;
};

struct tf_sandbox {
    uv_loop_t *loop;
    enum tf_sandbox_kind kind;
    bool interactive;
    bool stopped; /* the supervisor is gone, or about to be */
    pid_t pid;
    int socket_fd, diag_fd;
    uint64_t stop_ns;
    uint32_t last_id;
    struct expected *expected;
    struct queued *queue, **queue_end;
    uv_poll_t poll;
    uv_timer_t later; /* dispatches what came while somebody waited for an answer */
    int open_handles;
};

uint64_t tf_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

enum tf_sandbox_kind tf_sandbox_kind(const struct tf_sandbox *sandbox)
{
    return sandbox->kind;
}

pid_t tf_sandbox_pid(const struct tf_sandbox *sandbox)
{
    return sandbox->pid;
}

uv_loop_t *tf_sandbox_loop(const struct tf_sandbox *sandbox)
{
    return sandbox->loop;
}

bool tf_sandbox_interactive(const struct tf_sandbox *sandbox)
{
    return sandbox->interactive;
}

uint64_t tf_sandbox_stop_ns(const struct tf_sandbox *sandbox)
{
    return sandbox->stop_ns;
}

int tf_sandbox_diag_fd(const struct tf_sandbox *sandbox)
{
    return sandbox->diag_fd;
}

/* ---- programs that are waited for ---- */

static void hold_loop(struct tf_sandbox *sandbox)
{
    if (sandbox->expected && !sandbox->stopped)
        uv_ref((uv_handle_t *)&sandbox->poll);
    else
        uv_unref((uv_handle_t *)&sandbox->poll);
}

uint32_t tf_sandbox_expect(struct tf_sandbox *sandbox, void (*exited)(void *data, const struct tf_notice *notice),
                           void *data)
{
    struct expected *expected = malloc(sizeof *expected);
    if (!expected)
        return 0;
    *expected = (struct expected){sandbox->expected, ++sandbox->last_id, exited, data};
    sandbox->expected = expected;
    hold_loop(sandbox);
    return expected->id;
}

static struct expected *take(struct tf_sandbox *sandbox, uint32_t id)
{
    struct expected **at = &sandbox->expected;
    while (*at && (*at)->id != id)
        at = &(*at)->next;
    struct expected *found = *at;
    if (found)
        *at = found->next;
    hold_loop(sandbox);
    return found;
}

void tf_sandbox_forget(struct tf_sandbox *sandbox, uint32_t id)
{
    free(take(sandbox, id));
}

static void dispatch(struct tf_sandbox *sandbox, const struct tf_notice *notice)
{
    struct expected *expected = notice->kind == TF_NOTICE_EXITED ? take(sandbox, notice->id) : NULL;
    if (expected)
        expected->exited(expected->data, notice);
    free(expected);
}

/* The supervisor is gone: whatever was below it has been killed. */
static void lose_programs(struct tf_sandbox *sandbox)
{
    while (sandbox->expected) {
        struct tf_notice notice = {.kind = TF_NOTICE_EXITED,
                                   .id = sandbox->expected->id,
                                   .wait_status = SIGKILL,
                                   .ended_ns = tf_clock_ns()};
        dispatch(sandbox, &notice);
    }
}

static void dispatch_queue(struct tf_sandbox *sandbox)
{
    while (sandbox->queue) {
        struct queued *first = sandbox->queue;
        sandbox->queue = first->next;
        if (!sandbox->queue)
            sandbox->queue_end = &sandbox->queue;
        dispatch(sandbox, &first->notice);
        free(first);
    }
}

static void on_later(uv_timer_t *timer)
{
    struct tf_sandbox *sandbox = timer->data;
    dispatch_queue(sandbox);
    if (sandbox->stopped)
        lose_programs(sandbox);
}

/* ---- packets ---- */

/* 1: *notice is filled; 0: nothing there; -1: the supervisor is gone. */
static int receive(struct tf_sandbox *sandbox, struct tf_notice *notice)
{
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec bytes = {notice, sizeof *notice};
    struct msghdr message = {
        .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t got;
    do
        got = recvmsg(sandbox->socket_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN)
        return 0;
    if (got != (ssize_t)sizeof *notice)
        return -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS && sandbox->diag_fd < 0)
        memcpy(&sandbox->diag_fd, CMSG_DATA(header), sizeof sandbox->diag_fd);
    return 1;
}

static void supervisor_gone(struct tf_sandbox *sandbox)
{
    sandbox->stopped = true;
    uv_poll_stop(&sandbox->poll);
    uv_timer_start(&sandbox->later, on_later, 0, 0);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct tf_sandbox *sandbox = poll->data;
    struct tf_notice notice;
    int got;
    dispatch_queue(sandbox);
    while (!sandbox->stopped && (got = receive(sandbox, &notice)) != 0) {
        if (got < 0)
            supervisor_gone(sandbox);
        else
            dispatch(sandbox, &notice);
    }
}

static void enqueue(struct tf_sandbox *sandbox, const struct tf_notice *notice)
{
    struct queued *queued = malloc(sizeof *queued);
    if (!queued)
        return;
    *queued = (struct queued){NULL, *notice};
    *sandbox->queue_end = queued;
    sandbox->queue_end = &queued->next;
    uv_timer_start(&sandbox->later, on_later, 0, 0);
}

static int wait_for(struct tf_sandbox *sandbox, enum tf_notice_kind kind, struct tf_notice *answer,
                    struct tf_error *error)
{
    uint64_t end_ns = tf_clock_ns() + (uint64_t)ANSWER_MS * 1000000;
    for (;;) {
        int got = receive(sandbox, answer);
        if (got < 0) {
            supervisor_gone(sandbox);
            return tf_error_set(error, "the supervisor of the sandbox has ended");
        }
        if (got > 0 && answer->kind == (uint32_t)kind)
            return 0;
        if (got > 0) {
            enqueue(sandbox, answer);
            continue;
        }
        uint64_t now_ns = tf_clock_ns();
        if (now_ns >= end_ns)
            return tf_error_set(error, "the supervisor of the sandbox does not answer");
        struct pollfd fd = {.fd = sandbox->socket_fd, .events = POLLIN};
        poll(&fd, 1, (int)((end_ns - now_ns) / 1000000) + 1);
    }
}

int tf_sandbox_ask(struct tf_sandbox *sandbox, const struct tf_request *request, const int *fds, size_t count,
                   enum tf_notice_kind kind, struct tf_notice *answer, struct tf_error *error)
{
    if (sandbox->stopped)
        return tf_error_set(error, "the sandbox has been stopped");
    char control[CMSG_SPACE(4 * sizeof(int))] = {0};
    struct iovec bytes = {(void *)request, sizeof *request};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
    if (count > 0 && count <= 4) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, count * sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(sandbox->socket_fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return tf_error_errno(error, errno, "asking the supervisor of the sandbox");
    return answer ? wait_for(sandbox, kind, answer, error) : 0;
}

/* ---- start and stop ---- */

static int watch(struct tf_sandbox *sandbox, struct tf_error *error)
{
    int status = uv_poll_init(sandbox->loop, &sandbox->poll, sandbox->socket_fd);
    if (status)
        return tf_error_set(error, "watching the supervisor: %s", uv_strerror(status));
    uv_timer_init(sandbox->loop, &sandbox->later);
    sandbox->poll.data = sandbox->later.data = sandbox;
    sandbox->open_handles = 2;
    uv_poll_start(&sandbox->poll, UV_READABLE, on_readable);
    hold_loop(sandbox);
    return 0;
}

static int fork_supervisor(struct tf_sandbox *sandbox, struct tf_error *error)
{
    int pair[2];
    sigset_t all, mask;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return tf_error_errno(error, errno, "socketpair");
    /* Nothing may reach the child before it has its own ideas about signals. */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &mask);
    struct tf_supervisor_start start = {.kind = sandbox->kind,
                                        .interactive = sandbox->interactive,
                                        .socket_fd = pair[1],
                                        .tool = getpid(),
                                        .mask = &mask};
    /* Not fork(3), here and below: libuv has a handler there that closes and opens
     * descriptors by number. One thread, so nothing is locked. */
    sandbox->pid = _Fork();
    if (sandbox->pid == 0) {
        close(pair[0]);
        tf_supervisor_main(&start);
    }
    int saved = errno;
    sigprocmask(SIG_SETMASK, &mask, NULL);
    close(pair[1]);
    sandbox->socket_fd = pair[0];
    return sandbox->pid < 0 ? tf_error_errno(error, saved, "fork") : 0;
}

struct tf_sandbox *tf_sandbox_start(uv_loop_t *loop, enum tf_sandbox_kind kind, bool interactive,
                                    struct tf_error *error)
{
    struct tf_sandbox *sandbox = calloc(1, sizeof *sandbox);
    if (!sandbox) {
        tf_error_set(error, "out of memory");
        return NULL;
    }
    *sandbox = (struct tf_sandbox){.loop = loop,
                                   .kind = kind,
                                   .interactive = interactive,
                                   .pid = -1,
                                   .socket_fd = -1,
                                   .diag_fd = -1,
                                   .stop_ns = UINT64_MAX,
                                   .queue_end = &sandbox->queue};
    struct tf_notice ready;
    if (fork_supervisor(sandbox, error) || watch(sandbox, error) ||
        wait_for(sandbox, TF_NOTICE_READY, &ready, error))
        goto fail;
    if (ready.error) {
        tf_error_set(error, "%.160s", ready.failed);
        goto fail;
    }
    return sandbox;
fail:
    sandbox->stopped = true;
    tf_sandbox_free(sandbox);
    return NULL;
}

/* Waits for the supervisor's own end; it has nothing left to do. */
static void reap_supervisor(struct tf_sandbox *sandbox)
{
    if (sandbox->pid <= 0)
        return;
    for (int waited_ms = 0; waitpid(sandbox->pid, NULL, WNOHANG) == 0; waited_ms++) {
        if (waited_ms == 2000)
            kill(sandbox->pid, SIGKILL);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    sandbox->pid = -1;
}

int tf_sandbox_stop(struct tf_sandbox *sandbox, struct tf_error *error)
{
    int result = 0;
    if (!sandbox->stopped) {
        sandbox->stop_ns = tf_clock_ns();
        struct tf_request request = {.kind = TF_REQUEST_STOP};
        struct tf_notice notice;
        result = tf_sandbox_ask(sandbox, &request, NULL, 0, TF_NOTICE_STOPPED, &notice, error);
        if (result)
            kill(sandbox->pid, SIGKILL);
        else if (notice.left)
            result = tf_error_set(error, "%d process%s would not die", notice.left, notice.left == 1 ? "" : "es");
        sandbox->stopped = true;
        uv_poll_stop(&sandbox->poll);
    }
    dispatch_queue(sandbox);
    lose_programs(sandbox);
    hold_loop(sandbox);
    reap_supervisor(sandbox);
    return result;
}

static void on_closed(uv_handle_t *handle)
{
    struct tf_sandbox *sandbox = handle->data;
    if (--sandbox->open_handles == 0)
        free(sandbox);
}

void tf_sandbox_free(struct tf_sandbox *sandbox)
{
    if (!sandbox)
        return;
    if (sandbox->pid > 0 || sandbox->expected)
        tf_sandbox_stop(sandbox, NULL);
    while (sandbox->queue) {
        struct queued *next = sandbox->queue->next;
        free(sandbox->queue);
        sandbox->queue = next;
    }
    bool watched = sandbox->open_handles > 0;
    if (watched) {
        uv_close((uv_handle_t *)&sandbox->poll, on_closed);
        uv_close((uv_handle_t *)&sandbox->later, on_closed);
    }
    if (sandbox->socket_fd >= 0)
        close(sandbox->socket_fd);
    if (sandbox->diag_fd >= 0)
        close(sandbox->diag_fd);
    if (!watched)
        free(sandbox);
}

int tf_sandbox_sysctl(struct tf_sandbox *sandbox, const char *name, const char *value, struct tf_error *error)
{
    struct tf_request request = {.kind = TF_REQUEST_SYSCTL};
    struct tf_notice notice;
    if (sandbox->kind != TF_SANDBOX_PRIVATE)
        return tf_error_set(error, "sysctl %.100s: the host's are not touched; this needs a private network", name);
    if (strncmp(name, "net.", 4) || strlen(name) >= sizeof request.name || strlen(value) >= sizeof request.value)
        return tf_error_set(error, "sysctl %.100s: not a name under net.", name);
    snprintf(request.name, sizeof request.name, "%s", name);
    snprintf(request.value, sizeof request.value, "%s", value);
    if (tf_sandbox_ask(sandbox, &request, NULL, 0, TF_NOTICE_SYSCTL, &notice, error))
        return -1;
    return notice.error ? tf_error_errno(error, notice.error, "%.160s", notice.failed) : 0;
}
