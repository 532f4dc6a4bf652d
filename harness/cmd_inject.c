#include "cmd.h"

#include "known.h"
#include "names.h"
#include "rule.h"
#include "run.h"
#include "session.h"
#include "show.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { LINE = 2048 };

struct settings {
    struct tf_common common;
    uint64_t for_ns;
    const char *control;
    bool allow_unfired, check, sandbox;
};

static const struct tf_option options[] = {
    {"allow-unfired", 0, TF_OPTION_FLAG, NULL, offsetof(struct settings, allow_unfired), NULL,
     "a rule that never fired is no failure"},
    {"check", 0, TF_OPTION_FLAG, NULL, offsetof(struct settings, check), NULL,
     "exit with 1 where a finding was made, whatever the command's status"},
    {"for", 0, TF_OPTION_TIME, "T", offsetof(struct settings, for_ns), NULL,
     "end the command after T (SIGTERM, then SIGKILL): its normal end"},
    {"sandbox", 0, TF_OPTION_FLAG, NULL, offsetof(struct settings, sandbox), NULL,
     "run it in a network namespace of its own"},
    {"control", 0, TF_OPTION_TEXT, "BASE", offsetof(struct settings, control), NULL,
     "let fiu-ctrl -f BASE toggle failure points while it runs"},
    TF_COMMON_OPTIONS(struct settings, common),
    {0},
};

static int run(int argc, char **argv);

const struct tf_command tf_command_inject = {
    .name = "inject",
    .synopsis = "RULE... [OPTION]... -- COMMAND [ARGUMENT]...",
    .about = "run one command under faults",
    .details = "A rule is CALLS[:KEY=VALUE]..., for example connect:error=ECONNREFUSED:when=1;\n"
               "tcpfault-rules(7) has the grammar, \"tcpfault list\" the words. The exit status is\n"
               "the command's own, unless something was found (1) or a rule never fired (3).",
    .options = options,
    .run = run,
};

/* What was seen of each rule, beside what the segment counts. */
struct seen {
    uint64_t calls; /* that the rule names, whether or not its selectors held */
    uint64_t begun; /* struck calls that never returned: the segment does not count them */
    bool fired;
    struct tf_event first; /* where it fired */
};

struct watch {
    const struct settings *settings;
    const struct tf_plan *plan;
    struct tf_session *session;
    struct seen rule[TF_RULES_MAX];
    size_t shown; /* findings */
    bool color;
};

/* ---- rules ---- */

/* Shows the text and a caret under byte `at` of it. */
static void point_at(const char *text, size_t at)
{
    enum { WIDTH = 100 };
    size_t length = strlen(text), start = at > WIDTH / 2 && length > WIDTH ? at - WIDTH / 2 : 0;
    char shown[WIDTH + 1];
    size_t i = 0;
    for (; i < WIDTH && start + i < length; i++) {
        unsigned char byte = (unsigned char)text[start + i];
        shown[i] = byte < ' ' || byte == 0x7f ? '?' : (char)byte;
    }
    shown[i] = 0;
    fprintf(stderr, "  %s%s%s\n  %s%*s^\n", start ? "..." : "", shown, start + i < length ? "..." : "",
            start ? "   " : "", (int)(at - start), "");
}

static int parse_rules(char **texts, int count, struct tf_plan *plan)
{
    struct tf_rule_error error;
    for (int i = 0; i < count; i++) {
        if (!tf_plan_add(plan, texts[i], &error))
            continue;
        tf_say("rule %u, column %zu: %s", plan->rules + 1, error.at + 1, error.message);
        point_at(texts[i], error.at);
        return -1;
    }
    if (plan->rules == 0) {
        tf_say("inject: no rule; the command goes behind \"--\"");
        return -1;
    }
    return 0;
}

static bool takes_chances(const struct tf_rule *rule)
{
    return rule->prob < 1 || (rule->effects & 1U << TF_EFFECT_corrupt && rule->corrupt_byte == 0) ||
           rule->delay_min_ns != rule->delay_max_ns;
}

