#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static _Noreturn void fail(int report_fd, int error, const char *what, const char *which)
{
    struct tf_notice notice = {.error = error};
    snprintf(notice.failed, sizeof notice.failed, "%s%s%.120s", what, *which ? " " : "", which);
    _exit(write(report_fd, &notice, sizeof notice) == (ssize_t)sizeof notice ? 127 : 126);
}

/* Out of the way of 0, 1, 2. */
static int lift(int fd)
{
    return fd >= 0 && fd < 3 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : fd;
}

/* Splits `count` strings off *text into a list with a NULL behind it. */
static char **list(char **text, uint32_t count)
{
    char **words = calloc((size_t)count + 1, sizeof *words);
    for (uint32_t i = 0; words && i < count; i++) {
        words[i] = *text;
        *text += strlen(*text) + 1;
    }
    return words;
}

/* A script without "#!" is the shell's, as for execvp(3). */
static void execute(const char *path, char **arguments, char **variables, uint32_t count)
{
    execve(path, arguments, variables);
    if (errno != ENOEXEC)
        return;
    char **shell = calloc((size_t)count + 2, sizeof *shell);
    if (!shell)
        return;
    shell[0] = (char *)"/bin/sh";
    shell[1] = (char *)path;
    if (count)
        memcpy(shell + 2, arguments + 1, (size_t)count * sizeof *shell);
    execve(shell[0], shell, variables);
}

_Noreturn void tf_supervisor_exec(int memfd, const int *fds, int report_fd)
{
    report_fd = lift(report_fd);
    pid_t self = getpid();
    if (write(report_fd, &self, sizeof self) != sizeof self)
        _exit(126);
    struct stat file;
    if (fstat(memfd, &file))
        fail(report_fd, errno, "reading the command", "");
    char *map = mmap(NULL, (size_t)file.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, memfd, 0);
    if (map == MAP_FAILED)
        fail(report_fd, errno, "reading the command", "");
    struct tf_spawn spawn;
    memcpy(&spawn, map, sizeof spawn);

    int lifted[3];
    for (int i = 0; i < 3; i++)
        lifted[i] = lift(fds[i]);
    for (int i = 0; i < 3; i++) {
        if (lifted[i] < 0)
            close(i);
        else if (dup2(lifted[i], i) < 0)
            fail(report_fd, errno, "standard input and output", "");
    }
    char *text = map + sizeof spawn;
    const char *path = text;
    const char *cwd = path + strlen(path) + 1;
    text = (char *)cwd + strlen(cwd) + 1;
    char **arguments = list(&text, spawn.arguments);
    char **variables = list(&text, spawn.variables);
    if (!arguments || !variables)
        fail(report_fd, ENOMEM, "reading the command", "");
    if (*cwd && chdir(cwd))
        fail(report_fd, errno, "changing directory to", cwd);
    execute(path, arguments, variables, spawn.arguments);
    fail(report_fd, errno, "executing", path);
}
