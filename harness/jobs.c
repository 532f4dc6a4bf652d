#include "jobs.h"

#include "baseline.h"
#include "case_run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    AT_A_TIME_MAX = 64,
    RESULT_BYTES = 16 << 20,
    LATE_S = 60, /* behind a case's deadline: its own process hangs, which must not be */
    POLL_MS = 500,
};

struct worker {
    struct tf_job *job; /* NULL: free */
    pid_t pid;
    int fd;
    char *text;
    size_t length;
    uint64_t deadline_ns;
};

struct pool {
    struct tf_jobs *jobs;
    struct worker worker[AT_A_TIME_MAX];
    size_t next, told, done; /* to start, to tell on_result, ended */
    FILE *results;
    bool failed; /* one has, and fail_fast is set */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
    interrupted = signal;
}

static char *clean(const char *text)
{
    text = text != NULL ? text : "";
    char *copy = tf_text_clean(text, strlen(text), TF_RESULT_VALUE, false);
    for (char *at = copy; copy != NULL && *at != '\0'; at++)
        *at = *at == '\n' || *at == '\t' ? ' ' : *at;
    return copy;
}

/* Of a battery's case: its id without its name. */
static char *suite_of(const struct tf_job *job)
{
    const char *id = job->options.battery != NULL ? job->options.battery->id : "";
    const char *slash = strrchr(id, '/');
    return slash != NULL ? strndup(id, (size_t)(slash - id)) : clean(job->one->file->name);
}

/* What is known of a result before the case has run. */
static void describe(struct tf_result *result, const struct tf_job *job)
{
    memset(result, 0, sizeof(*result));
    result->file = clean(job->one->file->path);
    result->suite = suite_of(job);
    result->name = clean(job->one->name);
    result->line = job->one->line > 0 ? (unsigned int)job->one->line : 0;
    result->about = job->one->about != NULL
                        ? tf_text_clean(job->one->about, strlen(job->one->about), TF_RESULT_VALUE, false)
                        : strdup("");
    result->reason = strdup("");
    result->seed = job->options.seed;
    result->repeat = job->repeat;
    result->reproduce = clean(job->reproduce);
    result->directory = clean(job->directory);
}

/* ---- in the case's process ---- */

static void write_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t some = write(fd, text, length);
        if (some < 0 && errno != EINTR)
            return;
        text += some > 0 ? some : 0;
        length -= some > 0 ? (size_t)some : 0;
    }
}

static _Noreturn void run_case(const struct tf_job *job, int fd, pid_t parent)
{
    struct tf_result result;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    signal(SIGINT, SIG_IGN); /* ^C is for the runner, which then kills us */
    signal(SIGTERM, SIG_DFL);
    describe(&result, job);
    if (mkdir(job->options.directory, 0755) != 0) {
        result.status = TF_BROKEN;
        tf_result_failure(&result, true, "", "setup", job->options.directory, strerror(errno));
    } else {
        tf_case_run(job->one, &job->options, &result);
    }
    json_t *json = tf_result_json(&result);
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    if (text != NULL)
        write_all(fd, text, strlen(text));
    _exit(0);
}

/* ---- in the runner ---- */

static int start(struct pool *pool, struct worker *worker, struct tf_error *error)
{
    int fds[2];
    struct tf_job *job = &pool->jobs->job[pool->next];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return tf_error_errno(error, errno, "pipe");
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        close(fds[0]);
        run_case(job, fds[1], parent);
    }
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return tf_error_errno(error, errno, "fork");
    }
    pool->next++;
    *worker = (struct worker){.job = job,
                              .pid = pid,
                              .fd = fds[0],
                              .deadline_ns = tf_case_now() + job->options.timeout_ns + LATE_S * TF_SECOND_NS};
    if (pool->jobs->on_progress != NULL)
        pool->jobs->on_progress(pool->jobs->data, job, true, pool->done, pool->jobs->count);
    return 0;
}

static void set_reason(struct tf_job *job, enum tf_status status, const char *reason)
{
    bool battery = job->options.battery != NULL && job->options.battery->baseline != NULL;
    describe(&job->result, job);
    job->result.status = battery ? TF_SKIPPED : status;
    job->result.verdict = battery ? TF_NOT_TESTED : TF_NO_VERDICT;
    free(job->result.reason);
    job->result.reason = clean(reason);
    if (status == TF_BROKEN && !battery)
        tf_result_failure(&job->result, true, "", "run", "a result", reason);
    job->done = true;
}

/* Tells of the results that are next in order. */
static void tell(struct pool *pool)
{
    struct tf_jobs *jobs = pool->jobs;
    for (; pool->told < jobs->count && jobs->job[pool->told].done; pool->told++)
        if (jobs->on_result != NULL)
            jobs->on_result(jobs->data, &jobs->job[pool->told], pool->told + 1);
}

static void write_result(struct pool *pool, const struct tf_job *job)
{
    json_t *json = tf_result_json(&job->result);
    char *line = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (line != NULL && pool->results != NULL) {
        fprintf(pool->results, "%s\n", line);
        fflush(pool->results);
    }
    free(line);
}

