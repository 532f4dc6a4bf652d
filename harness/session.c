#include "session.h"

#include "cmd.h"
#include "hands.h"
#include "judge.h"
#include "result.h"
#include "sandbox.h"
#include "session_dir.h"
#include "shim.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define GRACE_NS UINT64_C(2000000000)

struct tf_session {
    struct tf_session_options options;
    struct tf_session_dir dir;
    struct tf_preflight preflight;
    struct tf_collect *collect;
    char shim[4096];
    uv_loop_t loop;
    bool loop_open;
    struct tf_sandbox *sandbox;
    struct tf_program *program;
    uv_timer_t drain, for_timer;
    uv_poll_t signals;
    sigset_t old_mask;
    int signal_fd;
    struct tf_judge *judge;        /* NULL: not wanted */
    size_t found;                  /* how many findings were told */
    bool running, for_over, asked; /* asked: by a signal, to end */
    struct tf_error failure;       /* of the file of events: told at the end */
    bool failed;
};

const struct tf_preflight *tf_session_preflight(const struct tf_session *session)
{
    return &session->preflight;
}

struct tf_segment *tf_session_segment(const struct tf_session *session)
{
    return tf_collect_segment(session->collect);
}

static void on_event(void *data, enum tf_collect_what what, const struct tf_event *event)
{
    struct tf_session *session = data;
    if (session->judge)
        tf_judge_event(session->judge, what, event);
    if (session->options.on_event)
        session->options.on_event(session->options.data, what, event);
}

static void on_drained(void *data)
{
    const struct tf_session *session = data;
    if (session->options.on_drained)
        session->options.on_drained(session->options.data);
}

struct tf_session *tf_session_new(const struct tf_session_options *options, bool *usage,
                                  struct tf_error *error)
{
    struct tf_session *session = calloc(1, sizeof *session);
    *usage = false;
    if (!session) {
        tf_error_set(error, "out of memory");
        return NULL;
    }
    session->options = *options;
    session->signal_fd = -1;
    if (tf_preflight(options->argv[0], NULL, NULL, &session->preflight, error) ||
        tf_shim_find(session->shim, sizeof session->shim, error))
        goto fail;
    if (tf_session_dir_open(&session->dir, options->output, error)) {
        *usage = options->output != NULL;
        goto fail;
    }
    struct tf_collect_options collect = {.path = session->dir.segment,
                                         .plan = options->plan,
                                         .flags = TF_RUN_TRACE,
                                         .jsonl_path = options->output ? session->dir.jsonl : NULL,
                                         .blocked = options->blocked,
                                         .on_event = on_event,
                                         .on_drained = on_drained,
                                         .data = session};
    session->collect = tf_collect_open(&collect, error);
    if (!session->collect)
        goto fail;
    return session;
fail:
    tf_session_free(session);
    return NULL;
}

/* ---- while it runs ---- */

static void drain(struct tf_session *session)
{
    if (session->failed)
        tf_collect_drain(session->collect, NULL);
    else
        session->failed = tf_collect_drain(session->collect, &session->failure) < 0;
}

static void on_drain(uv_timer_t *timer)
{
    struct tf_session *session = timer->data;
    size_t count = 0;
    drain(session);
    if (!session->judge || !session->running)
        return;
    tf_judge_tick(session->judge, session->collect);
    tf_judge_findings(session->judge, &count);
    if (count == session->found)
        return;
    session->found = count;
    if (session->options.on_found)
        session->options.on_found(session->options.data);
    if (session->options.stop_when_hung) /* nothing else is found before the end */
        tf_program_stop(session->program, GRACE_NS);
}

static void before_end(struct tf_session *session)
{
    if (session->judge)
        tf_judge_before_end(session->judge);
}

static void on_for(uv_timer_t *timer)
{
    struct tf_session *session = timer->data;
    session->for_over = true;
    before_end(session);
    tf_program_stop(session->program, GRACE_NS);
}

/* Signals from the terminal have reached the command too, which is in the same
 * process group; those that somebody sent to this process are handed on. */
