/* A case of a battery as a scenario of one's own: the file that it is from, written
 * anew from its nodes with that case alone, and without what only a battery has. */
#include "battery.h"

#include "battery_bind.h"

#include "scenario_yaml.h"

#include <stdlib.h>
#include <string.h>

struct writer {
    FILE *out;
    const struct tf_case *one;
    char *const *target, *const *peer;
    const char *ready; /* of the server; NULL: it listens */
};

/* ---- values ---- */

static void quoted(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            fputs("\\n", out);
        else if (*text == '\t')
            fputs("\\t", out);
        else if (*text == '"' || *text == '\\')
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
    }
    fputc('"', out);
}

/* The user's words as a scenario has them: other braces are doubled. */
static void user_word(FILE *out, const char *word)
{
    char *text = tf_battery_word(word, "config");
    quoted(out, text != NULL ? text : word);
    free(text);
}

/* `alone`: not the run of a program that is written out. */
static void command(struct writer *writer, int stands, bool alone)
{
    bool target = stands == TF_STANDS_TARGET;
    bool server = target == (writer->one->file->battery == TF_PART_SERVER);
    char *const *words = target ? writer->target : writer->peer;
    static char *const places[2][3] = {{"my-client", "{port}", NULL}, {"my-server", "{port}", NULL}};
    words = words != NULL && words[0] != NULL ? words : places[server];
    bool waited_for = server && writer->ready != NULL;
    fputs(waited_for && alone ? "{run: [" : "[", writer->out);
    for (size_t i = 0; words[i] != NULL; i++) {
        fputs(i > 0 ? ", " : "", writer->out);
        user_word(writer->out, words[i]);
    }
    fputc(']', writer->out);
    if (waited_for) {
        fputs(", ready: {text: ", writer->out);
        quoted(writer->out, writer->ready);
        fputs(alone ? "}}" : "}", writer->out);
    }
}

/* What only a battery knows, as something to be filled in. */
static void scalar(struct writer *writer, const struct tf_node *node)
{
    static const char *const known[][2] = {{"@{sent}", "PING\\r\\n"},
                                           {"@{reply}", "HELLO\\r\\n"},
                                           {"{expect}", "1"},
                                           {"{address}", "127.0.0.1"}};
    char *text = strdup(node->text);
    for (size_t i = 0; text != NULL && i < sizeof(known) / sizeof(known[0]); i++)
        for (char *at; (at = strstr(text, known[i][0])) != NULL;) {
            char *next = NULL;
            if (asprintf(&next, "%.*s%s%s", (int)(at - text), text, known[i][1], at + strlen(known[i][0])) <
                0)
                next = NULL;
            free(text);
            text = next;
            if (text == NULL)
                break;
        }
    if (node->plain && text != NULL && strcmp(text, node->text) == 0 && strpbrk(text, "\n") == NULL)
        fputs(text, writer->out);
    else
        quoted(writer->out, text != NULL ? text : node->text);
    free(text);
}

/* ---- expectations ---- */

static const char *name_of(const struct tf_node *node)
{
    return node->key != NULL ? node->key->text : "";
}

static const struct tf_node *entry(const struct tf_node *map, const char *name)
{
    const struct tf_node *each = map != NULL && map->kind == TF_NODE_MAP ? map->first : NULL;
    while (each != NULL && strcmp(name_of(each), name) != 0)
        each = each->next;
    return each;
}

static bool has(const struct tf_node *outcomes, const char *word)
{
    if (outcomes == NULL || outcomes->kind == TF_NODE_SCALAR)
        return outcomes != NULL && strcmp(outcomes->text, word) == 0;
    for (const struct tf_node *each = outcomes->first; each != NULL; each = each->next)
        if (each->kind == TF_NODE_SCALAR && strcmp(each->text, word) == 0)
            return true;
    return false;
}

/* An outcome in the words of a scenario, which knows no run without faults. */
static void outcome(struct writer *writer, const struct tf_node *expect, const char *program)
{
    const struct tf_node *wanted = entry(expect, "outcome"), *more = entry(expect, "tolerated");
    int at = tf_case_actor(writer->one, program);
    bool server = at >= 0 && writer->one->actor[at].role == TF_PART_SERVER;
    bool same = has(wanted, "same") && !has(wanted, "error") && !has(wanted, "part") &&
                !has(wanted, "other") && !has(wanted, "any") && more == NULL;
    fputs(same && server ? "alive: true" : same ? "exit: 0" : "exit: any", writer->out);
}

/* ---- nodes, in the flow style but for the outer ones ---- */

static bool left_out(const struct tf_node *node)
{
    static const char *const words[] = {"battery", "requires", "why", "source", "about", "cases", "name"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(name_of(node), words[i]) == 0)
            return true;
    return false;
}

static void flow(struct writer *writer, const struct tf_node *node);

