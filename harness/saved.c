#include "saved.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int tf_saved_write(const char *directory, const struct tf_run *run, struct tf_error *error)
{
    char path[PATH_MAX], fresh[PATH_MAX + 8];
    snprintf(path, sizeof(path), "%s/run.json", directory);
    snprintf(fresh, sizeof(fresh), "%s.new", path);
    json_t *json = tf_run_json(run);
    int result = json == NULL || json_dump_file(json, fresh, JSON_INDENT(1)) != 0 || rename(fresh, path) != 0
                     ? tf_error_errno(error, errno, "writing %.300s", path)
                     : 0;
    json_decref(json);
    return result;
}

/* ---- reading ---- */

static int add(struct tf_saved *saved, const json_t *json, struct tf_error *error)
{
    struct tf_result *grown = realloc(saved->results, (saved->run.count + 1) * sizeof(*grown));
    if (grown == NULL)
        return tf_error_set(error, "out of memory");
    saved->run.results = saved->results = grown;
    if (tf_result_parse(&grown[saved->run.count], json, error) != 0)
        return -1;
    saved->run.counts[grown[saved->run.count++].status]++;
    return 0;
}

static int add_all(struct tf_saved *saved, const json_t *cases, struct tf_error *error)
{
    size_t i;
    json_t *each;
    json_array_foreach(cases, i, each)
    {
        struct tf_error why;
        if (add(saved, each, &why) != 0)
            return tf_error_set(error, "case %zu: %s", i + 1, why.text);
    }
    return 0;
}

/* The last line may be cut: the run was killed while it wrote. */
static int add_lines(struct tf_saved *saved, const char *directory, struct tf_error *error)
{
    char path[PATH_MAX], *line = NULL;
    size_t size = 0, number = 0;
    ssize_t length;
    int result = 0;
    snprintf(path, sizeof(path), "%s/results.jsonl", directory);
    FILE *file = fopen(path, "re");
    while (file != NULL && result == 0 && (length = getline(&line, &size, file)) > 0) {
        struct tf_error why;
        json_t *json = json_loadb(line, (size_t)length, 0, NULL);
        number++;
        if (json == NULL && line[length - 1] == '\n')
            result = tf_error_set(error, "%.300s:%zu: this is no JSON", path, number);
        else if (json != NULL && add(saved, json, &why) != 0)
            result = tf_error_set(error, "%.200s:%zu: %s", path, number, why.text);
        json_decref(json);
    }
    free(line);
    if (file != NULL)
        fclose(file);
    return result;
}

static uint64_t number(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

static char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    value = value != NULL ? value : "";
    return tf_text_clean(value, strlen(value), 4096, false);
}

static int take_run(struct tf_saved *saved, const json_t *json, const char *directory, struct tf_error *error)
{
    const json_t *cases = json_object_get(json, "cases");
    const char *seed = json_string_value(json_object_get(json, "seed"));
    if (!json_is_array(cases) || number(json, "version") != TF_RESULT_VERSION)
        return tf_error_set(error,
                            "not a run of version %d: expected an object with \"version\" and \"cases\"",
                            TF_RESULT_VERSION);
    saved->command = text(json, "command");
    saved->sandbox = text(json, "sandbox");
    saved->run.seed = seed != NULL ? strtoull(seed, NULL, 10) : 0;
    saved->run.started_realtime_ns = number(json, "started_ns");
    saved->run.duration_ns = number(json, "duration_ns");
    if (json_array_size(cases) > 0 || directory == NULL)
        return add_all(saved, cases, error);
    return add_lines(saved, directory, error);
}

static int take_session(struct tf_saved *saved, const json_t *json, const char *directory,
                        struct tf_error *error)
{
    saved->results = calloc(1, sizeof(*saved->results));
    if (saved->results == NULL)
        return tf_error_set(error, "out of memory");
    saved->run.results = saved->results;
    saved->run.count = 1;
    if (tf_saved_session(&saved->results[0], json, directory, error) != 0)
        return -1;
    saved->command = strdup(saved->results[0].reproduce);
    saved->sandbox = strdup("");
    saved->run.counts[saved->results[0].status]++;
    saved->run.seed = saved->results[0].seed;
    saved->run.started_realtime_ns = saved->results[0].started_realtime_ns;
    saved->run.duration_ns = saved->results[0].duration_ns;
    return 0;
}

int tf_saved_read(struct tf_saved *saved, const char *path, struct tf_error *error)
{
    char file[PATH_MAX];
    struct stat status;
    struct tf_error why;
    json_error_t wrong;
    memset(saved, 0, sizeof(*saved));
    if (stat(path, &status) != 0)
        return tf_error_errno(error, errno, "%.300s", path);
    bool directory = S_ISDIR(status.st_mode);
    if (snprintf(file, sizeof(file), directory ? "%s/run.json" : "%s", path) >= (int)sizeof(file) ||
        stat(file, &status) != 0)
        return tf_error_set(error,
                            "%.300s: there is no run.json in it: expected what --output of run, inject or "
                            "trace left, or a report of --format json",
                            path);
    json_t *json = json_load_file(file, 0, &wrong);
    if (json == NULL)
        return tf_error_set(error, "%.200s:%d:%d: %.160s", file, wrong.line, wrong.column, wrong.text);
    int result = json_object_get(json, "subcommand") != NULL
                     ? take_session(saved, json, directory ? path : NULL, &why)
                     : take_run(saved, json, directory ? path : NULL, &why);
    json_decref(json);
    saved->run.command = saved->command;
    saved->run.sandbox = saved->sandbox;
    if (result == 0)
        return 0;
    tf_saved_fini(saved);
    return tf_error_set(error, "%.200s: %.300s", file, why.text);
}

void tf_saved_fini(struct tf_saved *saved)
{
    for (size_t i = 0; i < saved->run.count; i++)
        tf_result_fini(&saved->results[i]);
    free(saved->results);
    free(saved->command);
    free(saved->sandbox);
    memset(saved, 0, sizeof(*saved));
}
