/* Some runs without faults, at the same time, and what they tell. */
#include "battery_phase.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- running some ---- */

static const struct tf_case *case_of(const struct tf_scenario *scenario, const char *name)
{
    for (size_t i = 0; i < scenario->cases_count; i++)
        if (strcmp(scenario->cases[i].name, name) == 0)
            return &scenario->cases[i];
    return NULL;
}

void tf_phase_forget(struct tf_phase *phase)
{
    for (int i = 0; i < TF_PHASE; i++) {
        json_decref(phase->observed[i]);
        phase->observed[i] = NULL;
    }
    tf_run_free_jobs(&phase->jobs);
}

/* Cases of these names, at the same time. 0, the signal that ended them, or -1. */
int tf_phase_run(struct tf_phase *phase, const char *first, const char *second, struct tf_error *error)
{
    struct tf_check *check = phase->check;
    const char *names[TF_PHASE] = {first, second};
    char path[PATH_MAX + 16];
    tf_phase_forget(phase);
    phase->battery = check->known;
    phase->battery.id = "without-faults";
    phase->battery.reproduce = "";
    for (int i = 0; i < TF_PHASE && names[i] != NULL; i++) {
        char folder[64];
        snprintf(folder, sizeof(folder), "without-faults/%s", first);
        for (char *at = folder; *at != '\0'; at++)
            *at = *at == ' ' ? '-' : *at;
        if (i == 0)
            snprintf(path, sizeof(path), "%s/%s", check->run.directory, folder);
        if (i == 0 && mkdir(path, 0755) != 0)
            return tf_error_errno(error, errno, "%s", path);
        struct tf_job *job =
            tf_run_add_job(&check->run, &phase->jobs, folder, case_of(phase->scenario, names[i]),
                           check->run.seed, strdup(""), error);
        if (job == NULL)
            return -1;
        job->options.battery = &phase->battery;
        job->options.known = check->run.known;
    }
    strcat(path, "/results.jsonl");
    phase->jobs.results_path = path;
    phase->jobs.at_a_time = TF_PHASE;
    int ended = tf_jobs_run(&phase->jobs, error);
    phase->jobs.results_path = NULL;
    for (size_t i = 0; ended == 0 && i < phase->jobs.count; i++) {
        snprintf(path, sizeof(path), "%s/observed.json", phase->jobs.job[i].options.directory);
        phase->observed[i] = json_load_file(path, 0, NULL);
    }
    return ended;
}

/* ---- what came of it ---- */

static const struct tf_program_result_text *program_of(const struct tf_result *result, const char *name)
{
    for (size_t i = 0; i < result->programs_count; i++)
        if (strcmp(result->programs[i].name, name) == 0)
            return &result->programs[i];
    return NULL;
}

/* The last lines that a program wrote. */
static void tell(const struct tf_phase *phase, const char *text)
{
    enum { LINES = 6 };
    const char *at = text + strlen(text);
    for (int lines = 0; at > text && lines < LINES; at--)
        lines += at[-1] == '\n' && at[0] != '\0';
    while (*at == '\n')
        at++;
    while (*at != '\0') {
        size_t length = strcspn(at, "\n");
        char *line = strndup(at, length);
        if (line != NULL && phase->say != NULL)
            phase->say(line);
        free(line);
        at += length + (at[length] == '\n');
    }
}

int tf_phase_fails(const struct tf_phase *phase, size_t job, const char *program, const char *what,
                   struct tf_error *error)
{
    const struct tf_program_result_text *text = program_of(&phase->jobs.job[job].result, program);
    bool target = strcmp(program, tf_check_part(phase->check)) == 0;
    if (text != NULL)
        tell(phase, text->err[0] != '\0' ? text->err : text->out);
    return tf_error_set(error, "without faults, the %s (%.200s) %s: nothing was tried",
                        target ? program : "peer", text != NULL ? text->command : "", what);
}

