#include "expect.h"

#include "names.h"
#include "show.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct judge {
    const struct tf_case *one;
    const struct tf_actor *actor;
    const struct tf_expect *expect;
    const struct tf_seen *seen;
    const struct tf_values *values;
    struct tf_result *result;
    bool killed; /* and that has been said */
    bool no_memory;
};

static void fail(struct judge *judge, const char *check, const char *expected, const char *got)
{
    judge->no_memory |=
        tf_result_failure(judge->result, false, judge->actor->name, check, expected, got) != 0;
}

static void broken(struct judge *judge, const char *check, const char *expected, const char *got)
{
    judge->no_memory |= tf_result_failure(judge->result, true, judge->actor->name, check, expected, got) != 0;
}

static bool allowed(const struct judge *judge, const char *check)
{
    for (uint32_t i = 0; i < judge->one->allow_count; i++)
        if (strcmp(judge->one->allow[i].name, check) == 0)
            return true;
    return false;
}

static void seconds(uint64_t ns, char *out, size_t size)
{
    snprintf(out, size, "%.3gs", (double)ns / (double)TF_SECOND_NS);
}

/* ---- events ---- */

/* The address family of the event's socket; 0: it has none. */
static uint32_t family_of(const struct tf_event *event)
{
    if (event->call == TF_socket)
        return (uint32_t)event->arg[0];
    if (event->cookie == 0)
        return 0;
    return event->flags & TF_EVENT_INET6 ? AF_INET6 : AF_INET;
}

bool tf_pattern_matches(const struct tf_pattern *pattern, const struct tf_event *event)
{
    bool returned = event->duration_ns != UINT64_MAX;
    if ((pattern->calls & TF_BIT(event->call)) == 0)
        return false;
    if (pattern->has_error && !pattern->any_error && (!returned || event->error != pattern->error))
        return false;
    if (pattern->any_error && (!returned || event->error == 0))
        return false;
    if (pattern->has_result && (!returned || !tf_range_holds(pattern->result, event->result)))
        return false;
    if (pattern->role != TF_ROLE_NONE && event->role != pattern->role)
        return false;
    if (pattern->family != 0 && family_of(event) != pattern->family)
        return false;
    if (pattern->has_opt &&
        ((int)event->arg[1] != pattern->opt_level || (int)event->arg[2] != pattern->opt_name))
        return false;
    bool struck = (event->flags & TF_EVENT_FIRED) != 0 || !returned;
    return pattern->rule == 0 || (event->rule == pattern->rule && struck);
}

static void judge_events(struct judge *judge)
{
    const struct tf_expect *expect = judge->expect;
    char wanted[320], range[48], got[64];
    for (uint32_t i = 0; i < expect->events_count + expect->never_count; i++) {
        const struct tf_watch *watch = &judge->seen->watches[i];
        bool never = i >= expect->events_count;
        struct tf_range count = never ? (struct tf_range){0, 0} : watch->pattern->count;
        if (tf_range_holds(count, (int64_t)watch->count))
            continue;
        tf_range_format(count, range, sizeof(range));
        snprintf(wanted, sizeof(wanted), "%s%s%s %s", never ? "" : "count ", never ? "never" : range,
                 never ? "" : " of", watch->pattern->text);
        snprintf(got, sizeof(got), "seen %" PRIu64 " time%s", watch->count, watch->count == 1 ? "" : "s");
        fail(judge, never ? "never" : "events", wanted, got);
    }
}

/* ---- output ---- */

bool tf_find_holds(const struct tf_find *find, const char *text, size_t length,
                   const struct tf_values *values)
{
    struct tf_wrong wrong;
    bool found = false;
    if (find->regex) {
        regex_t regex;
        regmatch_t whole = {.rm_so = 0, .rm_eo = (regoff_t)length};
        if (tf_regex_compile(&regex, find->text, &wrong) != 0)
            return false;
        found = regexec(&regex, text, 1, &whole, REG_STARTEND) == 0;
        regfree(&regex);
    } else {
        char *wanted = tf_subst(find->text, TF_SUBST_ALL, values, NULL, &wrong);
        found = wanted != NULL && memmem(text, length, wanted, strlen(wanted)) != NULL;
        free(wanted);
    }
    return found != find->absent;
}

