#include "case.h"

#include "case_run.h"
#include "case_verdict.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_PORT = 20000 }; /* in a network namespace of its own: below the ephemeral ones */

uint64_t tf_case_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * TF_SECOND_NS + (uint64_t)now.tv_nsec;
}

static uint64_t realtime(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * TF_SECOND_NS + (uint64_t)now.tv_nsec;
}

/* ---- helpers for others ---- */

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    remove(path);
    return 0;
}

void tf_remove_tree(const char *path)
{
    nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS);
}

static bool executable(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

int tf_case_which(const char *program, const char *cwd, const char *search, char *path, size_t size,
                  struct tf_error *error)
{
    if (strchr(program, '/') != NULL) {
        if (program[0] == '/' || cwd == NULL)
            snprintf(path, size, "%s", program);
        else
            snprintf(path, size, "%s/%s", cwd, program);
        return executable(path) ? 0 : tf_error_set(error, "%s: no such program", program);
    }
    if (search == NULL && (search = getenv("PATH")) == NULL)
        search = "/usr/local/bin:/usr/bin:/bin";
    for (const char *at = search;; at++) {
        size_t length = strcspn(at, ":");
        if (length == 0)
            snprintf(path, size, "%s/%s", cwd != NULL ? cwd : ".", program);
        else
            snprintf(path, size, "%.*s/%s", (int)length, at, program);
        if (executable(path))
            return 0;
        at += length;
        if (*at == '\0')
            return tf_error_set(error, "%s: no such program in PATH", program);
    }
}

/* ---- the loop ---- */

static void on_timer(uv_timer_t *timer)
{
    (void)timer; /* it only turns the loop */
}

static void drain(struct tf_case_run *run)
{
    struct tf_error error;
    for (uint32_t i = 0; i < run->one->actors; i++) {
        struct tf_running *running = &run->running[i];
        if (running->collect == NULL)
            continue;
        tf_collect_drain(running->collect, &error);
        if (running->judge != NULL && tf_running_alive(running))
            tf_judge_tick(running->judge, running->collect);
    }
}

/* How long this process, and those of the programs that still run, had no CPU. */
static uint64_t starved(const struct tf_case_run *run)
{
    uint64_t sum = tf_proc_queued_ns(getpid());
    for (uint32_t i = 0; i < run->one->actors; i++)
        if (run->running[i].program != NULL && tf_running_alive(&run->running[i]))
            sum += tf_proc_queued_ns(tf_program_pid(run->running[i].program));
    return sum;
}

/* On a machine that is busy with other things, a battery's programs have later what
 * they did not have in time: that one had no CPU is no bug of it. Has it moved? */
static bool put_off(struct tf_case_run *run)
{
    enum { TIMES = 2, MOST_S = 40 }; /* less than jobs.c waits for the case's process */
    uint64_t timeout_ns = run->options->timeout_ns, waited_ns = starved(run);
    uint64_t most_ns =
        TIMES * timeout_ns < MOST_S * TF_SECOND_NS ? TIMES * timeout_ns : MOST_S * TF_SECOND_NS;
    uint64_t until_ns = run->started_ns + timeout_ns + (waited_ns < most_ns ? waited_ns : most_ns);
    if (run->options->battery == NULL || until_ns <= tf_case_now())
        return false;
    run->deadline_ns = until_ns;
    return true;
}

bool tf_case_until(struct tf_case_run *run, bool (*holds)(struct tf_case_run *run, const void *data),
                   const void *data, uint64_t until_ns)
{
    for (;;) {
        drain(run);
        tf_held_expire(run);
        if (holds(run, data))
            return true;
        if (tf_case_now() >= until_ns) {
            if (until_ns != run->deadline_ns || !put_off(run))
                return false;
            until_ns = run->deadline_ns;
        }
        uv_run(&run->loop, UV_RUN_ONCE);
    }
}

void tf_case_fail(struct tf_case_run *run, bool broken, const char *program, const char *check,
                  const char *expected, const char *got)
{
    run->over = true;
    tf_result_failure(run->result, broken, program, check, expected, got);
}

/* ---- ports ---- */

static uint16_t port_named(void *data, const char *name)
{
    struct tf_case_run *run = data;
    struct tf_error error;
    for (size_t i = 0; i < run->ports_count; i++)
        if (strcmp(run->ports[i].name, name) == 0)
            return run->ports[i].port.number;
    if (run->ports_count == TF_SCENARIO_PORTS)
        return 0;
    struct tf_case_port *port = &run->ports[run->ports_count];
    snprintf(port->name, sizeof(port->name), "%s", name);
    const struct tf_case_battery *battery = run->options->battery;
    if (battery != NULL && battery->port != 0 && name[0] == '\0')
        port->port = (struct tf_port){.number = battery->port, .lock_fd = -1};
    else if (run->options->kind == TF_SANDBOX_PRIVATE)
        port->port = (struct tf_port){.number = (uint16_t)(FIRST_PORT + run->ports_count), .lock_fd = -1};
    else if (tf_port_reserve(&port->port, &error) != 0)
        return 0;
    run->ports_count++;
    return port->port.number;
}

static void release_ports(struct tf_case_run *run)
{
    for (size_t i = 0; i < run->ports_count; i++)
        if (run->ports[i].port.lock_fd >= 0)
            tf_port_release(&run->ports[i].port);
}

/* ---- setting up ---- */

static int open_files(struct tf_case_run *run, struct tf_error *error)
{
    char *events;
    if (asprintf(&run->dir, "%s/dir", run->options->directory) < 0) {
        run->dir = NULL;
        return tf_error_set(error, "out of memory");
    }
    if (mkdir(run->dir, 0755) != 0)
        return tf_error_errno(error, errno, "%s", run->dir);
    if (!run->options->events)
        return 0;
    if (asprintf(&events, "%s/events.jsonl", run->options->directory) < 0)
        return tf_error_set(error, "out of memory");
    run->events = fopen(events, "we");
    int result = run->events != NULL ? 0 : tf_error_errno(error, errno, "%s", events);
    free(events);
    return result;
}

static int set_sysctl(const struct tf_case_run *run, const struct tf_pair *setting, struct tf_error *error)
{
    struct tf_wrong wrong;
    char *value = tf_subst(setting->value, TF_SUBST_ALL, &run->values, NULL, &wrong);
    int status = value == NULL ? tf_error_set(error, "%s", wrong.message)
                               : tf_sandbox_sysctl(run->sandbox, setting->name, value, error);
    free(value);
    return status;
}

static int set_up(struct tf_case_run *run, struct tf_error *error)
{
    if (open_files(run, error) != 0)
        return -1;
    static const struct tf_case_battery none;
    const struct tf_case_battery *battery = run->options->battery != NULL ? run->options->battery : &none;
    run->values = (struct tf_values){.sent = battery->sent,
                                     .reply = battery->reply,
                                     .expect = battery->expect,
                                     .address = battery->address,
                                     .dir = run->dir,
                                     .fixtures = run->options->fixtures,
                                     .build = run->options->build,
                                     .port = port_named,
                                     .data = run};
    run->sandbox = tf_sandbox_start(&run->loop, run->options->kind, false, error);
    if (run->sandbox == NULL)
        return -1;
    for (uint32_t i = 0; i < run->one->sysctl_count; i++)
        if (set_sysctl(run, &run->one->sysctl[i], error) != 0)
            return -1;
    for (uint32_t i = 0; i < run->one->actors; i++)
        if (tf_running_prepare(run, i, error) != 0)
            return -1;
    return 0;
}

/* ---- judging ---- */

static char *calls_of(uint64_t set)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (int call = 0; out != NULL && call < TF_CALLS; call++)
        if (set & TF_BIT(call))
            fprintf(out, "%s%s", ftell(out) > 0 ? " " : "", tf_call_info[call].name);
    if (out != NULL)
        fclose(out);
    return text;
}

