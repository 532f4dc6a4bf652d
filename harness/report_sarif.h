/* SARIF's locations: what report_sarif.c and sarif_places.c share. */
#ifndef TF_REPORT_SARIF_H
#define TF_REPORT_SARIF_H

#include "result.h"

/* Relative paths are relative to this (3.14.14). */
#define TF_SARIF_BASE "%SRCROOT%"

/* The scenario's file and line. Of a run of one command, which has no file: the
 * command. */
json_t *tf_sarif_scenario(const struct tf_result *result);

/* A list of one: the source line of the finding's innermost frame; or where that is
 * not known, the scenario's, with function and module beside it. */
json_t *tf_sarif_locations(const struct tf_finding *finding, const struct tf_result *result);

json_t *tf_sarif_stacks(const struct tf_finding *finding);

/* 16 hexadecimal digits of a hash of the parts. */
void tf_sarif_fingerprint(const char *const *parts, size_t count, char out[17]);

#endif
