#include "reach.h"

#include "sandbox.h"
#include "segment.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef IPV6_MINHOPCOUNT
#define IPV6_MINHOPCOUNT 73
#endif

bool tf_reach_works(void)
{
    /* Any answer but these is its own. */
    return syscall(SYS_pidfd_getfd, -1, -1, 0) == 0 || (errno != ENOSYS && errno != EPERM);
}

static int take(pid_t pid, int fd)
{
    int process = (int)syscall(SYS_pidfd_open, pid, 0);
    if (process < 0)
        return -errno;
    int taken = (int)syscall(SYS_pidfd_getfd, process, fd, 0);
    int result = taken < 0 ? -errno : taken;
    close(process);
    return result;
}

int tf_reach_own(pid_t pid, int fd, uint64_t cookie)
{
    uint64_t its = 0;
    socklen_t length = sizeof its;
    int taken = take(pid, fd);
    if (taken < 0)
        return taken;
    if (!getsockopt(taken, SOL_SOCKET, SO_COOKIE, &its, &length) && its == cookie)
        return taken;
    close(taken);
    return -ESTALE;
}

/* ---- by address ---- */

struct search {
    const struct tf_endpoint *local, *peer;
    uint64_t inode;
};

static bool same(const struct tf_endpoint *a, const struct tf_endpoint *b)
{
    return a->family == b->family && a->port == b->port && !memcmp(a->ip, b->ip, a->family == 4 ? 4 : 16);
}

static bool is_it(const struct tf_net_socket *socket, void *data)
{
    struct search *search = data;
    if (!socket->inode || !same(&socket->local, search->local) || !same(&socket->peer, search->peer))
        return true;
    search->inode = socket->inode;
    return false;
}

/* Which descriptor of this process is it? -1: none. */
static int descriptor_of(const char *pid, uint64_t inode)
{
    char path[64], link[64], wanted[64];
    int found = -1;
    snprintf(wanted, sizeof wanted, "socket:[%" PRIu64 "]", inode);
    snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
    DIR *directory = opendir(path);
    for (struct dirent *entry; found < 0 && directory && (entry = readdir(directory));) {
        ssize_t length = readlinkat(dirfd(directory), entry->d_name, link, sizeof link - 1);
        link[length > 0 ? length : 0] = '\0';
        if (!strcmp(link, wanted))
            found = atoi(entry->d_name);
    }
    if (directory)
        closedir(directory);
    return found;
}

static int take_inode(uint64_t inode)
{
    int result = -ENOENT;
    DIR *processes = opendir("/proc");
    for (struct dirent *entry; result < 0 && processes && (entry = readdir(processes));) {
        int fd =
            entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? descriptor_of(entry->d_name, inode) : -1;
        if (fd >= 0)
            result = take(atoi(entry->d_name), fd);
    }
    if (processes)
        closedir(processes);
    return result;
}

int tf_reach_address(const struct tf_endpoint *local, const struct tf_endpoint *peer)
{
    struct search search = {.local = local, .peer = peer};
    struct tf_error error;
    if (tf_net_sockets(NULL, local->port, is_it, &search, &error) || !search.inode)
        return -ENOENT;
    return take_inode(search.inode);
}

int tf_reach_deafen(int fd, bool deaf)
{
    int least = deaf ? TF_DEAF_TTL : 0, domain = 0;
    socklen_t length = sizeof domain;
    if (setsockopt(fd, SOL_IP, IP_MINTTL, &least, sizeof least))
        return -errno;
    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length);
    if (domain == AF_INET6 && setsockopt(fd, SOL_IPV6, IPV6_MINHOPCOUNT, &least, sizeof least))
        return -errno;
    return 0;
}
