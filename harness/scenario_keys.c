#include "scenario_keys.h"

#include <stddef.h>
#include <string.h>

static const struct tf_key fault_keys[] = {
    {"rule", tf_write_fault_text, NULL, true},
    {"armed", tf_write_flag, NULL, false},
    {0},
};
const struct tf_mapping tf_fault_shape = {"a fault", "rule", false, fault_keys};

static const struct tf_key actor_keys[] = {
    {"run", tf_write_words, NULL, false}, /* a case's part of a program may leave it out */
    {"faults", tf_write_list, &tf_fault_shape, false},
    {"env", tf_write_env, NULL, false},
    {"stdin", tf_write_subst, NULL, false},
    {"files", tf_write_files, NULL, false},
    {"cwd", tf_write_subst, NULL, false},
    {"role", tf_write_part, NULL, false},
    {"ready", tf_write_ready, NULL, false},
    {"stop", tf_write_signal, NULL, false},
    {"after", tf_write_names, NULL, false},
    {"shim", tf_write_flag, NULL, false},
    {0},
};
const struct tf_mapping tf_actor_shape = {"a program", "run", false, actor_keys};

static const struct tf_key pattern_keys[] = {
    {"call", tf_write_calls, NULL, true},
    {"error", tf_write_errno, NULL, false},
    {"result", tf_write_result, NULL, false},
    {"role", tf_write_role, NULL, false},
    {"family", tf_write_family, NULL, false},
    {"opt", tf_write_option, NULL, false},
    {"rule", tf_write_ordinal, NULL, false},
    {"count", tf_write_count, NULL, false},
    {0},
};
const struct tf_mapping tf_pattern_shape = {"an event", "call", true, pattern_keys};

static const struct tf_key event_keys[] = {
    {"program", tf_write_name, NULL, true}, {"call", tf_write_calls, NULL, true},
    {"error", tf_write_errno, NULL, false}, {"result", tf_write_result, NULL, false},
    {"role", tf_write_role, NULL, false},   {"family", tf_write_family, NULL, false},
    {"opt", tf_write_option, NULL, false},  {"rule", tf_write_ordinal, NULL, false},
    {"count", tf_write_count, NULL, false}, {0},
};
const struct tf_mapping tf_event_shape = {"an event", NULL, true, event_keys};

static const struct tf_key expect_keys[] = {
    {"exit", tf_write_exit, NULL, false},
    {"signal", tf_write_signal, NULL, false},
    {"stdout", tf_write_finds, NULL, false},
    {"stderr", tf_write_finds, NULL, false},
    {"stdout_is", tf_write_subst, NULL, false},
    {"stdout_file", tf_write_file, NULL, false},
    {"within", tf_write_time, NULL, false},
    {"after", tf_write_time, NULL, false},
    {"alive", tf_write_flag, NULL, false},
    {"fired", tf_write_count, NULL, false},
    {"events", tf_write_list, &tf_pattern_shape, false},
    {"never", tf_write_list, &tf_pattern_shape, false},
    {"outcome", tf_write_outcomes, NULL, false},
    {"tolerated", tf_write_outcomes, NULL, false},
    {0},
};
const struct tf_mapping tf_expect_shape = {"an expectation", NULL, false, expect_keys};

static const struct tf_key state_keys[] = {
    {"port", tf_write_port, NULL, false},    {"peer", tf_write_port, NULL, false},
    {"state", tf_write_states, NULL, false}, {"count", tf_write_count, NULL, false},
    {"within", tf_write_time, NULL, false},  {0},
};
const struct tf_mapping tf_state_shape = {"a state", NULL, true, state_keys};

static const struct tf_key wait_keys[] = {
    {"exit", tf_write_names, NULL, false},
    {"listen", tf_write_names, NULL, false},
    {"stdout", tf_write_find_in, NULL, false},
    {"stderr", tf_write_find_in, NULL, false},
    {"event", tf_write_map, &tf_event_shape, false},
    {"state", tf_write_map, &tf_state_shape, false},
    {"gone", tf_write_map, &tf_state_shape, false},
    {"within", tf_write_time, NULL, false},
    {0},
};
const struct tf_mapping tf_wait_shape = {"a condition", NULL, false, wait_keys};

static const struct tf_key arming_keys[] = {
    {"program", tf_write_name, NULL, true},
    {"rule", tf_write_rule_ref, NULL, false},
    {0},
};
const struct tf_mapping tf_arming_shape = {"arm", "program", false, arming_keys};

static const struct tf_key occupy_keys[] = {
    {"port", tf_write_port, NULL, true},
    {"address", tf_write_address, NULL, false},
    {"listen", tf_write_flag, NULL, false},
    {"reuseaddr", tf_write_flag, NULL, false},
    {"reuseport", tf_write_flag, NULL, false},
    {"for", tf_write_time, NULL, false},
    {0},
};
const struct tf_mapping tf_occupy_shape = {"occupy", NULL, false, occupy_keys};