static void on_signal(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct tf_session *session = poll->data;
    struct signalfd_siginfo info;
    while (read(session->signal_fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo != SIGUSR1 && info.ssi_signo != SIGUSR2) {
            before_end(session);
            session->asked = true;
        }
        if (info.ssi_code != SI_KERNEL)
            tf_program_signal(session->program, (int)info.ssi_signo, NULL);
    }
}

static void on_ended(struct tf_program *program, void *data)
{
    (void)program;
    struct tf_session *session = data;
    if (session->judge)
        tf_judge_outlived(session->judge);
    session->running = false;
    uv_stop(&session->loop);
}

static int watch_signals(struct tf_session *session, struct tf_error *error)
{
    static const int handed_on[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof handed_on / sizeof *handed_on; i++) {
        struct sigaction action;
        if (!sigaction(handed_on[i], NULL, &action) && action.sa_handler != SIG_IGN)
            sigaddset(&set, handed_on[i]);
    }
    sigprocmask(SIG_BLOCK, &set, &session->old_mask);
    session->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (session->signal_fd < 0 || uv_poll_init(&session->loop, &session->signals, session->signal_fd))
        return tf_error_errno(error, errno, "watching signals");
    session->signals.data = session;
    uv_poll_start(&session->signals, UV_READABLE, on_signal);
    return 0;
}

static int judge_from_now(struct tf_session *session, struct tf_error *error)
{
    const char *slash = strrchr(session->options.argv[0], '/');
    struct tf_judge_options options = {.segment = tf_session_segment(session),
                                       .program = slash ? slash + 1 : session->options.argv[0],
                                       .binary = session->options.argv[0],
                                       .reproduce =
                                           session->options.reproduce ? session->options.reproduce : "",
                                       .serves_for_ever = session->options.for_ns != 0,
                                       .known = session->options.known,
                                       .sandbox = session->sandbox};
    session->judge = session->options.judge ? tf_judge_new(&options) : NULL;
    return session->options.judge && !session->judge ? tf_error_set(error, "out of memory") : 0;
}

static int start(struct tf_session *session, struct tf_error *error)
{
    const struct tf_session_options *options = &session->options;
    enum tf_sandbox_kind kind = options->sandbox ? TF_SANDBOX_PRIVATE : TF_SANDBOX_HOST;
    struct tf_shim_environment settings = {
        .shim_path = session->shim, .segment_path = session->dir.segment, .control = options->control};
    session->sandbox = tf_sandbox_start(&session->loop, kind, true, error);
    if (!session->sandbox && options->sandbox && !tf_sandbox_probe()->private_network)
        return tf_error_set(error,
                            "--sandbox: no private network: %s (tcpfault doctor says what would change that)",
                            tf_sandbox_probe()->why);
    if (!session->sandbox)
        return -1;
    /* Only now: the command starts with the mask that we were started with. */
    if (watch_signals(session, error))
        return -1;
    if (tf_hands_start(session->sandbox, tf_session_segment(session), session->dir.segment, error))
        return -1;
    if (judge_from_now(session, error))
        return -1;
    char **environment = tf_shim_environment(environ, &settings);
    if (!environment)
        return tf_error_set(error, "out of memory");
    struct tf_program_options program = {.path = session->preflight.path,
                                         .argv = options->argv,
                                         .envp = environment,
                                         .deadline_ns = options->timeout_ns,
                                         .on_exit = on_ended,
                                         .data = session};
    session->program = tf_program_start(session->sandbox, &program, error);
    free(environment);
    return session->program ? 0 : -1;
}

