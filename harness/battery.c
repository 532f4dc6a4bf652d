#include "battery.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- harness/battery/, in the executable: paths are relative to where make runs ---- */

#define BATTERY(number, path)                                                                                \
    __asm__(".pushsection .rodata\n.global tf_battery_" #number "\ntf_battery_" #number ":\n.incbin \"" path \
            "\"\n.byte 0\n.popsection\n");                                                                   \
    extern const char tf_battery_##number[];
#include "battery.inc"
#undef BATTERY

static const struct {
    const char *path, *text;
} files[] = {
#define BATTERY(number, path) {path, tf_battery_##number},
#include "battery.inc"
#undef BATTERY
    {NULL, NULL},
};

/* ---- loading ---- */

/* Takes the text. */
static int add(struct tf_batteries *batteries, int part, const char *path, char *text, size_t size,
               struct tf_error *error)
{
    struct tf_scenario *scenario = text != NULL ? tf_scenario_parse(path, text, size, error) : NULL;
    if (scenario == NULL) {
        free(text);
        return -1;
    }
    bool none = scenario->battery == TF_PART_DEFAULT;
    if (none || (part != TF_PART_DEFAULT && scenario->battery != part)) {
        tf_scenario_free(scenario);
        free(text);
        return none ? tf_error_set(error, "%s: no battery: it has no key \"battery\"", path) : 0;
    }
    if (batteries->count == TF_BATTERY_FILES) {
        tf_scenario_free(scenario);
        free(text);
        return tf_error_set(error, "%s: more than %d batteries", path, TF_BATTERY_FILES);
    }
    batteries->scenario[batteries->count] = scenario;
    batteries->text[batteries->count++] = text;
    return 0;
}

static int add_file(struct tf_batteries *batteries, int part, const char *path, struct tf_error *error)
{
    size_t size = 0;
    char *text = tf_scenario_read(path, &size, error);
    return add(batteries, part, path, text, size, error);
}

static int is_yaml(const struct dirent *entry)
{
    return fnmatch("*.yaml", entry->d_name, FNM_PERIOD) == 0;
}

static int add_path(struct tf_batteries *batteries, int part, const char *path, struct tf_error *error)
{
    struct stat status;
    struct dirent **entries;
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode))
        return add_file(batteries, part, path, error);
    int count = scandir(path, &entries, is_yaml, alphasort), result = 0;
    if (count < 0)
        return tf_error_errno(error, errno, "%s", path);
    if (count == 0)
        result = tf_error_set(error, "%s: no *.yaml in it", path);
    for (int i = 0; i < count; i++) {
        char *below;
        if (result == 0 && asprintf(&below, "%s/%s", path, entries[i]->d_name) >= 0) {
            result = add_file(batteries, part, below, error);
            free(below);
        }
        free(entries[i]);
    }
    free(entries);
    return result;
}

int tf_batteries_load(struct tf_batteries *batteries, int part, const struct tf_list *paths,
                      struct tf_error *error)
{
    *batteries = (struct tf_batteries){0};
    for (size_t i = 0; paths != NULL && i < paths->count; i++)
        if (add_path(batteries, part, paths->item[i], error) != 0)
            return -1;
    for (size_t i = 0; (paths == NULL || paths->count == 0) && files[i].path != NULL; i++)
        if (add(batteries, part, files[i].path, strdup(files[i].text), strlen(files[i].text), error) != 0)
            return -1;
    return 0;
}

void tf_batteries_fini(struct tf_batteries *batteries)
{
    for (size_t i = 0; i < batteries->count; i++) {
        tf_scenario_free(batteries->scenario[i]);
        free(batteries->text[i]);
    }
    *batteries = (struct tf_batteries){0};
}

/* ---- ids ---- */

void tf_battery_id(const struct tf_case *one, char out[TF_BATTERY_ID])
{
    snprintf(out, TF_BATTERY_ID, "%s/%.80s/%.80s", one->file->battery == TF_PART_SERVER ? "server" : "client",
             one->file->name, one->name);
}

static bool is_whole_id(const struct tf_batteries *batteries, const char *glob)
{
    char id[TF_BATTERY_ID];
    for (size_t i = 0; i < batteries->count; i++)
        for (size_t j = 0; j < batteries->scenario[i]->cases_count; j++) {
            tf_battery_id(&batteries->scenario[i]->cases[j], id);
            if (strcmp(id, glob) == 0)
                return true;
        }
    return false;
}

bool tf_battery_meant(const struct tf_batteries *batteries, const struct tf_case *one,
                      const struct tf_list *globs)
{
    char id[TF_BATTERY_ID];
    tf_battery_id(one, id);
    const char *topic = strchr(id, '/') + 1, *name = strrchr(id, '/') + 1;
    for (size_t i = 0; i < globs->count; i++) {
        const char *glob = globs->item[i];
        if (is_whole_id(batteries, glob) ? strcmp(id, glob) == 0
                                         : strstr(id, glob) != NULL || fnmatch(glob, id, 0) == 0 ||
                                               fnmatch(glob, topic, 0) == 0 || fnmatch(glob, name, 0) == 0)
            return true;
    }
    return false;
}

const struct tf_case *tf_battery_case(const struct tf_batteries *batteries, const char *id,
                                      struct tf_error *error)
{
    const struct tf_list globs = {.item = {id}, .count = 1};
    const struct tf_case *found = NULL;
    size_t count = 0;
    for (size_t i = 0; i < batteries->count; i++)
        for (size_t j = 0; j < batteries->scenario[i]->cases_count; j++)
            if (tf_battery_meant(batteries, &batteries->scenario[i]->cases[j], &globs)) {
                found = &batteries->scenario[i]->cases[j];
                count++;
            }
    if (count == 1)
        return found;
    if (count == 0)
        tf_error_set(error, "no case is called \"%.100s\"; tcpfault list batteries shows them all", id);
    else
        tf_error_set(error, "%zu cases are meant by \"%.100s\"; tcpfault list batteries shows them all",
                     count, id);
    return NULL;
}
