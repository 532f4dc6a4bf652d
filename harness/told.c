#include "told.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *tf_told_before(struct tf_told *told, const struct tf_finding *finding, const char *where)
{
    char site[1024], bug[2048];
    if (finding->frames_count == 0)
        return NULL;
    tf_frame_show(&finding->frames[0], site, sizeof(site));
    snprintf(bug, sizeof(bug), "%s: %s: %s", finding->check->name, finding->program, site);
    for (size_t i = 0; i < told->count; i++)
        if (strcmp(told->bugs[i].bug, bug) == 0)
            return told->bugs[i].where;
    struct tf_told_bug *bugs = realloc(told->bugs, (told->count + 1) * sizeof(*bugs));
    if (bugs == NULL)
        return NULL;
    told->bugs = bugs;
    bugs[told->count] = (struct tf_told_bug){strdup(bug), strdup(where)};
    if (bugs[told->count].bug != NULL && bugs[told->count].where != NULL)
        told->count++;
    return NULL;
}

void tf_told_fini(struct tf_told *told)
{
    for (size_t i = 0; i < told->count; i++) {
        free(told->bugs[i].bug);
        free(told->bugs[i].where);
    }
    free(told->bugs);
    *told = (struct tf_told){0};
}
