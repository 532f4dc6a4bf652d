/* cflags: -O2 -fomit-frame-pointer -fno-optimize-sibling-calls */
/* Receives in one function that is called on two ways, which leave the stack alike but
 * for one return address: "paths lrl" by left, right and left. */
#include "loopback.h"

#define ALONE __attribute__((noinline, noclone))

static volatile int sum;

ALONE static void receive(int fd)
{
    char large[3000];
    ssize_t got = recv(fd, large, sizeof large, MSG_DONTWAIT);
    sum += got < 0 ? errno : large[0];
}

ALONE static void left(int fd)
{
    receive(fd);
    sum++;
}

ALONE static void right(int fd)
{
    receive(fd);
    sum += 2;
}

int main(int argc, char **argv)
{
    int end[2];
    loopback_pair(end);
    for (const char *way = argc > 1 ? argv[1] : ""; *way; way++)
        (*way == 'l' ? left : right)(end[0]);
    return 0;
}
