/* Makes one call again and again: what the benchmark measures.
 *
 *   calls recv|read ITERATIONS THREADS
 *
 * recv finds nothing on a connected TCP socket (EAGAIN), read takes one byte
 * from /dev/zero. Prints the nanoseconds that one call took in a thread.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static long iterations;
static int use_read;

/* A connected socket; the other end is left open for the process's life. */
static int connected(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int client = socket(AF_INET, SOCK_STREAM, 0);

    if (listener < 0 || client < 0 || bind(listener, (struct sockaddr *)&address, length) ||
        listen(listener, 1) || getsockname(listener, (struct sockaddr *)&address, &length) ||
        connect(client, (struct sockaddr *)&address, length) || accept(listener, NULL, NULL) < 0 ||
        fcntl(client, F_SETFL, O_NONBLOCK))
        err(2, "loopback connection");
    close(listener);
    return client;
}

static void *loop(void *argument)
{
    int fd = use_read ? open("/dev/zero", O_RDONLY) : connected();
    double *ns = argument;
    struct timespec start, end;
    char byte;

    if (fd < 0)
        err(2, "/dev/zero");
    clock_gettime(CLOCK_MONOTONIC, &start);
    if (use_read) {
        for (long i = 0; i < iterations; i++)
            if (read(fd, &byte, 1) != 1)
                err(2, "read");
    } else {
        for (long i = 0; i < iterations; i++)
            if (recv(fd, &byte, 1, 0) != -1 || errno != EAGAIN)
                err(2, "recv");
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    *ns = (double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec);
    return NULL;
}

int main(int argc, char **argv)
{
    enum { THREADS_MAX = 16 };
    pthread_t thread[THREADS_MAX];
    double ns[THREADS_MAX], sum = 0;
    int threads = argc == 4 ? atoi(argv[3]) : 0;

    if (threads < 1 || threads > THREADS_MAX || (iterations = atol(argv[2])) < 1)
        errx(2, "usage: calls recv|read ITERATIONS THREADS");
    use_read = !strcmp(argv[1], "read");
    if (threads == 1) {
        loop(&ns[0]);
        sum = ns[0];
    } else {
        for (int i = 0; i < threads; i++)
            if (pthread_create(&thread[i], NULL, loop, &ns[i]))
                errx(2, "no thread");
        for (int i = 0; i < threads; i++) {
            pthread_join(thread[i], NULL);
            sum += ns[i];
        }
    }
    printf("%.2f\n", sum / threads / (double)iterations);
    return 0;
}
