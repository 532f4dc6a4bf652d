/* A run of jobs from its beginning to its reports. */
#include "known.h"
#include "run.h"
#include "saved.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static uint64_t realtime(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * TF_SECOND_NS + (uint64_t)now.tv_nsec;
}

uint64_t tf_run_seed(const struct tf_common *common)
{
    uint64_t seed = 0;
    if (common->seed.given)
        return common->seed.value;
    if (getrandom(&seed, 4, 0) != 4) /* short enough to be typed again */
        seed = (uint64_t)time(NULL);
    return seed;
}

char *tf_run_line(int argc, char **argv)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    fputs("tcpfault", out);
    for (int i = 0; i < argc; i++)
        tf_run_quote(out, argv[i]);
    fclose(out);
    char *clean = tf_text_clean(text, strlen(text), 4096, false);
    free(text);
    return clean;
}

static struct tf_run whole_run(struct tf_run_command *command, uint64_t started)
{
    const struct tf_permits *permits = tf_sandbox_probe();
    if (permits->private_network && !command->settings.host)
        snprintf(command->sandbox, sizeof(command->sandbox), "each case had its own network namespace");
    else
        snprintf(command->sandbox, sizeof(command->sandbox), "on the host's network: %s",
                 command->settings.host ? "--host" : permits->why);
    return (struct tf_run){.seed = command->seed,
                           .duration_ns = realtime() - started,
                           .started_realtime_ns = started,
                           .command = command->line,
                           .sandbox = command->sandbox};
}

static int conclude(struct tf_run_command *command, uint64_t started, struct tf_run *run,
                    struct tf_error *error)
{
    struct tf_jobs *jobs = &command->jobs;
    command->results = calloc(jobs->count + 1, sizeof(*command->results));
    if (command->results == NULL)
        return tf_error_set(error, "out of memory");
    *run = whole_run(command, started);
    run->results = command->results;
    run->count = jobs->count;
    for (size_t i = 0; i < jobs->count; i++) {
        command->results[i] = jobs->job[i].result; /* the job keeps what it points to */
        run->counts[command->results[i].status]++;
    }
    int written = tf_outputs_end(&command->outputs, run, error);
    if (!command->temporary && tf_saved_write(command->directory, run, error) != 0)
        written = -1;
    return written;
}

static void on_result(void *data, const struct tf_job *job, size_t number)
{
    struct tf_run_command *command = data;
    tf_outputs_each(&command->outputs, &job->result, number);
}

int tf_run_jobs(struct tf_run_command *command, tf_job_progress *on_progress, struct tf_run *run,
                struct tf_error *error)
{
    struct tf_jobs *jobs = &command->jobs;
    char results[PATH_MAX];
    uint64_t started = realtime();
    snprintf(results, sizeof(results), "%s/results.jsonl", command->directory);
    struct tf_run begun = whole_run(command, started);
    if (!command->temporary && tf_saved_write(command->directory, &begun, error) != 0)
        return -1;
    jobs->at_a_time = command->settings.jobs.given ? (unsigned int)command->settings.jobs.value : 1;
    jobs->fail_fast = command->settings.fail_fast;
    jobs->results_path = results;
    jobs->on_result = on_result;
    jobs->on_progress = on_progress;
    jobs->data = command;
    int ended = tf_jobs_run(jobs, error);
    jobs->results_path = NULL;
    if (ended < 0)
        return -1;
    return conclude(command, started, run, error) != 0 ? -1 : ended;
}

void tf_run_fini(struct tf_run_command *command)
{
    tf_outputs_close(&command->outputs);
    tf_run_free_jobs(&command->jobs);
    free(command->results);
    if (command->temporary && command->directory != NULL)
        tf_remove_tree(command->directory);
    free(command->directory);
    free(command->line);
    tf_known_free(command->known);
}
