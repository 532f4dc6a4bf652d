#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOWEST = 10240, HIGHEST = 32767, ATTEMPTS = 400 };

/* Below the range that the kernel takes ephemeral ports from, which a client of
 * anybody's could be given at any moment. */
static void range(unsigned int *low, unsigned int *high)
{
    unsigned int ephemeral_low, ephemeral_high;
    *low = LOWEST;
    *high = HIGHEST;
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    if (!file)
        return;
    if (fscanf(file, "%u %u", &ephemeral_low, &ephemeral_high) == 2) {
        if (ephemeral_low > LOWEST + 1000)
            *high = ephemeral_low - 1;
        else if (ephemeral_high < 64000) {
            *low = ephemeral_high + 1;
            *high = 65535;
        }
    }
    fclose(file);
}

/* A directory of this user's own, that nobody else could have prepared. */
static int lock_directory(char *path, size_t size, struct tf_error *error)
{
    struct stat status;
    snprintf(path, size, "/run/user/%u", geteuid());
    /* Not XDG_RUNTIME_DIR: all runs of a user must agree, whatever their environment. */
    bool runtime = !stat(path, &status) && S_ISDIR(status.st_mode) && status.st_uid == geteuid();
    if (runtime)
        snprintf(path, size, "/run/user/%u/tcpfault-ports", geteuid());
    else
        snprintf(path, size, "/tmp/tcpfault-ports-%u", geteuid());
    if (mkdir(path, 0700) && errno != EEXIST)
        return tf_error_errno(error, errno, "creating %.200s", path);
    if (lstat(path, &status) || !S_ISDIR(status.st_mode) || status.st_uid != geteuid())
        return tf_error_set(error, "%.200s is not a directory of this user's", path);
    return 0;
}

static bool is_used(const struct tf_net_socket *socket, void *data)
{
    uint8_t *used = data;
    used[socket->local.port / 8] |= (uint8_t)(1 << socket->local.port % 8);
    return true;
}

int tf_port_reserve(struct tf_port *port, struct tf_error *error)
{
    char directory[256], path[300];
    unsigned int low, high;
    uint32_t start;
    static uint8_t used[8192];
    memset(used, 0, sizeof used);
    range(&low, &high);
    if (lock_directory(directory, sizeof directory, error) || tf_net_sockets(NULL, 0, is_used, used, error))
        return -1;
    if (getrandom(&start, sizeof start, 0) != sizeof start)
        start = (uint32_t)getpid();
    for (uint32_t i = 0; i < ATTEMPTS; i++) {
        unsigned int number = low + (start + 7 * i) % (high - low + 1);
        if (used[number / 8] & 1 << number % 8)
            continue;
        snprintf(path, sizeof path, "%s/%u", directory, number);
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return tf_error_errno(error, errno, "creating %.200s", path);
        if (!flock(fd, LOCK_EX | LOCK_NB)) {
            *port = (struct tf_port){(uint16_t)number, fd};
            return 0;
        }
        close(fd);
    }
    return tf_error_set(error, "no free TCP port between %u and %u", low, high);
}

void tf_port_release(struct tf_port *port)
{
    /* The file stays: removing it would let two runs lock two files of one name. */
    if (port->lock_fd >= 0)
        close(port->lock_fd);
    *port = (struct tf_port){0, -1};
}
