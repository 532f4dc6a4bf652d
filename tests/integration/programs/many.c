/* many N: N connections, one after the other; prints how many of their first recvs
 * failed with ENOMEM, and what those of a connection gave that was there before. */
#include "loopback.h"

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 20000, failed = 0, old[2];
    const struct linger none = {1, 0}; /* leaves no TIME_WAIT */
    struct sockaddr_in address;
    int listener = loopback_listener(&address);
    char byte;

    loopback_pair(old);
    printf("%s ", outcome(recv(old[0], &byte, 1, MSG_DONTWAIT)));
    printf("%s ", outcome(recv(old[0], &byte, 1, MSG_DONTWAIT)));
    for (int i = 0; i < n; i++) {
        int client = loopback_connect(&address), server = accept(listener, NULL, NULL);
        failed += recv(client, &byte, 1, MSG_DONTWAIT) < 0 && errno == ENOMEM;
        setsockopt(client, SOL_SOCKET, SO_LINGER, &none, sizeof none);
        close(client);
        close(server);
    }
    printf("%d ", failed);
    printf("%s\n", outcome(recv(old[1], &byte, 1, MSG_DONTWAIT)));
    return 0;
}
