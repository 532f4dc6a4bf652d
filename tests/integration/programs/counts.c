/* counts PROCESSES THREADS CALLS: each thread of each process calls recv so often;
 * prints how many of them failed. */
#include "loopback.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

static int end[2], calls;
static _Atomic int *failed;

static void *receive(void *unused)
{
    char byte;
    for (int i = 0; i < calls; i++)
        if (recv(end[0], &byte, 1, MSG_PEEK) < 0)
            *failed += errno == ENOMEM;
    return unused;
}

int main(int argc, char **argv)
{
    int processes = argc > 3 ? atoi(argv[1]) : 1, threads = argc > 3 ? atoi(argv[2]) : 1;
    char byte = 'x';

    calls = argc > 3 ? atoi(argv[3]) : 1;
    failed = mmap(NULL, sizeof *failed, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    loopback_pair(end);
    need(send(end[1], &byte, 1, 0) == 1, "send");
    for (int i = 0; i < processes; i++)
        if (fork() == 0) {
            pthread_t thread[threads];
            for (int t = 0; t < threads; t++)
                pthread_create(&thread[t], NULL, receive, NULL);
            for (int t = 0; t < threads; t++)
                pthread_join(thread[t], NULL);
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
    printf("%d\n", *failed);
    return 0;
}