char *tf_find_describe(const struct tf_find *find, const struct tf_values *values)
{
    struct tf_wrong wrong;
    char *text, *wanted = find->regex ? NULL : tf_subst(find->text, TF_SUBST_ALL, values, NULL, &wrong);
    const char *quote = find->regex ? "/" : "\"";
    if (asprintf(&text, "%s%s%s%s", find->absent ? "not " : "", quote, wanted != NULL ? wanted : find->text,
                 quote) < 0)
        text = NULL;
    free(wanted);
    return text;
}

static void judge_finds(struct judge *judge, const char *check, const struct tf_find *finds, uint32_t count,
                        const char *text, size_t length)
{
    for (uint32_t i = 0; i < count; i++) {
        if (tf_find_holds(&finds[i], text, length, judge->values))
            continue;
        char *wanted = tf_find_describe(&finds[i], judge->values);
        char *got = length > 0 ? tf_text_clean(text, length, TF_RESULT_VALUE - 8, true) : strdup("(nothing)");
        fail(judge, check, wanted, got);
        free(wanted);
        free(got);
    }
}

/* The first difference, in words. */
static void describe_difference(const char *wanted, size_t wanted_length, const char *got, size_t got_length,
                                char *out, size_t size)
{
    size_t at = 0, line = 1;
    while (at < wanted_length && at < got_length && wanted[at] == got[at])
        line += wanted[at++] == '\n';
    char *rest = tf_text_clean(got + at, got_length - at, 60, false);
    if (at == got_length)
        snprintf(out, size, "%zu bytes: it ends at byte %zu, in line %zu", got_length, at, line);
    else
        snprintf(out, size, "%zu bytes: at byte %zu, in line %zu, comes \"%s\"", got_length, at, line,
                 rest != NULL ? rest : "");
    free(rest);
}

static void judge_whole(struct judge *judge, const char *check, const char *what, const char *wanted,
                        size_t wanted_length)
{
    const struct tf_seen *seen = judge->seen;
    char expected[128], got[256];
    if (seen->out_bytes == wanted_length && seen->out_length == wanted_length &&
        memcmp(seen->out, wanted, wanted_length) == 0)
        return;
    snprintf(expected, sizeof(expected), "%s, %zu bytes", what, wanted_length);
    if (seen->out_bytes != seen->out_length && seen->out_bytes == wanted_length)
        snprintf(got, sizeof(got), "%" PRIu64 " bytes, which are too many to be kept and compared",
                 seen->out_bytes);
    else
        describe_difference(wanted, wanted_length, seen->out, seen->out_length, got, sizeof(got));
    fail(judge, check, expected, got);
}

static void judge_file(struct judge *judge)
{
    enum { LIMIT = 2 * TF_OUTPUT_KEPT + 1 };
    char *path = NULL, *content = malloc(LIMIT);
    int fd = -1;
    if (content == NULL || asprintf(&path, "%s/%s", judge->values->dir, judge->expect->stdout_file) < 0) {
        judge->no_memory = true;
        free(content);
        return;
    }
    /* What a program left there may be a FIFO or a device. */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t length = 0, some = fd >= 0 ? 1 : -1;
    while (some > 0 && length < LIMIT) {
        some = read(fd, content + length, (size_t)(LIMIT - length));
        length += some > 0 ? some : 0;
    }
    if (some < 0)
        fail(judge, "stdout_file", judge->expect->stdout_file, "no such file in {dir}, or not readable");
    else
        judge_whole(judge, "stdout_file", judge->expect->stdout_file, content, (size_t)length);
    if (fd >= 0)
        close(fd);
    free(path);
    free(content);
}

