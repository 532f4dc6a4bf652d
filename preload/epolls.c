#include "epolls.h"

#include "sys.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

enum { READ_SIZE = 4096 };

/* A non-negative number that fills its text; else -1. */
static int number(const char *text)
{
    int value = 0;
    if (!*text)
        return -1;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || value > 100000000)
            return -1;
        value = value * 10 + (*text - '0');
    }
    return value;
}

static bool is_epoll(const char *name)
{
    static const char wanted[] = "anon_inode:[eventpoll]";
    char path[64], link[sizeof wanted] = "";

    snprintf(path, sizeof path, "/proc/self/fd/%.20s", name);
    long length = tf_sys(SYS_readlinkat, AT_FDCWD, path, link, sizeof link - 1);
    return length == sizeof wanted - 1 && memcmp(link, wanted, sizeof wanted - 1) == 0;
}

void tf_epolls_forget(int fd)
{
    _Alignas(8) char entries[READ_SIZE] = {0};
    long directory = tf_sys(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
         length;

    if (directory < 0)
        return;
    while ((length = tf_sys(SYS_getdents64, directory, entries, sizeof entries)) > 0)
        for (long at = 0; at < length;) {
            const struct dirent64 *entry = (const struct dirent64 *)(entries + at);
            int epoll = number(entry->d_name);
            /* Where it is not registered: ENOENT. */
            if (epoll >= 0 && is_epoll(entry->d_name))
                tf_sys(SYS_epoll_ctl, epoll, EPOLL_CTL_DEL, fd, 0);
            at += entry->d_reclen;
        }
    tf_sys(SYS_close, directory);
}
