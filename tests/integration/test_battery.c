/* Each case of a battery is passed by a good fixture, and finds the one with the bug
 * that it is for. */
#include "battery.h"
#include "check.h"
#include "child.h"
#include "place.h"
#include "suite.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct row {
    const char *id, *peer, *send, *good, *buggy;
};

static const struct row rows[] = {
#define BATTERY(id, ...) {id, __VA_ARGS__},
#include "battery.def"
#include "battery_client.def"
#undef BATTERY
};

enum { ROWS = sizeof rows / sizeof *rows, AT_A_TIME = 8, ARGUMENTS = 2 * TF_LIST + 40, DEADLINE_S = 150 };

/* One run of the tool: rows that have the fixture and its peer in common. */
struct group {
    const struct row *row[TF_LIST];
    const char *report;
    struct it_child *child;
    size_t count;
};

static const char *fixture_of(const struct row *row, bool good)
{
    return good ? row->good : row->buggy;
}

static bool together(const struct row *a, const struct row *b, bool good)
{
    return strncmp(a->id, b->id, 6) == 0 && strcmp(a->peer, b->peer) == 0 && strcmp(a->send, b->send) == 0 &&
           strcmp(fixture_of(a, good), fixture_of(b, good)) == 0;
}

/* "echo-good -t 500": its words behind the path of the fixture, and the port. */
static size_t add_command(const char **argv, size_t count, const char *fixture)
{
    char *words = strdup(fixture), *rest = words;
    const char *word = strsep(&rest, " ");
    argv[count++] = it_built(it_text("fixtures/%s", word));
    argv[count++] = "-p";
    argv[count++] = "{port}";
    while ((word = strsep(&rest, " ")))
        argv[count++] = it_text("%s", word);
    free(words);
    return count;
}

static void start(struct group *group, bool good, size_t number)
{
    const char *argv[ARGUMENTS] = {it_built("tcpfault"), "check"};
    const struct row *first = group->row[0];
    size_t count = 2;
    argv[count++] = strncmp(first->id, "server", 6) == 0 ? "server" : "client";
    argv[count++] = "-j1";
    if (*first->peer) {
        const char *peer[8];
        size_t words = add_command(peer, 0, first->peer);
        const char *line = "";
        for (size_t i = 0; i < words; i++)
            line = it_text("%s %s", line, peer[i]);
        argv[count++] = "--peer";
        argv[count++] = line;
    }
    if (*first->send) {
        argv[count++] = "--send";
        argv[count++] = first->send;
    }
    for (size_t i = 0; i < group->count; i++) {
        argv[count++] = "--only";
        argv[count++] = group->row[i]->id;
    }
    group->report = it_text("%s/%zu.json", it_scratch(), number);
    argv[count++] = "-q";
    argv[count++] = "-o";
    argv[count++] = group->report;
    argv[count++] = "--";
    count = add_command(argv, count, fixture_of(first, good));
    argv[count] = NULL;
    struct it_command command = {.argv = argv, .deadline_s = DEADLINE_S};
    group->child = it_start(&command);
}

static const json_t *result_of(const json_t *run, const char *id)
{
    size_t i;
    json_t *each;
    json_array_foreach(json_object_get(run, "cases"), i, each)
    {
        const char *suite = json_string_value(json_object_get(each, "suite"));
        const char *name = json_string_value(json_object_get(each, "name"));
        if (suite && name && !strcmp(it_text("%s/%s", suite, name), id))
            return each;
    }
    return NULL;
}

static void judge(struct group *group, bool good)
{
    it_finish(group->child);
    json_t *run = json_load_file(group->report, 0, NULL);
    for (size_t i = 0; i < group->count; i++) {
        const struct row *row = group->row[i];
        const json_t *result = result_of(run, row->id);
        const char *verdict = json_string_value(json_object_get(result, "verdict"));
        const char *reason = json_string_value(json_object_get(result, "reason"));
        CHECK_SAYING(verdict && !strcmp(verdict, good ? "pass" : "finding"),
                     it_text("%s on %s: %s: %s", row->id, fixture_of(row, good),
                             verdict ? verdict : "no result", verdict ? reason : group->child->err));
    }
    json_decref(run);
}

/* All rows, in as few runs as will do, some at a time. */
static void try_all(bool good)
{
    static struct group groups[ROWS];
    bool taken[ROWS] = {false};
    size_t count = 0, judged = 0;
    memset(groups, 0, sizeof groups);
    for (size_t i = 0; i < ROWS; i++) {
        if (taken[i] || !*fixture_of(&rows[i], good))
            continue;
        struct group *group = &groups[count];
        for (size_t j = i; j < ROWS && group->count < TF_LIST; j++)
            if (!taken[j] && together(&rows[i], &rows[j], good)) {
                group->row[group->count++] = &rows[j];
                taken[j] = true;
            }
        start(group, good, count++);
        if (count - judged >= AT_A_TIME)
            judge(&groups[judged++], good);
    }
    while (judged < count)
        judge(&groups[judged++], good);
}

static void good_fixtures_pass(void)
{
    try_all(true);
}

static void each_bug_is_found_by_the_case_for_it(void)
{
    try_all(false);
}

static void every_case_has_a_fixture(void)
{
    struct tf_batteries all;
    struct tf_error error;
    int loaded = tf_batteries_load(&all, TF_PART_DEFAULT, NULL, &error);
    CHECK_SAYING(loaded == 0, error.text);
    for (size_t i = 0; i < all.count; i++)
        for (size_t j = 0; j < all.scenario[i]->cases_count; j++) {
            char id[TF_BATTERY_ID];
            bool there = false;
            tf_battery_id(&all.scenario[i]->cases[j], id);
            for (size_t k = 0; k < ROWS; k++)
                there |= strcmp(rows[k].id, id) == 0;
            CHECK_SAYING(there, it_text("%s has no row", id));
            CHECK_SAYING(
                all.scenario[i]->cases[j].why && all.scenario[i]->cases[j].source &&
                    all.scenario[i]->cases[j].about,
                it_text("%s does not say what it does, why a good program holds, and its source", id));
        }
    tf_batteries_fini(&all);
}

IT_SUITE(battery, TEST(every_case_has_a_fixture), TEST(good_fixtures_pass),
         TEST(each_bug_is_found_by_the_case_for_it))
