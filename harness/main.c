/* tcpfault: the subcommands, and what is asked of the tool itself. */
#include "cmd.h"

#include "rule.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Named in the manual, not built yet: refused by name. */
static const char *const later[] = {"sweep", NULL};

static void print_help(FILE *out)
{
    fprintf(out, "Usage: tcpfault COMMAND [OPTION]...\n\n"
                 "Make the TCP sockets of a program misbehave the way real ones do, and see\n"
                 "whether it copes.\n\nCommands:\n");
    for (const struct tf_command *const *row = tf_commands; *row; row++)
        fprintf(out, "  %-24s %s\n", (*row)->name, (*row)->about);
    fprintf(out, "\nOptions:\n");
    fprintf(out, "  %-24s %s\n", "-h, --help", "print this, and exit");
    fprintf(out, "  %-24s %s\n", "-V, --version", "print the version, and exit");
    fprintf(out, "\n\"tcpfault help COMMAND\" says more about one. Exit status: 0 all held, 1 something\n"
                 "was found, 2 usage error, 3 the tool could not do its job.\n");
}

static const struct tf_command *find(const char *name)
{
    for (const struct tf_command *const *row = tf_commands; *row; row++) {
        if (!strcmp((*row)->name, name))
            return *row;
    }
    return NULL;
}

static int refuse(const char *name)
{
    const char *words[24] = {"help", "--help", "--version"};
    size_t count = 3;
    for (size_t i = 0; later[i]; i++) {
        if (!strcmp(later[i], name)) {
            tf_say("%s: not in this version", name);
            return TF_EXIT_USAGE;
        }
    }
    for (size_t i = 0; tf_commands[i] && count < 23; i++)
        words[count++] = tf_commands[i]->name;
    words[count] = NULL;
    const char *nearest = tf_nearest(name, strlen(name), words);
    const char *what = *name == '-' ? "option" : "command";
    if (nearest)
        tf_say("unknown %s \"%.60s\"; did you mean \"%s\"?", what, name, nearest);
    else
        tf_say("unknown %s \"%.60s\"; \"tcpfault --help\" lists what there is", what, name);
    return TF_EXIT_USAGE;
}

static int help(int argc, char **argv)
{
    const struct tf_command *command = argc > 1 ? find(argv[1]) : NULL;
    if (argc > 1 && !command)
        return refuse(argv[1]);
    if (command)
        tf_options_help(command, stdout);
    else
        print_help(stdout);
    return TF_EXIT_OK;
}

/* Where 0, 1 or 2 is closed, the next file to be opened would become it. The
 * close-on-exec mark keeps it closed for the program (launch.c). */
static void occupy_standard_descriptors(void)
{
    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR | O_CLOEXEC) != fd)
            return;
    }
}

int main(int argc, char **argv)
{
    occupy_standard_descriptors();
    if (argc < 2) {
        print_help(stderr);
        return TF_EXIT_USAGE;
    }
    const char *word = argv[1];
    const struct tf_command *command = find(word);
    int status;
    if (command)
        status = command->run(argc - 1, argv + 1);
    else if (!strcmp(word, "help") || !strcmp(word, "--help") || !strcmp(word, "-h"))
        status = help(argc - 1, argv + 1);
    else if (!strcmp(word, "--version") || !strcmp(word, "-V"))
        status = printf("tcpfault %s\n", TF_VERSION) < 0;
    else
        status = refuse(word);
    if (fflush(stdout)) {
        tf_say("writing to standard output failed");
        status = status ? status : TF_EXIT_TOOL;
    }
    return status;
}
