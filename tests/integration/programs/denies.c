/* Runs a command under a seccomp filter that refuses with EPERM:
 *
 *   denies unshare|pidfd_getfd|netfilter... -- COMMAND
 *
 * unshare      unshare, and namespaces asked of clone and clone3
 * pidfd_getfd  that call
 * netfilter    netlink sockets for netfilter
 * kill         what the words behind it name ends in SIGSYS instead
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ROOM = 64 };

#define NAMESPACES                                                                                           \
    (CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |               \
     CLONE_NEWCGROUP)

static struct sock_filter code[ROOM];
static unsigned short length;
static uint32_t refusal = SECCOMP_RET_ERRNO | EPERM;

static void add(uint16_t what, uint32_t value, uint8_t if_true, uint8_t if_false)
{
    code[length++] = (struct sock_filter){what, if_true, if_false, value};
}

static void load(size_t offset)
{
    add(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void answer(uint32_t value)
{
    add(BPF_RET | BPF_K, value, 0, 0);
}

/* The low half of an argument, on a little-endian machine. */
static size_t argument(int number)
{
    return offsetof(struct seccomp_data, args) + 8 * (size_t)number;
}

static void refuse_call(long number, uint32_t value)
{
    load(offsetof(struct seccomp_data, nr));
    add(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1);
    answer(value);
}

static int refuse(const char *name)
{
    if (!strcmp(name, "kill")) {
        refusal = SECCOMP_RET_KILL_PROCESS;
    } else if (!strcmp(name, "unshare")) {
        refuse_call(SYS_unshare, refusal);
        refuse_call(SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS); /* its flags are behind a pointer */
        load(offsetof(struct seccomp_data, nr));
        add(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3);
        load(argument(0));
        add(BPF_JMP | BPF_JSET | BPF_K, NAMESPACES, 0, 1);
        answer(refusal);
    } else if (!strcmp(name, "pidfd_getfd")) {
        refuse_call(SYS_pidfd_getfd, refusal);
    } else if (!strcmp(name, "netfilter")) {
        load(offsetof(struct seccomp_data, nr));
        add(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 5);
        load(argument(0));
        add(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 3);
        load(argument(2));
        add(BPF_JMP | BPF_JEQ | BPF_K, NETLINK_NETFILTER, 0, 1);
        answer(refusal);
    } else {
        return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    int i = 1;
    for (; i < argc && strcmp(argv[i], "--"); i++) {
        if (refuse(argv[i])) {
            fprintf(stderr, "denies: %s?\n", argv[i]);
            return 2;
        }
    }
    answer(SECCOMP_RET_ALLOW);
    struct sock_fprog program = {length, code};
    if (i + 1 >= argc || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
        perror("denies");
        return 2;
    }
    execvp(argv[i + 1], argv + i + 1);
    perror(argv[i + 1]);
    return 127;
}
