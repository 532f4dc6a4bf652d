#include "battery_bind.h"

#include "scenario_keys.h"
#include "scenario_text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- words ---- */

/* Does a substitution of ours begin here? Its length; 0: a brace like any other. */
static size_t ours(const char *at, const char *config)
{
    static const char *const names[] = {"{port}", "{dir}", "{config}"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if ((i < 2 || config != NULL) && strncmp(at, names[i], strlen(names[i])) == 0)
            return strlen(names[i]);
    size_t length = strncmp(at, "{port:", 6) == 0 ? strcspn(at, "}") : 0;
    char name[72] = "";
    if (length > 6 && length - 6 < sizeof(name) && at[length] == '}')
        memcpy(name, at + 6, length - 6);
    return tf_name_valid(name) ? length + 1 : 0;
}

char *tf_battery_word(const char *word, const char *config)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    while (*word != '\0') {
        size_t length = *word == '{' ? ours(word, config) : 0;
        if (length > 0 && strncmp(word, "{config}", length) == 0)
            fprintf(out, "{dir}/%s", config);
        else if (length > 0)
            fprintf(out, "%.*s", (int)length, word);
        else
            fputs(*word == '{' ? "{{" : (char[]){*word, '\0'}, out);
        word += length > 0 ? length : 1;
    }
    return fclose(out) == 0 ? text : (free(text), NULL);
}

/* Takes the word. */
static int append(struct tf_words *words, char *word)
{
    char **grown = word != NULL ? realloc(words->word, (words->count + 1) * sizeof(*grown)) : NULL;
    if (grown == NULL) {
        free(word);
        return -1;
    }
    words->word = grown;
    grown[words->count++] = word;
    words->port |= strstr(word, "{port}") != NULL;
    return 0;
}

int tf_words_take(struct tf_words *words, char *const *user, const char *config)
{
    for (; *user != NULL; user++)
        if (append(words, tf_battery_word(*user, config)) != 0)
            return -1;
    return 0;
}

struct line {
    struct tf_words *words;
    const char *config;
};

static int take_word(void *data, const char *word, size_t at)
{
    const struct line *line = data;
    (void)at;
    return append(line->words, tf_battery_word(word, line->config));
}

int tf_words_split_line(struct tf_words *words, const char *line, const char *config, struct tf_error *error)
{
    struct tf_wrong wrong = {.message = "out of memory"};
    struct line taking = {words, config};
    if (tf_words_split(line, strlen(line), take_word, &taking, &wrong) != 0)
        return tf_error_set(error, "%s", wrong.message);
    return words->count > 0 ? 0 : tf_error_set(error, "the command is empty");
}

int tf_words_own(struct tf_words *words, const char *const *own)
{
    for (; *own != NULL; own++)
        if (append(words, strdup(*own)) != 0)
            return -1;
    return 0;
}

int tf_words_rename_port(struct tf_words *words, const char *name)
{
    for (uint32_t i = 0; i < words->count; i++)
        for (char *at; (at = strstr(words->word[i], "{port}")) != NULL;) {
            char *next;
            if (asprintf(&next, "%.*s{port:%s}%s", (int)(at - words->word[i]), words->word[i], name,
                         at + strlen("{port}")) < 0)
                return -1;
            free(words->word[i]);
            words->word[i] = next;
        }
    return 0;
}

void tf_words_fini(struct tf_words *words)
{
    for (uint32_t i = 0; i < words->count; i++)
        free(words->word[i]);
    free(words->word);
    *words = (struct tf_words){0};
}

/* ---- environment and configuration ---- */

int tf_bound_settings(struct tf_bound *bound, const struct tf_list *env, const char *config,
                      struct tf_error *error)
{
    size_t size;
    const char *slash = config != NULL ? strrchr(config, '/') : NULL;
    char *cwd = getcwd(NULL, 0), *text = config != NULL ? tf_scenario_read(config, &size, error) : NULL;
    bound->config.name = config != NULL ? strdup(slash != NULL ? slash + 1 : config) : NULL;
    bound->config.value = text != NULL ? tf_battery_word(text, bound->config.name) : NULL;
    bool whole = text == NULL || (strlen(text) == size && size <= TF_SCENARIO_BYTES);
    bound->cwd = cwd != NULL ? tf_battery_word(cwd, NULL) : NULL;
    free(cwd);
    if (config != NULL && text == NULL)
        return -1;
    free(text);
    if (!whole)
        return tf_error_set(error, "--config %s: expected text without NUL bytes, at most %d KiB", config,
                            TF_SCENARIO_BYTES >> 10);
    bound->env = calloc(env->count + 1, sizeof(*bound->env));
    if (bound->env == NULL || bound->cwd == NULL || (config != NULL && bound->config.value == NULL))
        return tf_error_set(error, "out of memory");
    for (size_t i = 0; i < env->count; i++) {
        size_t length = strcspn(env->item[i], "=");
        if (length == 0 || env->item[i][length] == '\0')
            return tf_error_set(error, "--env: expected NAME=VALUE, got \"%.60s\"", env->item[i]);
        struct tf_pair *pair = &bound->env[bound->env_count++];
        pair->name = strndup(env->item[i], length);
        pair->value = tf_battery_word(env->item[i] + length + 1, bound->config.name);
        if (pair->name == NULL || pair->value == NULL)
            return tf_error_set(error, "out of memory");
    }
    return 0;
}

