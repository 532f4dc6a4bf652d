/* A program's events as they come: counted, kept in part, written down. And
 * whether it listens. */
#include "case_run.h"
#include "case_verdict.h"
#include "proc.h"
#include "segment.h"
#include "show.h"

#include <dirent.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void write_down(struct tf_case_run *run, const struct tf_running *running,
                       const struct tf_event *event)
{
    if (run->events == NULL)
        return;
    json_t *json = tf_show_event_json(tf_collect_segment(running->collect), event);
    if (json == NULL)
        return;
    json_object_set_new(json, "program", json_string(running->actor->name));
    char *line = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (line == NULL)
        return;
    run->events_bytes += strlen(line) + 1;
    fprintf(run->events, "%s\n", line);
    free(line);
    if (run->events_bytes < TF_EVENTS_BYTES)
        return;
    tf_result_note(run->result, "events.jsonl is full: later events are not in it");
    fclose(run->events);
    run->events = NULL;
}

/* The first fault, with what came before and comes after it. */
static void keep_around(struct tf_running *running, const struct tf_event *event, bool struck)
{
    if (running->arounds == 0 && !struck)
        return;
    if (running->arounds == 0) {
        uint64_t before = running->recents < TF_BEFORE ? running->recents : TF_BEFORE;
        for (uint64_t i = running->recents - before; i < running->recents; i++)
            running->around[running->arounds++] = running->recent[i % TF_RECENT];
    }
    if (running->arounds < TF_AROUND)
        running->around[running->arounds++] = *event;
}

void tf_running_event(void *data, enum tf_collect_what what, const struct tf_event *event)
{
    struct tf_running *running = data;
    if (running->judge != NULL)
        tf_judge_event(running->judge, what, event);
    /* A call that kills its program, or is killed in a delay, never comes back to
     * say that the fault has struck. */
    bool begun = what == TF_COLLECT_NEVER && event->rule > 0 && event->rule <= TF_RULES_MAX;
    if (begun)
        running->seen.rule[event->rule - 1].begun++;
    bool struck = begun || (event->flags & TF_EVENT_FIRED) != 0;
    if (struck && event->rule > 0 && event->rule <= TF_RULES_MAX && event->call < TF_CALLS)
        running->seen.rule[event->rule - 1].calls |= TF_BIT(event->call);
    tf_traffic_event(&running->seen.tcp, event);
    keep_around(running, event, struck);
    running->recent[running->recents++ % TF_RECENT] = *event;
    for (size_t i = 0; i < running->seen.watches_count; i++)
        running->seen.watches[i].count += tf_pattern_matches(running->seen.watches[i].pattern, event);
    if (event->call == TF_listen && event->error == 0 && event->duration_ns != UINT64_MAX) {
        running->listened = true;
        running->listen_port = event->local.family != 0 ? event->local.port : 0;
    }
    if (running->run->options->battery != NULL && running->run->options->battery->baseline == NULL)
        tf_case_observe_event(running, event);
    write_down(running->run, running, event);
}

/* ---- patterns ---- */

static const struct tf_pattern *step_event(const struct tf_running *running, const struct tf_step *step)
{
    if (step->wait == NULL || step->wait->event == NULL ||
        strcmp(step->wait->event->program, running->actor->name) != 0)
        return NULL;
    return step->wait->event;
}

int tf_running_watches(struct tf_running *running, struct tf_error *error)
{
    const struct tf_case *one = running->run->one;
    const struct tf_expect *expect = &one->expect[running->actor - one->actor];
    const struct tf_case_battery *battery = running->run->options->battery;
    size_t more = battery != NULL && running->actor->stands == TF_STANDS_TARGET ? battery->watches : 0;
    size_t room = (size_t)expect->events_count + expect->never_count + one->steps_count + more;
    struct tf_watch *watches = calloc(room + 1, sizeof(*watches));
    size_t count = 0;
    if (watches == NULL)
        return tf_error_set(error, "out of memory");
    for (uint32_t i = 0; i < expect->events_count; i++)
        watches[count++].pattern = &expect->events[i];
    for (uint32_t i = 0; i < expect->never_count; i++)
        watches[count++].pattern = &expect->never[i];
    for (uint32_t i = 0; i < one->steps_count; i++)
        if ((watches[count].pattern = step_event(running, &one->steps[i])) != NULL)
            count++;
    for (size_t i = 0; i < more; i++)
        watches[count++].pattern = battery->watch[i];
    running->seen.watches = watches;
    running->seen.watches_count = count;
    return 0;
}

uint64_t tf_running_watched(const struct tf_running *running, const struct tf_pattern *pattern)
{
    for (size_t i = 0; i < running->seen.watches_count; i++)
        if (running->seen.watches[i].pattern == pattern)
            return running->seen.watches[i].count;
    return 0;
}

/* ---- for reports ---- */

struct shown {
    const struct tf_running *running;
    const struct tf_event *event;
    unsigned int state; /* of its socket behind the call; 0: not known */
};

struct timeline {
    struct shown shown[TF_SCENARIO_PROGRAMS * (TF_AROUND + TF_RECENT)];
    size_t count;
};

static int by_time(const void *a, const void *b)
{
    const struct shown *first = a, *second = b;
    if (first->event->time_ns != second->event->time_ns)
        return first->event->time_ns < second->event->time_ns ? -1 : 1;
    return 0;
}

