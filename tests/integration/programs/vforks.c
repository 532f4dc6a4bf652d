/* A vfork child shares its parent's memory: what it does to descriptor numbers
 * must not change what the parent's own descriptors are taken for.
 *
 * Prints what recv gives before and after such a child.
 */
#include "loopback.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

int main(void)
{
    int end[2], status;
    char data[16];

    loopback_pair(end);
    printf("before %s\n", outcome(recv(end[0], data, 1, MSG_DONTWAIT)));
    fflush(stdout);

    pid_t pid = vfork();
    if (pid == 0) { /* the same number is a file here */
        int zero = open("/dev/zero", O_RDWR);
        if (dup2(zero, end[0]) != end[0] || read(end[0], data, 4) != 4 || recv(end[0], data, 1, 0) != -1)
            _exit(1);
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    waitpid(pid, &status, 0);
    printf("child %d\n", status);
    printf("after dup2 %s\n", outcome(recv(end[0], data, 1, MSG_DONTWAIT)));
    fflush(stdout);

    pid = vfork();
    if (pid == 0) {
        close(end[0]);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    printf("after close %s\n", outcome(recv(end[0], data, 1, MSG_DONTWAIT)));

    char *const argv[] = {"true", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addclose(&actions, end[0]);
    need(posix_spawn(&pid, "/bin/true", &actions, NULL, argv, environ) == 0, "posix_spawn");
    waitpid(pid, &status, 0);
    printf("after spawn %s\n", outcome(recv(end[0], data, 1, MSG_DONTWAIT)));
    return 0;
}