static const struct tf_key time_wait_keys[] = {
    {"port", tf_write_port, NULL, true},
    {"peer", tf_write_port, NULL, false},
    {"address", tf_write_loopback, NULL, false},
    {"first", tf_write_part, NULL, false},
    {"reuseaddr", tf_write_flag, NULL, false},
    {"data", tf_write_text, NULL, false},
    {0},
};
const struct tf_mapping tf_time_wait_shape = {"time_wait", NULL, false, time_wait_keys};

static const struct tf_key late_segment_keys[] = {
    {"port", tf_write_port, NULL, true},
    {"peer", tf_write_port, NULL, true},
    {"address", tf_write_loopback, NULL, false},
    {"to", tf_write_part, NULL, false},
    {"acceptable", tf_write_flag, NULL, false},
    {"reset", tf_write_flag, NULL, false},
    {0},
};
const struct tf_mapping tf_late_segment_shape = {"late_segment", NULL, false, late_segment_keys};

static const struct tf_key fill_keys[] = {
    {"port", tf_write_port, NULL, true},
    {"address", tf_write_loopback, NULL, false},
    {"queue", tf_write_queue, NULL, false},
    {"for", tf_write_time, NULL, false},
    {0},
};
const struct tf_mapping tf_fill_shape = {"fill", NULL, false, fill_keys};

static const struct tf_key step_keys[] = {
    {"start", tf_write_names, NULL, false},
    {"wait", tf_write_map, &tf_wait_shape, false},
    {"signal", tf_write_signals, NULL, false},
    {"stop", tf_write_names, NULL, false},
    {"restart", tf_write_names, NULL, false},
    {"arm", tf_write_list, &tf_arming_shape, false},
    {"disarm", tf_write_list, &tf_arming_shape, false},
    {"limit_nofile", tf_write_names, NULL, false},
    {"restore_nofile", tf_write_names, NULL, false},
    {"expect_state", tf_write_map, &tf_state_shape, false},
    {"occupy", tf_write_map, &tf_occupy_shape, false},
    {"vacate", tf_write_port, NULL, false},
    {"time_wait", tf_write_map, &tf_time_wait_shape, false},
    {"late_segment", tf_write_map, &tf_late_segment_shape, false},
    {"fill", tf_write_map, &tf_fill_shape, false},
    {"drain", tf_write_port, NULL, false},
    {"pause", tf_write_time, NULL, false},
    {0},
};
const struct tf_mapping tf_step_shape = {"a step", NULL, true, step_keys};

static const struct tf_key sandbox_keys[] = {
    {"sysctl", tf_write_pairs, NULL, false},
    {0},
};
const struct tf_mapping tf_sandbox_shape = {"sandbox", NULL, false, sandbox_keys};

/* What a file and a case have in common. */
#define SETUP_KEYS                                                                                           \
    {"about", tf_write_text, NULL, false}, {"why", tf_write_text, NULL, false},                              \
        {"source", tf_write_text, NULL, false}, {"requires", tf_write_requires, &tf_pattern_shape, false},   \
        {"tags", tf_write_names, NULL, false}, {"programs", tf_write_named, &tf_actor_shape, false},         \
        {"server", tf_write_server, &tf_actor_shape, false},                                                 \
        {"client", tf_write_server, &tf_actor_shape, false},                                                 \
        {"steps", tf_write_list, &tf_step_shape, false},                                                     \
        {"expect", tf_write_named, &tf_expect_shape, false}, {"needs", tf_write_texts, NULL, false},         \
        {"timeout", tf_write_time, NULL, false}, {"seed", tf_write_seed, NULL, false},                       \
        {"allow_unfired", tf_write_flag, NULL, false}, {"allow", tf_write_allow, NULL, false},               \
    {                                                                                                        \
        "sandbox", tf_write_map, &tf_sandbox_shape, false                                                    \
    }

static const struct tf_key case_keys[] = {
    {"name", tf_write_text, NULL, true},
    SETUP_KEYS,
    {0},
};
const struct tf_mapping tf_case_shape = {"a case", NULL, false, case_keys};

static const struct tf_key file_keys[] = {
    {"name", tf_write_text, NULL, false},
    SETUP_KEYS,
    {"battery", tf_write_part, NULL, false},
    {"cases", tf_write_list, &tf_case_shape, false},
    {0},
};
const struct tf_mapping tf_file_shape = {"a scenario file", NULL, false, file_keys};

const struct tf_mapping *const tf_mappings[] = {
    &tf_file_shape,
    &tf_case_shape,
    &tf_actor_shape,
    &tf_expect_shape,
    &tf_step_shape,
    &tf_wait_shape,
    &tf_pattern_shape,
    &tf_event_shape,
    &tf_state_shape,
    &tf_fault_shape,
    &tf_arming_shape,
    &tf_sandbox_shape,
    &tf_occupy_shape,
    &tf_time_wait_shape,
    &tf_late_segment_shape,
    &tf_fill_shape,
    NULL,
};

uint64_t tf_key_bit(const struct tf_mapping *shape, const char *name)
{
    for (size_t i = 0; shape->keys[i].name != NULL; i++)
        if (strcmp(shape->keys[i].name, name) == 0)
            return UINT64_C(1) << i;
    return 0;
}
