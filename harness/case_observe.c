/* What a run without faults tells of the target. */
#include "case_verdict.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { PLACES = 64, REQUESTS = 64 };

struct tf_observed {
    struct tf_place {
        struct tf_endpoint at;
        bool listens, v6only;
        uint64_t cookie;
    } place[PLACES];
    size_t count;
    uint64_t v6only[PLACES]; /* cookies */
    size_t v6onlys;
    struct {
        uint64_t cookie, bytes;
        bool answered;
    } request[REQUESTS];
    size_t requests;
    bool read_end; /* of file, as a client */
};

static void add(struct tf_observed *observed, const struct tf_endpoint *at, bool listens, uint64_t cookie)
{
    for (size_t i = 0; i < observed->count; i++)
        if (observed->place[i].listens == listens && memcmp(&observed->place[i].at, at, sizeof(*at)) == 0)
            return;
    if (observed->count < PLACES && at->family != 0)
        observed->place[observed->count++] =
            (struct tf_place){.at = *at, .listens = listens, .cookie = cookie};
}

/* What a client sends on a connection until something comes in. */
static void count_request(struct tf_observed *observed, const struct tf_event *event)
{
    bool out = tf_call_info[event->call].class == TF_CLASS_OUT;
    if (event->role != TF_ROLE_CLIENT || event->result <= 0 ||
        (!out && tf_call_info[event->call].class != TF_CLASS_IN))
        return;
    size_t at = 0;
    while (at < observed->requests && observed->request[at].cookie != event->cookie)
        at++;
    if (at == REQUESTS)
        return;
    if (at == observed->requests)
        observed->request[observed->requests++].cookie = event->cookie;
    observed->request[at].answered |= !out;
    if (!observed->request[at].answered)
        observed->request[at].bytes += (uint64_t)event->result;
}

void tf_case_observe_event(struct tf_running *running, const struct tf_event *event)
{
    if (running->actor->stands != TF_STANDS_TARGET || event->duration_ns == UINT64_MAX)
        return;
    if (running->observed == NULL && (running->observed = calloc(1, sizeof(*running->observed))) == NULL)
        return;
    struct tf_observed *observed = running->observed;
    if (event->call == TF_listen && event->error == 0)
        add(observed, &event->local, true, event->cookie);
    else if (event->call == TF_connect && (event->error == 0 || event->error == EINPROGRESS))
        add(observed, &event->peer, false, event->cookie);
    else if (event->call == TF_setsockopt && event->error == 0 && (int)event->arg[1] == IPPROTO_IPV6 &&
             (int)event->arg[2] == IPV6_V6ONLY && (event->flags & TF_EVENT_VALUE) != 0 && event->value != 0 &&
             observed->v6onlys < PLACES)
        observed->v6only[observed->v6onlys++] = event->cookie;
    else
        count_request(observed, event);
    observed->read_end |= event->role == TF_ROLE_CLIENT && event->error == 0 && event->result == 0 &&
                          tf_call_info[event->call].class == TF_CLASS_IN;
}

static json_t *places(const struct tf_observed *observed)
{
    json_t *array = json_array();
    for (size_t i = 0; observed != NULL && i < observed->count; i++) {
        const struct tf_place *place = &observed->place[i];
        char address[INET6_ADDRSTRLEN] = "";
        bool only = false;
        for (size_t j = 0; j < observed->v6onlys; j++)
            only |= observed->v6only[j] == place->cookie;
        inet_ntop(place->at.family == 4 ? AF_INET : AF_INET6, place->at.ip, address, sizeof(address));
        json_array_append_new(array,
                              json_pack("{ss si sb sb}", "address", address, "port", (int)place->at.port,
                                        "listens", place->listens, "v6only", only));
    }
    return array;
}

/* The bytes of the shortest; 0: there was none. */
static json_int_t shortest_request(const struct tf_observed *observed)
{
    uint64_t bytes = 0;
    for (size_t i = 0; observed != NULL && i < observed->requests; i++)
        if (observed->request[i].bytes > 0 && (bytes == 0 || observed->request[i].bytes < bytes))
            bytes = observed->request[i].bytes;
    return (json_int_t)bytes;
}

/* "ran to the end", "exited with status 0", ... */
static json_t *ends(const struct tf_case_run *run)
{
    json_t *all = json_object();
    for (uint32_t i = 0; i < run->one->actors; i++) {
        const struct tf_seen *seen = &run->running[i].seen;
        char how[128];
        if (!seen->started)
            continue;
        tf_program_describe(&seen->end, how, sizeof(how));
        if (seen->alive)
            snprintf(how, sizeof(how), "%s",
                     run->one->actor[i].role == TF_PART_SERVER ? "ran to the end"
                                                               : "still ran at the deadline");
        json_t *end = json_pack("{ss}", "how", how);
        if (!seen->alive && seen->end.end == TF_END_EXITED)
            json_object_set_new(end, "status", json_integer(seen->end.status));
        json_object_set_new(all, run->one->actor[i].name, end);
    }
    return all;
}

void tf_case_observe(struct tf_case_run *run)
{
    const struct tf_case_battery *battery = run->options->battery;
    int target = tf_case_target(run->one);
    json_t *counts = json_array();
    char *path;
    if (target < 0 || asprintf(&path, "%s/observed.json", run->options->directory) < 0) {
        json_decref(counts);
        return;
    }
    const struct tf_running *running = &run->running[target];
    for (size_t i = 0; i < battery->watches; i++)
        json_array_append_new(counts,
                              json_integer((json_int_t)tf_running_watched(running, battery->watch[i])));
    json_t *all =
        json_pack("{so so so si sI sb}", "counts", counts, "places", places(running->observed), "programs",
                  ends(run), "port", run->ports_count > 0 ? (int)tf_case_port(run, "{port}") : 0, "request",
                  shortest_request(running->observed), "read_end",
                  running->observed != NULL && running->observed->read_end);
    if (all == NULL || json_dump_file(all, path, JSON_COMPACT) != 0)
        tf_result_note(run->result, "observed.json could not be written");
    json_decref(all);
    free(path);
}
