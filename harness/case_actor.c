/* One program of a case, from when it is ready to its end. */
#include "case_run.h"
#include "case_verdict.h"
#include "segment.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- ready ---- */

/* Has its last start written it? */
static bool wrote(struct tf_running *running, enum tf_stream stream, const char *wanted, bool regex)
{
    struct tf_find find = {.text = (char *)wanted, .regex = true};
    const struct tf_seen *seen = &running->seen;
    size_t earlier = running->earlier[stream].length;
    tf_running_outputs(running);
    const char *text = stream == TF_STDOUT ? seen->out : seen->err;
    size_t length = stream == TF_STDOUT ? seen->out_length : seen->err_length;
    if (text == NULL || length < earlier)
        return false;
    return regex ? tf_find_holds(&find, text + earlier, length - earlier, NULL)
                 : memmem(text + earlier, length - earlier, wanted, strlen(wanted)) != NULL;
}

static bool is_ready(struct tf_case_run *run, const void *data)
{
    struct tf_running *running = (struct tf_running *)data;
    const struct tf_actor *actor = running->actor;
    struct stat status;
    char *path;
    bool there;
    switch (actor->ready) {
    case TF_READY_LISTEN:
        return tf_running_listens(running);
    case TF_READY_STDOUT:
        return wrote(running, TF_STDOUT, actor->ready_text, true);
    case TF_READY_STDERR:
        return wrote(running, TF_STDERR, actor->ready_text, true);
    case TF_READY_TEXT:
        return tf_running_listens(running) && (wrote(running, TF_STDERR, actor->ready_text, false) ||
                                               wrote(running, TF_STDOUT, actor->ready_text, false));
    case TF_READY_FILE:
        if (asprintf(&path, "%s/%s", run->dir, actor->ready_text) < 0)
            return false;
        there = stat(path, &status) == 0;
        free(path);
        return there;
    default:
        return true;
    }
}

static bool is_ready_or_over(struct tf_case_run *run, const void *data)
{
    const struct tf_running *running = data;
    bool ended = running->ended; /* what it did before it ended has been seen after this */
    if (is_ready(run, data))
        return true;
    return ended && !(tf_running_daemon(running) && tf_running_all(running, 0) > 0);
}

static bool may_end_early(const struct tf_running *running)
{
    const struct tf_expect *expect = &running->run->one->expect[running - running->run->running];
    return tf_outcome_may_end(expect) || expect->exit_count > 0 || expect->exit_any || expect->signal != 0 ||
           (expect->says_alive && !expect->alive);
}

void tf_running_start(struct tf_running *running)
{
    static const char *const what[] = {[TF_READY_LISTEN] = "to listen",
                                       [TF_READY_STDOUT] = "the text on stdout that says it is ready",
                                       [TF_READY_STDERR] = "the text on stderr that says it is ready",
                                       [TF_READY_FILE] = "the file that says it is ready",
                                       [TF_READY_TEXT] = "to listen, and to write its text"};
    struct tf_case_run *run = running->run;
    const struct tf_actor *actor = running->actor;
    struct tf_error error = {.text = "out of memory"};
    if (run->over)
        return;
    if (tf_running_launch(running, &error) != 0) {
        tf_case_fail(run, true, actor->name, "start", "the program to start", error.text);
        return;
    }
    if (actor->ready == TF_READY_NONE || actor->ready == TF_READY_DEFAULT)
        return;
    bool held = tf_case_until(run, is_ready_or_over, running, run->deadline_ns);
    if (held && (is_ready(run, running) || may_end_early(running)))
        return;
    char got[128] = "not until the deadline";
    if (running->ended)
        tf_program_describe(&running->seen.end, got, sizeof(got));
    running->never_ready = true;
    /* Without the shim in it there is nothing to blame the program for. */
    bool blind = running->collect != NULL && tf_collect_processes(running->collect) == 0;
    tf_case_fail(run, blind, actor->name, blind ? "shim" : "ready", what[actor->ready],
                 blind ? "the shim did not load in it: its calls were not seen" : got);
}

/* ---- end ---- */

bool tf_running_alive(const struct tf_running *running)
{
    if (running->program == NULL || !running->ended)
        return running->program != NULL;
    return tf_running_serves(running);
}

struct group {
    struct tf_running *const *list;
    size_t count;
};

static bool all_ended(struct tf_case_run *run, const void *data)
{
    const struct group *group = data;
    (void)run;
    for (size_t i = 0; i < group->count; i++)
        if (tf_running_alive(group->list[i]))
            return false;
    return true;
}

