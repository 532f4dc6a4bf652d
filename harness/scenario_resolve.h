/* From a loaded file to its cases: inheritance, defaults, and every name looked up. */
#ifndef TF_SCENARIO_RESOLVE_H
#define TF_SCENARIO_RESOLVE_H

#include "scenario_schema.h"

/* Fills scenario->cases from scenario->setup. 0, or -1 with *error filled. */
int tf_scenario_resolve(struct tf_scenario *scenario, struct tf_error *error);

/* Frees what tf_scenario_resolve allocated, whether it succeeded or not. */
void tf_scenario_unresolve(struct tf_scenario *scenario);

/* scenario_check.c: do the parts of a resolved case agree? 0, or -1. */
int tf_case_check(const struct tf_case *one, struct tf_error *error);

/* "PATH:LINE:COLUMN: ...". Returns -1. */
int tf_scenario_refuse(const struct tf_scenario *scenario, int line, int column, struct tf_error *error,
                       const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
