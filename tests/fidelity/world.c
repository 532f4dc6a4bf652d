#include "subject.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

/* A packet that is not to arrive is dropped where it comes in: by destination port,
 * by source port; only those with data, only those that end a connection. */
static const char filter[] = "add table inet wire;"
                             "add set inet wire to { type inet_service; };"
                             "add set inet wire from { type inet_service; };"
                             "add set inet wire data_from { type inet_service; };"
                             "add set inet wire end_to { type inet_service; };"
                             "add set inet wire refuse_to { type inet_service; };"
                             "add chain inet wire in { type filter hook input priority 0; };"
                             "add rule inet wire in tcp dport @to drop;"
                             "add rule inet wire in tcp sport @from drop;"
                             "add rule inet wire in tcp sport @data_from tcp flags & psh != 0 drop;"
                             "add rule inet wire in tcp dport @end_to tcp flags & (fin|rst) != 0 drop;"
                             "add rule inet wire in tcp dport @refuse_to reject with icmpx host-unreachable";

static const char routes[] = "link set lo up\n"
                             "route add unreachable 198.51.100.1/32\n"
                             "route add prohibit 198.51.100.2/32\n"
                             "route add unreachable 2001:db8::1/128\n"
                             "route add prohibit 2001:db8::2/128\n";

static int write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int result = dprintf(fd, "%s", text) < 0 ? -1 : 0;
    close(fd);
    return result;
}

static int fed(const char *command, const char *text)
{
    FILE *tool = popen(command, "we");
    if (!tool)
        return -1;
    fputs(text, tool);
    errno = EPERM;
    return pclose(tool) == 0 ? 0 : -1;
}

int world_enter(void)
{
    char map[64];
    uid_t uid = geteuid();
    gid_t gid = getegid();

    if (unshare(CLONE_NEWNET)) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
            return -1;
        write_file("/proc/self/setgroups", "deny");
        snprintf(map, sizeof map, "0 %u 1\n", uid);
        if (write_file("/proc/self/uid_map", map))
            return -1;
        snprintf(map, sizeof map, "0 %u 1\n", gid);
        if (write_file("/proc/self/gid_map", map))
            return -1;
    }
    if (fed("ip -batch -", routes))
        return -1;
    return fed("nft -f -", filter);
}
