"""What the kernel tells of processes and sockets."""
import glob
import os

STATES = {1: "ESTABLISHED", 2: "SYN_SENT", 3: "SYN_RECV", 4: "FIN_WAIT1", 5: "FIN_WAIT2", 6: "TIME_WAIT",
          7: "CLOSE", 8: "CLOSE_WAIT", 9: "LAST_ACK", 10: "LISTEN", 11: "CLOSING"}
TICKS = os.sysconf("SC_CLK_TCK")


def read(path):
    try:
        with open(path, encoding="latin-1") as file:
            return file.read()
    except OSError:
        return ""


def sockets():
    """(state, local port, peer's port, bytes to send, bytes to read, inode) of each TCP socket here."""
    found = []
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in read(path).split("\n")[1:]:
            field = line.split()
            if len(field) < 10:
                continue
            queues = field[4].split(":")
            found.append((STATES[int(field[3], 16)], int(field[1].split(":")[1], 16),
                          int(field[2].split(":")[1], 16), int(queues[0], 16), int(queues[1], 16),
                          int(field[9])))
    return found


def listens(port):
    return any(s[0] == "LISTEN" and s[1] == port for s in sockets())


def stat(pid):
    """Fields of proc_pid_stat(5) behind the name, from 3 (state)."""
    return read("/proc/%d/stat" % pid).rpartition(")")[2].split()


def tree(root):
    """The process and all below it that live."""
    parents = {}
    for path in glob.glob("/proc/[0-9]*"):
        field = stat(int(path[6:]))
        if field and field[0] != "Z":
            parents.setdefault(int(field[1]), []).append(int(path[6:]))
    found, left = [], [root]
    while left:
        pid = left.pop()
        found.append(pid)
        left += parents.get(pid, [])
    return found


def descriptors(pid):
    """Descriptor -> what it is, of one process."""
    found = {}
    for path in glob.glob("/proc/%d/fd/*" % pid):
        try:
            found[int(os.path.basename(path))] = os.readlink(path)
        except OSError:
            pass
    return found


def anonymous_kb(pid):
    for line in read("/proc/%d/status" % pid).split("\n"):
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    return 0


def cpu_seconds(pid):
    field = stat(pid)
    return (int(field[11]) + int(field[12])) / TICKS if field else 0


def threads(pid):
    return [read(path).strip() for path in glob.glob("/proc/%d/task/*/comm" % pid)]


def may_start_threads(pid):
    """False where the program has forbidden itself new ones (RLIMIT_NPROC)."""
    limit = [line.split()[2] for line in read("/proc/%d/limits" % pid).split("\n") if line.startswith("Max processes")]
    return limit != ["0"]


def registrations(pid, inode):
    """"epoll instance: events" of each registration of the process for the socket with this inode."""
    held = descriptors(pid)
    of = [fd for fd, what in held.items() if what == "socket:[%d]" % inode]
    found = []
    for epfd, what in held.items():
        if "eventpoll" not in what:
            continue
        for line in read("/proc/%d/fdinfo/%d" % (pid, epfd)).split("\n"):
            field = line.split()
            if field[:1] == ["tfd:"] and int(field[1]) in of:
                found.append("fd %s in epoll %d: %s" % (field[1], epfd, field[3]))
    return found
