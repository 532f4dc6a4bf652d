#include "cmd.h"

#include "known.h"
#include "session.h"
#include "show.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { FORMAT_TERM, FORMAT_JSON, LINE = 2048 };

static const char *const formats[] = {"term", "json", NULL};

struct settings {
    struct tf_common common;
    uint64_t for_ns;
    const char *file;
    int format;
    bool sandbox;
};

static const struct tf_option options[] = {
    {"file", 'o', TF_OPTION_TEXT, "FILE", offsetof(struct settings, file), NULL,
     "write the trace to FILE (default: standard error)"},
    {"format", 0, TF_OPTION_CHOICE, "FORMAT", offsetof(struct settings, format), formats,
     "term (as strace writes it, the default) or json (an object a line)"},
    {"for", 0, TF_OPTION_TIME, "T", offsetof(struct settings, for_ns), NULL,
     "end the command after T (SIGTERM, then SIGKILL): its normal end"},
    {"sandbox", 0, TF_OPTION_FLAG, NULL, offsetof(struct settings, sandbox), NULL,
     "run it in a network namespace of its own"},
    TF_COMMON_OPTIONS(struct settings, common),
    {0},
};

static int run(int argc, char **argv);

const struct tf_command tf_command_trace = {
    .name = "trace",
    .synopsis = "[OPTION]... [--] COMMAND [ARGUMENT]...",
    .about = "no faults: watch the TCP calls of a command",
    .options = options,
    .runs_operands = true,
    .run = run,
};

struct writer {
    FILE *out;
    bool json, color;
    struct tf_session *session;
};

static void on_event(void *data, enum tf_collect_what what, const struct tf_event *event)
{
    struct writer *writer = data;
    const struct tf_segment *segment = tf_session_segment(writer->session);
    if (writer->json) {
        json_t *object = what == TF_COLLECT_BLOCKED ? NULL : tf_show_event_json(segment, event);
        if (object) {
            json_dumpf(object, writer->out, JSON_COMPACT);
            fputs("\n", writer->out);
            json_decref(object);
        }
        return;
    }
    char line[LINE];
    unsigned int flags = what == TF_COLLECT_BLOCKED   ? TF_SHOW_UNFINISHED
                         : what == TF_COLLECT_RESUMED ? TF_SHOW_RESUMED
                                                      : 0;
    tf_show_event(segment, event, flags, line, sizeof line);
    bool red = writer->color && event->error && event->error != EAGAIN && event->error != EINPROGRESS;
    fprintf(writer->out, red ? "\033[31m%s\033[0m\n" : "%s\n", line);
}

static void on_drained(void *data)
{
    struct writer *writer = data;
    fflush(writer->out);
}

static int trace(const struct settings *settings, char **command, struct writer *writer)
{
    static const struct tf_plan no_rules;
    struct tf_error error;
    struct tf_session_result result;
    bool usage;
    struct tf_known *known =
        tf_known_load(settings->common.baseline, settings->common.suppressions, 0, &error);
    if (!known) {
        tf_say("%s", error.text);
        return TF_EXIT_USAGE;
    }
    struct tf_session_options session = {.argv = command,
                                         .plan = &no_rules,
                                         .output = settings->common.output,
                                         .sandbox = settings->sandbox,
                                         .timeout_ns = settings->common.timeout_ns,
                                         .for_ns = settings->for_ns,
                                         .blocked = true,
                                         .judge = true,
                                         .known = known,
                                         .on_event = on_event,
                                         .on_drained = on_drained,
                                         .data = writer};
    writer->session = tf_session_new(&session, &usage, &error);
    if (!writer->session) {
        tf_say("%s", error.text);
        tf_known_free(known);
        return usage ? TF_EXIT_USAGE : TF_EXIT_TOOL;
    }
    if (*tf_session_preflight(writer->session)->note && !settings->common.quiet)
        tf_say("note: %s", tf_session_preflight(writer->session)->note);
    int status = TF_EXIT_TOOL;
    if (tf_session_record(writer->session, "trace", -1, &error) ||
        tf_session_run(writer->session, &result, &error))
        tf_say("%s", error.text);
    else
        status = tf_cmd_judge(&result, &settings->common, command[0]);
    tf_cmd_findings(writer->session, &settings->common, 0);
    if (tf_session_record(writer->session, "trace", status, &error))
        tf_say("%s", error.text);
    tf_session_free(writer->session);
    tf_known_free(known);
    return status;
}

static int run(int argc, char **argv)
{
    struct settings settings = {0};
    struct tf_error error;
    int end, command;
    int first = tf_options_parse(&tf_command_trace, argc, argv, &settings, &end, &command, &error);
    if (first < 0)
        return tf_cmd_usage(&tf_command_trace, first, &error);
    if (command >= argc) {
        tf_say("trace: no command to run");
        return TF_EXIT_USAGE;
    }
    struct writer writer = {.json = settings.format == FORMAT_JSON};
    /* A stream of its own: stderr would make a system call of every line. */
    int fd = settings.file ? -1 : fcntl(2, F_DUPFD_CLOEXEC, 3);
    writer.out = settings.file ? fopen(settings.file, "we") : fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!writer.out) {
        tf_say("trace: %s: %s", settings.file ? settings.file : "standard error", strerror(errno));
        return TF_EXIT_TOOL;
    }
    writer.color = !settings.file && tf_color_on(settings.common.color, 2);
    int status = trace(&settings, argv + command, &writer);
    if (fclose(writer.out)) {
        tf_say("trace: writing %s: %s", settings.file ? settings.file : "standard error", strerror(errno));
        status = TF_EXIT_TOOL;
    }
    return status;
}
