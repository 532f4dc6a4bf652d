/* closes HOW: closes every descriptor from 3 on, as daemons do, and goes on. */
#include "loopback.h"

#include <fcntl.h>
#include <sys/resource.h>

int main(int argc, char **argv)
{
    int end[2];
    char byte;
    const char *how = argc > 1 ? argv[1] : "";

    loopback_pair(end);
    printf("before %s, ", outcome(recv(end[0], &byte, 1, MSG_DONTWAIT)));
    if (strcmp(how, "closefrom") == 0) {
        closefrom(3);
    } else if (strcmp(how, "close_range") == 0) {
        need(close_range(3, ~0U, 0) == 0, how);
    } else if (strcmp(how, "cloexec_range") == 0) {
        need(close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0, how);
    } else if (strcmp(how, "loop") == 0) {
        for (int fd = 3; fd < 1024; fd++)
            close(fd);
    } else {
        need(daemon(0, 1) == 0, how);
        for (int fd = 3; fd < 1024; fd++)
            close(fd);
    }
    int file = open("/dev/zero", O_RDONLY); /* a number that was a socket's */
    printf("file %s, ", outcome(read(file, &byte, 1)));
    close(file);
    loopback_pair(end);
    printf("after %s\n", outcome(recv(end[0], &byte, 1, MSG_DONTWAIT)));
    return 0;
}
