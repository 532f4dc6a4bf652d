#include "scenario_schema.h"

#include <cyaml/cyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAYBE CYAML_FLAG_OPTIONAL
#define INT(key, type, member) CYAML_FIELD_INT(key, MAYBE, struct type, member)
#define UINT(key, type, member) CYAML_FIELD_UINT(key, MAYBE, struct type, member)
#define BOOL(key, type, member) CYAML_FIELD_BOOL(key, MAYBE, struct type, member)
#define TEXT(key, type, member) CYAML_FIELD_STRING_PTR(key, MAYBE, struct type, member, 0, CYAML_UNLIMITED)
#define LIST(key, type, member, entry)                                                                       \
    CYAML_FIELD_SEQUENCE(key, MAYBE | CYAML_FLAG_POINTER, struct type, member, entry, 0, CYAML_UNLIMITED)
#define ONE(key, type, member, fields) CYAML_FIELD_MAPPING_PTR(key, MAYBE, struct type, member, fields)
#define RANGE(key, type, member) CYAML_FIELD_MAPPING(key, MAYBE, struct type, member, range_fields)
#define STANDS(type) UINT("given", type, given), INT("line", type, line), INT("column", type, column)
#define VALUE(name, type, fields)                                                                            \
    static const cyaml_schema_value_t name = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct type, fields)}

static const cyaml_schema_value_t string = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED)};
static const cyaml_schema_value_t status = {CYAML_VALUE_INT(CYAML_FLAG_DEFAULT, int64_t)};

