/* Scenario files under libFuzzer: whatever the bytes, one clear error at a place
 * in the file, or cases in which every name leads somewhere. Runs nothing. */
#include "scenario.h"
#include "scenario_text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOLD(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "does not hold: %s\n", #condition);                                              \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

/* "s.yaml:LINE:COLUMN: message", on one line; never a fault of our own. */
static void check_error(const struct tf_error *error, const uint8_t *data, size_t size)
{
    int line = 0, column = 0, end = 0, lines = 2;
    HOLD(memchr(error->text, '\0', sizeof(error->text)) != NULL);
    HOLD(sscanf(error->text, "s.yaml:%d:%d: %n", &line, &column, &end) == 2 && end > 0);
    HOLD(error->text[end] != '\0' && strchr(error->text, '\n') == NULL);
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n' || data[i] == '\r' || data[i] >= 0x80; /* YAML has more ends of lines */
    HOLD(line >= 1 && line <= lines && column >= 1 && (size_t)column <= size + 2);
}

static void check_finds(const struct tf_find *finds, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct tf_wrong wrong;
        regex_t regex;
        HOLD(finds[i].text != NULL);
        if (!finds[i].regex)
            continue;
        HOLD(tf_regex_compile(&regex, finds[i].text, &wrong) == 0);
        regfree(&regex);
    }
}

static void check_case(const struct tf_case *one)
{
    HOLD(one->name != NULL && one->actors >= 1 && one->actors <= TF_SCENARIO_PROGRAMS);
    HOLD(one->timeout_ns > 0);
    for (uint32_t i = 0; i < one->actors; i++) {
        const struct tf_actor *actor = &one->actor[i];
        HOLD(tf_name_valid(actor->name) && tf_case_actor(one, actor->name) == (int)i);
        HOLD(actor->run_count >= 1 && actor->role != TF_PART_DEFAULT && actor->ready != TF_READY_DEFAULT);
        HOLD(actor->stop >= 1 && actor->stop <= 64);
        for (uint32_t j = 0; j < actor->after_count; j++)
            HOLD(tf_case_actor(one, actor->after[j]) >= 0);
        HOLD(strcmp(one->expect[i].name, actor->name) == 0);
        check_finds(one->expect[i].out, one->expect[i].out_count);
        check_finds(one->expect[i].err, one->expect[i].err_count);
    }
    for (uint32_t i = 0; i < one->steps_count; i++) {
        const struct tf_step *step = &one->steps[i];
        for (uint32_t j = 0; j < step->start_count; j++)
            HOLD(tf_case_actor(one, step->start[j]) >= 0);
        for (uint32_t j = 0; j < step->arm_count; j++)
            HOLD(tf_case_fault(&one->actor[tf_case_actor(one, step->arm[j].program)], &step->arm[j]) >= 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tf_error error = {.text = ""};
    struct tf_scenario *scenario = tf_scenario_parse("s.yaml", (const char *)data, size, &error);
    if (scenario == NULL) {
        check_error(&error, data, size);
        return 0;
    }
    HOLD(scenario->cases_count >= 1);
    for (size_t i = 0; i < scenario->cases_count; i++)
        check_case(&scenario->cases[i]);
    tf_scenario_free(scenario);
    return 0;
}