/* ---- binding ---- */

static void *keep(struct tf_bound *bound, void *memory)
{
    void **grown = memory != NULL ? realloc(bound->freed, (bound->freed_count + 1) * sizeof(*grown)) : NULL;
    if (grown == NULL) {
        free(memory);
        return NULL;
    }
    bound->freed = grown;
    return grown[bound->freed_count++] = memory;
}

static struct tf_pair *join(struct tf_bound *bound, const struct tf_pair *first, uint32_t firsts,
                            const struct tf_pair *second, uint32_t seconds)
{
    struct tf_pair *all = keep(bound, calloc((size_t)firsts + seconds + 1, sizeof(*all)));
    for (uint32_t i = 0; all != NULL && i < firsts + seconds; i++)
        all[i] = i < firsts ? first[i] : second[i - firsts];
    return all;
}

/* The peer is under the shim only where the case asks for something of it. */
static bool needs_shim(const struct tf_case *one, const struct tf_actor *actor)
{
    const struct tf_expect *expect = &one->expect[actor - one->actor];
    bool watched = actor->faults_count > 0 || expect->events_count + expect->never_count > 0;
    for (uint32_t i = 0; i < one->steps_count; i++) {
        const struct tf_wait *wait = one->steps[i].wait;
        watched |= wait != NULL && wait->event != NULL && strcmp(wait->event->program, actor->name) == 0;
    }
    return watched;
}

static int bind_actor(struct tf_bound *bound, const struct tf_case *one, struct tf_actor *actor)
{
    const struct tf_words *words = actor->stands == TF_STANDS_TARGET ? &bound->target : &bound->peer;
    if (actor->stands == TF_STANDS_SELF)
        return 0;
    actor->run = words->word;
    actor->run_count = words->count;
    if (actor->stands == TF_STANDS_PEER && (actor->given & tf_key_bit(&tf_actor_shape, "shim")) == 0)
        actor->shim = needs_shim(one, actor);
    if (actor->stands == TF_STANDS_PEER && !bound->own_peer)
        return 0;
    if (actor->cwd == NULL)
        actor->cwd = bound->cwd;
    if (actor->role == TF_PART_SERVER && bound->ready != NULL) {
        actor->ready = TF_READY_TEXT;
        actor->ready_text = (char *)bound->ready; /* nobody frees it */
    }
    if (actor->stands == TF_STANDS_PEER)
        return 0;
    actor->env = join(bound, bound->env, bound->env_count, actor->env, actor->env_count);
    actor->files = join(bound, &bound->config, bound->config.name != NULL, actor->files, actor->files_count);
    actor->env_count += bound->env_count;
    actor->files_count += bound->config.name != NULL;
    return actor->env != NULL && actor->files != NULL ? 0 : -1;
}

int tf_bind(struct tf_bound *bound, struct tf_scenario *scenario, struct tf_error *error)
{
    for (size_t i = 0; i < scenario->cases_count; i++)
        for (uint32_t j = 0; j < scenario->cases[i].actors; j++)
            if (bind_actor(bound, &scenario->cases[i], &scenario->cases[i].actor[j]) != 0)
                return tf_error_set(error, "out of memory");
    return 0;
}

void tf_bound_fini(struct tf_bound *bound)
{
    for (size_t i = 0; i < bound->freed_count; i++)
        free(bound->freed[i]);
    free(bound->freed);
    for (uint32_t i = 0; i < bound->env_count; i++) {
        free(bound->env[i].name);
        free(bound->env[i].value);
    }
    free(bound->env);
    free(bound->config.name);
    free(bound->config.value);
    free(bound->cwd);
    tf_words_fini(&bound->target);
    tf_words_fini(&bound->peer);
    *bound = (struct tf_bound){0};
}