int tf_session_run(struct tf_session *session, struct tf_session_result *result, struct tf_error *error)
{
    struct tf_error stop_error;
    uv_loop_init(&session->loop);
    session->loop_open = true;
    uv_timer_init(&session->loop, &session->drain);
    uv_timer_init(&session->loop, &session->for_timer);
    session->drain.data = session->for_timer.data = session;
    int status = start(session, error);
    if (!status) {
        session->running = true;
        uv_timer_start(&session->drain, on_drain, TF_COLLECT_DRAIN_MS, TF_COLLECT_DRAIN_MS);
        if (session->options.for_ns)
            uv_timer_start(&session->for_timer, on_for, (session->options.for_ns + 999999) / 1000000, 0);
        while (session->running)
            uv_run(&session->loop, UV_RUN_DEFAULT);
        *result = (struct tf_session_result){.program = *tf_program_result(session->program),
                                             .ended_by_for = session->for_over};
        /* The events of what was still alive belong to the run, too. */
        drain(session);
    }
    if (session->sandbox && tf_sandbox_stop(session->sandbox, &stop_error) && !status) {
        *error = stop_error;
        status = -1;
    }
    uint32_t pid = session->program ? (uint32_t)tf_program_inner_pid(session->program) : 0;
    if (!session->failed)
        session->failed = tf_collect_finish(session->collect, &session->failure) < 0;
    result->processes = tf_collect_processes(session->collect);
    result->lost = tf_collect_lost(session->collect);
    if (!status && session->judge) {
        struct tf_judge_end end = {.result = &result->program,
                                   .pid = pid,
                                   .stopped = result->ended_by_for || session->asked ||
                                              result->program.stopped || result->program.deadline};
        if (tf_judge_finish(session->judge, &end))
            status = tf_error_set(error, "out of memory: findings are missing");
    }
    if (!status && session->failed) {
        *error = session->failure;
        status = -1;
    }
    return status;
}

const struct tf_finding *tf_session_findings(const struct tf_session *session, size_t *count)
{
    *count = 0;
    return session->judge ? tf_judge_findings(session->judge, count) : NULL;
}

int tf_session_record(const struct tf_session *session, const char *command, int status,
                      struct tf_error *error)
{
    const struct tf_plan *plan = session->options.plan;
    if (!session->options.output)
        return 0;
    json_t *words = json_array(), *rules = json_array();
    for (char *const *word = session->options.argv; *word; word++)
        json_array_append_new(words, tf_text_json(*word));
    for (uint32_t i = 0; i < plan->rules; i++) {
        const struct tf_rule_state *state = &tf_session_segment(session)->state[i];
        json_array_append_new(rules,
                              json_pack("{s:o, s:I, s:I, s:I}", "text", tf_text_json(plan->rule[i].text),
                                        "counted", (json_int_t)atomic_load(&state->counted), "fired",
                                        (json_int_t)atomic_load(&state->fired), "undelivered",
                                        (json_int_t)atomic_load(&state->undelivered)));
    }
    size_t count;
    const struct tf_finding *finding = tf_session_findings(session, &count);
    json_t *findings = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(findings, tf_finding_json(&finding[i]));
    json_t *run = json_pack("{s:s, s:s, s:o, s:o, s:I, s:o, s:o}", "tcpfault", TF_VERSION, "subcommand",
                            command, "command", words, "rules", rules, "seed", (json_int_t)plan->seed,
                            "status", status < 0 ? json_null() : json_integer(status), "findings", findings);
    int result = tf_session_dir_write(&session->dir, run, error);
    json_decref(run);
    return result;
}

static void on_closed(uv_handle_t *handle)
{
    (void)handle;
}

void tf_session_free(struct tf_session *session)
{
    if (!session)
        return;
    if (session->loop_open) {
        uv_close((uv_handle_t *)&session->drain, on_closed);
        uv_close((uv_handle_t *)&session->for_timer, on_closed);
        if (session->signals.data)
            uv_close((uv_handle_t *)&session->signals, on_closed);
        tf_program_free(session->program);
        tf_sandbox_free(session->sandbox);
        while (uv_run(&session->loop, UV_RUN_DEFAULT)) /* a uv_stop may be pending */
            ;
        uv_loop_close(&session->loop);
    }
    if (session->signal_fd >= 0) {
        close(session->signal_fd);
        sigprocmask(SIG_SETMASK, &session->old_mask, NULL);
    }
    tf_judge_free(session->judge);
    tf_collect_close(session->collect);
    tf_session_dir_close(&session->dir);
    free(session);
}
