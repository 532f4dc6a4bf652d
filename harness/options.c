#include "options.h"

#include "rule.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPTIONS_MAX = 48, OPERAND = 1, HELP = 1000, FIRST = 1001 };

const char *const tf_color_choices[] = {"auto", "always", "never", NULL};

/* The table as getopt_long(3) wants it: row i of the table is value FIRST + i. */
struct getopt_form {
    struct option rows[OPTIONS_MAX + 2];
    char letters[2 * OPTIONS_MAX + 4];
    const char *names[OPTIONS_MAX + 2]; /* "--seed", for suggestions */
    char text[OPTIONS_MAX + 1][34];
};

static void add_name(struct getopt_form *form, int i, const char *name)
{
    snprintf(form->text[i], sizeof form->text[i], "--%s", name);
    form->names[i] = form->text[i];
}

static int prepare(struct getopt_form *form, const struct tf_command *command)
{
    const struct tf_option *options = command->options;
    memset(form, 0, sizeof *form);
    char *letter = form->letters;
    /* '-': operands come as OPERAND, in their order, whatever POSIXLY_CORRECT says. */
    *letter++ = command->runs_operands ? '+' : '-';
    *letter++ = ':'; /* a missing argument is told from an unknown option */
    int n = 0;
    for (; options && options[n].name && n < OPTIONS_MAX; n++) {
        int argument = options[n].argument ? required_argument : no_argument;
        form->rows[n] = (struct option){options[n].name, argument, NULL, FIRST + n};
        add_name(form, n, options[n].name);
        if (options[n].letter) {
            *letter++ = options[n].letter;
            if (options[n].argument)
                *letter++ = ':';
        }
    }
    form->rows[n] = (struct option){"help", no_argument, NULL, HELP};
    add_name(form, n, "help");
    *letter++ = 'h';
    return n;
}

static int parse_number(const char *text, struct tf_number *number)
{
    char *end;
    errno = 0;
    int base = !strncmp(text, "0x", 2) || !strncmp(text, "0X", 2) ? 16 : 10;
    unsigned long long value = strtoull(text, &end, base);
    if (errno || end == text || *end || *text == '-' || *text == '+' || *text == ' ')
        return -1;
    *number = (struct tf_number){true, value};
    return 0;
}

