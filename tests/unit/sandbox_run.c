#include "sandbox_run.h"

#include "unit.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int tf_unit_open(struct tf_unit_run *run, enum tf_sandbox_kind kind)
{
    memset(run, 0, sizeof *run);
    if (kind == TF_SANDBOX_PRIVATE && !tf_sandbox_probe()->private_network) {
        TF_CHECK(*tf_sandbox_probe()->why, "a refusal has a reason");
        return -1;
    }
    uv_loop_init(&run->loop);
    run->sandbox = tf_sandbox_start(&run->loop, kind, false, &run->error);
    TF_CHECK(run->sandbox, "the sandbox starts: %s", run->error.text);
    if (!run->sandbox)
        uv_loop_close(&run->loop);
    return run->sandbox ? 0 : -1;
}

static void drop_program(struct tf_unit_run *run)
{
    tf_program_free(run->program);
    free(run->out);
    free(run->err);
    run->program = NULL;
    run->out = run->err = NULL;
    run->ended = false;
}

static void on_exit_of_program(struct tf_program *program, void *data)
{
    struct tf_unit_run *run = data;
    size_t length;
    run->ended = true;
    run->result = *tf_program_result(program);
    run->out = tf_program_output(program, TF_STDOUT, &run->out_length);
    run->err = tf_program_output(program, TF_STDERR, &length);
    uv_stop(&run->loop);
}

int tf_unit_start(struct tf_unit_run *run, const char *script, const struct tf_program_options *options)
{
    char *argv[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};
    struct tf_program_options filled = {0};
    drop_program(run);
    if (options)
        filled = *options;
    if (!filled.path)
        filled.path = "/bin/sh";
    if (!filled.argv)
        filled.argv = argv;
    if (!filled.envp)
        filled.envp = environ;
    filled.capture = true;
    filled.on_exit = on_exit_of_program;
    filled.data = run;
    run->program = tf_program_start(run->sandbox, &filled, &run->error);
    return run->program ? 0 : -1;
}

static void on_time(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

void tf_unit_turn(struct tf_unit_run *run, uint64_t ms)
{
    uv_timer_t timer;
    uv_timer_init(&run->loop, &timer);
    uv_timer_start(&timer, on_time, ms, 0);
    uv_run(&run->loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&run->loop, UV_RUN_NOWAIT);
}

void tf_unit_says(struct tf_unit_run *run, const char *text)
{
    bool says = false;
    for (int turns = 0; turns < 2000 && !says && !run->ended; turns++) {
        size_t length;
        tf_unit_turn(run, 10);
        char *out = tf_program_output(run->program, TF_STDOUT, &length);
        says = out && strstr(out, text);
        free(out);
    }
    TF_CHECK(says, "the program says \"%s\"", text);
}

void tf_unit_wait(struct tf_unit_run *run)
{
    for (int turns = 0; turns < 4 && !run->ended; turns++)
        tf_unit_turn(run, 5000);
    TF_CHECK(run->ended, "the program ends");
}

void tf_unit_sh(struct tf_unit_run *run, const char *script, const struct tf_program_options *options)
{
    int started = tf_unit_start(run, script, options);
    TF_CHECK(started == 0, "it starts: %s", run->error.text);
    if (!started)
        tf_unit_wait(run);
}

void tf_unit_close(struct tf_unit_run *run)
{
    drop_program(run);
    tf_sandbox_free(run->sandbox);
    while (uv_run(&run->loop, UV_RUN_DEFAULT)) /* a uv_stop from outside the loop stops the next turn */
        ;
    TF_CHECK(uv_loop_close(&run->loop) == 0, "nothing is left open in the loop");
}

bool tf_unit_read_until(int fd, const char *wanted)
{
    char text[4096];
    size_t length = 0;
    for (int turns = 0; turns < 1000; turns++) {
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        if (poll(&readable, 1, 10) <= 0)
            continue;
        ssize_t got = read(fd, text + length, sizeof text - 1 - length);
        if (got == 0 && !*wanted)
            return true;
        length += got > 0 ? (size_t)got : 0;
        text[length] = 0;
        if (*wanted && strstr(text, wanted))
            return true;
        if (got <= 0)
            usleep(10000);
    }
    return false;
}
