#include "result.h"

#include <string.h>

const struct tf_report *const tf_reports[] = {&tf_report_term, &tf_report_tap, &tf_report_junit,
                                              &tf_report_json, NULL};

const struct tf_report *tf_report_find(const char *name)
{
    for (size_t i = 0; tf_reports[i] != NULL; i++)
        if (strcmp(tf_reports[i]->name, name) == 0)
            return tf_reports[i];
    return NULL;
}
