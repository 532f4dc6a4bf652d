#include "run_files.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILES_MAX = 10000, DEPTH_MAX = 16 };

struct search {
    struct tf_run_files *files;
    void (*wrong)(const char *line);
    bool failed;
};

static void complain(struct search *search, const struct tf_error *error)
{
    search->failed = true;
    search->wrong(error->text);
}

static void add_file(struct search *search, const char *path)
{
    struct tf_error error;
    struct tf_run_files *files = search->files;
    if (files->count == FILES_MAX) {
        tf_error_set(&error, "%s: more than %d files", path, FILES_MAX);
        complain(search, &error);
        return;
    }
    struct tf_scenario *scenario = tf_scenario_load(path, &error);
    struct tf_scenario **grown =
        scenario != NULL ? realloc(files->scenario, (files->count + 1) * sizeof(*grown)) : NULL;
    if (scenario == NULL) {
        complain(search, &error);
    } else if (scenario->battery != TF_PART_DEFAULT) {
        tf_error_set(
            &error,
            "%s: a battery, which runs with a command of yours: tcpfault check %s --battery %s -- COMMAND",
            path, scenario->battery == TF_PART_SERVER ? "server" : "client", path);
        complain(search, &error);
        tf_scenario_free(scenario);
        files->scenario = grown != NULL ? grown : files->scenario;
    } else if (grown == NULL) {
        tf_scenario_free(scenario);
        tf_error_set(&error, "%s: out of memory", path);
        complain(search, &error);
    } else {
        files->scenario = grown;
        grown[files->count++] = scenario;
    }
}

static bool is_yaml(const char *name)
{
    size_t length = strlen(name);
    return name[0] != '.' && length > 5 && strcmp(name + length - 5, ".yaml") == 0;
}

static void add_directory(struct search *search, const char *path, int depth)
{
    struct dirent **entries;
    struct tf_error error;
    int count = depth < DEPTH_MAX ? scandir(path, &entries, NULL, alphasort) : (errno = ELOOP, -1);
    if (count < 0) {
        tf_error_errno(&error, errno, "%s", path);
        complain(search, &error);
        return;
    }
    for (int i = 0; i < count; i++) {
        struct stat status;
        char *below = NULL;
        size_t slash = strlen(path);
        bool has_slash = slash > 0 && path[slash - 1] == '/';
        if (entries[i]->d_name[0] != '.' &&
            asprintf(&below, has_slash ? "%s%s" : "%s/%s", path, entries[i]->d_name) >= 0 &&
            lstat(below, &status) == 0) {
            if (S_ISDIR(status.st_mode))
                add_directory(search, below, depth + 1);
            else if (is_yaml(entries[i]->d_name))
                add_file(search, below);
        }
        free(below);
        free(entries[i]);
    }
    free(entries);
}

int tf_run_files_load(struct tf_run_files *files, char *const *paths, size_t count,
                      void (*wrong)(const char *line))
{
    struct search search = {.files = files, .wrong = wrong};
    *files = (struct tf_run_files){0};
    for (size_t i = 0; i < count; i++) {
        struct stat status;
        struct tf_error error;
        size_t before = files->count;
        if (stat(paths[i], &status) != 0) {
            tf_error_errno(&error, errno, "%s", paths[i]);
            complain(&search, &error);
        } else if (!S_ISDIR(status.st_mode)) {
            add_file(&search, paths[i]);
        } else {
            add_directory(&search, paths[i], 0);
            if (files->count == before && !search.failed) {
                tf_error_set(&error, "%s: no *.yaml in it", paths[i]);
                complain(&search, &error);
            }
        }
    }
    return search.failed ? -1 : 0;
}

void tf_run_files_fini(struct tf_run_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        tf_scenario_free(files->scenario[i]);
    free(files->scenario);
    *files = (struct tf_run_files){0};
}

bool tf_run_filter(const struct tf_case *one, const char *filter, bool exact)
{
    char *whole;
    bool meant;
    if (filter == NULL)
        return true;
    if (strncmp(filter, "tag:", 4) == 0) {
        for (uint32_t i = 0; i < one->tags_count; i++)
            if (strcmp(one->tags[i], filter + 4) == 0)
                return true;
        return false;
    }
    if (asprintf(&whole, "%s: %s", one->file->name, one->name) < 0)
        return false;
    if (exact)
        meant = strcmp(one->name, filter) == 0 || strcmp(whole, filter) == 0;
    else
        meant = strstr(whole, filter) != NULL ||
                (strpbrk(filter, "*?[") != NULL &&
                 (fnmatch(filter, one->name, 0) == 0 || fnmatch(filter, whole, 0) == 0));
    free(whole);
    return meant;
}
