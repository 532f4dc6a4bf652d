/* execs HOW PROGRAM [ARGUMENT...]: becomes PROGRAM, by way of HOW, after the
 * environment was cleared. */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int wait_for(int error, const pid_t *child)
{
    int status;
    if (error != 0 || waitpid(*child, &status, 0) != *child)
        return 91;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 92;
}

int main(int argc, char **argv)
{
    char *const none[] = {NULL}, *const some[] = {"A=1", "LD_PRELOAD=", "B=2", NULL};
    const char *how = argv[1], *program = argv[2];
    char **rest = argv + 2;
    char folder[512], path[600];
    pid_t pid;

    if (argc < 4)
        return 93;
    snprintf(folder, sizeof folder, "%s", program);
    *strrchr(folder, '/') = 0;
    const char *base = strrchr(program, '/') + 1;
    clearenv();
    snprintf(path, sizeof path, "PATH=%s", folder);
    char *const with_path[] = {path, NULL};
#define HOW(name) else if (strcmp(how, name) == 0)
    if (0)
        ;
    HOW("execve") execve(program, rest, none);
    HOW("execve-null") execve(program, rest, NULL);
    HOW("execve-some") execve(program, rest, some);
    HOW("execv") execv(program, rest);
    HOW("execvp")
    {
        setenv("PATH", folder, 1);
        execvp(base, rest);
    }
    HOW("execvpe")
    {
        environ = (char **)with_path; /* the search goes by the caller's PATH */
        execvpe(base, rest, none);
    }
    HOW("execl") execl(program, rest[0], rest[1], rest[2], (char *)NULL);
    HOW("execlp") execlp(program, rest[0], rest[1], rest[2], (char *)NULL);
    HOW("execle") execle(program, rest[0], rest[1], rest[2], (char *)NULL, none);
    HOW("fexecve") fexecve(open(program, O_RDONLY), rest, none);
    HOW("execveat") execveat(AT_FDCWD, program, rest, none, 0);
    HOW("posix_spawn") return wait_for(posix_spawn(&pid, program, NULL, NULL, rest, none), &pid);
    HOW("posix_spawnp")
    {
        setenv("PATH", folder, 1);
        return wait_for(posix_spawnp(&pid, base, NULL, NULL, rest, none), &pid);
    }
    HOW("vfork")
    {
        pid = vfork();
        if (pid == 0) {
            execve(program, rest, none);
            _exit(94);
        }
        return wait_for(0, &pid);
    }
    HOW("unset")
    {
        unsetenv("LD_PRELOAD");
        execv(program, rest);
    }
    perror(how);
    return 95;
}