static void finish(struct pool *pool, struct worker *worker)
{
    struct tf_job *job = worker->job;
    struct tf_error error;
    int status = 0;
    bool late = tf_case_now() >= worker->deadline_ns;
    kill(worker->pid, SIGKILL); /* it has written its result, or will not */
    while (waitpid(worker->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    close(worker->fd);
    json_t *json = worker->length > 0 ? json_loadb(worker->text, worker->length, 0, NULL) : NULL;
    if (json == NULL || tf_result_parse(&job->result, json, &error) != 0) {
        char why[96] = "the case's own process ended without a result";
        if (late)
            snprintf(why, sizeof(why), "the case's own process did not end");
        else if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
            snprintf(why, sizeof(why), "the case's own process was killed by signal %d", WTERMSIG(status));
        set_reason(job, interrupted != 0 ? TF_SKIPPED : TF_BROKEN, interrupted != 0 ? "interrupted" : why);
    }
    json_decref(json);
    job->done = true;
    free(worker->text);
    worker->job = NULL;
    pool->done++;
    write_result(pool, job);
    pool->failed |=
        pool->jobs->fail_fast && (job->result.status == TF_FAILED || job->result.status == TF_BROKEN);
    if (pool->jobs->on_progress != NULL)
        pool->jobs->on_progress(pool->jobs->data, job, false, pool->done, pool->jobs->count);
    tell(pool);
}

/* Returns whether it is at its end. */
static bool receive(struct worker *worker)
{
    char bytes[65536];
    ssize_t some = read(worker->fd, bytes, sizeof(bytes));
    if (some < 0)
        return errno != EINTR && errno != EAGAIN;
    if (some == 0 || worker->length + (size_t)some > RESULT_BYTES)
        return true;
    char *grown = realloc(worker->text, worker->length + (size_t)some);
    if (grown == NULL)
        return true;
    memcpy(grown + worker->length, bytes, (size_t)some);
    worker->text = grown;
    worker->length += (size_t)some;
    return false;
}

static void wait_for_some(struct pool *pool)
{
    struct pollfd fds[AT_A_TIME_MAX];
    struct worker *of[AT_A_TIME_MAX];
    nfds_t count = 0;
    for (size_t i = 0; i < AT_A_TIME_MAX; i++)
        if (pool->worker[i].job != NULL) {
            of[count] = &pool->worker[i];
            fds[count++] = (struct pollfd){.fd = pool->worker[i].fd, .events = POLLIN};
        }
    int ready = poll(fds, count, POLL_MS);
    for (nfds_t i = 0; i < count; i++)
        if ((ready > 0 && fds[i].revents != 0 && receive(of[i])) || tf_case_now() >= of[i]->deadline_ns ||
            interrupted != 0)
            finish(pool, of[i]);
}

static size_t running(const struct pool *pool)
{
    size_t count = 0;
    for (size_t i = 0; i < AT_A_TIME_MAX; i++)
        count += pool->worker[i].job != NULL;
    return count;
}

static struct worker *free_worker(struct pool *pool)
{
    for (size_t i = 0; i < pool->jobs->at_a_time && i < AT_A_TIME_MAX; i++)
        if (pool->worker[i].job == NULL)
            return &pool->worker[i];
    return NULL;
}

static int run_all(struct pool *pool, struct tf_error *error)
{
    struct tf_jobs *jobs = pool->jobs;
    int result = 0;
    for (size_t i = 0; i < jobs->count; i++)
        if (jobs->job[i].done) {
            pool->done++;
            write_result(pool, &jobs->job[i]);
        }
    tell(pool);
    while (running(pool) > 0 ||
           (pool->next < jobs->count && !pool->failed && interrupted == 0 && result == 0)) {
        struct worker *worker = free_worker(pool);
        while (pool->next < jobs->count && jobs->job[pool->next].done)
            pool->next++;
        bool more = pool->next < jobs->count && !pool->failed && interrupted == 0 && result == 0;
        if (worker != NULL && more)
            result = start(pool, worker, error);
        else
            wait_for_some(pool);
    }
    for (size_t i = 0; i < jobs->count; i++)
        if (!jobs->job[i].done) {
            set_reason(&jobs->job[i], TF_SKIPPED,
                       interrupted != 0 ? "not run: interrupted"
                                        : "not run: an earlier case failed (--fail-fast)");
            write_result(pool, &jobs->job[i]);
        }
    tell(pool);
    return result != 0 ? -1 : interrupted;
}

int tf_jobs_run(struct tf_jobs *jobs, struct tf_error *error)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    struct sigaction action = {.sa_handler = on_signal}, before_int, before_term;
    if (pool == NULL)
        return tf_error_set(error, "out of memory");
    pool->jobs = jobs;
    pool->results = fopen(jobs->results_path, "we");
    if (pool->results == NULL) {
        tf_error_errno(error, errno, "%s", jobs->results_path);
        free(pool);
        return -1;
    }
    interrupted = 0;
    sigaction(SIGINT, &action, &before_int);
    sigaction(SIGTERM, &action, &before_term);
    int result = run_all(pool, error);
    sigaction(SIGINT, &before_int, NULL);
    sigaction(SIGTERM, &before_term, NULL);
    fclose(pool->results);
    free(pool);
    return result;
}
