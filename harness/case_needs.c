/* What a case needs that this machine may not have: programs, a network namespace. */
#include "case_run.h"
#include "names.h"
#include "rule.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static bool skip(const struct tf_case_run *run, const char *format, const char *what, const char *why)
{
    char reason[512];
    snprintf(reason, sizeof(reason), format, what, why);
    run->result->status = TF_SKIPPED;
    free(run->result->reason);
    run->result->reason = tf_text_clean(reason, strlen(reason), sizeof(reason), false);
    return false;
}

/* The first step that would open a port to other machines; or NULL. */
static const struct tf_step *opens_to_all(const struct tf_case *one)
{
    for (uint32_t i = 0; i < one->steps_count; i++) {
        const struct tf_occupy *occupy = one->steps[i].occupy;
        if (occupy != NULL && occupy->listen && occupy->address != NULL &&
            (strcmp(occupy->address, "0.0.0.0") == 0 || strcmp(occupy->address, "::") == 0))
            return &one->steps[i];
    }
    return NULL;
}

/* tcpfault-rules(7): a shutdown's FIN can be kept back on its way only. */
static bool takes_the_wire(const struct tf_fault *fault)
{
    struct tf_wrong wrong;
    struct tf_rule rule;
    struct tf_rule_error error;
    char *text = tf_subst(fault->text, TF_SUBST_PORTS, NULL, NULL, &wrong);
    bool takes = text != NULL && tf_rule_parse(text, strlen(text), &rule, &error) == 0 &&
                 (rule.effects & 1U << TF_EFFECT_drop) != 0 && rule.calls == TF_BIT(TF_shutdown);
    free(text);
    return takes;
}

static const struct tf_fault *fault_for_the_wire(const struct tf_case *one)
{
    for (uint32_t i = 0; i < one->actors; i++)
        for (uint32_t j = 0; j < one->actor[i].faults_count; j++)
            if (takes_the_wire(&one->actor[i].faults[j]))
                return &one->actor[i].faults[j];
    return NULL;
}

bool tf_case_needs_met(const struct tf_case_run *run)
{
    char path[PATH_MAX];
    const struct tf_case *one = run->one;
    const char *why = run->options->why_host != NULL ? run->options->why_host : "not wanted here";
    for (uint32_t i = 0; i < one->needs_count; i++)
        if (tf_case_which(one->needs[i], NULL, NULL, path, sizeof(path), NULL) != 0)
            return skip(run, "it needs %s%s", one->needs[i], ", which is not installed");
    if (run->options->kind == TF_SANDBOX_PRIVATE)
        return true;
    if (one->sysctl_count > 0)
        return skip(run, "it sets %s, which needs a network namespace: %s", one->sysctl[0].name, why);
    const struct tf_fault *fault = fault_for_the_wire(one);
    if (fault != NULL)
        return skip(run, "its fault %s needs a network namespace: %s", fault->text, why);
    for (uint32_t i = 0; i < one->steps_count; i++)
        if (one->steps[i].late_segment != NULL)
            return skip(run, "%s, which takes a raw socket, needs a network namespace: %s",
                        one->steps[i].text, why);
    const struct tf_step *opens = opens_to_all(one);
    if (opens != NULL)
        return skip(run, "%s, which is for a network namespace only: %s", opens->text, why);
    return true;
}
