/* jumps N HOW: N times a handler leaves a call with siglongjmp; after each, send
 * and recv are called once. Prints what they gave.
 *
 *   read poll accept    calls that block
 *   data                recv, with data there (a delay makes it block)
 */
#include "loopback.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>

static sigjmp_buf back;

static void jump(int signal)
{
    (void)signal;
    siglongjmp(back, 1);
}

int main(int argc, char **argv)
{
    int end[2], n = argc > 1 ? atoi(argv[1]) : 300;
    const char *how = argc > 2 ? argv[2] : "read";
    struct sockaddr_in address;
    int listener = loopback_listener(&address);
    volatile int jumped = 0, failed_sends = 0, failed_peeks = 0, other = 0;
    char byte = 'x';

    loopback_pair(end);
    signal(SIGALRM, jump);
    if (*how == 'd')
        need(send(end[1], &byte, 1, 0) == 1, "send");
    for (volatile int i = 0; i < n; i++) {
        if (sigsetjmp(back, 1) == 0) {
            const struct itimerval soon = {{0, 500}, {0, 500}}; /* again, lest one come too early */
            struct pollfd waiting = {end[0], POLLIN, 0};
            setitimer(ITIMER_REAL, &soon, NULL);
            for (;;)
                *how == 'r'   ? (void)!read(end[0], &byte, 1)
                : *how == 'p' ? (void)poll(&waiting, 1, -1)
                : *how == 'a' ? (void)accept(listener, NULL, NULL)
                              : (void)!recv(end[0], &byte, 1, MSG_PEEK);
        }
        const struct itimerval never = {{0, 0}, {0, 0}};
        setitimer(ITIMER_REAL, &never, NULL);
        jumped++;
        if (send(end[0], &byte, 1, MSG_NOSIGNAL) < 0)
            errno == ENOBUFS ? failed_sends++ : other++;
        if (recvfrom(end[0], &byte, 1, MSG_DONTWAIT | MSG_PEEK, NULL, NULL) < 0)
            errno == ENOMEM ? failed_peeks++ : other++;
    }
    printf("jumped %d, send failed %d, recvfrom failed %d, otherwise %d\n", jumped, failed_sends,
           failed_peeks, other);
    return 0;
}
