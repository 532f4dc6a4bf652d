/* One program of a case: its preparation, and its start. */
#include "case_run.h"
#include "hands.h"
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

/* A substituted copy; NULL with *error filled. */
static char *expand(const struct tf_case_run *run, const char *text, struct tf_error *error)
{
    struct tf_wrong wrong;
    char *copy = tf_subst(text, TF_SUBST_ALL, &run->values, NULL, &wrong);
    if (copy == NULL)
        tf_error_set(error, "%s", wrong.message);
    return copy;
}

char *tf_running_file(const struct tf_running *running, const char *suffix)
{
    char *path;
    int printed = running->starts > 1 ? asprintf(&path, "%s/%s.%u.%s", running->run->options->directory,
                                                 running->actor->name, running->starts, suffix)
                                      : asprintf(&path, "%s/%s.%s", running->run->options->directory,
                                                 running->actor->name, suffix);
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
    for (char *slash = strchr(path + strlen(run->dir) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
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
    char *path = tf_running_file(running, "segment");
    if (plan != NULL && path != NULL && make_plan(running, plan, error) == 0) {
        struct tf_collect_options options = {
            .path = path, .plan = plan, .flags = TF_RUN_TRACE, .on_event = tf_running_event, .data = running};
        running->collect = tf_collect_open(&options, error);
        running->seen.tcp.known = true;
    }
    free(plan);
    if (running->collect == NULL) {
        free(path);
        return -1;
    }
    if (tf_running_judge_from_now(running, error) != 0) {
        free(path);
        return -1;
    }
    struct tf_segment *segment = tf_collect_segment(running->collect);
    for (uint32_t i = 0; i < running->actor->faults_count; i++)
        atomic_store(&segment->state[i].armed,
                     running->actor->faults[i].armed && running->run->options->usual == NULL);
    tf_segment_gate(segment);
    int result = tf_hands_start(running->run->sandbox, segment, path, error);
    free(path);
    return result;
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
            dropped |=
                strlen(actor->env[j].name) == length && strncmp(actor->env[j].name, environ[i], length) == 0;
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
    if (!running->actor->shim)
        return tf_case_which(argv[0], cwd, search_path(envp), path, size, error);
    struct tf_preflight *found = calloc(1, sizeof(*found));
    if (found == NULL)
        return tf_error_set(error, "out of memory");
    int result = tf_preflight(argv[0], cwd, search_path(envp), found, error);
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
    char *out = tf_running_file(running, "stdout"), *err = tf_running_file(running, "stderr"), *in = NULL;
    int result = 0;
    if (running->actor->stdin_text != NULL) {
        char *text = expand(running->run, running->actor->stdin_text, error);
        in = tf_running_file(running, "stdin");
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
        running->pid = result == 0 ? (uint32_t)tf_program_inner_pid(running->program) : 0;
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

int tf_running_launch(struct tf_running *running, struct tf_error *error)
{
    struct tf_case_run *run = running->run;
    int result = 0;
    running->starts++;
    running->listened = running->never_ready = false;
    tf_proc_init(&running->proc, run->sandbox);
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
