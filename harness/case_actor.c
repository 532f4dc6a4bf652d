/* One program of a case, from its preparation to its end. */
#include "case_run.h"
#include "preflight.h"
#include "rule.h"
#include "segment.h"
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

/* A substituted copy; NULL with *error filled. */
static char *expand(const struct tf_case_run *run, const char *text, struct tf_error *error)
{
    struct tf_wrong wrong;
    char *copy = tf_subst(text, TF_SUBST_ALL, &run->values, NULL, &wrong);
    if (copy == NULL)
        tf_error_set(error, "%s", wrong.message);
    return copy;
}

static char *file_of(const struct tf_running *running, const char *suffix)
{
    char *path;
    int printed = running->starts > 1
                      ? asprintf(&path, "%s/%s.%u.%s", running->run->options->directory, running->actor->name,
                                 running->starts, suffix)
                      : asprintf(&path, "%s/%s.%s", running->run->options->directory, running->actor->name, suffix);
    return printed < 0 ? NULL : path;
}

/* ---- preparation ---- */

static int write_file(const char *path, const char *content, struct tf_error *error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    size_t length = strlen(content), done = 0;
    while (fd >= 0 && done < length) {
        ssize_t some = write(fd, content + done, length - done);
        if (some < 0 && errno != EINTR)
            break;
        done += some > 0 ? (size_t)some : 0;
    }
    int number = errno;
    bool written = fd >= 0 && done == length;
    if (fd >= 0)
        close(fd);
    return written ? 0 : tf_error_errno(error, number, "%s", path);
}

static int make_file(const struct tf_case_run *run, const struct tf_pair *file, struct tf_error *error)
{
    char *path, *content = expand(run, file->value, error);
    if (content == NULL)
        return -1;
    if (asprintf(&path, "%s/%s", run->dir, file->name) < 0) {
        free(content);
        return tf_error_set(error, "out of memory");
    }
    for (char *slash = strchr(path + strlen(run->dir) + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0755);
        *slash = '/';
    }
    int result = write_file(path, content, error);
    free(content);
    free(path);
    return result;
}

static int make_plan(const struct tf_running *running, struct tf_plan *plan, struct tf_error *error)
{
    plan->seed = running->run->options->seed;
    for (uint32_t i = 0; i < running->actor->faults_count; i++) {
        struct tf_rule_error wrong;
        char *text = expand(running->run, running->actor->faults[i].text, error);
        if (text == NULL)
            return -1;
        int result = tf_plan_add(plan, text, &wrong);
        free(text);
        if (result != 0)
            return tf_error_set(error, "%s: %s", running->actor->faults[i].text, wrong.message);
    }
    return 0;
}

static int open_collect(struct tf_running *running, struct tf_error *error)
{
    struct tf_plan *plan = calloc(1, sizeof(*plan));
    char *path = file_of(running, "segment");
    if (plan != NULL && path != NULL && make_plan(running, plan, error) == 0) {
        struct tf_collect_options options = {.path = path,
                                             .plan = plan,
                                             .flags = TF_RUN_TRACE,
                                             .on_event = tf_running_event,
                                             .data = running};
        running->collect = tf_collect_open(&options, error);
    }
    free(plan);
    free(path);
    if (running->collect == NULL)
        return -1;
    struct tf_segment *segment = tf_collect_segment(running->collect);
    for (uint32_t i = 0; i < running->actor->faults_count; i++)
        atomic_store(&segment->state[i].armed, running->actor->faults[i].armed);
    tf_segment_gate(segment);
    return 0;
}

int tf_running_prepare(struct tf_case_run *run, uint32_t at, struct tf_error *error)
{
    struct tf_running *running = &run->running[at];
    running->actor = &run->one->actor[at];
    running->run = run;
    error->text[0] = '\0';
    if (tf_running_watches(running, error) != 0)
        return -1;
    return running->actor->shim ? open_collect(running, error) : 0;
}

/* ---- start ---- */

static char **make_argv(const struct tf_running *running, struct tf_error *error)
{
    const struct tf_actor *actor = running->actor;
    char **argv = calloc((size_t)actor->run_count + 1, sizeof(*argv));
    for (uint32_t i = 0; argv != NULL && i < actor->run_count; i++)
        if ((argv[i] = expand(running->run, actor->run[i], error)) == NULL) {
            while (i-- > 0)
                free(argv[i]);
            free(argv);
            return NULL;
        }
    return argv;
}

static void free_strings(char **strings)
{
    for (size_t i = 0; strings != NULL && strings[i] != NULL; i++)
        free(strings[i]);
    free(strings);
}