static void report_rules(const struct tf_running *running, struct tf_program_result_text *text)
{
    for (uint32_t i = 0; i < running->seen.rules; i++) {
        const struct tf_rule_seen *seen = &running->seen.rule[i];
        struct tf_rule_result *rule = tf_result_rule(text, running->actor->faults[i].text);
        if (rule == NULL)
            return;
        free(rule->calls);
        rule->calls = calls_of(seen->calls);
        rule->counted = seen->counted;
        rule->fired = seen->fired + seen->begun;
        rule->undelivered = seen->undelivered;
    }
}

static void report_program(struct tf_case_run *run, const struct tf_running *running)
{
    const struct tf_seen *seen = &running->seen;
    const struct tf_program_result *end = &seen->end;
    struct tf_program_result_text *text = tf_result_program(run->result);
    char how[128] = "was not started";
    if (text == NULL)
        return;
    if (seen->hung)
        snprintf(how, sizeof(how), "%s, and was killed",
                 seen->proven ? "would never have ended" : "still ran at the deadline");
    else if (seen->started)
        tf_program_describe(end, how, sizeof(how));
    bool own_signal =
        end->end == TF_END_SIGNALED && end->status != running->actor->stop && end->status != SIGKILL;
    if (!seen->hung && seen->stopping && !own_signal)
        snprintf(how + strlen(how), sizeof(how) - strlen(how), " (stopped)");
    text->name = strdup(running->actor->name);
    text->command =
        tf_text_clean(running->command != NULL ? running->command : "",
                      running->command != NULL ? strlen(running->command) : 0, TF_RESULT_VALUE, false);
    for (char *at = text->command; at != NULL && *at != '\0'; at++)
        *at = *at == '\n' ? ' ' : *at;
    text->end = strdup(how);
    text->ran_ns = end->ended_ns > end->started_ns ? end->ended_ns - end->started_ns : 0;
    for (uint32_t i = 0; i < seen->rules; i++)
        text->fired += seen->rule[i].fired + seen->rule[i].begun;
    text->out = tf_text_clean(seen->out != NULL ? seen->out : "", seen->out_length, TF_RESULT_OUTPUT, true);
    text->err = tf_text_clean(seen->err != NULL ? seen->err : "", seen->err_length, TF_RESULT_OUTPUT, true);
    text->out_bytes = seen->out_bytes;
    text->err_bytes = seen->err_bytes;
    text->tcp = seen->tcp;
    report_rules(running, text);
}

