/* cancels N [data]: threads are cancelled in recv, one after the other; then the
 * main thread calls recv. With data there, only a delay makes them block. */
#include "loopback.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/syscall.h>

static int end[2];
static _Atomic int tid, cleaned;

static void cleanup(void *unused)
{
    (void)unused;
    cleaned++;
}

static void *receive(void *unused)
{
    char byte;

    pthread_cleanup_push(cleanup, NULL);
    tid = gettid();
    (void)!recv(end[0], &byte, 1, MSG_PEEK);
    pthread_cleanup_pop(0);
    return unused;
}

static bool asleep(int thread)
{
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
    int fd = open(path, O_RDONLY);
    ssize_t got = read(fd, line, sizeof line - 1);
    close(fd);
    line[got > 0 ? got : 0] = 0;
    return strrchr(line, ')') && strrchr(line, ')')[2] == 'S';
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 100, cancelled = 0;
    char byte = 'x';

    loopback_pair(end);
    if (argc > 2)
        need(send(end[1], &byte, 1, 0) == 1, "send");
    for (int i = 0; i < n; i++) {
        pthread_t thread;
        void *result;
        tid = 0;
        pthread_create(&thread, NULL, receive, NULL);
        while (!tid || !asleep(tid))
            usleep(100);
        pthread_cancel(thread);
        pthread_join(thread, &result);
        cancelled += result == PTHREAD_CANCELED;
    }
    printf("cancelled %d, cleaned %d, then %s\n", cancelled, cleaned,
           outcome(recvfrom(end[0], &byte, 1, MSG_DONTWAIT, NULL, NULL)));
    return 0;
}
