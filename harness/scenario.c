#include "scenario.h"

#include "scenario_keys.h"
#include "scenario_resolve.h"
#include "scenario_schema.h"
#include "scenario_yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const tf_scenario_checks[] = {
#define CHECK(id, name, ...) name,
#include "checks.def"
#undef CHECK
    NULL};

int tf_case_actor(const struct tf_case *one, const char *name)
{
    for (uint32_t i = 0; i < one->actors; i++)
        if (strcmp(one->actor[i].name, name) == 0)
            return (int)i;
    return -1;
}

int tf_case_fault(const struct tf_actor *actor, const struct tf_arming *arming)
{
    if (arming->rule_text == NULL)
        return arming->rule <= actor->faults_count ? (int)arming->rule : -1;
    for (uint32_t i = 0; i < actor->faults_count; i++)
        if (strcmp(actor->faults[i].text, arming->rule_text) == 0)
            return (int)i + 1;
    return -1;
}

/* "dir/half-close.yaml" -> "half-close". */
static char *default_name(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path;
    size_t length = strlen(base);
    if (length > 5 && strcmp(base + length - 5, ".yaml") == 0)
        length -= 5;
    return strndup(base, length);
}

struct tf_scenario *tf_scenario_parse(const char *path, const char *text, size_t size, struct tf_error *error)
{
    struct tf_yaml yaml;
    size_t canonical_size = 0;
    char *canonical = NULL;
    struct tf_scenario *scenario = calloc(1, sizeof(*scenario));
    if (scenario == NULL) {
        tf_error_set(error, "%s: out of memory", path);
        return NULL;
    }
    if (tf_yaml_parse(&yaml, path, text, size, error) == 0)
        canonical = tf_canon_write(&yaml, &canonical_size, error);
    if (canonical != NULL)
        scenario->setup = tf_setup_load(canonical, canonical_size, error);
    free(canonical);
    tf_yaml_free(&yaml);
    if (scenario->setup == NULL)
        goto fail;
    scenario->path = strdup(path);
    scenario->name = scenario->setup->name != NULL ? strdup(scenario->setup->name) : default_name(path);
    if (scenario->path == NULL || scenario->name == NULL) {
        tf_error_set(error, "%s: out of memory", path);
        goto fail;
    }
    if (tf_scenario_resolve(scenario, error) == 0)
        return scenario;
fail:
    tf_scenario_free(scenario);
    return NULL;
}

char *tf_scenario_read(const char *path, size_t *size, struct tf_error *error)
{
    char *text = NULL;
    struct stat status;
    /* Not blocking: it may be a FIFO, which is refused. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
    bool read = false;
    if (file == NULL || fstat(fd, &status) != 0) {
        tf_error_errno(error, errno, "%s", path);
    } else if (!S_ISREG(status.st_mode)) {
        tf_error_set(error, "%s: not a regular file", path);
    } else if ((text = malloc(TF_SCENARIO_BYTES + 2)) == NULL) {
        tf_error_set(error, "%s: out of memory", path);
    } else {
        *size = fread(text, 1, TF_SCENARIO_BYTES + 1, file);
        text[*size] = '\0';
        read = !ferror(file);
        if (!read)
            tf_error_errno(error, errno, "%s", path);
    }
    if (file != NULL)
        fclose(file);
    else if (fd >= 0)
        close(fd);
    if (read)
        return text;
    free(text);
    return NULL;
}

struct tf_scenario *tf_scenario_load(const char *path, struct tf_error *error)
{
    size_t size;
    char *text = tf_scenario_read(path, &size, error);
    struct tf_scenario *scenario = text != NULL ? tf_scenario_parse(path, text, size, error) : NULL;
    free(text);
    return scenario;
}

void tf_scenario_free(struct tf_scenario *scenario)
{
    if (scenario == NULL)
        return;
    tf_scenario_unresolve(scenario);
    tf_setup_free(scenario->setup);
    free(scenario->path);
    free(scenario->name);
    free(scenario);
}
