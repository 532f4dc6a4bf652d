/* drops UID PROGRAM [ARGUMENT...]: gives its rights away, as a daemon does, calls
 * recv, and becomes PROGRAM. */
#include "loopback.h"

#include <grp.h>

int main(int argc, char **argv)
{
    int end[2];
    char byte;
    unsigned id = argc > 2 ? (unsigned)atoi(argv[1]) : 0;

    loopback_pair(end);
    if (id)
        need(setgroups(0, NULL) == 0 && setresgid(id, id, id) == 0 && setresuid(id, id, id) == 0, "setuid");
    printf("dropped=%s ", outcome(recv(end[0], &byte, 1, MSG_DONTWAIT)));
    fflush(stdout);
    execv(argv[2], argv + 2);
    perror(argv[2]);
    return 90;
}