static int bad_choice(const struct tf_option *option, const char *text, struct tf_error *error)
{
    char list[160] = "";
    for (int i = 0; option->choices[i]; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", option->choices[i]);
    const char *nearest = tf_nearest(text, strlen(text), option->choices);
    if (nearest)
        return tf_error_set(error, "--%s: \"%.60s\" is not one of %s; did you mean \"%s\"?", option->name,
                            text, list, nearest);
    return tf_error_set(error, "--%s: \"%.60s\" is not one of %s", option->name, text, list);
}

static int store(const struct tf_option *option, const char *text, void *settings, struct tf_error *error)
{
    void *variable = (char *)settings + option->offset;
    switch (option->kind) {
    case TF_OPTION_FLAG:
        *(bool *)variable = true;
        return 0;
    case TF_OPTION_TEXT:
        *(const char **)variable = text;
        return 0;
    case TF_OPTION_LIST:
        if (((struct tf_list *)variable)->count == TF_LIST)
            return tf_error_set(error, "--%s: more than %d of them", option->name, TF_LIST);
        ((struct tf_list *)variable)->item[((struct tf_list *)variable)->count++] = text;
        return 0;
    case TF_OPTION_NUMBER:
        if (parse_number(text, variable))
            return tf_error_set(error, "--%s: expected a number, got \"%.60s\"", option->name, text);
        return 0;
    case TF_OPTION_TIME:
        if (tf_time_parse(text, strlen(text), variable) || !*(uint64_t *)variable)
            return tf_error_set(error, "--%s: expected a time such as 200ms, 1.5s or 2m, got \"%.60s\"",
                                option->name, text);
        return 0;
    case TF_OPTION_CHOICE:
        for (int i = 0; option->choices[i]; i++) {
            if (!strcmp(option->choices[i], text)) {
                *(int *)variable = i;
                return 0;
            }
        }
        return bad_choice(option, text, error);
    }
    return -1;
}

static int unknown_option(const struct getopt_form *form, const char *word, struct tf_error *error)
{
    size_t length = strcspn(word, "=");
    const char *nearest = tf_nearest(word, length, form->names);
    if (nearest)
        return tf_error_set(error, "unknown option \"%.*s\"; did you mean \"%s\"?", (int)length, word,
                            nearest);
    return tf_error_set(error, "unknown option \"%.*s\"", (int)length, word);
}

static const struct tf_option *by_value(const struct tf_option *options, int count, int value)
{
    if (value >= FIRST && value < FIRST + count)
        return &options[value - FIRST];
    for (int i = 0; i < count; i++) {
        if (options[i].letter == value)
            return &options[i];
    }
    return NULL;
}

/* What getopt_long(3) did not accept, `value` being ':' or '?'. */
static int refuse(const struct getopt_form *form, const char *word, int value, struct tf_error *error)
{
    char letter[3] = {'-', (char)optopt, 0};
    bool is_letter = optopt > 0 && optopt < HELP;
    if (value == ':')
        return tf_error_set(error, "option \"%.60s\" needs an argument", is_letter ? letter : word);
    if (optopt >= HELP)
        return tf_error_set(error, "option \"%.60s\" takes no argument", word);
    return unknown_option(form, is_letter ? letter : word, error);
}

int tf_options_parse(const struct tf_command *command, int argc, char **argv, void *settings,
                     int *operands_end, int *command_start, struct tf_error *error)
{
    int end = 1;
    while (end < argc && strcmp(argv[end], "--"))
        end++;
    *command_start = end < argc ? end + 1 : argc;

    struct getopt_form form;
    int count = prepare(&form, command);
    char **operands = calloc((size_t)argc + 1, sizeof *operands);
    if (!operands)
        return tf_error_set(error, "out of memory");
    int operand_count = 0, result = 0, value;
    opterr = 0;
    optind = 0;
    while (!result && (value = getopt_long(end, argv, form.letters, form.rows, NULL)) != -1) {
        const struct tf_option *option;
        if (value == OPERAND)
            operands[operand_count++] = optarg;
        else if (value == HELP || value == 'h')
            result = -2;
        else if (value == ':' || value == '?')
            result = refuse(&form, argv[optind - 1], value, error);
        else if ((option = by_value(command->options, count, value)))
            result = store(option, optarg, settings, error);
    }
    if (command->runs_operands && !result && optind < end) {
        *command_start = optind;
        end = optind;
    }
    memcpy(argv + end - operand_count, operands, (size_t)operand_count * sizeof *operands);
    free(operands);
    *operands_end = end;
    return result ? result : end - operand_count;
}

void tf_options_help(const struct tf_command *command, FILE *out)
{
    fprintf(out, "Usage: tcpfault %s %s\n\n%s\n", command->name, command->synopsis, command->about);
    if (command->details)
        fprintf(out, "\n%s\n", command->details);
    fprintf(out, "\nOptions:\n");
    for (const struct tf_option *option = command->options; option && option->name; option++) {
        char left[64], letter[5] = "    ";
        if (option->letter)
            snprintf(letter, sizeof letter, "-%c, ", option->letter);
        snprintf(left, sizeof left, "%s--%s%s%s", letter, option->name, option->argument ? " " : "",
                 option->argument ? option->argument : "");
        fprintf(out, "  %-24s %s\n", left, option->about);
    }
    fprintf(out, "  %-24s %s\n", "-h, --help", "print this, and exit");
}

bool tf_color_on(int color, int fd)
{
    if (color != TF_COLOR_AUTO)
        return color == TF_COLOR_ALWAYS;
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return isatty(fd) && !(no_color && *no_color) && !(term && !strcmp(term, "dumb"));
}