static const cyaml_schema_field_t range_fields[] = {
    INT("min", tf_range, min),
    INT("max", tf_range, max),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t pair_fields[] = {
    INT("line", tf_pair, line),
    INT("column", tf_pair, column),
    TEXT("name", tf_pair, name),
    TEXT("value", tf_pair, value),
    CYAML_FIELD_END,
};
VALUE(pair, tf_pair, pair_fields);

static const cyaml_schema_field_t find_fields[] = {
    INT("line", tf_find, line),    INT("column", tf_find, column),  TEXT("text", tf_find, text),
    BOOL("regex", tf_find, regex), BOOL("absent", tf_find, absent), CYAML_FIELD_END,
};
VALUE(find, tf_find, find_fields);

static const cyaml_schema_field_t find_in_fields[] = {
    INT("line", tf_find_in, line),
    INT("column", tf_find_in, column),
    TEXT("program", tf_find_in, program),
    LIST("finds", tf_find_in, finds, &find),
    CYAML_FIELD_END,
};
VALUE(find_in, tf_find_in, find_in_fields);

static const cyaml_schema_field_t fault_fields[] = {
    STANDS(tf_fault),
    TEXT("rule", tf_fault, text),
    BOOL("armed", tf_fault, armed),
    CYAML_FIELD_END,
};
VALUE(fault, tf_fault, fault_fields);

static const cyaml_schema_field_t actor_fields[] = {
    STANDS(tf_actor),
    TEXT("name", tf_actor, name),
    LIST("run", tf_actor, run, &string),
    LIST("faults", tf_actor, faults, &fault),
    LIST("env", tf_actor, env, &pair),
    TEXT("stdin", tf_actor, stdin_text),
    LIST("files", tf_actor, files, &pair),
    TEXT("cwd", tf_actor, cwd),
    INT("role", tf_actor, role),
    INT("ready", tf_actor, ready),
    TEXT("ready_text", tf_actor, ready_text),
    INT("stop", tf_actor, stop),
    LIST("after", tf_actor, after, &string),
    BOOL("shim", tf_actor, shim),
    INT("stands", tf_actor, stands),
    CYAML_FIELD_END,
};
VALUE(actor, tf_actor, actor_fields);

static const cyaml_schema_field_t pattern_fields[] = {
    STANDS(tf_pattern),
    TEXT("program", tf_pattern, program),
    TEXT("text", tf_pattern, text),
    INT("bytes", tf_pattern, bytes),
    UINT("call", tf_pattern, calls),
    BOOL("has_error", tf_pattern, has_error),
    BOOL("any_error", tf_pattern, any_error),
    INT("error", tf_pattern, error),
    BOOL("has_result", tf_pattern, has_result),
    RANGE("result", tf_pattern, result),
    INT("role", tf_pattern, role),
    UINT("family", tf_pattern, family),
    BOOL("has_opt", tf_pattern, has_opt),
    INT("opt_level", tf_pattern, opt_level),
    INT("opt_name", tf_pattern, opt_name),
    UINT("rule", tf_pattern, rule),
    RANGE("count", tf_pattern, count),
    CYAML_FIELD_END,
};
VALUE(pattern, tf_pattern, pattern_fields);

static const cyaml_schema_field_t expect_fields[] = {
    STANDS(tf_expect),
    TEXT("name", tf_expect, name),
    LIST("exit", tf_expect, exit, &status),
    BOOL("exit_any", tf_expect, exit_any),
    INT("signal", tf_expect, signal),
    LIST("stdout", tf_expect, out, &find),
    LIST("stderr", tf_expect, err, &find),
    TEXT("stdout_is", tf_expect, stdout_is),
    TEXT("stdout_file", tf_expect, stdout_file),
    UINT("within", tf_expect, within_ns),
    UINT("after", tf_expect, after_ns),
    BOOL("alive", tf_expect, alive),
    RANGE("fired", tf_expect, fired),
    LIST("events", tf_expect, events, &pattern),
    LIST("never", tf_expect, never, &pattern),
    UINT("outcome", tf_expect, outcome),
    UINT("tolerated", tf_expect, tolerated),
    CYAML_FIELD_END,
};
VALUE(expect, tf_expect, expect_fields);

static const cyaml_schema_field_t state_fields[] = {
    STANDS(tf_net_pattern),
    TEXT("text", tf_net_pattern, text),
    TEXT("port", tf_net_pattern, port),
    TEXT("peer", tf_net_pattern, peer),
    LIST("state", tf_net_pattern, states, &string),
    RANGE("count", tf_net_pattern, count),
    UINT("within", tf_net_pattern, within_ns),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t wait_fields[] = {
    STANDS(tf_wait),
    LIST("exit", tf_wait, exit, &string),
    LIST("listen", tf_wait, listen, &string),
    LIST("stdout", tf_wait, out, &find_in),
    LIST("stderr", tf_wait, err, &find_in),
    ONE("event", tf_wait, event, pattern_fields),
    ONE("state", tf_wait, state, state_fields),
    ONE("gone", tf_wait, gone, state_fields),
    UINT("within", tf_wait, within_ns),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t arming_fields[] = {
    STANDS(tf_arming),
    TEXT("program", tf_arming, program),
    UINT("rule", tf_arming, rule),
    TEXT("rule_text", tf_arming, rule_text),
    CYAML_FIELD_END,
};
VALUE(arming, tf_arming, arming_fields);

static const cyaml_schema_field_t signalling_fields[] = {
    INT("line", tf_signalling, line),
    INT("column", tf_signalling, column),
    TEXT("program", tf_signalling, program),
    INT("signal", tf_signalling, signal),
    CYAML_FIELD_END,
};
VALUE(signalling, tf_signalling, signalling_fields);

static const cyaml_schema_field_t occupy_fields[] = {
    STANDS(tf_occupy),
    TEXT("port", tf_occupy, port),
    TEXT("address", tf_occupy, address),
    BOOL("listen", tf_occupy, listen),
    BOOL("reuseaddr", tf_occupy, reuseaddr),
    BOOL("reuseport", tf_occupy, reuseport),
    UINT("for", tf_occupy, for_ns),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t time_wait_fields[] = {
    STANDS(tf_leave),
    TEXT("port", tf_leave, port),
    TEXT("peer", tf_leave, peer),
    TEXT("address", tf_leave, address),
    INT("first", tf_leave, first),
    BOOL("reuseaddr", tf_leave, reuseaddr),
    TEXT("data", tf_leave, data),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t late_segment_fields[] = {
    STANDS(tf_late),
    TEXT("port", tf_late, port),
    TEXT("peer", tf_late, peer),
    TEXT("address", tf_late, address),
    INT("to", tf_late, to),
    BOOL("acceptable", tf_late, acceptable),
    BOOL("reset", tf_late, reset),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t fill_fields[] = {
    STANDS(tf_fill),
    TEXT("port", tf_fill, port),
    TEXT("address", tf_fill, address),
    INT("queue", tf_fill, queue),
    UINT("for", tf_fill, for_ns),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t step_fields[] = {
    STANDS(tf_step),
    TEXT("text", tf_step, text),
    LIST("start", tf_step, start, &string),
    LIST("stop", tf_step, stop, &string),
    LIST("restart", tf_step, restart, &string),
    LIST("limit_nofile", tf_step, limit_nofile, &string),
    LIST("restore_nofile", tf_step, restore_nofile, &string),
    ONE("wait", tf_step, wait, wait_fields),
    LIST("signal", tf_step, signal, &signalling),
    LIST("arm", tf_step, arm, &arming),
    LIST("disarm", tf_step, disarm, &arming),
    ONE("expect_state", tf_step, expect_state, state_fields),
    ONE("occupy", tf_step, occupy, occupy_fields),
    TEXT("vacate", tf_step, vacate),
    ONE("time_wait", tf_step, time_wait, time_wait_fields),
    ONE("late_segment", tf_step, late_segment, late_segment_fields),
    ONE("fill", tf_step, fill, fill_fields),
    TEXT("drain", tf_step, drain),
    UINT("pause", tf_step, pause_ns),
    CYAML_FIELD_END,
};
VALUE(step, tf_step, step_fields);

static const cyaml_schema_field_t settings_fields[] = {
    STANDS(tf_settings),
    LIST("sysctl", tf_settings, sysctl, &pair),
    CYAML_FIELD_END,
};

#define SETUP_FIELDS                                                                                         \
    STANDS(tf_setup), TEXT("name", tf_setup, name), TEXT("about", tf_setup, about),                          \
        TEXT("why", tf_setup, why), TEXT("source", tf_setup, source),                                        \
        LIST("requires", tf_setup, requires, &pattern), LIST("tags", tf_setup, tags, &string),               \
        LIST("needs", tf_setup, needs, &string), LIST("programs", tf_setup, programs, &actor),               \
        ONE("server", tf_setup, server, actor_fields), ONE("client", tf_setup, client, actor_fields),        \
        LIST("steps", tf_setup, steps, &step), LIST("expect", tf_setup, expect, &expect),                    \
        UINT("timeout", tf_setup, timeout_ns), UINT("seed", tf_setup, seed),                                 \
        BOOL("allow_unfired", tf_setup, allow_unfired), LIST("allow", tf_setup, allow, &pair),               \
        ONE("sandbox", tf_setup, sandbox, settings_fields)

static const cyaml_schema_field_t case_fields[] = {SETUP_FIELDS, CYAML_FIELD_END};
VALUE(one_case, tf_setup, case_fields);

static const cyaml_schema_field_t file_fields[] = {
    SETUP_FIELDS,
    INT("battery", tf_setup, battery),
    LIST("cases", tf_setup, cases, &one_case),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t file = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct tf_setup, file_fields)};

/* Keeps the first message. */
static void keep_message(cyaml_log_t level, void *context, const char *format, va_list list)
{
    struct tf_error *error = context;
    (void)level;
    if (error->text[0] != '\0')
        return;
    vsnprintf(error->text, sizeof(error->text), format, list);
    error->text[strcspn(error->text, "\n")] = '\0';
}

static cyaml_config_t config(struct tf_error *message)
{
    return (cyaml_config_t){
        .log_fn = keep_message,
        .log_ctx = message,
        .log_level = CYAML_LOG_ERROR,
        .mem_fn = cyaml_mem,
        .flags = CYAML_CFG_NO_ALIAS,
    };
}

struct tf_setup *tf_setup_load(const char *canonical, size_t size, struct tf_error *error)
{
    struct tf_setup *setup = NULL;
    struct tf_error message = {.text = ""};
    const cyaml_config_t with = config(&message);
    cyaml_err_t result =
        cyaml_load_data((const uint8_t *)canonical, size, &with, &file, (cyaml_data_t **)&setup, NULL);
    if (result == CYAML_OK)
        return setup;
    tf_error_set(error, "internal error: %s (%.400s)", cyaml_strerror(result), message.text);
    return NULL;
}

void tf_setup_free(struct tf_setup *setup)
{
    struct tf_error message = {.text = ""};
    const cyaml_config_t with = config(&message);
    cyaml_free(&with, &file, setup, 0);
}