void tf_running_stop(struct tf_case_run *run, struct tf_running *const *list, size_t count)
{
    struct group group = {list, count};
    for (size_t i = 0; i < count; i++) {
        struct tf_running *running = list[i];
        if (!tf_running_alive(running))
            continue;
        running->seen.stopping = true;
        if (running->judge != NULL)
            tf_judge_before_end(running->judge);
        running->seen.signalled |= UINT64_C(1) << running->actor->stop;
        if (running->ended)
            tf_running_all(running, running->seen.hung ? SIGKILL : running->actor->stop);
        else if (running->seen.hung)
            tf_program_stop(running->program, 0);
        else if (running->actor->stop == SIGTERM)
            tf_program_stop(running->program, TF_GRACE_S * TF_SECOND_NS);
        else
            tf_program_signal(running->program, running->actor->stop, NULL);
    }
    if (tf_case_until(run, all_ended, &group, tf_case_now() + TF_GRACE_S * TF_SECOND_NS))
        return;
    for (size_t i = 0; i < count; i++) {
        if (!tf_running_alive(list[i]))
            continue;
        char note[160];
        snprintf(note, sizeof(note), "%s still ran %d s after its stop signal, and was killed",
                 list[i]->actor->name, TF_GRACE_S);
        tf_result_note(run->result, note);
        if (list[i]->ended)
            tf_running_all(list[i], SIGKILL);
        else
            tf_program_stop(list[i]->program, 0);
    }
    tf_case_until(run, all_ended, &group, tf_case_now() + 5 * TF_SECOND_NS);
}

/* What earlier starts wrote stands before what this one wrote. */
static void take_output(const struct tf_running *running, enum tf_stream stream, char **text, size_t *length,
                        uint64_t *bytes)
{
    const struct tf_earlier *earlier = &running->earlier[stream];
    size_t now = 0;
    char *written = tf_program_output(running->program, stream, &now);
    char *all = malloc(earlier->length + now + 1);
    free(*text);
    *text = all;
    *length = all != NULL ? earlier->length + now : 0;
    *bytes = earlier->bytes + tf_program_output_bytes(running->program, stream);
    if (all != NULL) {
        memcpy(all, earlier->text != NULL ? earlier->text : "", earlier->length);
        memcpy(all + earlier->length, written != NULL ? written : "", now);
        all[*length] = '\0';
    }
    free(written);
}

void tf_running_outputs(struct tf_running *running)
{
    struct tf_seen *seen = &running->seen;
    if (running->program == NULL)
        return;
    take_output(running, TF_STDOUT, &seen->out, &seen->out_length, &seen->out_bytes);
    take_output(running, TF_STDERR, &seen->err, &seen->err_length, &seen->err_bytes);
}

/* Keeps the end of what was written so far, and lets go of the program. */
static void keep_output(struct tf_earlier *earlier, char **text, size_t length, uint64_t bytes)
{
    size_t kept = length < 2 * TF_OUTPUT_KEPT ? length : 2 * TF_OUTPUT_KEPT;
    free(earlier->text);
    *earlier = (struct tf_earlier){.text = *text, .length = kept, .bytes = bytes};
    if (*text != NULL)
        memmove(*text, *text + length - kept, kept);
    else
        earlier->length = 0;
    *text = NULL;
}

void tf_running_forget(struct tf_running *running)
{
    struct tf_seen *seen = &running->seen;
    tf_running_outputs(running);
    keep_output(&running->earlier[TF_STDOUT], &seen->out, seen->out_length, seen->out_bytes);
    keep_output(&running->earlier[TF_STDERR], &seen->err, seen->err_length, seen->err_bytes);
    tf_program_free(running->program);
    running->program = NULL;
    seen->stopping = false;
    seen->signalled = 0;
    memset(&seen->end, 0, sizeof(seen->end));
}

void tf_running_finish(struct tf_running *running)
{
    struct tf_error error;
    tf_running_outputs(running);
    running->seen.timeout_ns = running->run->options->timeout_ns;
    if (running->program != NULL)
        running->seen.end = *tf_program_result(running->program);
    if (running->collect == NULL)
        return;
    tf_collect_finish(running->collect, &error);
    if (running->judge != NULL && running->program != NULL)
        tf_running_judge(running);
    running->seen.attached = tf_collect_processes(running->collect) > 0;
    running->seen.tcp.known &= running->seen.attached && tf_collect_lost(running->collect) == 0;
    running->seen.rules = running->actor->faults_count;
    struct tf_segment *segment = tf_collect_segment(running->collect);
    for (uint32_t i = 0; i < running->seen.rules; i++) {
        struct tf_rule_seen *rule = &running->seen.rule[i];
        rule->counted = atomic_load(&segment->state[i].counted);
        rule->fired = atomic_load(&segment->state[i].fired);
        rule->undelivered = atomic_load(&segment->state[i].undelivered);
        rule->reason = atomic_load(&segment->state[i].reason);
    }
    if (tf_collect_lost(running->collect) > 0) {
        char note[160];
        snprintf(note, sizeof(note), "%s: %llu events came too fast to be recorded", running->actor->name,
                 (unsigned long long)tf_collect_lost(running->collect));
        tf_result_note(running->run->result, note);
    }
}

void tf_running_fini(struct tf_running *running)
{
    char *segment;
    if (running->actor == NULL)
        return;
    tf_program_free(running->program);
    tf_judge_free(running->judge);
    free(running->allow);
    tf_collect_close(running->collect);
    running->starts = 0;
    segment = tf_running_file(running, "segment");
    if (segment != NULL)
        unlink(segment);
    free(segment);
    free(running->earlier[TF_STDOUT].text);
    free(running->earlier[TF_STDERR].text);
    free(running->seen.out);
    free(running->seen.err);
    free(running->seen.watches);
    free(running->command);
    free(running->observed);
    free(running->nofile);
}
