#include "cmd.h"

#include "battery.h"
#include "check.h"
#include "names.h"
#include "rule.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { FORMAT_TERM, FORMAT_JSON };

static const char *const formats[] = {"term", "json", NULL};

struct settings {
    int format;
};

static const struct tf_option options[] = {
    {"format", 0, TF_OPTION_CHOICE, "FORMAT", offsetof(struct settings, format), formats,
     "term (aligned text, the default) or json (one array)"},
    {0},
};

static int run(int argc, char **argv);

const struct tf_command tf_command_list = {
    .name = "list",
    .synopsis = "[OPTION]... calls|effects|errnos|checks|batteries",
    .about = "show the words that rules and scenarios may use",
    .options = options,
    .run = run,
};

static const char *const classes[] = {
    [TF_CLASS_NONE] = "",          [TF_CLASS_IN] = "%in",     [TF_CLASS_OUT] = "%out",
    [TF_CLASS_ACCEPT] = "%accept", [TF_CLASS_WAIT] = "%wait", [TF_CLASS_OPTION] = "%option"};
static const char *const likelihoods[] = {
    [TF_COMMON] = "common", [TF_UNUSUAL] = "unusual", [TF_RARE] = "rare"};
static const char *const lastings[] = {
    [TF_TRANSIENT] = "transient", [TF_PERSISTS] = "persists", [TF_GONE] = "connection gone"};

static json_t *calls(void)
{
    json_t *rows = json_array();
    for (int call = 0; call < TF_CALLS; call++) {
        const struct tf_call_info *info = &tf_call_info[call];
        bool again = false; /* splice has a row for each direction */
        for (int earlier = 0; earlier < call; earlier++)
            again = again || !strcmp(tf_call_info[earlier].name, info->name);
        char errors[1024] = "";
        tf_errno_list((enum tf_call_id)call, errors, sizeof errors);
        if (!again)
            json_array_append_new(rows, json_pack("{s:s, s:s, s:s}", "call", info->name, "class",
                                                  classes[info->class], "errors", errors));
    }
    return rows;
}

static json_t *effects(void)
{
    static const struct {
        const char *argument, *where, *about;
    } texts[] = {
#define EFFECT(id, argument, where, about) {#argument, #where, about},
#include "effects.def"
#undef EFFECT
    };
    /* effects.def's words as a rule's writer knows them. */
    static const char *const arguments[][2] = {
        {"NOTHING", ""},       {"ERRNO", "=ERRNO"}, {"TIME", "=T or =T1..T2"}, {"COUNT", "=N"},
        {"ORDINAL", " or =K"}, {"SPAN", " or =T"},  {"RATE", "=N[K|M]"},       {"SIGNAL", "=SIG"}};
    json_t *rows = json_array();
    for (int effect = 0; effect < TF_EFFECTS; effect++) {
        const char *argument = "";
        for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++) {
            if (!strcmp(arguments[i][0], texts[effect].argument))
                argument = arguments[i][1];
        }
        char form[64], where[512] = "";
        snprintf(form, sizeof form, "%s%s", tf_effect_name((enum tf_effect_id)effect), argument);
        uint64_t valid = tf_effect_calls((enum tf_effect_id)effect);
        tf_calls_write(valid, UINT64_MAX, where, sizeof where);
        json_array_append_new(
            rows, json_pack("{s:s, s:s, s:s}", "effect", form, "about", texts[effect].about, "calls", where));
    }
    return rows;
}

static json_t *errnos(void)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < tf_errno_infos; i++) {
        const struct tf_errno_info *info = &tf_errno_info[i];
        json_array_append_new(rows,
                              json_pack("{s:s, s:s, s:s, s:s}", "call", tf_call_info[info->call].name,
                                        "errno", tf_errno_name(info->error), "likelihood",
                                        likelihoods[info->likelihood], "lasting", lastings[info->lasting]));
    }
    return rows;
}

