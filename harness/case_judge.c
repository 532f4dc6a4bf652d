/* A program of a case, judged beyond what its scenario expects. */
#include "case_run.h"
#include "saved_life.h"

#include <stdlib.h>
#include <string.h>

int tf_running_judge_from_now(struct tf_running *running, struct tf_error *error)
{
    const struct tf_case *one = running->run->one;
    bool dies = one->expect[running->actor - one->actor].signal != 0;
    running->allow = calloc((size_t)one->allow_count + 3, sizeof(*running->allow));
    for (uint32_t i = 0; running->allow != NULL && i < one->allow_count; i++)
        running->allow[i] = one->allow[i].name;
    if (running->allow != NULL && dies) { /* as expected */
        running->allow[one->allow_count] = "killed";
        running->allow[one->allow_count + 1] = "sigpipe";
    }
    bool gives_up = false;
    for (uint32_t i = 0; i < one->sysctl_count; i++)
        gives_up |= strcmp(one->sysctl[i].name, "net.ipv4.tcp_retries2") == 0;
    struct tf_judge_options options = {.segment = tf_collect_segment(running->collect),
                                       .program = running->actor->name,
                                       .binary = running->actor->run[0],
                                       .reproduce = "",
                                       .serves_for_ever = running->actor->role == TF_PART_SERVER,
                                       .allow = running->allow,
                                       .known = running->run->options->known,
                                       .sandbox = running->run->sandbox,
                                       .kernel_gives_up = gives_up};
    running->judge = running->allow != NULL ? tf_judge_new(&options) : NULL;
    return running->judge != NULL ? 0 : tf_error_set(error, "out of memory");
}

/* A copy that is the result's own; without a check where there is no memory. */
static struct tf_finding copy(const struct tf_finding *finding)
{
    struct tf_finding result = {0};
    struct tf_error error;
    json_t *json = tf_finding_json(finding);
    if (json == NULL || tf_finding_parse(&result, json, &error) != 0)
        memset(&result, 0, sizeof(result));
    json_decref(json);
    return result;
}

/* From the first on that the result does not have. */
static void keep_findings(struct tf_running *running, size_t first)
{
    size_t count = 0;
    const struct tf_finding *finding = tf_judge_findings(running->judge, &count);
    for (size_t i = first; i < count; i++) {
        struct tf_finding own = copy(&finding[i]);
        if (own.check != NULL)
            tf_result_finding(running->run->result, &own);
    }
}

void tf_running_judge(struct tf_running *running)
{
    const struct tf_seen *seen = &running->seen;
    struct tf_judge_end end = {.result = &seen->end,
                               .pid = running->pid,
                               .stopped =
                                   seen->stopping || seen->end.stopped || seen->end.deadline || seen->hung,
                               .captured = true,
                               .out_bytes = seen->out_bytes,
                               .err_bytes = seen->err_bytes,
                               .err = seen->err,
                               .err_length = seen->err_length};
    if (tf_judge_finish(running->judge, &end) != 0)
        tf_result_note(running->run->result, "out of memory: findings are missing");
    if (tf_judge_partial(running->judge))
        tf_result_note(running->run->result, "there were too many events to judge them all");
    keep_findings(running, 0);
    tf_result_lives(running->run->result, tf_judge_lives(running->judge));
}

void tf_running_wrong(struct tf_running *running, const struct tf_event *event, const char *message)
{
    size_t before = 0;
    tf_judge_findings(running->judge, &before);
    tf_judge_wrong(running->judge, event, message);
    keep_findings(running, before);
}