static void judge_output(struct judge *judge)
{
    const struct tf_expect *expect = judge->expect;
    const struct tf_seen *seen = judge->seen;
    judge_finds(judge, "stdout", expect->out, expect->out_count, seen->out, seen->out_length);
    judge_finds(judge, "stderr", expect->err, expect->err_count, seen->err, seen->err_length);
    if (expect->stdout_is != NULL) {
        struct tf_wrong wrong;
        char *wanted = tf_subst(expect->stdout_is, TF_SUBST_ALL, judge->values, NULL, &wrong);
        if (wanted != NULL)
            judge_whole(judge, "stdout_is", "that text", wanted, strlen(wanted));
        free(wanted);
    }
    if (expect->stdout_file != NULL)
        judge_file(judge);
}

/* ---- how and when it ended ---- */

static void describe_end(const struct judge *judge, char *out, size_t size)
{
    if (judge->seen->hung)
        snprintf(out, size, "it still ran");
    else
        tf_program_describe(&judge->seen->end, out, size);
}

static void judge_exit(struct judge *judge)
{
    const struct tf_expect *expect = judge->expect;
    const struct tf_program_result *end = &judge->seen->end;
    static const int64_t success[] = {0};
    const int64_t *wanted = expect->exit_count > 0 ? expect->exit : success;
    uint32_t count = expect->exit_count > 0 ? expect->exit_count : 1;
    bool client = judge->actor->role == TF_PART_CLIENT && !judge->seen->stopping;
    if (expect->exit_any || (expect->exit_count == 0 && !client))
        return;
    for (uint32_t i = 0; i < count; i++)
        if (end->end == TF_END_EXITED && end->status == wanted[i])
            return;
    char text[256] = "exit status", got[128];
    for (uint32_t i = 0; i < count && strlen(text) < sizeof(text) - 32; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s %" PRId64, i == 0 ? "" : " or",
                 wanted[i]);
    describe_end(judge, got, sizeof(got));
    fail(judge, "exit", text, got);
}

/* Killed by a signal that nobody sent and nobody expects. */
static void judge_killed(struct judge *judge)
{
    const struct tf_program_result *end = &judge->seen->end;
    if (end->end != TF_END_SIGNALED)
        return;
    bool ours = (judge->seen->signalled >> end->status & 1) != 0 ||
                (end->status == SIGKILL && (judge->seen->stopping || end->stopped || end->deadline));
    if (ours || allowed(judge, "killed"))
        return;
    char got[128];
    describe_end(judge, got, sizeof(got));
    if (end->core_dumped)
        strcat(got, ", core dumped");
    fail(judge, "killed", "not to be killed by a signal", got);
    judge->killed = true;
}

static void judge_end(struct judge *judge)
{
    const struct tf_expect *expect = judge->expect;
    char got[128], wanted[64];
    describe_end(judge, got, sizeof(got));
    if (expect->signal != 0) {
        const char *name = tf_signal_name(expect->signal);
        snprintf(wanted, sizeof(wanted), "to be killed by %s", name != NULL ? name : "that signal");
        if (judge->seen->end.end != TF_END_SIGNALED || judge->seen->end.status != expect->signal)
            fail(judge, "signal", wanted, got);
        return;
    }
    judge_killed(judge);
    if (!judge->killed)
        judge_exit(judge);
}

static void judge_alive(struct judge *judge)
{
    const struct tf_expect *expect = judge->expect;
    bool says_end = expect->exit_count > 0 || expect->exit_any || expect->signal != 0;
    bool wanted = expect->says_alive ? expect->alive : judge->actor->role == TF_PART_SERVER && !says_end;
    if (!expect->says_alive && !wanted)
        return;
    char got[128];
    tf_program_describe(&judge->seen->end, got, sizeof(got));
    if (wanted && !judge->seen->alive && !judge->killed)
        fail(judge, "alive", "to run until it is stopped", got);
    else if (!wanted && judge->seen->alive && !judge->seen->hung)
        fail(judge, "alive", "to have ended by itself", "it still ran when all clients had ended");
}