static json_t *checks(void)
{
    json_t *rows = json_array();
    for (int check = 0; check < TF_CHECKS; check++) {
        const struct tf_check_info *info = &tf_check_info[check];
        json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:s, s:s}", "check", info->name, "severity",
                                              tf_severity_name(info->severity), "title", info->title, "why",
                                              info->why, "source", info->source));
    }
    return rows;
}

static json_t *batteries(void)
{
    struct tf_batteries all;
    struct tf_error error;
    json_t *rows = json_array();
    if (tf_batteries_load(&all, TF_PART_DEFAULT, NULL, &error) != 0)
        tf_say("%s", error.text);
    for (size_t i = 0; i < all.count; i++)
        for (size_t j = 0; j < all.scenario[i]->cases_count; j++) {
            const struct tf_case *one = &all.scenario[i]->cases[j];
            char id[TF_BATTERY_ID];
            tf_battery_id(one, id);
            json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:s}", "case", id, "about",
                                                  one->about != NULL ? one->about : "", "why",
                                                  one->why != NULL ? one->why : "", "source",
                                                  one->source != NULL ? one->source : ""));
        }
    tf_batteries_fini(&all);
    return rows;
}

static const struct {
    const char *name;
    json_t *(*rows)(void);
    const char *columns[5]; /* in the order of the text */
} lists[] = {
    {"calls", calls, {"call", "class", "errors", NULL}},
    {"effects", effects, {"effect", "about", "state", NULL}},
    {"errnos", errnos, {"call", "errno", "likelihood", "lasting", NULL}},
    {"checks", checks, {"check", "severity", "title", NULL}},
    {"batteries", batteries, {"case", "about", NULL}},
};

enum { LISTS = sizeof lists / sizeof *lists };

/* Columns as wide as their widest cell; the last one is ragged. */
static void print_table(const json_t *rows, const char *const *columns)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        for (int column = 0; columns[column]; column++) {
            size_t width = 0;
            for (size_t j = 0; j < json_array_size(rows); j++) {
                size_t length = json_string_length(json_object_get(json_array_get(rows, j), columns[column]));
                width = length > width ? length : width;
            }
            const char *text = json_string_value(json_object_get(json_array_get(rows, i), columns[column]));
            bool last = !columns[column + 1] ||
                        (!columns[column + 2] &&
                         !json_string_length(json_object_get(json_array_get(rows, i), columns[column + 1])));
            printf(last ? "%.*s%s" : "%-*s  ", last ? 0 : (int)width, last ? "" : text, text);
            if (last)
                break;
        }
        putchar('\n');
    }
}

static int print_list(int which, int format)
{
    json_t *rows = lists[which].rows();
    if (format == FORMAT_JSON) {
        json_dumpf(rows, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (json_array_size(rows) == 0) {
        printf("there are no %s in this version\n", lists[which].name);
    } else {
        print_table(rows, lists[which].columns);
    }
    json_decref(rows);
    return TF_EXIT_OK;
}

static int run(int argc, char **argv)
{
    struct settings settings = {0};
    struct tf_error error;
    const char *words[LISTS + 1] = {NULL};
    int end, command;
    int first = tf_options_parse(&tf_command_list, argc, argv, &settings, &end, &command, &error);
    if (first < 0)
        return tf_cmd_usage(&tf_command_list, first, &error);
    for (int i = 0; i < LISTS; i++)
        words[i] = lists[i].name;
    if (end - first != 1 || command != argc) {
        tf_say("list: name one of calls, effects, errnos, checks, batteries");
        return TF_EXIT_USAGE;
    }
    for (int i = 0; i < LISTS; i++) {
        if (!strcmp(words[i], argv[first]))
            return print_list(i, settings.format);
    }
    const char *nearest = tf_nearest(argv[first], strlen(argv[first]), words);
    if (nearest)
        tf_say("list: unknown list \"%.60s\"; did you mean \"%s\"?", argv[first], nearest);
    else
        tf_say("list: unknown list \"%.60s\"; there are calls, effects, errnos, checks, batteries",
               argv[first]);
    return TF_EXIT_USAGE;
}
