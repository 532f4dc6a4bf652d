/* The jobs of a battery: a case each, with what it is compared with. */
#include "battery_run.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

const char *tf_check_part(const struct tf_check *check)
{
    return check->part == TF_PART_SERVER ? "server" : "client";
}

static void option(FILE *out, const char *name, const char *value)
{
    if (value == NULL)
        return;
    fprintf(out, " --%s", name);
    tf_run_quote(out, value);
}

static void options(FILE *out, const char *name, const struct tf_list *values)
{
    for (size_t i = 0; i < values->count; i++)
        option(out, name, values->item[i]);
}

char *tf_check_reproduction(const struct tf_check *check, const char *id)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    const struct tf_check_settings *settings = &check->settings;
    if (out == NULL)
        return NULL;
    fprintf(out, "tcpfault check %s", tf_check_part(check));
    option(out, "only", id);
    fprintf(out, " --seed %llu", (unsigned long long)check->run.seed);
    if (settings->run.common.timeout_ns > 0)
        tf_run_print_time(out, settings->run.common.timeout_ns);
    option(out, "peer", settings->peer);
    option(out, "send", settings->send);
    option(out, "reply", settings->reply);
    option(out, "ready", settings->ready);
    option(out, "config", settings->config);
    options(out, "env", &settings->env);
    options(out, "battery", &settings->battery);
    option(out, "fixtures", settings->run.fixtures);
    if (settings->run.host)
        fputs(" --host", out);
    fputs(" --", out);
    for (char *const *word = check->words; *word != NULL; word++)
        tf_run_quote(out, *word);
    return fclose(out) == 0 ? text : (free(text), NULL);
}

static bool meant(const struct tf_check *check, const struct tf_case *one)
{
    const struct tf_check_settings *settings = &check->settings;
    return (settings->only.count == 0 || tf_battery_meant(&check->batteries, one, &settings->only)) &&
           !tf_battery_meant(&check->batteries, one, &settings->skip);
}

bool tf_check_shows_baseline(const struct tf_check *check)
{
    static const char name[] = "without-faults";
    char id[64];
    snprintf(id, sizeof(id), "%s/%s", tf_check_part(check), name);
    for (size_t i = 0; i < check->settings.only.count; i++)
        if (fnmatch(check->settings.only.item[i], id, 0) == 0 ||
            strstr(id, check->settings.only.item[i]) != NULL)
            return true;
    return check->settings.only.count == 0;
}

static size_t count_meant(const struct tf_check *check)
{
    size_t count = 0;
    for (size_t i = 0; i < check->batteries.count; i++)
        for (size_t j = 0; j < check->batteries.scenario[i]->cases_count; j++)
            count += meant(check, &check->batteries.scenario[i]->cases[j]);
    return count;
}

static int add(struct tf_check *check, const struct tf_case *one, struct tf_error *error)
{
    size_t at = check->run.jobs.count;
    uint64_t seed = one->has_seed && !check->settings.run.common.seed.given ? one->seed : check->run.seed;
    tf_battery_id(one, check->ids[at]);
    struct tf_job *job = tf_run_add_job(&check->run, &check->run.jobs, "cases", one, seed,
                                        tf_check_reproduction(check, check->ids[at]), error);
    if (job == NULL)
        return -1;
    check->of[at] = check->known;
    check->of[at].id = check->ids[at];
    check->of[at].reproduce = job->reproduce;
    check->of[at].baseline = &check->baseline;
    job->options.battery = &check->of[at];
    return 0;
}

/* What was found without faults, as a case that has run. */
static int add_without(struct tf_check *check, struct tf_error *error)
{
    struct tf_result *result = &check->without;
    bool counts = false;
    for (size_t i = 0; i < result->findings_count; i++)
        counts |= tf_finding_counts(&result->findings[i]);
    if (!counts || !tf_check_shows_baseline(check))
        return 0;
    struct tf_jobs *jobs = &check->run.jobs;
    struct tf_job *job = calloc(1, sizeof(*job));
    char *message = NULL;
    if (job == NULL ||
        asprintf(&message, "%s: %s", result->findings[0].check->name, result->findings[0].message) < 0) {
        free(job);
        return tf_error_set(error, "out of memory");
    }
    result->file = strdup("without-faults");
    result->suite = strdup(tf_check_part(check));
    result->name = strdup("without-faults");
    result->about = strdup("The programs run without any fault.");
    result->reason = message;
    result->reproduce = tf_check_reproduction(check, "without-faults");
    result->directory = strdup("");
    result->status = TF_FAILED;
    result->verdict = TF_FINDING;
    result->seed = check->run.seed;
    job->result = *result;
    memset(result, 0, sizeof(*result));
    job->done = true;
    jobs->job = job;
    jobs->count = 1;
    return 0;
}

int tf_check_make_jobs(struct tf_check *check, struct tf_error *error)
{
    size_t count = count_meant(check);
    check->of = calloc(count + 1, sizeof(*check->of));
    check->ids = calloc(count + 1, sizeof(*check->ids));
    if (check->of == NULL || check->ids == NULL)
        return tf_error_set(error, "out of memory");
    if (add_without(check, error) != 0)
        return -1;
    for (size_t i = 0; i < check->batteries.count; i++)
        for (size_t j = 0; j < check->batteries.scenario[i]->cases_count; j++) {
            const struct tf_case *one = &check->batteries.scenario[i]->cases[j];
            if (meant(check, one) && add(check, one, error) != 0)
                return -1;
        }
    return 0;
}
