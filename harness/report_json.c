/* One JSON document; its cases are the lines of results.jsonl. */
#include "result.h"

#include <stdlib.h>

json_t *tf_run_json(const struct tf_run *run)
{
    char seed[24];
    snprintf(seed, sizeof(seed), "%llu", (unsigned long long)run->seed);
    json_t *counts = json_object(), *findings = json_object(), *cases = json_array();
    for (int i = 0; i < TF_STATUSES; i++)
        json_object_set_new(counts, tf_status_name(i), json_integer((json_int_t)run->counts[i]));
    for (int severity = TF_NOTE; severity <= TF_ERROR; severity++) {
        size_t count = 0;
        for (size_t i = 0; i < run->count; i++)
            count += tf_result_findings(&run->results[i], severity);
        json_object_set_new(findings, tf_severity_name(severity), json_integer((json_int_t)count));
    }
    for (size_t i = 0; i < run->count; i++)
        json_array_append_new(cases, tf_result_json(&run->results[i]));
    return json_pack("{ss si ss ss ss sI sI so so so}", "tool", "tcpfault", "version", TF_RESULT_VERSION,
                     "command", run->command, "sandbox", run->sandbox != NULL ? run->sandbox : "", "seed",
                     seed, "started_ns", (json_int_t)run->started_realtime_ns, "duration_ns",
                     (json_int_t)run->duration_ns, "counts", counts, "findings", findings, "cases", cases);
}

static void end(FILE *out, const struct tf_report_style *style, const struct tf_run *run)
{
    json_t *document = tf_run_json(run);
    (void)style;
    if (document != NULL)
        json_dumpf(document, out, JSON_INDENT(2));
    fputc('\n', out);
    json_decref(document);
}

const struct tf_report tf_report_json = {"json", ".json", NULL, NULL, end};
