#include "scenario_resolve.h"

#include "scenario_keys.h"
#include "scenario_yaml.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int tf_scenario_refuse(const struct tf_scenario *scenario, int line, int column, struct tf_error *error,
                       const char *format, ...)
{
    char message[sizeof(error->text)];
    va_list list;
    va_start(list, format);
    vsnprintf(message, sizeof(message), format, list);
    va_end(list);
    return tf_yaml_place_error(scenario->path, (struct tf_mark){line, column}, error, message);
}

/* ---- programs ---- */

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name), tail = strlen(end);
    return length >= tail && strcmp(name + length - tail, end) == 0;
}

static void actor_defaults(struct tf_actor *actor)
{
    if (actor->role == TF_PART_DEFAULT)
        actor->role = strncmp(actor->name, "server", 6) == 0 || ends_with(actor->name, "-server") ||
                              ends_with(actor->name, "_server")
                          ? TF_PART_SERVER
                          : TF_PART_CLIENT;
    if (actor->ready == TF_READY_DEFAULT)
        actor->ready = actor->role == TF_PART_SERVER ? TF_READY_LISTEN : TF_READY_NONE;
    if (actor->stop == 0)
        actor->stop = SIGTERM;
    if ((actor->given & tf_key_bit(&tf_actor_shape, "shim")) == 0)
        actor->shim = true;
    for (uint32_t i = 0; i < actor->faults_count; i++)
        if ((actor->faults[i].given & tf_key_bit(&tf_fault_shape, "armed")) == 0)
            actor->faults[i].armed = true;
}

#define GIVEN(shape, what, key) (((what)->given & tf_key_bit(&(shape), key)) != 0)