static void judge_times(struct judge *judge)
{
    const struct tf_program_result *end = &judge->seen->end;
    uint64_t ran = end->ended_ns > end->started_ns ? end->ended_ns - end->started_ns : 0;
    char wanted[64], limit[32], got[64], took[32];
    seconds(ran, took, sizeof(took));
    snprintf(got, sizeof(got), "after %s", took);
    if (judge->expect->within_ns > 0 && (ran > judge->expect->within_ns || judge->seen->hung)) {
        seconds(judge->expect->within_ns, limit, sizeof(limit));
        snprintf(wanted, sizeof(wanted), "an end within %s", limit);
        fail(judge, "within", wanted, judge->seen->hung ? "it still ran" : got);
    }
    if (judge->expect->after_ns > 0 && ran < judge->expect->after_ns && !judge->seen->hung) {
        seconds(judge->expect->after_ns, limit, sizeof(limit));
        snprintf(wanted, sizeof(wanted), "an end no sooner than %s", limit);
        fail(judge, "after", wanted, got);
    }
}

static void judge_hung(struct judge *judge)
{
    if (!judge->seen->hung || allowed(judge, "hung"))
        return;
    char wanted[64], limit[32];
    seconds(judge->seen->timeout_ns, limit, sizeof(limit));
    snprintf(wanted, sizeof(wanted), "an end within %s", limit);
    fail(judge, "hung", wanted,
         judge->seen->proven ? "it would have waited for ever, and was killed"
                             : "it still ran, and was killed");
}

/* ---- faults ---- */

static void judge_fired(struct judge *judge)
{
    const struct tf_expect *expect = judge->expect;
    uint64_t fired = 0;
    char wanted[400], got[256];
    for (uint32_t i = 0; i < judge->seen->rules; i++)
        fired += judge->seen->rule[i].fired + judge->seen->rule[i].begun;
    if (expect->says_fired) {
        tf_range_format(expect->fired, wanted, sizeof(wanted));
        snprintf(got, sizeof(got), "%" PRIu64, fired);
        if (!tf_range_holds(expect->fired, (int64_t)fired))
            fail(judge, "fired", wanted, got);
        return;
    }
    bool battery = judge->one->file->battery != TF_PART_DEFAULT; /* to which the case then does not apply */
    for (uint32_t i = 0; i < judge->seen->rules && !judge->one->allow_unfired && !battery; i++) {
        const struct tf_rule_seen *rule = &judge->seen->rule[i];
        if (rule->fired + rule->begun > 0)
            continue;
        judge->no_memory |=
            tf_result_unfired(judge->result, judge->actor->name, i + 1, judge->actor->faults[i].text,
                              rule->counted,
                              rule->undelivered > 0 ? tf_show_reason(rule->reason) : NULL) != 0;
    }
}

int tf_expect_judge(const struct tf_case *one, uint32_t at, const struct tf_seen *seen,
                    const struct tf_values *values, struct tf_result *result)
{
    struct judge judge = {.one = one,
                          .actor = &one->actor[at],
                          .expect = &one->expect[at],
                          .seen = seen,
                          .values = values,
                          .result = result};
    if (!seen->started) {
        if (!judge.expect->says_fired || judge.actor->faults_count > 0)
            judge_fired(&judge);
        return judge.no_memory ? -1 : 0;
    }
    if (judge.actor->shim && !seen->attached) {
        broken(&judge, "shim", "the shim to load in it", "it did not register: its calls were not seen");
        return judge.no_memory ? -1 : 0;
    }
    if (judge.expect->outcome == 0) {
        judge_hung(&judge);
        if (!seen->hung)
            judge_end(&judge);
        judge_alive(&judge);
    }
    judge_times(&judge);
    judge_output(&judge);
    judge_events(&judge);
    judge_fired(&judge);
    return judge.no_memory ? -1 : 0;
}

int tf_expect_judge_killed(const struct tf_case *one, uint32_t at, const struct tf_seen *seen,
                           struct tf_result *result)
{
    struct judge judge = {
        .one = one, .actor = &one->actor[at], .expect = &one->expect[at], .seen = seen, .result = result};
    if (judge.expect->signal != seen->end.status)
        judge_killed(&judge);
    return judge.no_memory ? -1 : 0;
}
