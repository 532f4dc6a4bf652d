/* Children forked in the middle of other threads' calls: each must get through a
 * connection of its own.
 *
 *   forks N fork|_Fork|clone
 *
 * Prints how many did not.
 */
#include "loopback.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static _Atomic bool over;
static struct sockaddr_in address;
static int listener;

static void talk(const int end[2])
{
    char byte = 'x';
    struct pollfd waiting = {end[1], POLLIN, 0};

    if (send(end[0], &byte, 1, MSG_NOSIGNAL) == 1 && poll(&waiting, 1, 5000) == 1)
        (void)!recv(end[1], &byte, 1, 0);
}

static void *busy(void *unused)
{
    int end[2];
    char data[64];
    FILE *zero = fopen("/dev/zero", "r");

    loopback_pair(end);
    while (!over) {
        talk(end);
        (void)!fread(data, 1, sizeof data, zero);
        (void)!read(fileno(zero), data, sizeof data);
    }
    return unused;
}

static void *blocked(void *unused)
{
    int end[2];
    char byte;
    loopback_pair(end);
    (void)!recv(end[0], &byte, 1, 0);
    return unused;
}

static void child(void)
{
    int end[2];
    char byte = 'y';

    alarm(10); /* hung: SIGALRM ends it, and it is counted */
    end[0] = loopback_connect(&address);
    if (send(end[0], &byte, 1, MSG_NOSIGNAL) != 1)
        _exit(1);
    close(end[0]);
    _exit(0);
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 300, hung = 0, failed = 0;
    const char *how = argc > 2 ? argv[2] : "fork";
    pthread_t thread[4];

    setvbuf(stdout, NULL, _IONBF, 0);
    listener = loopback_listener(&address);
    fcntl(listener, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 4; i++)
        pthread_create(&thread[i], NULL, i < 3 ? busy : blocked, NULL);
    for (int i = 0; i < n; i++) {
        int status;
        pid_t pid = *how == 'f'   ? fork()
                    : *how == '_' ? _Fork()
                                  : (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        if (pid == 0)
            child();
        need(pid > 0 && waitpid(pid, &status, 0) == pid, "fork");
        hung += WIFSIGNALED(status);
        failed += WIFEXITED(status) && WEXITSTATUS(status) != 0;
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0)
            close(fd);
    }
    over = true;
    for (int i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    printf("%d forks, %d hung, %d failed\n", n, hung, failed);
    return 0;
}