static void flow_map(struct writer *writer, const struct tf_node *node)
{
    bool first = true;
    fputc('{', writer->out);
    for (const struct tf_node *each = node->first; each != NULL; each = each->next) {
        if (strcmp(name_of(each), "tolerated") == 0)
            continue;
        fputs(first ? "" : ", ", writer->out);
        first = false;
        if (strcmp(name_of(each), "outcome") == 0) {
            outcome(writer, node, name_of(node));
            continue;
        }
        bool null = tf_node_is_null(each);
        fputs(name_of(each), writer->out);
        fputs(null ? "" : ": ", writer->out); /* {port}, not {port: } */
        if (!null)
            flow(writer, each);
    }
    fputc('}', writer->out);
}

static void flow(struct writer *writer, const struct tf_node *node)
{
    int stands = node->kind != TF_NODE_SCALAR          ? TF_STANDS_SELF
                 : strcmp(node->text, "{target}") == 0 ? TF_STANDS_TARGET
                 : strcmp(node->text, "{peer}") == 0   ? TF_STANDS_PEER
                                                       : TF_STANDS_SELF;
    if (stands != TF_STANDS_SELF) {
        command(writer, stands, strcmp(name_of(node), "run") != 0);
    } else if (node->kind == TF_NODE_SCALAR) {
        scalar(writer, node);
    } else if (node->kind == TF_NODE_MAP) {
        flow_map(writer, node);
    } else {
        fputc('[', writer->out);
        for (const struct tf_node *each = node->first; each != NULL; each = each->next) {
            flow(writer, each);
            fputs(each->next != NULL ? ", " : "", writer->out);
        }
        fputc(']', writer->out);
    }
}

/* The keys of a file or a case, one a line, and below programs, expect and steps an
 * entry a line. */
static void block(struct writer *writer, const struct tf_node *map, const char *indent)
{
    for (const struct tf_node *each = map->first; each != NULL; each = each->next) {
        bool deep = each->kind == TF_NODE_MAP || strcmp(name_of(each), "steps") == 0;
        if (left_out(each))
            continue;
        fprintf(writer->out, "%s%s:", indent, name_of(each));
        if (!deep || each->kind == TF_NODE_SCALAR || each->first == NULL) {
            fputc(' ', writer->out);
            flow(writer, each);
        }
        for (const struct tf_node *below = deep ? each->first : NULL; below != NULL; below = below->next) {
            bool list = each->kind == TF_NODE_LIST;
            fprintf(writer->out, "\n%s%s%s%s", indent, list ? "- " : "  ", name_of(below), list ? "" : ": ");
            flow(writer, below);
        }
        fputc('\n', writer->out);
    }
}

static void comment(FILE *out, const char *what, const char *text)
{
    fprintf(out, "#%s%s", what[0] != '\0' ? " " : "", what);
    size_t column = strlen(what) + 2;
    for (const char *at = text; *at != '\0';) {
        size_t word = strcspn(at, " \n");
        if (column + 1 + word > 78) {
            fputs("\n#", out);
            column = 1;
        }
        fprintf(out, " %.*s", (int)word, at);
        column += word + 1;
        at += word + strspn(at + word, " \n");
    }
    fputc('\n', out);
}

static const struct tf_node *node_of(const struct tf_yaml *yaml, const struct tf_case *one)
{
    const struct tf_node *cases = entry(yaml->root, "cases");
    for (const struct tf_node *each = cases != NULL ? cases->first : NULL; each != NULL; each = each->next) {
        const struct tf_node *name = entry(each, "name");
        if (name != NULL && name->kind == TF_NODE_SCALAR && strcmp(name->text, one->name) == 0)
            return each;
    }
    return NULL;
}

int tf_battery_explain(const struct tf_batteries *batteries, const struct tf_case *one, char *const *target,
                       char *const *peer, const char *ready, FILE *out, struct tf_error *error)
{
    struct tf_yaml yaml;
    struct writer writer = {.out = out, .one = one, .target = target, .peer = peer, .ready = ready};
    char id[TF_BATTERY_ID];
    size_t at = 0;
    while (batteries->scenario[at] != one->file)
        at++;
    tf_battery_id(one, id);
    int result =
        tf_yaml_parse(&yaml, one->file->path, batteries->text[at], strlen(batteries->text[at]), error);
    if (result == 0) {
        const struct tf_node *node = node_of(&yaml, one);
        fprintf(out, "# %s\n", id);
        if (one->about != NULL)
            comment(out, "", one->about);
        if (one->why != NULL)
            comment(out, "Why a good program holds:", one->why);
        if (one->source != NULL)
            comment(out, "Source:", one->source);
        fprintf(out, "name: ");
        quoted(out, id);
        fputc('\n', out);
        block(&writer, yaml.root, "");
        if (node != NULL) {
            fprintf(out, "cases:\n- name: ");
            quoted(out, one->name);
            fputc('\n', out);
            block(&writer, node, "  ");
        }
    }
    tf_yaml_free(&yaml);
    return result;
}