/* How a program ended: exit status, or -1 with `how` filled. */
int tf_phase_status(const json_t *observed, const char *program, char *how, size_t size)
{
    const json_t *end = json_object_get(json_object_get(observed, "programs"), program);
    const json_t *status = json_object_get(end, "status");
    snprintf(how, size, "%s",
             end != NULL ? json_string_value(json_object_get(end, "how")) : "was not started");
    return json_is_integer(status) ? (int)json_integer_value(status) : -1;
}

/* For a client that fails: is it the server of the user's that is not ready yet? */
static const char *hint(const struct tf_check *check)
{
    bool users = check->part == TF_PART_SERVER || check->settings.peer != NULL;
    return users && check->settings.ready == NULL
               ? " (a server that listens before it can serve needs --ready)"
               : "";
}

/* The case ran, and its programs did what they are for. */
int tf_phase_check(const struct tf_phase *phase, size_t job, const char *const *clients,
                   struct tf_error *error)
{
    const struct tf_result *result = &phase->jobs.job[job].result;
    char how[200], what[256];
    for (size_t i = 0; i < result->failures_count; i++) {
        const struct tf_failure *failure = &result->failures[i];
        if (strcmp(failure->check, "ready") != 0)
            continue;
        snprintf(what, sizeof(what), "did not %s: %.150s",
                 phase->check->settings.ready != NULL ? "listen and write the text of --ready" : "listen",
                 failure->got);
        return tf_phase_fails(phase, job, failure->program, what, error);
    }
    if (result->status == TF_BROKEN || result->status == TF_SKIPPED)
        return tf_error_set(error, "without faults: %.400s", result->reason);
    tf_phase_status(phase->observed[job], "server", how, sizeof(how));
    if (phase->check->part == TF_PART_SERVER && strcmp(how, "ran to the end") != 0)
        return tf_phase_fails(phase, job, "server", how, error);
    for (; *clients != NULL; clients++) {
        int status = tf_phase_status(phase->observed[job], *clients, how, sizeof(how));
        if (status == 0)
            continue;
        snprintf(what, sizeof(what), "%.150s%s", how, hint(phase->check));
        return tf_phase_fails(phase, job, *clients, what, error);
    }
    return 0;
}

/* ---- learning ---- */

int tf_phase_learn(struct tf_usual *usual, const struct tf_job *job, const json_t *observed,
                   const char *program)
{
    static const char *const streams[] = {"stdout", "stderr"};
    struct tf_alike **alike[] = {&usual->out, &usual->err};
    char path[PATH_MAX + 80], how[200];
    struct tf_error error;
    for (int i = 0; i < 2; i++) {
        size_t size = 0;
        snprintf(path, sizeof(path), "%s/%s.%s", job->options.directory, program, streams[i]);
        char *text = tf_scenario_read(path, &size, &error);
        if (*alike[i] == NULL)
            *alike[i] = tf_alike_new();
        int learned = *alike[i] != NULL && text != NULL
                          ? tf_alike_learn(*alike[i], text, size, job->options.directory)
                          : -1;
        free(text);
        if (learned != 0)
            return -1;
    }
    usual->status = tf_phase_status(observed, program, how, sizeof(how));
    const struct tf_program_result_text *text = program_of(&job->result, program);
    if (text != NULL)
        tf_result_usual(&usual->told, usual->runs == 0, text->end, &text->tcp);
    usual->runs++;
    return 0;
}

/* ---- where, and how much ---- */

const json_t *tf_phase_place(const json_t *observed, bool listens, int port)
{
    const json_t *found = NULL;
    size_t i;
    json_t *place;
    json_array_foreach(json_object_get(observed, "places"), i, place)
    {
        bool v6 = strchr(json_string_value(json_object_get(place, "address")), ':') != NULL;
        if (json_is_true(json_object_get(place, "listens")) != listens ||
            (port != 0 && json_integer_value(json_object_get(place, "port")) != port))
            continue;
        if (found == NULL || !v6)
            found = place;
        if (!v6)
            break;
    }
    return found;
}

uint64_t tf_phase_bytes(const char *directory, const char *name)
{
    char path[PATH_MAX + 80];
    struct stat status;
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return stat(path, &status) == 0 ? (uint64_t)status.st_size : 0;
}
