/* A handler that talks TCP, in the middle of calls that do. */
#include "loopback.h"

#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>

static int inner[2];
static volatile int handled, wrong;

static void handle(int signal)
{
    int saved = errno;
    char byte = 's';
    struct pollfd waiting = {inner[1], POLLIN, 0};

    (void)signal;
    if (send(inner[0], &byte, 1, MSG_NOSIGNAL) == 1)
        wrong += poll(&waiting, 1, 1000) != 1 || recv(inner[1], &byte, 1, 0) != 1;
    handled++;
    errno = saved;
}

int main(void)
{
    int end[2], calls = 0;
    char byte = 'm';
    const struct itimerval often = {{0, 300}, {0, 300}};
    const struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};

    loopback_pair(end);
    loopback_pair(inner);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    while (handled < 1000) {
        errno = 0;
        long sent = send(end[0], &byte, 1, MSG_NOSIGNAL);
        if (sent != 1 && errno != ENOBUFS)
            wrong++;
        if (sent == 1 && recv(end[1], &byte, 1, 0) != 1)
            wrong++;
        calls++;
    }
    const struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &never, NULL);
    printf("%s, wrong %d\n", calls > 0 ? "calls were made" : "no calls", wrong);
    return 0;
}
