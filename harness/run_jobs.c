/* The jobs of a run: where things are, and a job a case. */
#include "run.h"
#include "sandbox.h"
#include "shim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- where things are ---- */

static int find_places(struct tf_run_command *command, struct tf_error *error)
{
    ssize_t length = readlink("/proc/self/exe", command->build, sizeof(command->build) - 1);
    if (length < 0)
        return tf_error_errno(error, errno, "/proc/self/exe");
    command->build[length] = '\0';
    *strrchr(command->build, '/') = '\0';
    if (command->settings.fixtures == NULL)
        snprintf(command->fixtures, sizeof(command->fixtures), "%s/fixtures", command->build);
    else if (realpath(command->settings.fixtures, command->fixtures) == NULL)
        return tf_error_errno(error, errno, "%s", command->settings.fixtures);
    return tf_shim_find(command->shim, sizeof(command->shim), error);
}

static int make_directory(struct tf_run_command *command, struct tf_error *error)
{
    const char *wanted = command->settings.common.output, *tmp = getenv("TMPDIR");
    char *path;
    command->temporary = wanted == NULL;
    if (asprintf(&path, "%s/tcpfault-XXXXXX", tmp != NULL && tmp[0] == '/' ? tmp : "/tmp") < 0)
        return tf_error_set(error, "out of memory");
    if (wanted == NULL) {
        command->directory = mkdtemp(path);
        if (command->directory != NULL) {
            chmod(path, 0755); /* programs may change user */
            return 0;
        }
        tf_error_errno(error, errno, "%s", path);
        free(path);
        return -1;
    }
    free(path);
    if (mkdir(wanted, 0755) != 0 && errno != EEXIST)
        return tf_error_errno(error, errno, "%s", wanted);
    command->directory = realpath(wanted, NULL);
    if (command->directory == NULL)
        return tf_error_errno(error, errno, "%s", wanted);
    return 0;
}

/* DIR/cases, empty: what an earlier run left there goes. */
static int make_folder(const struct tf_run_command *command, const char *name, struct tf_error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", command->directory, name);
    if (!command->temporary)
        tf_remove_tree(path);
    return mkdir(path, 0755) == 0 ? 0 : tf_error_errno(error, errno, "%s", path);
}

int tf_run_places(struct tf_run_command *command, const char *const *folders, struct tf_error *error)
{
    if (find_places(command, error) != 0 || make_directory(command, error) != 0)
        return -1;
    for (; *folders != NULL; folders++)
        if (make_folder(command, *folders, error) != 0)
            return -1;
    return 0;
}

/* ---- jobs ---- */

static char *slug(const char *name)
{
    char *text = strndup(name, 40);
    for (char *at = text; text != NULL && *at != '\0'; at++)
        if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", *at) == NULL)
            *at = '-';
    return text;
}

/* As bash's $'...' has it: what it prints is printable, and what it means is the same. */
static void quote_bytes(FILE *out, const char *word)
{
    fputs(" $'", out);
    for (; *word != '\0'; word++) {
        if (*word == '\'' || *word == '\\')
            fprintf(out, "\\%c", *word);
        else if (*word == '\n' || (*word >= ' ' && *word < 0x7f))
            fputc(*word, out);
        else
            fprintf(out, "\\x%02x", (unsigned char)*word);
    }
    fputc('\'', out);
}

void tf_run_quote(FILE *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%";
    bool quoted = word[0] == '\0' || strspn(word, plain) != strlen(word);
    if (!quoted) {
        fprintf(out, " %s", word);
        return;
    }
    char *clean = tf_text_clean(word, strlen(word), SIZE_MAX, false);
    bool printable = clean != NULL && strcmp(clean, word) == 0;
    free(clean);
    if (!printable) {
        quote_bytes(out, word);
        return;
    }
    fputs(" '", out);
    for (; *word != '\0'; word++)
        fputs(*word == '\'' ? "'\\''" : (char[]){*word, '\0'}, out);
    fputc('\'', out);
}

void tf_run_print_time(FILE *out, uint64_t ns)
{
    static const struct {
        uint64_t ns;
        const char *name;
    } units[] = {{1000000000, "s"}, {1000000, "ms"}, {1000, "us"}, {1, "ns"}};
    size_t i = 0;
    while (ns % units[i].ns != 0)
        i++;
    fprintf(out, " --timeout %llu%s", (unsigned long long)(ns / units[i].ns), units[i].name);
}

