/* Command lines. One table of options a command; the parser and --help read it.
 *
 *   static const struct tf_option options[] = {
 *       TF_COMMON_OPTIONS(struct settings, common),
 *       {"jobs", 'j', TF_OPTION_NUMBER, "N", offsetof(struct settings, jobs), NULL, "run N cases at a time"},
 *       {0},
 *   };
 */
#ifndef TF_OPTIONS_H
#define TF_OPTIONS_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum tf_option_kind {
    TF_OPTION_FLAG,   /* bool: set to true */
    TF_OPTION_TEXT,   /* const char *: points into argv */
    TF_OPTION_NUMBER, /* struct tf_number */
    TF_OPTION_TIME,   /* uint64_t: ns; "200ms", "1.5s"; > 0 */
    TF_OPTION_CHOICE, /* int: index in `choices` */
    TF_OPTION_LIST,   /* struct tf_list: each time one more */
};

enum { TF_LIST = 64 };
struct tf_list {
    const char *item[TF_LIST]; /* point into argv */
    size_t count;
};

struct tf_number {
    bool given;
    uint64_t value; /* decimal, or hexadecimal with 0x */
};

struct tf_option {
    const char *name; /* long; NULL ends the table */
    char letter;      /* short; 0: none */
    enum tf_option_kind kind;
    const char *argument;       /* its name in --help; NULL for flags */
    size_t offset;              /* of its variable in the command's settings */
    const char *const *choices; /* TF_OPTION_CHOICE: ends with NULL */
    const char *about;          /* one line, no capital, no full stop */
};

struct tf_command {
    const char *name;
    const char *synopsis;              /* behind "tcpfault NAME " */
    const char *about;                 /* one line, for the list of commands */
    const char *details;               /* further lines for --help, or NULL */
    const struct tf_option *options;   /* NULL: none */
    bool runs_operands;                /* the first operand starts the command, as if "--" stood before it */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns the exit status */
};

enum tf_color { TF_COLOR_AUTO, TF_COLOR_ALWAYS, TF_COLOR_NEVER };
extern const char *const tf_color_choices[];

/* Options that inject, trace and run share. */
struct tf_common {
    struct tf_number seed;
    uint64_t timeout_ns;
    const char *output; /* directory */
    const char *baseline, *suppressions;
    bool quiet, verbose;
    int color; /* enum tf_color */
};

#define TF_COMMON_OPTIONS(settings, member)                                                                  \
    {"seed",                                                                                                 \
     0,                                                                                                      \
     TF_OPTION_NUMBER,                                                                                       \
     "N",                                                                                                    \
     offsetof(settings, member.seed),                                                                        \
     NULL,                                                                                                   \
     "where prob= and corrupt take their randomness from (default: a new one, printed)"},                    \
        {"timeout",                                                                                          \
         0,                                                                                                  \
         TF_OPTION_TIME,                                                                                     \
         "T",                                                                                                \
         offsetof(settings, member.timeout_ns),                                                              \
         NULL,                                                                                               \
         "kill what still runs after T (200ms, 1.5s, 2m) and call it a finding"},                            \
        {"output",                                                                                           \
         0,                                                                                                  \
         TF_OPTION_TEXT,                                                                                     \
         "DIR",                                                                                              \
         offsetof(settings, member.output),                                                                  \
         NULL,                                                                                               \
         "keep everything about the run in DIR, written as it happens"},                                     \
        {"baseline",                                                                                         \
         0,                                                                                                  \
         TF_OPTION_TEXT,                                                                                     \
         "FILE",                                                                                             \
         offsetof(settings, member.baseline),                                                                \
         NULL,                                                                                               \
         "findings of this earlier JSON report are known: only new ones fail"},                              \
        {"suppressions",                                                                                     \
         0,                                                                                                  \
         TF_OPTION_TEXT,                                                                                     \
         "FILE",                                                                                             \
         offsetof(settings, member.suppressions),                                                            \
         NULL,                                                                                               \
         "findings that this file excuses, each until a day"},                                               \
        {"quiet",                                                                                            \
         'q',                                                                                                \
         TF_OPTION_FLAG,                                                                                     \
         NULL,                                                                                               \
         offsetof(settings, member.quiet),                                                                   \
         NULL,                                                                                               \
         "print findings and errors only"},                                                                  \
        {"verbose",                                                                                          \
         'v',                                                                                                \
         TF_OPTION_FLAG,                                                                                     \
         NULL,                                                                                               \
         offsetof(settings, member.verbose),                                                                 \
         NULL,                                                                                               \
         "print every fault as it happens"},                                                                 \
    {                                                                                                        \
        "color", 0, TF_OPTION_CHOICE, "WHEN", offsetof(settings, member.color), tf_color_choices,            \
            "auto, always or never (default: auto, on a terminal only)"                                      \
    }

/* Parses argv[1..argc-1] into *settings (zeroed, or with defaults, by the
 * caller). Options may stand anywhere before the first "--". Returns the index in
 * argv of the first operand, which have been moved behind the options; those
 * before "--" end at *operands_end, and those behind it start at *command (argc
 * where there was no "--"). Returns -1 with *error filled on a usage error (exit
 * status 2), and -2 when --help was asked for: print tf_options_help, exit 0. */
int tf_options_parse(const struct tf_command *command, int argc, char **argv, void *settings,
                     int *operands_end, int *command_start, struct tf_error *error);

/* Writes the command's --help. One option a line. */
void tf_options_help(const struct tf_command *command, FILE *out);

/* Should `fd` get colour? TF_COLOR_AUTO: on a terminal, unless NO_COLOR is set or
 * TERM is "dumb". */
bool tf_color_on(int color, int fd);

#endif
