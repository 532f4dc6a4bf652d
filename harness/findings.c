#include "findings.h"

#include "frames.h"
#include "rule.h"
#include "show.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIFE_FIRST = 6, LIFE_LAST = 12, LINE = 1024 };

static uint64_t hash(uint64_t so_far, const char *text)
{
    /* FNV-1a, with the NUL, so that the parts stay apart. */
    do {
        so_far = (so_far ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    } while (*text++);
    return so_far;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void tf_finding_id(const char *check, const char *program, const char *call, const char *error,
                   const char *function, const char *module, uint64_t offset, char out[17])
{
    char place[64] = "";
    uint64_t sum = hash(UINT64_C(0xcbf29ce484222325), check);
    sum = hash(hash(hash(sum, base_name(program)), call), error);
    if (!*function && *module)
        snprintf(place, sizeof place, "+0x%" PRIx64, offset);
    sum = hash(hash(sum, *function ? function : base_name(module)), place);
    snprintf(out, 17, "%016" PRIx64, sum);
}

void tf_findings_free(struct tf_findings *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        tf_finding_fini(&findings->finding[i]);
    free(findings->finding);
    tf_callsites_free(findings->sites);
    *findings = (struct tf_findings){0};
}

/* The fault that came before: on the same socket where there was one. */
static const char *rule_before(const struct tf_segment *segment, const struct tf_event *event,
                               const struct tf_event *log, size_t count)
{
    unsigned any = 0, same = 0;
    for (size_t i = 0; i < count; i++) {
        bool struck = log[i].flags & TF_EVENT_FIRED || (log[i].rule && log[i].duration_ns == UINT64_MAX);
        if (!struck || (event && log[i].number > event->number))
            continue;
        any = log[i].rule;
        if (event && log[i].cookie && log[i].cookie == event->cookie)
            same = log[i].rule;
    }
    if (event && event->rule && !tf_event_returned(event))
        same = event->rule;
    unsigned rule = same ? same : any;
    return rule && rule <= segment->plan.rules ? segment->plan.rule[rule - 1].text : "";
}

static void add_line(struct tf_finding *finding, const struct tf_segment *segment,
                     const struct tf_event *event)
{
    char line[LINE];
    if (event)
        tf_show_event(segment, event, 0, line, sizeof line);
    else
        snprintf(line, sizeof line, "...");
    finding->life[finding->life_count] = strdup(line);
    finding->life_count += finding->life[finding->life_count] != NULL;
}

static bool concerns(const struct tf_event *event, const struct tf_life *life, size_t index, uint64_t cookie,
                     const struct tf_event *last)
{
    if (last && event->number > last->number)
        return false;
    return (cookie && event->cookie == cookie) || (life && life->created_at == index);
}

/* The socket's life up to the event: how it began, and what came last. */
static void tell_life(struct tf_finding *finding, const struct tf_segment *segment,
                      const struct tf_event *event, const struct tf_life *life, const struct tf_event *log,
                      size_t count)
{
    uint64_t cookie = life && life->cookie ? life->cookie : event ? event->cookie : 0;
    size_t total = 0, seen = 0;
    bool logged = false;
    for (size_t i = 0; i < count; i++)
        total += concerns(&log[i], life, i, cookie, event);
    finding->life = calloc(LIFE_FIRST + LIFE_LAST + 3, sizeof *finding->life);
    if (!finding->life)
        return;
    for (size_t i = 0; i < count; i++) {
        logged |= event && log[i].number == event->number;
        if (!concerns(&log[i], life, i, cookie, event))
            continue;
        if (seen == LIFE_FIRST && total > LIFE_FIRST + LIFE_LAST)
            add_line(finding, segment, NULL);
        if (seen < LIFE_FIRST || seen + LIFE_LAST >= total)
            add_line(finding, segment, &log[i]);
        seen++;
    }
    if (event && (!logged || total == 0)) /* it has not returned yet */
        add_line(finding, segment, event);
}

static bool excused(const struct tf_findings *findings, const char *name)
{
    for (const char *const *allow = findings->allow; allow && *allow; allow++)
        if (!strcmp(*allow, name))
            return true;
    return false;
}

static const char *module_path(const struct tf_segment *segment, const struct tf_event *event)
{
    if (!event || !event->module || event->module > TF_MODULES ||
        atomic_load(&segment->module[event->module - 1].state) != 2)
        return "";
    return segment->module[event->module - 1].path;
}

static bool complete(const struct tf_finding *finding)
{
    return finding->excuse && finding->program && finding->message && finding->rule && finding->call &&
           finding->error && finding->reproduce && finding->life;
}

void tf_findings_add(struct tf_findings *findings, enum tf_check_id id, const struct tf_event *event,
                     const struct tf_life *life, const struct tf_frames *at, const struct tf_event *log,
                     size_t log_count, const char *message)
{
    const struct tf_check_info *check = &tf_check_info[id];
    const char *module = module_path(findings->segment, event);
    const char *call = event && event->call < TF_CALLS ? tf_call_info[event->call].name : "";
    const char *error = event && event->error ? tf_error_name(event->error) : "";
    struct tf_frame *frames = at && at->count ? at->frame : NULL;
    size_t frames_count = frames ? at->count : 0;
    if (excused(findings, check->name)) {
        tf_frames_free(frames, frames_count);
        return;
    }
    if (!findings->sites)
        findings->sites = tf_callsites_new();
    if (!frames && *module && findings->sites)
        frames = tf_frames_find(findings->sites, findings->segment, event, &frames_count);
    struct tf_finding finding = {.check = check,
                                 .event = event ? event->number : UINT64_MAX,
                                 .time_ns =
                                     event ? event->time_ns - findings->segment->created_monotonic_ns : 0,
                                 .conn = event && event->conn ? event->conn
                                         : life               ? life->conn
                                                              : 0,
                                 .frames = frames,
                                 .frames_count = frames_count,
                                 .times = 1};
    tf_finding_id(check->name, findings->binary, call, error, frames_count ? frames[0].function : "", module,
                  event ? event->caller : 0, finding.id);
    for (size_t i = 0; i < findings->count; i++)
        if (!strcmp(findings->finding[i].id, finding.id)) {
            findings->finding[i].times++;
            tf_frames_free(frames, frames_count);
            return;
        }
    if (findings->count == findings->room) {
        size_t room = findings->room ? 2 * findings->room : 8;
        struct tf_finding *grown = realloc(findings->finding, room * sizeof *grown);
        findings->no_memory |= !grown;
        if (!grown) {
            tf_frames_free(frames, frames_count);
            return;
        }
        findings->finding = grown;
        findings->room = room;
    }
    finding.excuse = strdup("");
    finding.program = strdup(findings->program);
    finding.message = strdup(message);
    finding.rule = strdup(rule_before(findings->segment, event, log, log_count));
    finding.call = strdup(call);
    finding.error = strdup(error);
    finding.reproduce = strdup(findings->reproduce);
    tell_life(&finding, findings->segment, event, life, log, log_count);
    if (complete(&finding) && !tf_known_apply(findings->known, &finding)) {
        findings->finding[findings->count++] = finding;
    } else {
        tf_finding_fini(&finding);
        findings->no_memory = true;
    }
}
