/* cancels N [data]: threads are cancelled in recv, many at a time; then the main
 * thread calls recv. With data there, only a delay makes them block. */
#include "loopback.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/syscall.h>

static int end[2];
static _Atomic int cleaned;

enum { AT_A_TIME = 50 };

static void cleanup(void *unused)
{
    (void)unused;
    cleaned++;
}

static void *receive(void *tid)
{
    char byte;

    pthread_cleanup_push(cleanup, NULL);
    *(_Atomic int *)tid = gettid();
    (void)!recv(end[0], &byte, 1, MSG_PEEK);
    pthread_cleanup_pop(0);
    return NULL;
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
    for (int done = 0; done < n; done += AT_A_TIME) {
        pthread_t thread[AT_A_TIME];
        static _Atomic int tid[AT_A_TIME];
        int count = n - done < AT_A_TIME ? n - done : AT_A_TIME;
        void *result;
        for (int i = 0; i < count; i++) {
            tid[i] = 0;
            pthread_create(&thread[i], NULL, receive, (void *)&tid[i]);
        }
        for (int i = 0; i < count; i++)
            while (!tid[i] || !asleep(tid[i]))
                usleep(100);
        for (int i = 0; i < count; i++)
            pthread_cancel(thread[i]);
        for (int i = 0; i < count; i++) {
            pthread_join(thread[i], &result);
            cancelled += result == PTHREAD_CANCELED;
        }
    }
    printf("cancelled %d, cleaned %d, then %s\n", cancelled, cleaned,
           outcome(recvfrom(end[0], &byte, 1, MSG_DONTWAIT, NULL, NULL)));
    return 0;
}