/* Our environment without the variables that the program sets or removes. */
static char **base_environment(const struct tf_actor *actor)
{
    size_t count = 0, kept = 0;
    while (environ[count] != NULL)
        count++;
    char **base = calloc(count + 1, sizeof(*base));
    for (size_t i = 0; base != NULL && i < count; i++) {
        size_t length = strcspn(environ[i], "=");
        bool dropped = false;
        for (uint32_t j = 0; j < actor->env_count; j++)
            dropped |= strlen(actor->env[j].name) == length && strncmp(actor->env[j].name, environ[i], length) == 0;
        if (!dropped)
            base[kept++] = environ[i];
    }
    return base;
}

static char **make_extra(const struct tf_running *running, struct tf_error *error)
{
    const struct tf_actor *actor = running->actor;
    char **extra = calloc((size_t)actor->env_count + 1, sizeof(*extra));
    size_t count = 0;
    for (uint32_t i = 0; extra != NULL && i < actor->env_count; i++) {
        if (actor->env[i].value == NULL)
            continue;
        char *value = expand(running->run, actor->env[i].value, error);
        int printed = value != NULL ? asprintf(&extra[count], "%s=%s", actor->env[i].name, value) : -1;
        free(value);
        if (printed < 0) {
            extra[count] = NULL;
            free_strings(extra);
            return NULL;
        }
        count++;
    }
    return extra;
}

static char **make_environment(const struct tf_running *running, struct tf_error *error)
{
    char **base = base_environment(running->actor), **extra = make_extra(running, error), **all = NULL;
    char *segment = NULL;
    if (asprintf(&segment, "%s/%s.segment", running->run->options->directory, running->actor->name) < 0)
        segment = NULL;
    if (base != NULL && extra != NULL && segment != NULL) {
        bool shim = running->actor->shim;
        struct tf_shim_environment settings = {.shim_path = shim ? running->run->options->shim : NULL,
                                               .segment_path = shim ? segment : NULL,
                                               .extra = extra};
        all = tf_shim_environment(base, &settings);
    }
    free(base);
    free_strings(extra);
    free(segment);
    return all;
}

/* The PATH that the program is looked up in: its own, where it sets one. */
static const char *search_path(char *const *envp)
{
    for (size_t i = 0; envp[i] != NULL; i++)
        if (strncmp(envp[i], "PATH=", 5) == 0)
            return envp[i] + 5;
    return NULL;
}

static int find_program(struct tf_running *running, char *const *argv, char *const *envp, const char *cwd,
                        char *path, size_t size, struct tf_error *error)
{
    struct tf_preflight *found;
    if (!running->actor->shim)
        return tf_case_which(argv[0], cwd, search_path(envp), path, size, error);
    found = calloc(1, sizeof(*found));
    int result = found == NULL ? tf_error_set(error, "out of memory")
                               : tf_preflight(argv[0], cwd, search_path(envp), found, error);
    if (result == 0)
        snprintf(path, size, "%s", found->path);
    if (result == 0 && found->note[0] != '\0' && running->starts == 1)
        tf_result_note(running->run->result, found->note);
    free(found);
    return result;
}

static void on_exit_of(struct tf_program *program, void *data)
{
    struct tf_running *running = data;
    running->ended = true;
    running->seen.end = *tf_program_result(program);
}

static void quote(FILE *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%";
    if (word[0] != '\0' && strspn(word, plain) == strlen(word)) {
        fputs(word, out);
        return;
    }
    fputc('\'', out);
    for (; *word != '\0'; word++) {
        if (*word == '\'')
            fputs("'\\''", out);
        else
            fputc(*word, out);
    }
    fputc('\'', out);
}

static void remember_command(struct tf_running *running, char *const *argv)
{
    size_t size = 0;
    FILE *out = running->command == NULL ? open_memstream(&running->command, &size) : NULL;
    for (size_t i = 0; out != NULL && argv[i] != NULL; i++) {
        fputs(i > 0 ? " " : "", out);
        quote(out, argv[i]);
    }
    if (out != NULL)
        fclose(out);
}

