#include "sandbox.h"

#include "sandbox_link.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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
    if (fork_supervisor(sandbox, error) || tf_sandbox_watch(sandbox, error) ||
        tf_sandbox_wait_for(sandbox, TF_NOTICE_READY, &ready, error))
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
        struct tf_notice notice = {0};
        result = tf_sandbox_ask(sandbox, &request, NULL, 0, TF_NOTICE_STOPPED, &notice, error);
        if (result)
            kill(sandbox->pid, SIGKILL);
        else if (notice.left)
            result =
                tf_error_set(error, "%d process%s would not die", notice.left, notice.left == 1 ? "" : "es");
        sandbox->stopped = true;
        uv_poll_stop(&sandbox->poll);
    }
    tf_sandbox_finish_programs(sandbox);
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
        struct tf_queued *next = sandbox->queue->next;
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

static int make_sockets(struct tf_sandbox *sandbox, int family, int type, int *fds, size_t count,
                        struct tf_error *error)
{
    struct tf_request request = {
        .kind = TF_REQUEST_SOCKET, .family = family, .type = type, .count = (int32_t)count};
    struct tf_notice notice = {0};
    int result = tf_sandbox_ask(sandbox, &request, NULL, 0, TF_NOTICE_SOCKET, &notice, error);
    if (!result)
        result = tf_sandbox_wait_for(sandbox, TF_NOTICE_PASSED, &notice, error);
    size_t passed = sandbox->passed;
    sandbox->passed = 0;
    if (!result && !notice.error && passed == count) {
        memcpy(fds, sandbox->passed_fds, count * sizeof *fds);
        return 0;
    }
    for (size_t i = 0; i < passed; i++)
        close(sandbox->passed_fds[i]);
    if (result)
        return -1;
    /* unix(7): what does not fit into this process's limit is left out. */
    return tf_error_errno(error, notice.error ? notice.error : EMFILE, "socket");
}

int tf_sandbox_sockets(struct tf_sandbox *sandbox, int family, int *fds, size_t count, struct tf_error *error)
{
    return make_sockets(sandbox, family, SOCK_STREAM, fds, count, error);
}

int tf_sandbox_raw_socket(struct tf_sandbox *sandbox, int family, struct tf_error *error)
{
    int fd = -1;
    if (sandbox->kind != TF_SANDBOX_PRIVATE)
        return tf_error_set(error, "a raw socket needs a private network");
    return make_sockets(sandbox, family, SOCK_RAW, &fd, 1, error) == 0 ? fd : -1;
}

int tf_sandbox_sysctl(struct tf_sandbox *sandbox, const char *name, const char *value, struct tf_error *error)
{
    struct tf_request request = {.kind = TF_REQUEST_SYSCTL};
    struct tf_notice notice = {0};
    if (sandbox->kind != TF_SANDBOX_PRIVATE)
        return tf_error_set(error, "sysctl %.100s: the host's are not touched; this needs a private network",
                            name);
    if (strncmp(name, "net.", 4) || strlen(name) >= sizeof request.name ||
        strlen(value) >= sizeof request.value)
        return tf_error_set(error, "sysctl %.100s: not a name under net.", name);
    snprintf(request.name, sizeof request.name, "%s", name);
    snprintf(request.value, sizeof request.value, "%s", value);
    if (tf_sandbox_ask(sandbox, &request, NULL, 0, TF_NOTICE_SYSCTL, &notice, error))
        return -1;
    return notice.error ? tf_error_errno(error, notice.error, "%.160s", notice.failed) : 0;
}
