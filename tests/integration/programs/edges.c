/* edges N: N connects that do not block, in one edge-triggered epoll; prints how
 * many of them were told of, and how often more than once. All is on one processor,
 * where main goes before the other threads: it has seen what one of them does before
 * that goes on. */
#include "loopback.h"

#include <dirent.h>
#include <sched.h>
#include <sys/epoll.h>

enum { MOST = 64, PATIENCE_MS = 20000, QUIET_MS = 100 };

static void on_one_processor(void)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    need(sched_setaffinity(0, sizeof one, &one) == 0, "a processor");
}

static void behind_main(void)
{
    DIR *threads = opendir("/proc/self/task");
    need(threads != NULL, "/proc");
    for (const struct dirent *entry; (entry = readdir(threads));)
        if (atoi(entry->d_name) > 0 && atoi(entry->d_name) != getpid())
            need(sched_setscheduler(atoi(entry->d_name), SCHED_IDLE, &(struct sched_param){0}) == 0,
                 "SCHED_IDLE");
    closedir(threads);
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 1, made = 0, again = 0, told[MOST] = {0};
    struct sockaddr_in address;
    int listener = loopback_listener(&address), epoll = epoll_create1(0);
    struct epoll_event event;

    need(n <= MOST && listener >= 0, "no more than may be queued");
    on_one_processor();
    for (uint32_t i = 0; i < (uint32_t)n; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        event = (struct epoll_event){.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u32 = i};
        need(connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno == EINPROGRESS,
             "a late connect");
        need(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
    }
    behind_main();
    while (epoll_wait(epoll, &event, 1, made < n ? PATIENCE_MS : QUIET_MS) > 0)
        if (told[event.data.u32]++)
            again++;
        else
            made++;
    printf("%d, %d again\n", made, again);
    return 0;
}
