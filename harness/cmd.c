#include "cmd.h"

#include "result.h"
#include "session.h"

#include <stdarg.h>
#include <stdio.h>

const struct tf_command *const tf_commands[] = {&tf_command_inject, &tf_command_run,    &tf_command_check,
                                                &tf_command_trace,  &tf_command_report, &tf_command_doctor,
                                                &tf_command_peer,   &tf_command_list,   NULL};

void tf_say(const char *format, ...)
{
    /* One write: the command prints to the same place. */
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "tcpfault: %s%s\n", text, length >= (int)sizeof text ? "..." : "");
    fflush(stderr);
}

int tf_cmd_usage(const struct tf_command *command, int parsed, const struct tf_error *error)
{
    if (parsed == -2) {
        tf_options_help(command, stdout);
        return TF_EXIT_OK;
    }
    tf_say("%s: %s", command->name, error->text);
    return TF_EXIT_USAGE;
}

int tf_cmd_judge(const struct tf_session_result *result, const struct tf_common *common, const char *command)
{
    if (result->lost)
        tf_say("note: %llu events were lost: they came faster than they could be written down",
               (unsigned long long)result->lost);
    if (result->processes == 0) {
        tf_say("libtcpfault.so did not load into %.200s: none of its calls was seen", command);
        return TF_EXIT_TOOL;
    }
    if (result->program.deadline) {
        tf_say("%.200s was still running after %.3g s, and was killed", command,
               (double)common->timeout_ns / 1e9);
        return TF_EXIT_FOUND;
    }
    return result->ended_by_for ? TF_EXIT_OK : tf_program_shell_status(&result->program);
}

size_t tf_cmd_findings(const struct tf_session *session, const struct tf_common *common, size_t from)
{
    size_t count;
    const struct tf_finding *finding = tf_session_findings(session, &count);
    struct tf_report_style style = {
        .color = tf_color_on(common->color, 2), .quiet = common->quiet, .verbose = common->verbose};
    for (size_t i = from; i < count; i++)
        tf_report_finding(stderr, &style, "tcpfault: ", "", &finding[i]);
    fflush(stderr);
    return count;
}

bool tf_cmd_counts(const struct tf_session *session)
{
    size_t count;
    const struct tf_finding *finding = tf_session_findings(session, &count);
    for (size_t i = 0; i < count; i++)
        if (tf_finding_counts(&finding[i]))
            return true;
    return false;
}