static int launch(struct tf_running *running, char *const *argv, char *const *envp, const char *cwd,
                  struct tf_error *error)
{
    char path[PATH_MAX];
    if (find_program(running, argv, envp, cwd, path, sizeof(path), error) != 0)
        return -1;
    char *out = file_of(running, "stdout"), *err = file_of(running, "stderr"), *in = NULL;
    int result = 0;
    if (running->actor->stdin_text != NULL) {
        char *text = expand(running->run, running->actor->stdin_text, error);
        in = file_of(running, "stdin");
        result = text == NULL || in == NULL ? -1 : write_file(in, text, error);
        free(text);
    }
    struct tf_program_options options = {.path = path,
                                         .argv = argv,
                                         .envp = envp,
                                         .cwd = cwd,
                                         .capture = true,
                                         .stdin_path = in,
                                         .stdout_path = out,
                                         .stderr_path = err,
                                         .on_exit = on_exit_of,
                                         .data = running};
    if (result == 0) {
        running->ended = false;
        running->program = tf_program_start(running->run->sandbox, &options, error);
        result = running->program != NULL ? 0 : -1;
    }
    free(in);
    free(out);
    free(err);
    return result;
}

static char *working_directory(const struct tf_running *running, struct tf_error *error)
{
    if (running->actor->cwd == NULL)
        return strdup(running->run->dir);
    char *given = expand(running->run, running->actor->cwd, error), *path;
    if (given == NULL || given[0] == '/')
        return given;
    int printed = asprintf(&path, "%s/%s", running->run->dir, given);
    free(given);
    return printed < 0 ? NULL : path;
}

static int start(struct tf_running *running, struct tf_error *error)
{
    struct tf_case_run *run = running->run;
    int result = 0;
    running->starts++;
    running->listened = false;
    for (uint32_t i = 0; running->starts == 1 && result == 0 && i < running->actor->files_count; i++)
        result = make_file(run, &running->actor->files[i], error);
    char **argv = result == 0 ? make_argv(running, error) : NULL;
    char **envp = argv != NULL ? make_environment(running, error) : NULL;
    char *cwd = envp != NULL ? working_directory(running, error) : NULL;
    if (cwd != NULL) {
        remember_command(running, argv);
        result = launch(running, argv, envp, cwd, error);
    } else {
        result = -1;
    }
    free_strings(argv);
    free(envp);
    free(cwd);
    running->seen.started |= result == 0;
    return result;
}

/* ---- ready ---- */

static bool matches(const char *text, size_t length, const char *regex)
{
    struct tf_find find = {.text = (char *)regex, .regex = true};
    return text != NULL && tf_find_holds(&find, text, length, NULL);
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
    case TF_READY_STDERR:
        tf_running_outputs(running);
        return actor->ready == TF_READY_STDOUT
                   ? matches(running->seen.out, running->seen.out_length, actor->ready_text)
                   : matches(running->seen.err, running->seen.err_length, actor->ready_text);
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
    return is_ready(run, data) || ended;
}

static bool may_end_early(const struct tf_running *running)
{
    const struct tf_expect *expect = &running->run->one->expect[running - running->run->running];
    return expect->exit_count > 0 || expect->exit_any || expect->signal != 0 ||
           (expect->says_alive && !expect->alive);
}

void tf_running_start(struct tf_running *running)
{
    static const char *const what[] = {[TF_READY_LISTEN] = "to listen",
                                       [TF_READY_STDOUT] = "the text on stdout that says it is ready",
                                       [TF_READY_STDERR] = "the text on stderr that says it is ready",
                                       [TF_READY_FILE] = "the file that says it is ready"};
    struct tf_case_run *run = running->run;
    const struct tf_actor *actor = running->actor;
    struct tf_error error = {.text = "out of memory"};
    if (run->over)
        return;
    if (start(running, &error) != 0) {
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
    /* Without the shim in it there is nothing to blame the program for. */
    bool blind = running->collect != NULL && tf_collect_processes(running->collect) == 0;
    tf_case_fail(run, blind, actor->name, blind ? "shim" : "ready", what[actor->ready],
                 blind ? "the shim did not load in it: its calls were not seen" : got);
}

/* ---- end ---- */

bool tf_running_alive(const struct tf_running *running)
{
    return running->program != NULL && !running->ended;
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
        running->seen.signalled |= UINT64_C(1) << running->actor->stop;
        if (running->actor->stop == SIGTERM)
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
        snprintf(note, sizeof(note), "%s still ran %d s after its stop signal, and was killed", list[i]->actor->name,
                 TF_GRACE_S);
        tf_result_note(run->result, note);
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
    running->seen.attached = tf_collect_processes(running->collect) > 0;
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
    tf_collect_close(running->collect);
    running->starts = 0;
    segment = file_of(running, "segment");
    if (segment != NULL)
        unlink(segment);
    free(segment);
    free(running->earlier[TF_STDOUT].text);
    free(running->earlier[TF_STDERR].text);
    free(running->seen.out);
    free(running->seen.err);
    free(running->seen.watches);
    free(running->command);
}
