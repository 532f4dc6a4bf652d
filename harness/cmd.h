/* The subcommands: one file each, cmd_NAME.c, which alone (with main.c) prints. */
#ifndef TF_CMD_H
#define TF_CMD_H

#include "options.h"

#include "error.h"

#define TF_VERSION "0.1.0"

enum tf_exit {
    TF_EXIT_OK = 0,
    TF_EXIT_FOUND = 1, /* something does not hold */
    TF_EXIT_USAGE = 2, /* the command line or a scenario is wrong */
    TF_EXIT_TOOL = 3,  /* the tool could not do its job */
};

extern const struct tf_command tf_command_inject, tf_command_run, tf_command_trace, tf_command_list,
    tf_command_report, tf_command_doctor, tf_command_check, tf_command_peer;

/* run's entry point, beside its row. */
int tf_cmd_run(int argc, char **argv);

/* Ends with NULL. */
extern const struct tf_command *const tf_commands[];

/* "tcpfault: " and a line, on stderr. */
void tf_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

struct tf_session;
struct tf_session_result;

/* What a run came to, rules aside: says what has to be said, and returns the exit
 * status. `command`: as the user wrote it. */
int tf_cmd_judge(const struct tf_session_result *result, const struct tf_common *common, const char *command);

/* Prints what was found from number `from` on; returns how many there are. */
size_t tf_cmd_findings(const struct tf_session *session, const struct tf_common *common, size_t from);
/* Is there one that counts against the run? */
bool tf_cmd_counts(const struct tf_session *session);

/* For a command's -1 and -2 of tf_options_parse: says what has to be said and
 * returns the exit status. */
int tf_cmd_usage(const struct tf_command *command, int parsed, const struct tf_error *error);

#endif
