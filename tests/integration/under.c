#include "under.h"
#include "check.h"
#include "place.h"
#include "ring.h"
#include "rule.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct tf_segment *segment;

struct tf_segment *it_segment(void)
{
    return segment;
}

const char *it_preload(const char *other)
{
    return it_text("LD_PRELOAD=%s%s%s", it_built("libtcpfault.so"), other ? ":" : "", other ? other : "");
}

/* A segment with these rules armed, as the tool would make it. */
static const char *new_segment(const struct it_under *under)
{
    static struct tf_plan plan;
    static unsigned serial;
    struct tf_rule_error error;
    const char *path = it_text("%s/run-%u.events", it_scratch(), serial++);

    if (segment)
        tf_segment_close(segment);
    memset(&plan, 0, sizeof plan);
    plan.seed = under->seed;
    if (tf_plan_add(&plan, under->rules, &error) != 0)
        CHECK_SAYING(false, it_text("%s is a rule: %s", under->rules, error.message));
    segment = tf_segment_create(path, &plan, under->way == IT_TRACED ? TF_RUN_TRACE : 0);
    CHECK_SAYING(segment != NULL, it_text("%s: %s", path, strerror(errno)));
    return path;
}

static size_t append(const char **list, size_t n, const char *const *more)
{
    for (; more && *more; more++)
        list[n++] = *more;
    return n;
}

struct it_child *it_under_start(const struct it_under *under)
{
    const char *argv[128], *env[64];
    size_t args = 0, vars = append(env, 0, under->env);

    if (under->way == IT_INJECT || under->way == IT_SANDBOX) {
        argv[args++] = it_built("tcpfault");
        argv[args++] = "inject";
        if (under->way == IT_SANDBOX)
            argv[args++] = "--sandbox";
        argv[args++] = it_text("--seed=%llu", (unsigned long long)under->seed);
        char *rules = (char *)it_text("%s", under->rules), *rest;
        for (const char *rule = strtok_r(rules, ";", &rest); rule; rule = strtok_r(NULL, ";", &rest))
            argv[args++] = rule;
        argv[args++] = "--";
    } else {
        bool given = false;
        for (size_t i = 0; i < vars; i++)
            given |= strncmp(env[i], "LD_PRELOAD=", 11) == 0;
        if (!given)
            env[vars++] = it_preload(NULL);
        if (under->way == IT_BARE) {
            env[vars++] = it_text("TCPFAULT=%s", under->rules);
            env[vars++] = it_text("TCPFAULT_SEED=%llu", (unsigned long long)under->seed);
        } else {
            env[vars++] = it_text("TCPFAULT_TRACE=%s", new_segment(under));
        }
    }
    argv[append(argv, args, under->argv)] = NULL;
    env[vars] = NULL;
    return it_start(&(struct it_command){
        .argv = argv, .env = env, .deadline_s = under->deadline_s, .input_fd = under->input_fd});
}

struct it_child *it_under_run(const struct it_under *under)
{
    struct it_child *child = it_finish(it_under_start(under));
    CHECK_SAYING(!child->late, it_text("%s under %s ends before its deadline\n%s%s", under->argv[0],
                                       under->rules, child->out, child->err));
    return child;
}

struct it_child *it_shimmed(enum it_way way, const char *rules, const char *const *argv)
{
    return it_under_run(&(struct it_under){.way = way, .rules = rules, .argv = argv});
}

struct it_child *it_tool(const char *const *arguments)
{
    const char *argv[128] = {it_built("tcpfault")};
    argv[append(argv, 1, arguments)] = NULL;
    return it_run(&(struct it_command){.argv = argv, .deadline_s = 40});
}

uint64_t it_fired(unsigned rule)
{
    return segment ? atomic_load(&segment->state[rule - 1].fired) : 0;
}

uint64_t it_counted(unsigned rule)
{
    return segment ? atomic_load(&segment->state[rule - 1].counted) : 0;
}

uint64_t it_undelivered(unsigned rule)
{
    return segment ? atomic_load(&segment->state[rule - 1].undelivered) : 0;
}

