/* Which bugs a reader of a report has been told already, and where: the same check at
 * the same call site of the same program need not be explained in each case that meets
 * it. Not thread-safe. */
#ifndef TF_TOLD_H
#define TF_TOLD_H

#include "finding.h"

struct tf_told {
    struct tf_told_bug {
        char *bug, *where;
    } * bugs;
    size_t count;
};

/* Where it was told before; NULL where it was not, or its call site is not known: it is
 * told now, in the case `where`. */
const char *tf_told_before(struct tf_told *told, const struct tf_finding *finding, const char *where);

void tf_told_fini(struct tf_told *told);

#endif
