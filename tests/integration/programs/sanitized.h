/* A program for sanitizer builds: two threads, some calls. With an argument it
 * lets recv write beyond a buffer. */
#include "loopback.h"

#include <pthread.h>

static int end[2];
static long sent;

static void *sender(void *unused)
{
    sent = send(end[1], "hello-world", 11, MSG_NOSIGNAL);
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    char *data = malloc(8);

    (void)argv;
    loopback_pair(end);
    pthread_create(&thread, NULL, sender, NULL);
    pthread_join(thread, NULL);
    volatile size_t length = argc > 1 ? 11 : 8;
    printf("send %ld\n", sent);
    printf("recv %s\n", outcome(recv(end[0], data, length, 0)));
    printf("recv %s\n", outcome(recv(end[0], data, length, MSG_DONTWAIT)));
    free(data);
    return 0;
}
