#include "launch.h"

#include "capture.h"
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct tf_program {
    struct tf_sandbox *sandbox;
    uint32_t id;
    bool captures;
    pid_t pid, inner_pid;
    struct tf_program_result result;
    struct tf_capture output[2]; /* by enum tf_stream */
    uv_timer_t deadline, grace;
    int closing; /* parts that are still to be closed before this can go */
    void (*on_exit)(struct tf_program *program, void *data);
    void *data;
};

/* ---- the start ---- */

/* Room for a growing memfd: the strings of struct tf_spawn. */
struct strings {
    FILE *stream;
    struct tf_spawn head;
};

static void add(struct strings *strings, const char *word)
{
    size_t length = strlen(word) + 1;
    fwrite(word, 1, length, strings->stream);
    strings->head.bytes += length;
}

/* The command as a memfd: an environment can be larger than a packet. -1 with errno. */
static int serialise(const struct tf_program_options *options)
{
    int fd = memfd_create("tcpfault-command", MFD_CLOEXEC);
    int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
    struct strings strings = {.stream = copy >= 0 ? fdopen(copy, "w") : NULL};
    if (!strings.stream) {
        if (copy >= 0)
            close(copy);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    fwrite(&strings.head, sizeof strings.head, 1, strings.stream);
    add(&strings, options->path);
    add(&strings, options->cwd ? options->cwd : "");
    for (; options->argv[strings.head.arguments]; strings.head.arguments++)
        add(&strings, options->argv[strings.head.arguments]);
    for (; options->envp[strings.head.variables]; strings.head.variables++)
        add(&strings, options->envp[strings.head.variables]);
    rewind(strings.stream);
    fwrite(&strings.head, sizeof strings.head, 1, strings.stream);
    if (fclose(strings.stream)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Fills std[3] with descriptors to send; those that were opened for it are also in
 * owned[3], else -1. */
static int open_std(struct tf_program *program, const struct tf_program_options *options, int *std,
                    int *owned, struct tf_error *error)
{
    if (!options->capture) {
        for (int i = 0; i < 3; i++)
            std[i] = fcntl(i, F_GETFD) == 0 ? i : -1; /* close-on-exec: not the caller's own */
        return 0;
    }
    uv_loop_t *loop = tf_sandbox_loop(program->sandbox);
    const char *input = options->stdin_path ? options->stdin_path : "/dev/null";
    std[0] = owned[0] = open(input, O_RDONLY | O_CLOEXEC);
    if (std[0] < 0)
        return tf_error_errno(error, errno, "opening %.300s", input);
    if (tf_capture_open(&program->output[TF_STDOUT], loop, options->stdout_path, &owned[1], error) ||
        tf_capture_open(&program->output[TF_STDERR], loop, options->stderr_path, &owned[2], error))
        return -1;
    std[1] = owned[1];
    std[2] = owned[2];
    return 0;
}

static int spawn(struct tf_program *program, const struct tf_program_options *options, const int *std,
                 struct tf_error *error)
{
    struct tf_request request = {.kind = TF_REQUEST_SPAWN, .id = program->id};
    struct tf_notice notice;
    int fds[4], count = 1;
    fds[0] = serialise(options);
    if (fds[0] < 0)
        return tf_error_errno(error, errno, "preparing the command");
    for (int i = 0; i < 3; i++) {
        request.has_std[i] = std[i] >= 0;
        if (std[i] >= 0)
            fds[count++] = std[i];
    }
    int result =
        tf_sandbox_ask(program->sandbox, &request, fds, (size_t)count, TF_NOTICE_SPAWNED, &notice, error);
    close(fds[0]);
    if (result)
        return -1;
    if (notice.error)
        return tf_error_errno(error, notice.error, "%.160s", notice.failed);
    program->pid = notice.pid;
    program->inner_pid = notice.inner_pid;
    program->result.started_ns = notice.started_ns;
    return 0;
}

/* ---- the end ---- */

static void on_exited(void *data, const struct tf_notice *notice)
{
    struct tf_program *program = data;
    struct tf_program_result *result = &program->result;
    program->id = 0;
    bool exited = WIFEXITED(notice->wait_status);
    result->end = exited ? TF_END_EXITED : TF_END_SIGNALED;
    result->status = exited ? WEXITSTATUS(notice->wait_status) : WTERMSIG(notice->wait_status);
    result->core_dumped = !exited && WCOREDUMP(notice->wait_status);
    result->stopped = result->stopped || notice->ended_ns > tf_sandbox_stop_ns(program->sandbox);
    result->ended_ns = notice->ended_ns;
    result->user_ns = notice->user_ns;
    result->system_ns = notice->system_ns;
    result->peak_bytes = notice->peak_bytes;
    uv_timer_stop(&program->deadline);
    uv_timer_stop(&program->grace);
    for (int i = 0; program->captures && i < 2; i++)
        tf_capture_flush(&program->output[i]);
    if (program->on_exit)
        program->on_exit(program, program->data);
}

static void kill_tree(struct tf_program *program)
{
    struct tf_request request = {.kind = TF_REQUEST_KILL, .id = program->id};
    if (program->id)
        tf_sandbox_ask(program->sandbox, &request, NULL, 0, 0, NULL, NULL);
}

static void on_deadline(uv_timer_t *timer)
{
    struct tf_program *program = timer->data;
    program->result.deadline = true;
    kill_tree(program);
}

static void on_grace(uv_timer_t *timer)
{
    kill_tree(timer->data);
}

/* Rounded up: never before its time. */
static uint64_t milliseconds(uint64_t ns)
{
    return (ns + 999999) / 1000000;
}

struct tf_program *tf_program_start(struct tf_sandbox *sandbox, const struct tf_program_options *options,
                                    struct tf_error *error)
{
    struct tf_program *program = calloc(1, sizeof *program);
    if (!program) {
        tf_error_set(error, "out of memory");
        return NULL;
    }
    program->sandbox = sandbox;
    program->captures = options->capture;
    program->on_exit = options->on_exit;
    program->data = options->data;
    for (int i = 0; i < 2; i++)
        program->output[i].fd = program->output[i].file_fd = -1;
    uv_timer_init(tf_sandbox_loop(sandbox), &program->deadline);
    uv_timer_init(tf_sandbox_loop(sandbox), &program->grace);
    program->deadline.data = program->grace.data = program;

    int std[3] = {-1, -1, -1}, owned[3] = {-1, -1, -1};
    int result = open_std(program, options, std, owned, error);
    if (!result && !(program->id = tf_sandbox_expect(sandbox, on_exited, program)))
        result = tf_error_set(error, "out of memory");
    if (!result)
        result = spawn(program, options, std, error);
    for (int i = 0; i < 3; i++) {
        if (owned[i] >= 0)
            close(owned[i]);
    }
    if (result) {
        tf_program_free(program);
        return NULL;
    }
    if (options->deadline_ns) {
        uv_update_time(tf_sandbox_loop(sandbox));
        uv_timer_start(&program->deadline, on_deadline, milliseconds(options->deadline_ns), 0);
    }
    return program;
}

int tf_program_signal(struct tf_program *program, int signal, struct tf_error *error)
{
    bool halts = signal == SIGSTOP || signal == SIGCONT;
    struct tf_request request = {.kind = TF_REQUEST_SIGNAL,
                                 .id = program->id,
                                 .signal = signal,
                                 .group = halts && !tf_sandbox_interactive(program->sandbox),
                                 .awaited = true};
    struct tf_notice answer;
    if (program->result.end != TF_END_RUNNING)
        return tf_error_errno(error, ESRCH, "signal %d", signal);
    return tf_sandbox_ask(program->sandbox, &request, NULL, 0, TF_NOTICE_SIGNALLED, &answer, error);
}

void tf_program_stop(struct tf_program *program, uint64_t grace_ns)
{
    if (program->result.end != TF_END_RUNNING)
        return;
    program->result.stopped = true;
    if (grace_ns == 0) {
        uv_timer_stop(&program->grace);
        kill_tree(program);
        return;
    }
    struct tf_request request = {.kind = TF_REQUEST_SIGNAL,
                                 .id = program->id,
                                 .signal = SIGTERM,
                                 .group = !tf_sandbox_interactive(program->sandbox)};
    tf_sandbox_ask(program->sandbox, &request, NULL, 0, 0, NULL, NULL);
    uint64_t grace_ms = milliseconds(grace_ns);
    if (!uv_is_active((uv_handle_t *)&program->grace) || uv_timer_get_due_in(&program->grace) > grace_ms) {
        uv_update_time(tf_sandbox_loop(program->sandbox));
        uv_timer_start(&program->grace, on_grace, grace_ms, 0);
    }
}

static void part_closed(void *data)
{
    struct tf_program *program = data;
    if (--program->closing == 0)
        free(program);
}

static void on_timer_closed(uv_handle_t *handle)
{
    part_closed(handle->data);
}

void tf_program_free(struct tf_program *program)
{
    if (!program)
        return;
    if (program->id) {
        kill_tree(program);
        tf_sandbox_forget(program->sandbox, program->id);
    }
    program->closing = 4;
    uv_close((uv_handle_t *)&program->deadline, on_timer_closed);
    uv_close((uv_handle_t *)&program->grace, on_timer_closed);
    for (int i = 0; i < 2; i++)
        tf_capture_close(&program->output[i], part_closed, program);
}

/* ---- what came of it ---- */

const struct tf_program_result *tf_program_result(const struct tf_program *program)
{
    return &program->result;
}

int tf_program_shell_status(const struct tf_program_result *result)
{
    return result->end == TF_END_SIGNALED ? 128 + result->status : result->status;
}

void tf_program_describe(const struct tf_program_result *result, char *out, size_t size)
{
    if (result->end == TF_END_RUNNING) {
        snprintf(out, size, "is running");
    } else if (result->end == TF_END_EXITED) {
        snprintf(out, size, "exited with status %d", result->status);
    } else {
        const char *name = sigabbrev_np(result->status), *core = result->core_dumped ? " (core dumped)" : "";
        if (name)
            snprintf(out, size, "was killed by SIG%s%s", name, core);
        else
            snprintf(out, size, "was killed by signal %d%s", result->status, core);
    }
}

pid_t tf_program_pid(const struct tf_program *program)
{
    return program->pid;
}

pid_t tf_program_inner_pid(const struct tf_program *program)
{
    return program->inner_pid;
}

char *tf_program_output(const struct tf_program *program, enum tf_stream stream, size_t *length)
{
    return tf_capture_text(&program->output[stream], length);
}

uint64_t tf_program_output_bytes(const struct tf_program *program, enum tf_stream stream)
{
    return program->output[stream].bytes;
}