const struct tf_event *it_events(size_t *count)
{
    uint64_t cursor = 0, lost;
    size_t room = 0;
    struct tf_event event, *events = NULL;

    *count = 0;
    for (;;) {
        enum tf_ring_got got = tf_ring_read(segment, &cursor, &event, &lost);
        if (got == TF_RING_EMPTY)
            return events;
        CHECK_SAYING(got != TF_RING_LOST, "the ring held every event");
        if (got == TF_RING_LOST)
            continue;
        if (*count == room) {
            room = room ? room * 2 : 64;
            struct tf_event *bigger = it_memory(room * sizeof *bigger);
            if (*count)
                memcpy(bigger, events, *count * sizeof *bigger);
            events = bigger;
        }
        events[(*count)++] = event;
    }
}

const char *it_history(void)
{
    size_t count;
    const struct tf_event *events = it_events(&count);
    size_t room = 1 + count * 128, length = 0;
    char *text = it_memory(room);

    for (size_t i = 0; i < count; i++)
        length += (size_t)snprintf(
            text + length, room - length, "%s conn=%u = %lld %s rule=%u#%llu%s\n",
            tf_call_info[events[i].call].name, events[i].conn, (long long)events[i].result,
            events[i].error ? tf_errno_name(events[i].error) : "", events[i].rule,
            (unsigned long long)events[i].ordinal, events[i].flags & TF_EVENT_FIRED ? " fired" : "");
    return text;
}

static const char *reason_text(unsigned reason)
{
    static const char *const texts[] = {
#define REASON(id, text) text,
#include "reasons.def"
#undef REASON
    };
    return reason < TF_REASONS ? texts[reason] : "?";
}

static void claim(const char *file, unsigned line, bool holds, const char *said)
{
    CU_assertImplementation(holds, line, said, file, "", CU_FALSE);
}

const char *const *it_probe_argv(const char *script)
{
    const char **argv = it_memory(128 * sizeof *argv);
    size_t n = 0;
    char *words = (char *)it_text("%s", script), *rest;

    argv[n++] = it_program("probe");
    for (const char *word = strtok_r(words, " ", &rest); word && n < 127; word = strtok_r(NULL, " ", &rest))
        argv[n++] = word;
    return argv;
}

void it_same(const char *file, unsigned line, const char *rules, const char *script, const char *real)
{
    struct it_child *bare = it_run(&(struct it_command){.argv = it_probe_argv(real)});
    claim(file, line, bare->exit == 0, it_text("%s: %s%s", real, bare->out, bare->err));
    it_probe(file, line, rules, script, bare->out, -1, NULL);
}

void it_probe(const char *file, unsigned line, const char *rules, const char *script, const char *expected,
              long expected_fired, const char *reason)
{
    /* plainly, traced, and over IPv6 where the script lets it choose */
    bool either = strncmp(script, "pair ", 5) == 0 && !strstr(script, ".tcp") && !strstr(expected, "IPv4") &&
                  !strstr(expected, "127.0.0.1");

    for (int i = 0; i < 2 + either; i++) {
        const char *words = i == 2 ? it_text("pair6 %s", script + 5) : script;
        struct it_child *child = it_finish(it_under_start(&(struct it_under){.way = i ? IT_TRACED : IT_PLAIN,
                                                                             .rules = rules,
                                                                             .argv = it_probe_argv(words),
                                                                             .deadline_s = 10}));
        claim(file, line, !child->late && child->exit == 0 && strcmp(child->out, expected) == 0,
              it_text("%s%s\n    %s\n      is:  %s\n      not: %s\n      %s%s", rules, i ? " (traced)" : "",
                      words, child->out, expected, child->late ? "(deadline)" : "", child->err));
        const struct tf_rule_state *state = &segment->state[0];
        claim(file, line, expected_fired < 0 || (long)atomic_load(&state->fired) == expected_fired,
              it_text("%s fired %llu times, not %ld", rules, (unsigned long long)atomic_load(&state->fired),
                      expected_fired));
        claim(file, line, !reason || strcmp(reason, reason_text(atomic_load(&state->reason))) == 0,
              it_text("%s not delivered: \"%s\", not \"%s\"", rules, reason_text(atomic_load(&state->reason)),
                      reason));
    }
}
