/* Probes of the machine as it is. */
#include "doctor_try.h"

#include "launch.h"
#include "preflight.h"
#include "session.h"
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* This program itself, under the shim, as inject would run another. */
void tf_try_shim(struct tf_probed *finding)
{
    static struct tf_plan plan;
    char shim[4096], self[4096] = "";
    struct tf_error error;
    bool usage;
    struct tf_session_result result = {0};
    if (tf_shim_find(shim, sizeof shim, &error)) {
        tf_refused(finding, 0, getenv("TCPFAULT_LIB") ? TF_CAUSE_wrong_library : TF_CAUSE_no_library,
                   error.text);
        return;
    }
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) {
        tf_refused(finding, errno, TF_CAUSE_unknown, "/proc/self/exe");
        return;
    }
    char *const argv[] = {self, (char *)"--version", NULL};
    struct tf_session_options options = {.argv = argv, .plan = &plan, .timeout_ns = 5000000000};
    struct tf_session *session = tf_session_new(&options, &usage, &error);
    if (!session || tf_session_run(session, &result, &error))
        tf_refused(finding, 0, TF_CAUSE_unknown, error.text);
    else if (result.processes == 0)
        tf_refused(finding, 0, TF_CAUSE_unknown, "it was not loaded into a program that the tool ran");
    else
        tf_works(finding, "%.200s", shim);
    tf_session_free(session);
}

void tf_try_shared_memory(struct tf_probed *finding)
{
    char path[] = "/dev/shm/tcpfault-doctor-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        tf_refused(finding, errno, tf_cause_of_eperm(TF_CAUSE_unknown), "creating a file in /dev/shm");
        return;
    }
    void *memory = MAP_FAILED;
    if (!ftruncate(fd, 4096))
        memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int saved = errno;
    unlink(path);
    if (memory == MAP_FAILED)
        tf_refused(finding, saved, TF_CAUSE_unknown, "sharing the memory of a file in /dev/shm");
    else
        tf_works(finding, "%s", "");
}

void tf_try_ipv6(struct tf_probed *finding)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        tf_refused(finding, errno, errno == EAFNOSUPPORT ? TF_CAUSE_old_kernel : TF_CAUSE_unknown,
                   "an IPv6 socket");
    else if (bind(fd, (struct sockaddr *)&address, sizeof address))
        tf_refused(finding, errno, TF_CAUSE_no_ipv6, "an address ::1");
    else
        tf_works(finding, "%s", "");
}

/* The peer's segments have the time to live of 64 and more that systems give them. */
void tf_try_minttl(struct tf_probed *finding)
{
    int pair[2], all = 255;
    if (tf_loopback_pair(pair))
        tf_refused(finding, errno, TF_CAUSE_unknown, "a connection over 127.0.0.1");
    else if (setsockopt(pair[0], IPPROTO_IP, IP_MINTTL, &all, sizeof all))
        tf_refused(finding, errno, tf_cause_of_eperm(TF_CAUSE_old_kernel), "setting it");
    else if (send(pair[1], "x", 1, MSG_NOSIGNAL) != 1 || tf_readable(pair[0], 30))
        tf_refused(finding, 0, TF_CAUSE_old_kernel, "it was set, and data arrived");
    else
        tf_works(finding, "%s", "");
}

void tf_try_rcvlowat(struct tf_probed *finding)
{
    int pair[2], two = 2, one = 1;
    if (tf_loopback_pair(pair) || send(pair[1], "x", 1, MSG_NOSIGNAL) != 1 || !tf_readable(pair[0], 1000))
        tf_refused(finding, errno, TF_CAUSE_unknown, "a connection over 127.0.0.1");
    else if (setsockopt(pair[0], SOL_SOCKET, SO_RCVLOWAT, &two, sizeof two))
        tf_refused(finding, errno, tf_cause_of_eperm(TF_CAUSE_old_kernel), "setting it");
    else if (tf_readable(pair[0], 0) || setsockopt(pair[0], SOL_SOCKET, SO_RCVLOWAT, &one, sizeof one) ||
             !tf_readable(pair[0], 1000))
        tf_refused(finding, 0, TF_CAUSE_old_kernel, "it was set, and poll(2) took no notice");
    else
        tf_works(finding, "%s", "");
}

