/* Inside report_term.c: of a battery. */
#ifndef TF_REPORT_VERDICT_H
#define TF_REPORT_VERDICT_H

#include "result.h"

/* A case: in a block where something was found, else in a line where it is wanted. */
void tf_report_verdict(FILE *out, const struct tf_report_style *style, const struct tf_result *result);
/* Topics by verdicts, and a line of all. */
void tf_report_verdicts(FILE *out, const struct tf_report_style *style, const struct tf_run *run);

#endif
