/* The program's own random sequences, with TCP calls in between. */
#include "loopback.h"

int main(int argc, char **argv)
{
    int end[2];
    char data[16] = "data";

    (void)argv;
    loopback_pair(end);
    if (argc > 1) { /* without: the sequence that every program starts with */
        srandom(42);
        srand48(42);
    }
    for (int i = 0; i < 200; i++) {
        printf("%ld %d %ld\n", random(), rand(), lrand48());
        (void)!send(end[1], data, 4, MSG_NOSIGNAL);
        (void)!recv(end[0], data, 4, MSG_DONTWAIT);
    }
    return 0;
}
