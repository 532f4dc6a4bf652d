/* Calls whose buffer sizes the compiler knows and whose lengths it doesn't: with
 * _FORTIFY_SOURCE they are made by other names. With an argument, one of them is
 * too long. */
#include "loopback.h"

#include <poll.h>

int main(int argc, char **argv)
{
    char data[16];
    struct pollfd waiting[1];
    int end[2];
    volatile size_t length = argc > 1 ? 17 : 16;
    volatile nfds_t count = 1;
    struct timespec none = {0, 0};
    struct sockaddr_storage from;
    socklen_t from_length = sizeof from;

    (void)argv;
    loopback_pair(end);
    need(send(end[1], "hello-world-hello-world", 23, 0) == 23, "send");
    waiting[0] = (struct pollfd){end[0], POLLIN, 0};
    printf("poll %s\n", outcome(poll(waiting, count, 5000)));
    printf("ppoll %s\n", outcome(ppoll(waiting, count, &none, NULL)));
    printf("recv %s\n", outcome(recv(end[0], data, length, MSG_PEEK)));
    printf("recvfrom %s\n",
           outcome(recvfrom(end[0], data, length, MSG_PEEK, (struct sockaddr *)&from, &from_length)));
    printf("read %s\n", outcome(read(end[0], data, length)));
    return 0;
}