void tf_try_futex_waitv(struct tf_probed *finding)
{
#ifdef SYS_futex_waitv
    uint32_t word = 1;
    struct futex_waitv waiter = {.uaddr = (uintptr_t)&word, .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG};
    /* It expects 0, and so does not wait. */
    if (syscall(SYS_futex_waitv, &waiter, 1, 0, NULL, CLOCK_MONOTONIC) == -1 && errno == EAGAIN)
        tf_works(finding, "%s", "");
    else
        tf_refused(finding, errno, tf_cause_of_eperm(TF_CAUSE_old_kernel), "futex_waitv");
#else
    tf_refused(finding, ENOSYS, TF_CAUSE_old_kernel, "futex_waitv");
#endif
}

/* ---- pidfd_getfd(2) ---- */

/* A descriptor of that process: 0, or an errno. */
static int take_descriptor(pid_t pid, int fd)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return errno;
    return syscall(SYS_pidfd_getfd, pidfd, fd, 0) < 0 ? errno : 0;
}

static enum tf_cause cause_of_getfd(int error)
{
    /* No flags are defined, for any descriptor. */
    if (tf_blocked(syscall(SYS_pidfd_getfd, -1, -1, ~0U), EINVAL))
        return tf_cause_of_eperm(TF_CAUSE_old_kernel);
    int yama = (int)tf_doctor_number("/proc/sys/kernel/yama/ptrace_scope");
    if (error == EPERM && yama > 0)
        return yama == 3 ? TF_CAUSE_yama_for_good : TF_CAUSE_yama;
    return error == ENOSYS ? TF_CAUSE_old_kernel : tf_cause_of_eperm(TF_CAUSE_sys_ptrace);
}

static void say_getfd(struct tf_probed *finding, int error)
{
    if (error)
        tf_refused(finding, error, cause_of_getfd(error), "pidfd_getfd");
    else
        tf_works(finding, "%s", "");
}

void tf_try_pidfd_child(struct tf_probed *finding)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pid_t child = tf_sleeper();
    say_getfd(finding, child < 0 ? errno : take_descriptor(child, fd));
}

/* Between two processes neither of which started the other. */
void tf_try_pidfd_peer(struct tf_probed *finding)
{
    int status, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pid_t peer = tf_sleeper(), taker = peer < 0 ? -1 : _Fork();
    if (taker == 0)
        _exit(take_descriptor(peer, fd));
    if (taker < 0 || waitpid(taker, &status, 0) != taker)
        tf_refused(finding, errno, TF_CAUSE_unknown, "fork");
    else if (!WIFEXITED(status))
        raise(WTERMSIG(status));
    else
        say_getfd(finding, WEXITSTATUS(status));
}

/* ---- socket filters ---- */

static void try_filter(struct tf_probed *finding)
{
    struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {1, &drop};
    int pair[2];
    if (tf_loopback_pair(pair))
        tf_refused(finding, errno, TF_CAUSE_unknown, "a connection over 127.0.0.1");
    else if (setsockopt(pair[0], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program))
        tf_refused(finding, errno, tf_cause_of_net_admin(), "SO_ATTACH_FILTER");
    else if (send(pair[1], "x", 1, MSG_NOSIGNAL) != 1 || tf_readable(pair[0], 30))
        tf_refused(finding, 0, TF_CAUSE_old_kernel, "it was attached, and data arrived");
    else
        tf_works(finding, "%s", "");
}

void tf_try_filter_host(struct tf_probed *finding)
{
    try_filter(finding);
}

void tf_try_filter_private(struct tf_probed *finding)
{
    try_filter(finding);
}
