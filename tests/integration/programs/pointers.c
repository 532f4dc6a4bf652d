/* Calls with pointers into nowhere, for which the kernel has EFAULT. */
#include "loopback.h"

#include <poll.h>
#include <sys/select.h>
#include <sys/uio.h>

/* volatile, or the compiler knows better */
static void *volatile nowhere = (void *)8;

int main(void)
{
    int end[2], fd = socket(AF_INET, SOCK_STREAM, 0);
    void *bad = nowhere;
    socklen_t length = 4;
    struct timeval none = {0, 0};
    struct iovec vector = {bad, 3};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1},
                  vectorless = {.msg_iov = bad, .msg_iovlen = 1};

    loopback_pair(end);
    need(send(end[1], "hello", 5, 0) == 5, "send");
#define SAY(call)                                                                                            \
    printf("%s ", outcome(call));                                                                            \
    fflush(stdout)
    SAY(recv(end[0], bad, 3, 0));
    SAY(read(end[0], bad, 3));
    SAY(send(end[0], bad, 3, 0));
    SAY(connect(fd, bad, 16));
    SAY(bind(fd, bad, 16));
    SAY(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, bad, 4));
    SAY(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, bad, &length));
    SAY(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &length, bad));
    SAY(getsockname(end[0], bad, &length));
    SAY(readv(end[0], bad, 2));
    SAY(writev(end[0], bad, 2));
    SAY(readv(end[0], &vector, 1));
    SAY(writev(end[0], &vector, 1));
    SAY(recvmsg(end[0], bad, 0));
    SAY(sendmsg(end[0], bad, 0));
    SAY(recvmsg(end[0], &message, 0));
    SAY(sendmsg(end[0], &message, 0));
    SAY(sendmsg(end[0], &vectorless, 0));
    SAY(recvmmsg(end[0], bad, 2, 0, NULL));
    SAY(sendmmsg(end[0], bad, 2, 0));
    SAY(poll(bad, 1, 0));
    SAY(select(8, bad, NULL, NULL, &none));
    printf("%d\n", (int)recv(end[0], &length, 4, 0));
    return 0;
}