static void choose_seed(struct tf_plan *plan, const struct tf_common *common)
{
    bool needed = false;
    for (uint32_t i = 0; i < plan->rules; i++)
        needed = needed || takes_chances(&plan->rule[i]);
    plan->seed = common->seed.value;
    if (!needed || common->seed.given)
        return;
    uint32_t seed = 1;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
        tf_say("note: no random numbers from the system");
    plan->seed = seed;
    tf_say("--seed %" PRIu64 " repeats this run's choices", plan->seed);
}

/* ---- while it runs ---- */

static void on_event(void *data, enum tf_collect_what what, const struct tf_event *event)
{
    struct watch *watch = data;
    for (uint32_t i = 0; i < watch->plan->rules; i++) {
        struct seen *seen = &watch->rule[i];
        if (event->call < TF_CALLS && watch->plan->rule[i].calls & TF_BIT(event->call))
            seen->calls++;
        bool begun = event->rule == i + 1 && what == TF_COLLECT_NEVER;
        seen->begun += begun;
        if (event->rule == i + 1 && (begun || event->flags & TF_EVENT_FIRED) && !seen->fired) {
            seen->fired = true;
            seen->first = *event;
        }
    }
    if (!watch->settings->common.verbose || !event->rule)
        return;
    char line[LINE];
    tf_show_event(tf_session_segment(watch->session), event, 0, line, sizeof line);
    fprintf(stderr, watch->color ? "\033[33m%s\033[0m\n" : "%s\n", line);
    fflush(stderr);
}

/* ---- what came of it ---- */

static void on_found(void *data)
{
    struct watch *watch = data;
    watch->shown = tf_cmd_findings(watch->session, &watch->settings->common, watch->shown);
}

static char *command_line(const struct tf_plan *plan, const struct settings *settings, char **command)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fputs("tcpfault inject", out);
    if (settings->sandbox)
        fputs(" --sandbox", out);
    if (settings->for_ns)
        fprintf(out, " --for %gs", (double)settings->for_ns / 1e9);
    if (plan->seed)
        fprintf(out, " --seed %" PRIu64, plan->seed);
    for (uint32_t i = 0; i < plan->rules; i++)
        tf_run_quote(out, plan->rule[i].text);
    fputs(" --", out);
    for (; *command; command++)
        tf_run_quote(out, *command);
    fclose(out);
    return text;
}

static const char *times(uint64_t count, char *out, size_t size)
{
    if (count == 1)
        return "once";
    if (count == 2)
        return "twice";
    snprintf(out, size, "%" PRIu64 " times", count);
    return out;
}

static void say_fired(const struct watch *watch, uint32_t i, uint64_t fired)
{
    const struct tf_event *event = &watch->rule[i].first;
    char count[32], peer[80], site[300];
    tf_show_endpoint(event->peer.family ? &event->peer : &event->local, peer, sizeof peer);
    if (!watch->rule[i].fired) {
        tf_say("rule %u fired %s", i + 1, times(fired, count, sizeof count));
        return;
    }
    tf_show_site(tf_session_segment(watch->session), event, site, sizeof site);
    tf_say("rule %u fired %s%s: %s, %s %s, called from %s", i + 1, times(fired, count, sizeof count),
           fired > 1 ? ", first" : "", tf_call_info[event->call].name, event->peer.family ? "peer" : "local",
           peer, site);
}

static void say_unfired(const struct watch *watch, uint32_t i, uint64_t counted, uint64_t undelivered)
{
    const struct tf_rule *rule = &watch->plan->rule[i];
    const struct tf_rule_state *state = &tf_session_segment(watch->session)->state[i];
    char calls[256], why[400], count[32];
    tf_calls_write(rule->calls, UINT64_MAX, calls, sizeof calls);
    uint64_t seen = watch->rule[i].calls;
    if (undelivered)
        snprintf(why, sizeof why, "%s it struck, and could not happen there: %s",
                 times(undelivered, count, sizeof count), tf_show_reason(atomic_load(&state->reason)));
    else if (counted && (rule->first > counted || rule->step > 1))
        snprintf(why, sizeof why, "it counted %" PRIu64 " call%s, and its when= begins at %" PRIu64, counted,
                 counted == 1 ? "" : "s", rule->first);
    else if (counted && rule->prob < 1)
        snprintf(why, sizeof why, "it counted %" PRIu64 " call%s, and prob=%g chose none of them", counted,
                 counted == 1 ? "" : "s", rule->prob);
    else if (counted)
        snprintf(why, sizeof why, "it counted %" PRIu64 " call%s, and a rule before it struck there", counted,
                 counted == 1 ? "" : "s");
    else if (seen)
        snprintf(why, sizeof why,
                 "the command made %" PRIu64 " such call%s (%.200s), and its conditions held for none", seen,
                 seen == 1 ? "" : "s", calls);
    else
        snprintf(why, sizeof why, "the command made no such call (%.200s) on a TCP socket", calls);
    tf_say("rule %u, \"%s\", never fired: %s", i + 1, rule->text, why);
}

