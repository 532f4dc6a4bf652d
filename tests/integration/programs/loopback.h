/* A TCP connection of a program with itself, for the test programs. */
#ifndef LOOPBACK_H
#define LOOPBACK_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static inline void need(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s: %s\n", what, strerror(errno));
        exit(90);
    }
}

static inline int loopback_listener(struct sockaddr_in *address)
{
    socklen_t length = sizeof *address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    need(listener >= 0 && bind(listener, (struct sockaddr *)address, length) == 0 &&
             listen(listener, 64) == 0 && getsockname(listener, (struct sockaddr *)address, &length) == 0,
         "a listener");
    return listener;
}

static inline int loopback_connect(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    need(fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0, "connect");
    return fd;
}

/* end[0] connected, end[1] was accepted. */
static inline void loopback_pair(int end[2])
{
    struct sockaddr_in address;
    int listener = loopback_listener(&address);

    end[0] = loopback_connect(&address);
    end[1] = accept(listener, NULL, NULL);
    need(end[1] >= 0, "accept");
    close(listener);
}

/* "5", or the errno's name. */
static inline const char *outcome(long result)
{
    static _Thread_local char number[24];
    if (result < 0)
        return strerrorname_np(errno);
    snprintf(number, sizeof number, "%ld", result);
    return number;
}

#endif