/* The command that runs this case again, with this seed. */
static char *reproduction(const struct tf_run_command *command, const struct tf_case *one, uint64_t seed)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    fputs("tcpfault run", out);
    tf_run_quote(out, one->file->path);
    if (one->file->cases_count > 1) {
        fputs(" --filter", out);
        tf_run_quote(out, one->name);
    }
    fprintf(out, " --seed %llu", (unsigned long long)seed);
    if (command->settings.common.timeout_ns > 0)
        tf_run_print_time(out, command->settings.common.timeout_ns);
    if (command->settings.fixtures != NULL) {
        fputs(" --fixtures", out);
        tf_run_quote(out, command->settings.fixtures);
    }
    if (command->settings.host)
        fputs(" --host", out);
    fclose(out);
    return text;
}

static uint64_t seed_of(const struct tf_run_command *command, const struct tf_case *one, uint64_t repeat)
{
    uint64_t seed = one->has_seed && !command->settings.common.seed.given ? one->seed : command->seed;
    return seed + (repeat > 0 ? repeat - 1 : 0);
}

struct tf_job *tf_run_add_job(struct tf_run_command *command, struct tf_jobs *jobs, const char *folder,
                              const struct tf_case *one, uint64_t seed, char *reproduce,
                              struct tf_error *error)
{
    struct tf_job *grown = realloc(jobs->job, (jobs->count + 1) * sizeof(*jobs->job));
    char *name = slug(one->name), *directory = NULL;
    if (grown != NULL)
        jobs->job = grown;
    if (grown == NULL || name == NULL || reproduce == NULL ||
        asprintf(&directory, "%s/%s/%03zu-%s", command->directory, folder, jobs->count + 1, name) < 0) {
        free(name);
        free(reproduce);
        tf_error_set(error, "out of memory");
        return NULL;
    }
    free(name);
    const struct tf_permits *permits = tf_sandbox_probe();
    bool private = permits->private_network && !command->settings.host;
    uint64_t timeout_ns = command->settings.common.timeout_ns;
    grown[jobs->count] = (struct tf_job){
        .one = one,
        .reproduce = reproduce,
        .directory = command->temporary ? strdup("") : strdup(directory),
        .options = {.directory = directory,
                    .fixtures = command->fixtures,
                    .build = command->build,
                    .shim = command->shim,
                    .seed = seed,
                    .timeout_ns = timeout_ns > 0 ? timeout_ns : one->timeout_ns,
                    .kind = private ? TF_SANDBOX_PRIVATE : TF_SANDBOX_HOST,
                    .events = !command->temporary,
                    .known = command->known,
                    .why_host = command->settings.host ? "--host" : permits->why},
    };
    return &grown[jobs->count++];
}

static int add_job(struct tf_run_command *command, const struct tf_case *one, unsigned int repeat,
                   struct tf_error *error)
{
    uint64_t seed = seed_of(command, one, repeat);
    struct tf_job *job =
        tf_run_add_job(command, &command->jobs, "cases", one, seed, reproduction(command, one, seed), error);
    if (job != NULL)
        job->repeat = repeat;
    return job != NULL ? 0 : -1;
}

void tf_run_free_jobs(struct tf_jobs *jobs)
{
    for (size_t i = 0; i < jobs->count; i++) {
        struct tf_job *job = &jobs->job[i];
        tf_result_fini(&job->result);
        free(job->reproduce);
        free(job->directory);
        free((char *)job->options.directory);
    }
    free(jobs->job);
    jobs->job = NULL;
    jobs->count = 0;
}

static int add_jobs(struct tf_run_command *command, struct tf_error *error)
{
    const char *filter = command->settings.filter;
    uint64_t repeat = command->settings.repeat.given ? command->settings.repeat.value : 1;
    bool exact = false; /* a whole name means that case, not all that begin like it */
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < command->files.count; i++) {
            const struct tf_scenario *scenario = command->files.scenario[i];
            for (size_t j = 0; j < scenario->cases_count; j++) {
                if (pass == 0)
                    exact |= filter != NULL && strncmp(filter, "tag:", 4) != 0 &&
                             tf_run_filter(&scenario->cases[j], filter, true);
                else if (tf_run_filter(&scenario->cases[j], filter, exact))
                    for (uint64_t k = 1; k <= repeat; k++)
                        if (add_job(command, &scenario->cases[j], repeat > 1 ? (unsigned int)k : 0, error) !=
                            0)
                            return -1;
            }
        }
    return 0;
}

int tf_run_make_jobs(struct tf_run_command *command, struct tf_error *error)
{
    static const char *const folders[] = {"cases", NULL};
    return tf_run_places(command, folders, error) != 0 ? -1 : add_jobs(command, error);
}