static int judge(struct watch *watch, const struct tf_session_result *result, const char *command)
{
    const struct settings *settings = watch->settings;
    const struct tf_segment *segment = tf_session_segment(watch->session);
    int status = tf_cmd_judge(result, &settings->common, command);
    if (result->processes == 0)
        return status;
    for (uint32_t i = 0; i < watch->plan->rules; i++) {
        uint64_t fired = atomic_load(&segment->state[i].fired) + watch->rule[i].begun;
        if (fired) {
            if (!settings->common.quiet)
                say_fired(watch, i, fired);
            continue;
        }
        if (settings->allow_unfired && settings->common.quiet)
            continue;
        say_unfired(watch, i, atomic_load(&segment->state[i].counted),
                    atomic_load(&segment->state[i].undelivered));
        if (!settings->allow_unfired)
            status = TF_EXIT_TOOL;
    }
    on_found(watch);
    return status == TF_EXIT_TOOL || !settings->check || !tf_cmd_counts(watch->session) ? status
                                                                                        : TF_EXIT_FOUND;
}

static int inject(const struct settings *settings, const struct tf_plan *plan, char **command)
{
    static struct watch watch;
    struct tf_error error;
    struct tf_session_result result;
    bool usage;
    struct tf_known *known =
        tf_known_load(settings->common.baseline, settings->common.suppressions, 0, &error);
    if (!known) {
        tf_say("%s", error.text);
        return TF_EXIT_USAGE;
    }
    watch =
        (struct watch){.settings = settings, .plan = plan, .color = tf_color_on(settings->common.color, 2)};
    struct tf_session_options session = {.argv = command,
                                         .plan = plan,
                                         .output = settings->common.output,
                                         .control = settings->control,
                                         .sandbox = settings->sandbox,
                                         .timeout_ns = settings->common.timeout_ns,
                                         .for_ns = settings->for_ns,
                                         .on_event = on_event,
                                         .judge = true,
                                         .known = known,
                                         .stop_when_hung = settings->check,
                                         .reproduce = command_line(plan, settings, command),
                                         .on_found = on_found,
                                         .data = &watch};
    watch.session = tf_session_new(&session, &usage, &error);
    if (!watch.session) {
        tf_say("%s", error.text);
        free((char *)session.reproduce);
        tf_known_free(known);
        return usage ? TF_EXIT_USAGE : TF_EXIT_TOOL;
    }
    if (*tf_session_preflight(watch.session)->note && !settings->common.quiet)
        tf_say("note: %s", tf_session_preflight(watch.session)->note);
    int status = TF_EXIT_TOOL;
    if (tf_session_record(watch.session, "inject", -1, &error) ||
        tf_session_run(watch.session, &result, &error))
        tf_say("%s", error.text);
    else
        status = judge(&watch, &result, command[0]);
    if (tf_session_record(watch.session, "inject", status, &error))
        tf_say("%s", error.text);
    tf_session_free(watch.session);
    free((char *)session.reproduce);
    tf_known_free(known);
    return status;
}

static int run(int argc, char **argv)
{
    static struct tf_plan plan;
    struct settings settings = {0};
    struct tf_error error;
    int end, command;
    int first = tf_options_parse(&tf_command_inject, argc, argv, &settings, &end, &command, &error);
    if (first < 0)
        return tf_cmd_usage(&tf_command_inject, first, &error);
    plan = (struct tf_plan){0};
    if (parse_rules(argv + first, end - first, &plan))
        return TF_EXIT_USAGE;
    if (command >= argc) {
        tf_say("inject: no command to run: it goes behind \"--\"");
        return TF_EXIT_USAGE;
    }
    choose_seed(&plan, &settings.common);
    return inject(&settings, &plan, argv + command);
}
