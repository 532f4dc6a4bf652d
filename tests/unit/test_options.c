#include "options.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

struct settings {
    struct tf_common common;
    bool flag;
    const char *text;
};

static const struct tf_option options[] = {
    {"flag", 'f', TF_OPTION_FLAG, NULL, offsetof(struct settings, flag), NULL, "a flag"},
    {"text", 't', TF_OPTION_TEXT, "TEXT", offsetof(struct settings, text), NULL, "a text"},
    TF_COMMON_OPTIONS(struct settings, common),
    {0},
};

static const struct tf_command command = {.name = "test", .synopsis = "", .about = "", .options = options};
static const struct tf_command runner = {
    .name = "test", .synopsis = "", .about = "", .options = options, .runs_operands = true};

static struct settings settings;
static struct tf_error error;
static int first, end, start;
static char *argv[20];

/* Splits the words at blanks and parses them. */
static int parse(const struct tf_command *which, const char *line)
{
    static char text[400];
    int argc = 0;
    strcpy(text, line);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    settings = (struct settings){0};
    first = tf_options_parse(which, argc, argv, &settings, &end, &start, &error);
    return first;
}

static void refuses(const char *line, const char *message)
{
    CU_ASSERT_EQUAL(parse(&command, line), -1);
    TF_SAME(error.text, message);
}

static void options_stand_anywhere_before_the_dashes(void)
{
    CU_ASSERT(parse(&command, "test one --flag two --text x --seed 0x10 three -- cmd --flag") > 0);
    CU_ASSERT(settings.flag && settings.common.seed.given);
    CU_ASSERT_EQUAL(settings.common.seed.value, 16);
    TF_SAME(settings.text, "x");
    CU_ASSERT_EQUAL(end - first, 3);
    TF_SAME(argv[first], "one");
    TF_SAME(argv[first + 1], "two");
    TF_SAME(argv[first + 2], "three");
    TF_SAME(argv[start], "cmd");
    TF_SAME(argv[start + 1], "--flag");
}

static void the_environment_does_not_change_that(void)
{
    setenv("POSIXLY_CORRECT", "1", 1);
    options_stand_anywhere_before_the_dashes();
    unsetenv("POSIXLY_CORRECT");
}

static void without_dashes_there_is_no_command(void)
{
    CU_ASSERT(parse(&command, "test one -f") > 0);
    CU_ASSERT_EQUAL(end - first, 1);
    CU_ASSERT_EQUAL(start, 3);
    CU_ASSERT(settings.flag);
}

static void a_runner_takes_the_first_operand_as_the_command(void)
{
    CU_ASSERT(parse(&runner, "test -q cmd --flag -- x") > 0);
    CU_ASSERT_EQUAL(end, first);
    TF_SAME(argv[start], "cmd");
    CU_ASSERT(settings.common.quiet && !settings.flag);
    CU_ASSERT(parse(&runner, "test -q -- cmd --flag") > 0);
    TF_SAME(argv[start], "cmd");
    CU_ASSERT_FALSE(settings.flag);
}

static void values_are_checked(void)
{
    CU_ASSERT(parse(&command, "test --timeout=1.5s --color never --output=d") > 0);
    CU_ASSERT_EQUAL(settings.common.timeout_ns, 1500000000);
    CU_ASSERT_EQUAL(settings.common.color, TF_COLOR_NEVER);
    TF_SAME(settings.common.output, "d");
    refuses("test --timeout 5", "--timeout: expected a time such as 200ms, 1.5s or 2m, got \"5\"");
    refuses("test --timeout 0s", "--timeout: expected a time such as 200ms, 1.5s or 2m, got \"0s\"");
    refuses("test --seed x1", "--seed: expected a number, got \"x1\"");
    refuses("test --seed -1", "--seed: expected a number, got \"-1\"");
    refuses("test --seed 99999999999999999999", "--seed: expected a number, got \"99999999999999999999\"");
    refuses("test --color nevr",
            "--color: \"nevr\" is not one of auto, always, never; did you mean \"never\"?");
}

static void mistakes_are_named_with_the_nearest_word(void)
{
    refuses("test --flaq", "unknown option \"--flaq\"; did you mean \"--flag\"?");
    refuses("test --timeuot=5s x", "unknown option \"--timeuot\"; did you mean \"--timeout\"?");
    refuses("test --zzzzzz", "unknown option \"--zzzzzz\"");
    refuses("test -Z", "unknown option \"-Z\"");
    refuses("test -fZ", "unknown option \"-Z\"");
    refuses("test --text", "option \"--text\" needs an argument");
    refuses("test -t", "option \"-t\" needs an argument");
    refuses("test --flag=1", "option \"--flag=1\" takes no argument");
    refuses("test --text -- x", "option \"--text\" needs an argument");
}

static void help_is_asked_for(void)
{
    CU_ASSERT_EQUAL(parse(&command, "test x --help --nonsense"), -2);
    CU_ASSERT_EQUAL(parse(&runner, "test -h"), -2);
}

static void every_option_is_one_line_of_help(void)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    tf_options_help(&command, out);
    fclose(out);
    for (const struct tf_option *option = options; option->name; option++) {
        char word[40];
        snprintf(word, sizeof word, " --%s", option->name);
        char *line = strstr(text, word);
        TF_CHECK(line && strstr(line, option->about), "%s is there", word);
    }
    free(text);
}

TF_SUITE(options, TF_TEST(options_stand_anywhere_before_the_dashes),
         TF_TEST(the_environment_does_not_change_that), TF_TEST(without_dashes_there_is_no_command),
         TF_TEST(a_runner_takes_the_first_operand_as_the_command), TF_TEST(values_are_checked),
         TF_TEST(mistakes_are_named_with_the_nearest_word), TF_TEST(help_is_asked_for),
         TF_TEST(every_option_is_one_line_of_help))
