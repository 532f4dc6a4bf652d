/* wakes N: N processes, each with a listener of its own that does not block, and two
 * threads that accept as fast as they can, until one of them gets something. */
#include "loopback.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>

static int listener;
static _Atomic int aborted, over;

static void *take(void *unused)
{
    while (!over) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0 && errno == EAGAIN)
            continue;
        aborted += fd < 0 && errno == ECONNABORTED;
        if (!aborted)
            fprintf(stderr, "accept gave %s\n", outcome(fd));
        over = 1;
        if (fd >= 0)
            close(fd);
    }
    return unused;
}

static void once(void)
{
    struct sockaddr_in address;
    pthread_t thread[2];

    listener = loopback_listener(&address);
    need(fcntl(listener, F_SETFL, O_NONBLOCK) == 0, "O_NONBLOCK");
    for (int i = 0; i < 2; i++)
        need(pthread_create(&thread[i], NULL, take, NULL) == 0, "a thread");
    /* The RST may be there before it returns. */
    int client = socket(AF_INET, SOCK_STREAM, 0);
    need(connect(client, (struct sockaddr *)&address, sizeof address) == 0 || errno == ECONNRESET, "connect");
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    _exit(aborted);
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 100, all = 0;

    for (int i = 0; i < n; i++) {
        int status = 0;
        pid_t child = fork();
        if (child == 0)
            once();
        need(waitpid(child, &status, 0) == child, "waitpid");
        all += WIFEXITED(status) && WEXITSTATUS(status) == 1;
    }
    printf("%d of %d aborted\n", all, n);
    return 0;
}