/* Of a case that was ended by one of its steps only what was seen by then counts. */
static void judge(struct tf_case_run *run)
{
    for (uint32_t i = 0; i < run->one->actors; i++) {
        struct tf_running *running = &run->running[i];
        if (!run->over)
            tf_expect_judge(run->one, i, &running->seen, &run->values, run->result);
        else if (running->seen.end.end == TF_END_SIGNALED && !running->seen.end.stopped &&
                 running->seen.started)
            tf_expect_judge_killed(run->one, i, &running->seen, run->result);
        report_program(run, running);
    }
}

static bool counts(const struct tf_result *result)
{
    for (size_t i = 0; i < result->findings_count; i++)
        if (tf_finding_counts(&result->findings[i]))
            return true;
    return false;
}

static void conclude(struct tf_result *result)
{
    const struct tf_failure *broken = NULL;
    for (size_t i = 0; i < result->failures_count && broken == NULL; i++)
        broken = result->failures[i].broken ? &result->failures[i] : NULL;
    if (result->status == TF_SKIPPED)
        return;
    result->status = broken != NULL                                 ? TF_BROKEN
                     : result->failures_count > 0 || counts(result) ? TF_FAILED
                                                                    : TF_HELD;
    if (broken == NULL)
        return;
    char *reason;
    if (asprintf(&reason, "%s%s%s: expected %s, got: %s", broken->program,
                 broken->program[0] != '\0' ? ": " : "", broken->check, broken->expected, broken->got) >= 0) {
        free(result->reason);
        result->reason = tf_text_clean(reason, strlen(reason), 500, false);
        for (char *at = result->reason; at != NULL && *at != '\0'; at++)
            *at = *at == '\n' ? ' ' : *at;
        free(reason);
    }
}

