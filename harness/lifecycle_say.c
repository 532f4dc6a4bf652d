/* A life in words. */
#include "lifecycle.h"
#include "rule.h"
#include "show.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct moment {
    uint64_t time_ns;
    char text[120];
};

static const char *name_of(int error)
{
    const char *name = tf_errno_name(error);
    return name ? name : "an error";
}

static void add(struct moment *moments, unsigned *count, uint64_t time_ns, const char *format,
                const char *what)
{
    if (!time_ns)
        return;
    moments[*count].time_ns = time_ns;
    snprintf(moments[*count].text, sizeof moments->text, format, what);
    *count += 1;
}

static int by_time(const void *one, const void *other)
{
    const struct moment *a = one, *b = other;
    return (a->time_ns > b->time_ns) - (a->time_ns < b->time_ns);
}

int tf_life_say(const struct tf_life *life, unsigned n, char *out, size_t size)
{
    struct moment moments[12];
    unsigned count = 0;
    char peer[80], local[80];
    tf_show_endpoint(&life->peer, peer, sizeof peer);
    tf_show_endpoint(&life->local, local, sizeof local);
    bool passive = life->opening == TF_OPENING_PASSIVE;
    add(moments, &count, life->created_ns, passive ? "passive open from %s" : "created", peer);
    add(moments, &count, life->bound_ns, "bound to %s", local);
    add(moments, &count, life->listening_ns, "listening on %s", local);
    add(moments, &count, life->connecting_ns, "active open to %s", peer);
    add(moments, &count, life->failed_ns, "the open failed: %s", name_of(life->failed_error));
    if (!passive)
        add(moments, &count, life->established_ns, "established with %s", peer);
    add(moments, &count, life->eof_ns, "%s",
        life->closed_first == TF_CLOSER_PEER ? "the peer closed first" : "the peer closed too");
    add(moments, &count, life->shut_ns, "%s",
        life->closed_first == TF_CLOSER_US ? "half-closed first" : "half-closed too");
    add(moments, &count, life->broken_ns, "broken: %s", name_of(life->broken_error));
    add(moments, &count, life->released_ns, "the last descriptor closed", "");
    if (n >= count)
        return -1;
    qsort(moments, count, sizeof *moments, by_time);
    snprintf(out, size, "%s", moments[n].text);
    return 0;
}
