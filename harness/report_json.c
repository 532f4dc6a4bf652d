/* One JSON document; its cases are the lines of results.jsonl. */
#include "result.h"

#include <stdlib.h>

static void end(FILE *out, const struct tf_report_style *style, const struct tf_run *run)
{
    char seed[24];
    (void)style;
    snprintf(seed, sizeof(seed), "%llu", (unsigned long long)run->seed);
    json_t *counts = json_object(), *cases = json_array();
    for (int i = 0; i < TF_STATUSES; i++)
        json_object_set_new(counts, tf_status_name(i), json_integer((json_int_t)run->counts[i]));
    for (size_t i = 0; i < run->count; i++)
        json_array_append_new(cases, tf_result_json(&run->results[i]));
    json_t *document =
        json_pack("{ss si ss ss ss sI sI so so}", "tool", "tcpfault", "version", TF_RESULT_VERSION, "command",
                  run->command, "sandbox", run->sandbox != NULL ? run->sandbox : "", "seed", seed,
                  "started_ns", (json_int_t)run->started_realtime_ns, "duration_ns",
                  (json_int_t)run->duration_ns, "counts", counts, "cases", cases);
    if (document != NULL)
        json_dumpf(document, out, JSON_INDENT(2));
    fputc('\n', out);
    json_decref(document);
}

const struct tf_report tf_report_json = {"json", NULL, NULL, end};