/* ---- the run ---- */

static void close_handle(uv_handle_t *handle, void *data)
{
    (void)data;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void tear_down(struct tf_case_run *run)
{
    tf_held_end(run);
    for (uint32_t i = 0; i < run->one->actors; i++)
        tf_running_fini(&run->running[i]);
    uv_run(&run->loop, UV_RUN_NOWAIT);
    tf_sandbox_free(run->sandbox);
    uv_close((uv_handle_t *)&run->timer, NULL);
    uv_run(&run->loop, UV_RUN_NOWAIT);
    if (uv_loop_close(&run->loop) != 0) {
        uv_walk(&run->loop, close_handle, NULL);
        uv_run(&run->loop, UV_RUN_NOWAIT);
        uv_loop_close(&run->loop);
    }
    release_ports(run);
    if (run->events != NULL)
        fclose(run->events);
    free(run->dir);
}

static void run_programs(struct tf_case_run *run)
{
    struct tf_error error = {.text = "out of memory"};
    uv_timer_init(&run->loop, &run->timer);
    uv_timer_start(&run->timer, on_timer, TF_TURN_MS, TF_TURN_MS);
    if (set_up(run, &error) != 0) {
        tf_case_fail(run, true, "", "setup", "the case to be set up", error.text);
    } else {
        run->started_ns = tf_case_now();
        run->deadline_ns = run->started_ns + run->options->timeout_ns;
        tf_case_steps(run);
    }
    for (uint32_t i = 0; i < run->one->actors; i++)
        if (run->running[i].judge != NULL)
            tf_judge_outlived(run->running[i].judge);
    if (run->sandbox != NULL && tf_sandbox_stop(run->sandbox, &error) != 0)
        tf_result_note(run->result, error.text);
    for (uint32_t i = 0; i < run->one->actors && run->sandbox != NULL; i++)
        if (run->running[i].actor != NULL)
            tf_running_finish(&run->running[i]);
    if (run->started_ns > 0)
        judge(run);
    if (run->options->usual != NULL)
        tf_case_take_usual(run);
    else if (run->started_ns > 0)
        tf_case_compare(run, run->result->failures_count == 0 && !counts(run->result));
    if (run->options->battery != NULL && run->options->battery->baseline == NULL)
        tf_case_observe(run);
    if (run->options->battery != NULL && run->options->battery->baseline != NULL)
        tf_case_verdict(run);
    else
        conclude(run->result);
    if (run->result->status != TF_HELD || run->result->findings_count > 0)
        tf_case_show(run);
}

void tf_case_run(const struct tf_case *one, const struct tf_case_options *options, struct tf_result *result)
{
    uint64_t begin = tf_case_now();
    struct tf_case_run *run = calloc(1, sizeof(*run));
    result->started_realtime_ns = realtime();
    if (run == NULL || uv_loop_init(&run->loop) != 0) {
        tf_result_failure(result, true, "", "setup", "the case to be set up", "out of memory");
        conclude(result);
        free(run);
        return;
    }
    run->one = one;
    run->options = options;
    run->result = result;
    if (tf_case_needs_met(run) && tf_case_applies(run)) {
        run_programs(run);
        tear_down(run);
    } else {
        if (options->battery != NULL && options->battery->baseline != NULL &&
            result->verdict == TF_NO_VERDICT)
            result->verdict = TF_NOT_TESTED;
        uv_loop_close(&run->loop);
    }
    result->duration_ns = tf_case_now() - begin;
    free(run);
}