static void gather(struct timeline *timeline, const struct tf_running *running)
{
    uint64_t recent = running->recents < TF_RECENT ? running->recents : TF_RECENT;
    for (size_t i = 0; i < running->arounds; i++)
        timeline->shown[timeline->count++] = (struct shown){running, &running->around[i], 0};
    for (uint64_t i = running->recents - recent; i < running->recents; i++) {
        const struct tf_event *event = &running->recent[i % TF_RECENT];
        bool there = false;
        for (size_t j = 0; j < running->arounds; j++)
            there |= running->around[j].number == event->number;
        if (!there)
            timeline->shown[timeline->count++] = (struct shown){running, event, 0};
    }
}

/* Of an event: what a picture of it does not need. */
static const char *const left_out[] = {"tid", "data", "data_cut", "ordinal", "position", "value"};

static void show(struct tf_case_run *run, const struct shown *shown)
{
    char line[1200];
    size_t length = (size_t)snprintf(line, sizeof(line), "%s ", shown->running->actor->name);
    tf_show_event(tf_collect_segment(shown->running->collect), shown->event, 0, line + length,
                  sizeof(line) - length);
    tf_result_event(run->result, line);
    json_t *moment = tf_show_event_json(tf_collect_segment(shown->running->collect), shown->event);
    for (size_t i = 0; moment != NULL && i < sizeof(left_out) / sizeof(left_out[0]); i++)
        json_object_del(moment, left_out[i]);
    json_object_set_new(moment, "program", json_string(shown->running->actor->name));
    if (shown->state > 0)
        json_object_set_new(moment, "state", json_string(tf_net_state_name(shown->state)));
    tf_result_moment(run->result, moment);
}

/* By what the shown calls tell: those between may have been left out. */
static void find_states(struct timeline *timeline, const struct tf_running *running)
{
    struct tf_lives *lives = tf_lives_new();
    for (size_t i = 0; i < timeline->count && lives != NULL; i++) {
        struct shown *shown = &timeline->shown[i];
        if (shown->running != running)
            continue;
        tf_lives_event(lives, shown->event);
        const struct tf_life *life = tf_lives_find(lives, shown->event->cookie);
        shown->state = life != NULL ? life->state : 0;
    }
    tf_lives_free(lives);
}

void tf_case_show(struct tf_case_run *run)
{
    struct timeline *timeline = calloc(1, sizeof(*timeline));
    if (timeline == NULL)
        return;
    for (uint32_t i = 0; i < run->one->actors; i++)
        if (run->running[i].collect != NULL)
            gather(timeline, &run->running[i]);
    qsort(timeline->shown, timeline->count, sizeof(timeline->shown[0]), by_time);
    for (uint32_t i = 0; i < run->one->actors; i++)
        find_states(timeline, &run->running[i]);
    /* Where they are too many, those in the middle are the least telling. */
    size_t half = TF_RESULT_EVENTS / 2;
    for (size_t i = 0; i < timeline->count; i++) {
        if (timeline->count > TF_RESULT_EVENTS && i == half) {
            tf_result_event(run->result, "...");
            i = timeline->count - half + 1;
        }
        show(run, &timeline->shown[i]);
    }
    free(timeline);
}

/* ---- listening ---- */

struct inodes {
    uint64_t of[256];
    size_t count;
};

static bool add_listener(const struct tf_net_socket *socket, void *data)
{
    struct inodes *inodes = data;
    if (socket->state == TCP_LISTEN && socket->inode != 0)
        inodes->of[inodes->count++] = socket->inode;
    return inodes->count < sizeof(inodes->of) / sizeof(inodes->of[0]);
}

static bool holds_one(long pid, const struct inodes *inodes)
{
    char path[64], target[64];
    snprintf(path, sizeof(path), "/proc/%ld/fd", pid);
    DIR *fds = opendir(path);
    bool found = false;
    for (struct dirent *entry; !found && fds != NULL && (entry = readdir(fds)) != NULL;) {
        ssize_t length = readlinkat(dirfd(fds), entry->d_name, target, sizeof(target) - 1);
        unsigned long long inode;
        target[length > 0 ? length : 0] = '\0';
        if (sscanf(target, "socket:[%llu]", &inode) == 1)
            for (size_t i = 0; i < inodes->count; i++)
                found |= inodes->of[i] == inode;
    }
    if (fds != NULL)
        closedir(fds);
    return found;
}

/* By the kernel's tables alone: for programs without the shim, or that listen
 * past it. */
static bool listens_by_proc(const struct tf_running *running)
{
    struct inodes inodes = {.count = 0};
    struct tf_error error;
    if (!tf_running_alive(running) ||
        tf_net_sockets(running->run->sandbox, 0, add_listener, &inodes, &error) != 0 || inodes.count == 0)
        return false;
    DIR *proc = opendir("/proc");
    bool found = false;
    for (struct dirent *entry; !found && proc != NULL && (entry = readdir(proc)) != NULL;) {
        char *end;
        long pid = strtol(entry->d_name, &end, 10);
        if (*end == '\0' && pid > 1 && tf_proc_descends((pid_t)pid, tf_program_pid(running->program)))
            found = holds_one(pid, &inodes);
    }
    if (proc != NULL)
        closedir(proc);
    return found;
}

bool tf_running_listens(struct tf_running *running)
{
    struct tf_error error;
    if (running->listened)
        return running->listen_port == 0 ||
               tf_net_listening(running->run->sandbox, running->listen_port, &error) != 0;
    return listens_by_proc(running);
}