static void overlay_actor(struct tf_actor *base, const struct tf_actor *over)
{
#define TAKE(key, member)                                                                                    \
    if (GIVEN(tf_actor_shape, over, key))                                                                    \
    base->member = over->member
#define TAKE_LIST(key, member)                                                                               \
    TAKE(key, member);                                                                                       \
    TAKE(key, member##_count)
    TAKE_LIST("run", run);
    TAKE("run", stands);
    TAKE_LIST("faults", faults);
    TAKE_LIST("env", env);
    TAKE_LIST("files", files);
    TAKE_LIST("after", after);
    TAKE("stdin", stdin_text);
    TAKE("cwd", cwd);
    TAKE("role", role);
    TAKE("ready", ready);
    TAKE("ready", ready_text);
    TAKE("stop", stop);
    TAKE("shim", shim);
#undef TAKE
#undef TAKE_LIST
    base->given |= over->given;
    base->line = over->line;
    base->column = over->column;
}

static int add_actor(struct tf_case *one, const struct tf_actor *actor, bool of_the_same,
                     struct tf_error *error)
{
    int at = tf_case_actor(one, actor->name);
    if (at >= 0 && of_the_same)
        return tf_scenario_refuse(one->file, actor->line, actor->column, error,
                                  "program \"%s\" is given twice; the other is in line %d", actor->name,
                                  one->actor[at].line);
    if (at >= 0) {
        overlay_actor(&one->actor[at], actor);
        return 0;
    }
    if (one->actors == TF_SCENARIO_PROGRAMS)
        return tf_scenario_refuse(one->file, actor->line, actor->column, error,
                                  "more than %d programs in a case", TF_SCENARIO_PROGRAMS);
    one->actor[one->actors++] = *actor;
    return 0;
}

static int add_actors(struct tf_case *one, const struct tf_setup *setup, struct tf_error *error)
{
    for (uint32_t i = 0; i < setup->programs_count; i++)
        if (add_actor(one, &setup->programs[i], false, error) != 0)
            return -1;
    const struct tf_actor *short_forms[] = {setup->server, setup->client};
    for (int i = 0; i < 2; i++) {
        bool twice = false;
        for (uint32_t j = 0; short_forms[i] != NULL && j < setup->programs_count; j++)
            twice |= strcmp(setup->programs[j].name, short_forms[i]->name) == 0;
        if (short_forms[i] != NULL && add_actor(one, short_forms[i], twice, error) != 0)
            return -1;
    }
    return 0;
}

/* ---- expectations ---- */

static void expect_defaults(struct tf_expect *expect)
{
    expect->says_alive = GIVEN(tf_expect_shape, expect, "alive");
    expect->says_fired = GIVEN(tf_expect_shape, expect, "fired");
    struct tf_pattern *lists[] = {expect->events, expect->never};
    uint32_t counts[] = {expect->events_count, expect->never_count};
    for (int i = 0; i < 2; i++)
        for (uint32_t j = 0; j < counts[i]; j++)
            if (!GIVEN(tf_pattern_shape, &lists[i][j], "count"))
                lists[i][j].count = (struct tf_range){1, INT64_MAX};
}

static void overlay_expect(struct tf_expect *base, const struct tf_expect *over)
{
#define TAKE(key, member)                                                                                    \
    if (GIVEN(tf_expect_shape, over, key))                                                                   \
    base->member = over->member
#define TAKE_LIST(key, member)                                                                               \
    TAKE(key, member);                                                                                       \
    TAKE(key, member##_count)
    TAKE_LIST("exit", exit);
    TAKE("exit", exit_any);
    TAKE("signal", signal);
    TAKE_LIST("stdout", out);
    TAKE_LIST("stderr", err);
    TAKE("stdout_is", stdout_is);
    TAKE("stdout_file", stdout_file);
    TAKE("within", within_ns);
    TAKE("after", after_ns);
    TAKE("alive", alive);
    TAKE("fired", fired);
    TAKE_LIST("events", events);
    TAKE_LIST("never", never);
    TAKE("outcome", outcome);
    TAKE("tolerated", tolerated);
#undef TAKE
#undef TAKE_LIST
    /* A case that says how it is killed means not how it exits, and back. */
    if (GIVEN(tf_expect_shape, over, "signal") && !GIVEN(tf_expect_shape, over, "exit")) {
        base->exit = NULL;
        base->exit_count = 0;
        base->exit_any = false;
        base->given &= ~tf_key_bit(&tf_expect_shape, "exit");
    } else if (GIVEN(tf_expect_shape, over, "exit") && !GIVEN(tf_expect_shape, over, "signal")) {
        base->signal = 0;
        base->given &= ~tf_key_bit(&tf_expect_shape, "signal");
    }
    base->given |= over->given;
    base->line = over->line;
    base->column = over->column;
}

static int add_expects(struct tf_case *one, const struct tf_setup *setup, struct tf_error *error)
{
    for (uint32_t i = 0; i < setup->expect_count; i++) {
        const struct tf_expect *expect = &setup->expect[i];
        int at = tf_case_actor(one, expect->name);
        if (at < 0)
            return tf_scenario_refuse(one->file, expect->line, expect->column, error,
                                      "expect: no program is called \"%s\"", expect->name);
        overlay_expect(&one->expect[at], expect);
    }
    return 0;
}

/* ---- the rest ---- */

static void state_defaults(struct tf_net_pattern *state)
{
    if (state != NULL && !GIVEN(tf_state_shape, state, "count"))
        state->count = (struct tf_range){1, INT64_MAX};
}

static void step_defaults(struct tf_step *step)
{
    state_defaults(step->expect_state);
    if (step->wait == NULL)
        return;
    state_defaults(step->wait->state);
    state_defaults(step->wait->gone);
    if (step->wait->event != NULL && !GIVEN(tf_event_shape, step->wait->event, "count"))
        step->wait->event->count = (struct tf_range){1, INT64_MAX};
}

static void defaults(struct tf_setup *setup)
{
    for (uint32_t i = 0; i < setup->steps_count; i++)
        step_defaults(&setup->steps[i]);
    for (uint32_t i = 0; i < setup->expect_count; i++)
        expect_defaults(&setup->expect[i]);
    for (uint32_t i = 0; i < setup->requires_count; i++)
        if (!GIVEN(tf_pattern_shape, &setup->requires[i], "count"))
    setup->requires[i].count = (struct tf_range){1, INT64_MAX};
}

static char **join(char *const *first, uint32_t firsts, char *const *second, uint32_t seconds)
{
    char **all = calloc((size_t)firsts + seconds + 1, sizeof(*all));
    if (all == NULL)
        return NULL;
    for (uint32_t i = 0; i < firsts; i++)
        all[i] = first[i];
    for (uint32_t i = 0; i < seconds; i++)
        all[firsts + i] = second[i];
    return all;
}

/* The case's pairs replace the file's of the same name. */
static struct tf_pair *merge(const struct tf_pair *first, uint32_t firsts, const struct tf_pair *second,
                             uint32_t seconds, uint32_t *count)
{
    struct tf_pair *all = calloc((size_t)firsts + seconds + 1, sizeof(*all));
    *count = 0;
    for (uint32_t i = 0; all != NULL && i < firsts + seconds; i++) {
        const struct tf_pair *pair = i < firsts ? &first[i] : &second[i - firsts];
        uint32_t at = 0;
        while (at < *count && strcmp(all[at].name, pair->name) != 0)
            at++;
        all[at] = *pair;
        *count += at == *count;
    }
    return all;
}

static struct tf_pattern *join_requires(const struct tf_setup *file, const struct tf_setup *over)
{
    const struct tf_pattern *from[] = {file->requires, over->requires};
    const uint32_t counts[] = {file->requires_count, over->requires_count};
    struct tf_pattern *all = calloc((size_t)counts[0] + counts[1] + 1, sizeof(*all));
    size_t at = 0;
    for (int i = 0; all != NULL && i < 2; i++)
        for (uint32_t j = 0; j < counts[i]; j++)
            all[at++] = from[i][j];
    return all;
}

static int merge_lists(struct tf_case *one, const struct tf_setup *file, const struct tf_setup *over)
{
    static const struct tf_settings no_settings;
    const struct tf_settings *first = file->sandbox != NULL ? file->sandbox : &no_settings;
    const struct tf_settings *second = over->sandbox != NULL ? over->sandbox : &no_settings;
    one->tags = join(file->tags, file->tags_count, over->tags, over->tags_count);
    one->tags_count = file->tags_count + over->tags_count;
    one->needs = join(file->needs, file->needs_count, over->needs, over->needs_count);
    one->needs_count = file->needs_count + over->needs_count;
    one->allow = merge(file->allow, file->allow_count, over->allow, over->allow_count, &one->allow_count);
    one->sysctl =
        merge(first->sysctl, first->sysctl_count, second->sysctl, second->sysctl_count, &one->sysctl_count);
    one->requires = join_requires(file, over);
    one->requires_count = file->requires_count + over->requires_count;
    return one->requires == NULL || one->tags == NULL || one->needs == NULL || one->allow == NULL ||
                   one->sysctl == NULL
               ? -1
               : 0;
}

static void take_scalars(struct tf_case *one, const struct tf_setup *setup, const struct tf_mapping *shape)
{
    if (setup->about != NULL)
        one->about = setup->about;
    if (setup->why != NULL)
        one->why = setup->why;
    if (setup->source != NULL)
        one->source = setup->source;
    if (GIVEN(*shape, setup, "timeout"))
        one->timeout_ns = setup->timeout_ns;
    if (GIVEN(*shape, setup, "seed")) {
        one->seed = setup->seed;
        one->has_seed = true;
    }
    if (GIVEN(*shape, setup, "allow_unfired"))
        one->allow_unfired = setup->allow_unfired;
    if (GIVEN(*shape, setup, "steps")) {
        one->steps = setup->steps;
        one->steps_count = setup->steps_count;
    }
}

/* `over` is an empty setup where the file is one case. */
static int resolve_case(struct tf_case *one, const struct tf_setup *file, const struct tf_setup *over,
                        struct tf_error *error)
{
    one->name = over->name != NULL ? over->name : one->file->name;
    one->line = over->line > 0 ? over->line : file->line;
    one->column = over->line > 0 ? over->column : file->column;
    one->timeout_ns = TF_CASE_TIMEOUT_NS;
    take_scalars(one, file, &tf_file_shape);
    take_scalars(one, over, &tf_case_shape);
    size_t room = 4 + (size_t)file->programs_count + over->programs_count;
    room = room < TF_SCENARIO_PROGRAMS ? room : TF_SCENARIO_PROGRAMS;
    one->actor = calloc(room, sizeof(*one->actor));
    one->expect = calloc(room, sizeof(*one->expect));
    if (one->actor == NULL || one->expect == NULL || merge_lists(one, file, over) != 0)
        return tf_error_set(error, "%s: out of memory", one->file->path);
    if (add_actors(one, file, error) != 0 || add_actors(one, over, error) != 0 ||
        add_expects(one, file, error) != 0 || add_expects(one, over, error) != 0)
        return -1;
    for (uint32_t i = 0; i < one->actors; i++) {
        actor_defaults(&one->actor[i]);
        one->expect[i].name = one->actor[i].name;
        expect_defaults(&one->expect[i]);
    }
    return tf_case_check(one, error);
}

static int check_case_names(const struct tf_scenario *scenario, struct tf_error *error)
{
    const struct tf_setup *file = scenario->setup;
    for (uint32_t i = 1; i < file->cases_count; i++)
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(file->cases[i].name, file->cases[j].name) == 0)
                return tf_scenario_refuse(scenario, file->cases[i].line, file->cases[i].column, error,
                                          "two cases are called \"%.80s\"; the first is in line %d",
                                          file->cases[i].name, file->cases[j].line);
    return 0;
}

int tf_scenario_resolve(struct tf_scenario *scenario, struct tf_error *error)
{
    static const struct tf_setup nothing;
    struct tf_setup *file = scenario->setup;
    scenario->battery = file->battery;
    if (file->cases_count > TF_SCENARIO_CASES)
        return tf_scenario_refuse(scenario, file->line, file->column, error, "more than %d cases in a file",
                                  TF_SCENARIO_CASES);
    if (check_case_names(scenario, error) != 0)
        return -1;
    defaults(file);
    for (uint32_t i = 0; i < file->cases_count; i++)
        defaults(&file->cases[i]);
    scenario->cases_count = file->cases_count > 0 ? file->cases_count : 1;
    scenario->cases = calloc(scenario->cases_count, sizeof(*scenario->cases));
    if (scenario->cases == NULL)
        return tf_error_set(error, "%s: out of memory", scenario->path);
    for (size_t i = 0; i < scenario->cases_count; i++) {
        scenario->cases[i].file = scenario;
        if (resolve_case(&scenario->cases[i], file, file->cases_count > 0 ? &file->cases[i] : &nothing,
                         error) != 0)
            return -1;
    }
    return 0;
}

void tf_scenario_unresolve(struct tf_scenario *scenario)
{
    for (size_t i = 0; scenario->cases != NULL && i < scenario->cases_count; i++) {
        struct tf_case *one = &scenario->cases[i];
        free(one->actor);
        free(one->expect);
        free(one->tags);
        free(one->needs);
        free(one->allow);
        free(one->sysctl);
        free(one->requires);
    }
    free(scenario->cases);
    scenario->cases = NULL;
}
