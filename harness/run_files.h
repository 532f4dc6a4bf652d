/* What `tcpfault run` is given: files and directories of scenarios, read. */
#ifndef TF_RUN_FILES_H
#define TF_RUN_FILES_H

#include "scenario.h"

struct tf_run_files {
    struct tf_scenario **scenario;
    size_t count;
};

/* Reads FILE|DIR...; of a directory all *.yaml in it and below, sorted. Calls
 * `wrong` for every one that cannot be used, with one line. Returns 0, or -1 where
 * it has been called. tf_run_files_fini in either case. */
int tf_run_files_load(struct tf_run_files *files, char *const *paths, size_t count,
                      void (*wrong)(const char *line));
void tf_run_files_fini(struct tf_run_files *files);

/* Does --filter mean this case? NULL: it does. "tag:WORD"; else a glob(7) that
 * matches "SUITE: CASE" or "CASE", or a part of "SUITE: CASE". Where `exact`, it
 * must be the whole of one of the two. */
bool tf_run_filter(const struct tf_case *one, const char *filter, bool exact);

#endif
