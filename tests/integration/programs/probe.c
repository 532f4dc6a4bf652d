/* cflags: -fno-optimize-sibling-calls */
/* A client and a server in one process, driven by words:
 *
 *   probe WORD...      each is  [SOCKET.]OPERATION[:ARGUMENT...][&|@]
 *
 * Sockets are single letters. What an operation gave is printed behind its name:
 * "c.recv=5:hello", "c.send=EPIPE". "&" runs it in a thread, until "join"; "@" in
 * a forked child of its own.
 *
 *   pair, pair6              l listens on the loopback, c connects, s is accepted
 *   X.tcp X.tcp6 X.unix:Y X.pipe:Y X.udp:Y X.file      makes descriptors
 *   X.listen X.connect[:PORT] X.accept[:Y] X.accept4[:Y]
 *   X.CALL:SIZE[:FLAG...]    receives (probe_io.h); FLAG: peek waitall dontwait
 *                            again (at every moment, for 5 s)
 *   X.CALL:TEXT[:FLAG...]    sends; #SIZE sends so many bytes of a pattern; FLAG:
 *                            nosignal dontwait, part (of it is enough)
 *   X.drain                  reads to the end: how many bytes, right or wrong
 *   X.close X.vclose X.fclose X.dup:Y X.dup2:Y X.pass:Y X.cloexec X.nb X.block X.shut:HOW
 *   X.opt:NAME:VALUE X.getopt:NAME X.kernel:NAME (behind the shim's back)
 *   X.rcvtimeo:MS X.sndtimeo:MS X.peer X.name X.msg (of the last recvmsg)
 *   X.state X.until:STATE l.ends (states of l's connections)
 *   X.addr (of this end) X.inform (TCP_INFO) X.ioctl (bytes queued in and out)
 *   X.reset X.fin X.unassociate (connect to AF_UNSPEC) busy (which then fails)
 *   X.poll[:MS] X.ppoll[:MS] X.select[:MS] X.pselect[:MS] X.epoll[:MS] X.epollet[:MS]
 *   X.epollone[:MS] (ONESHOT) X.epollarm[:MS] (armed again each time)
 *   X.busypoll:MS (asks again and again)
 *   X.epollexcl[:MS] (EXCLUSIVE) X.epollnest[:MS] (in another) X.queued
 *   on:SIGNAL[:restart] hits kill:SIGNAL block:SIGNAL mark since:MS fds
 *   fork (the rest happens in a child) exec (in a new image) X.is:NUMBER
 */
#include "probe_steps.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

static const struct {
    const char *name;
    int level, value;
} options[] = {{"SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR},
               {"SO_ERROR", SOL_SOCKET, SO_ERROR},
               {"SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE},
               {"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY},
               {"TCP_INQ", IPPROTO_TCP, TCP_INQ},
               {"SO_RCVBUF", SOL_SOCKET, SO_RCVBUF},
               {"SO_SNDBUF", SOL_SOCKET, SO_SNDBUF},
               {"SO_RCVLOWAT", SOL_SOCKET, SO_RCVLOWAT},
               {"IP_TTL", IPPROTO_IP, IP_TTL},
               {"IP_MINTTL", IPPROTO_IP, IP_MINTTL},
               {"IPV6_UNICAST_HOPS", IPPROTO_IPV6, IPV6_UNICAST_HOPS},
               {"IPV6_MINHOPCOUNT", IPPROTO_IPV6, IPV6_MINHOPCOUNT},
               {"TCP_SYNCNT", IPPROTO_TCP, TCP_SYNCNT},
               {"TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT}};

static void option(struct step *step)
{
    int fd = *of(step->socket), value = number(step, 1, 1);
    socklen_t length = sizeof value;
    size_t i = 0;

    while (strcmp(options[i].name, step->argument[0]) != 0)
        if (++i == sizeof options / sizeof *options)
            abort();
    if (strcmp(step->operation, "opt") == 0) {
        long result = setsockopt(fd, options[i].level, options[i].value, &value, length);
        if (result < 0)
            say_result(step, result);
        return;
    }
    long result = *step->operation == 'k'
                      ? KERNEL(SYS_getsockopt, fd, options[i].level, options[i].value, &value, &length)
                      : getsockopt(fd, options[i].level, options[i].value, &value, &length);
    if (result < 0)
        say_result(step, result);
    else if (options[i].value == SO_ERROR && value)
        SAY("%s", strerrorname_np(value));
    else
        SAY("%d", value);
}

static void timeout(struct step *step, int name)
{
    int ms = number(step, 0, 0);
    struct timeval time = {ms / 1000, ms % 1000 * 1000};
    setsockopt(*of(step->socket), SOL_SOCKET, name, &time, sizeof time);
}

static void name(struct step *step, bool peer)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    int fd = *of(step->socket);

    if ((peer ? getpeername : getsockname)(fd, (struct sockaddr *)&address, &length) != 0)
        say_result(step, -1);
    else
        SAY("%s", address.ss_family == AF_INET ? "IPv4" : address.ss_family == AF_INET6 ? "IPv6" : "?");
}

/* The address, and whether there is a port, and still the same. */
static void numeric_name(struct step *step)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    static char ports[128][16];
    char host[64], port[16], *first = ports[step->socket & 127];

    if (getsockname(*of(step->socket), (struct sockaddr *)&address, &length) != 0)
        say_result(step, -1);
    else if (getnameinfo((struct sockaddr *)&address, length, host, sizeof host, port, sizeof port,
                         NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        SAY("%s,%s,%u", host,
            strcmp(port, "0") == 0 ? "0" : !*first || strcmp(port, first) == 0 ? strcpy(first, port),
            "port" : "another", length);
}

static void inform(struct step *step)
{
    struct tcp_info info = {.tcpi_state = 0};
    socklen_t length = sizeof info;

    if (getsockopt(*of(step->socket), IPPROTO_TCP, TCP_INFO, &info, &length) != 0)
        say_result(step, -1);
    else
        SAY("%u,%u,%u,%u,%d,%d,%d", info.tcpi_state, info.tcpi_options, info.tcpi_snd_mss, info.tcpi_unacked,
            info.tcpi_rtt > 0, info.tcpi_rto > 0, info.tcpi_pmtu > 0);
}

static void queued(struct step *step)
{
    int in = -1, out = -1;
    long result = ioctl(*of(step->socket), FIONREAD, &in);

    if (result < 0 || ioctl(*of(step->socket), TIOCOUTQ, &out) < 0)
        say_result(step, -1);
    else
        SAY("%d,%d", in, out);
}

static void keep(struct step *step, int at, int otherwise, long fd)
{
    if (fd < 0)
        say_result(step, fd);
    *of(letter(step, at, otherwise)) = (int)fd;
}

static void two(struct step *step, int first, int second)
{
    *of(step->socket) = first;
    *of(letter(step, 0, 0)) = second;
}

/* The rest of the words, in a child or in a new image of this program. */
static void go_on(bool by_exec)
{
    static char assignments[26][16];
    static char *argv[160];
    int n = 0, status;

    fflush(stdout);
    if (!by_exec) {
        pid_t child = fork();
        if (child == 0)
            return;
        waitpid(child, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
    }
    argv[n++] = self_path;
    for (int i = 'a'; i <= 'z'; i++)
        if (fds[i] >= 0) {
            snprintf(assignments[i - 'a'], sizeof assignments[0], "%c.is:%d", i, fds[i]);
            argv[n++] = assignments[i - 'a'];
        }
    while (*words && n < 159)
        argv[n++] = *words++;
    argv[n] = NULL;
    execv("/proc/self/exe", argv);
    _exit(98);
}

/* As Linux 6.3 to 6.6 do while another thread waits on the socket: no address but
 * an IPv6 one can be connected to, least of all AF_UNSPEC. */
static long make_busy(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, sizeof(struct sockaddr), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EBUSY),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof filter / sizeof *filter, filter};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -1 : prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* What only makes something; silent where it worked. */
static bool prepare(struct step *step)
{
    const char *what = step->operation;
    int *fd = of(step->socket), pair[2];
    long result = 0;

#define IS(name) (strcmp(what, name) == 0)
    if (IS("pair") || IS("pair6"))
        result = make_pair(IS("pair6") ? AF_INET6 : AF_INET);
    else if (IS("tcp") || IS("tcp6"))
        result = *fd = socket(IS("tcp6") ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
    else if (IS("unix"))
        socketpair(AF_UNIX, SOCK_STREAM, 0, pair), two(step, pair[0], pair[1]);
    else if (IS("pipe"))
        result = pipe(pair), two(step, pair[0], pair[1]);
    else if (IS("udp"))
        result = udp_pair(pair), two(step, pair[0], pair[1]);
    else if (IS("file"))
        result = *fd = memfd_create("file", 0), pwrite(*fd, "file-data", 9, 0);
    else if (IS("listen"))
        result = listen_on(fd, AF_INET, number(step, 0, 0));
    else if (IS("dead")) /* bound, not listening: connections are refused */
        result = bind_loopback(fd, AF_INET, 0);
    else if (IS("busy"))
        result = make_busy();
    else if (IS("fin"))
        result = shutdown(*fd, SHUT_WR);
    else if (IS("reset")) {
        const struct linger none = {1, 0};
        setsockopt(*fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
        close(*fd);
    } else if (IS("is"))
        *fd = number(step, 0, -1);
    else if (IS("cloexec"))
        fcntl(*fd, F_SETFD, FD_CLOEXEC);
    else if (IS("nb"))
        fcntl(*fd, F_SETFL, O_NONBLOCK);
    else if (IS("block"))
        fcntl(*fd, F_SETFL, 0);
    else if (IS("fclose"))
        fclose(fdopen(*fd, "r+"));
    else if (IS("epclose")) {
        result = close(epolls[step->socket & 127]);
        epolls[step->socket & 127] = -1;
    } else if (IS("sysclose"))
        result = syscall(SYS_close, *fd);
    else if (IS("vclose"))
        close_in_vfork_child(*fd);
    else if (IS("closerange"))
        result = close_range((unsigned)*fd, (unsigned)*fd, 0);
    else if (IS("pass"))
        result = pass(*fd, of(letter(step, 0, 'p')));
    else if (IS("rcvtimeo") || IS("sndtimeo"))
        timeout(step, IS("rcvtimeo") ? SO_RCVTIMEO : SO_SNDTIMEO);
    else if (IS("on"))
        handle(signal_number(step->argument[0]), step->arguments > 1);
    else if (IS("mask")) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, signal_number(step->argument[0]));
        sigprocmask(SIG_BLOCK, &set, NULL);
    } else if (IS("kill"))
        await_sleep(background->tid), pthread_kill(background->thread, signal_number(step->argument[0]));
    else if (IS("fork") || IS("exec"))
        go_on(IS("exec"));
    else
        return false;
    if (result < 0)
        say_result(step, result);
    return true;
}

static bool perform(struct step *step)
{
    static long marked, opened = -1;
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    const char *what = step->operation;
    int *fd = of(step->socket);

    if (IS("opt") || IS("getopt") || IS("kernel"))
        option(step);
    else if (IS("unassociate"))
        say_result(step, connect(*fd, &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr)));
    else if (IS("connect"))
        say_result(step, connect_to(*fd, *of('l'), number(step, 0, 0)));
    else if (IS("mapped")) /* 127.0.0.1 as an IPv6 socket spells it */
        say_result(step, connect_mapped(*fd, number(step, 0, 0)));
    else if (IS("accept"))
        keep(step, 0, 's', accept(*fd, NULL, NULL));
    else if (IS("accept4"))
        keep(step, 0, 's', accept4(*fd, (struct sockaddr *)&from, &length, 0));
    else if (IS("close"))
        say_result(step, close(*fd));
    else if (IS("dup"))
        keep(step, 0, 'd', dup(*fd));
    else if (IS("dup2"))
        keep(step, 0, 'd', dup2(*fd, *of(letter(step, 0, 'd'))));
    else if (IS("dupfd"))
        keep(step, 0, 'd', fcntl(*fd, F_DUPFD, 100));
    else if (IS("shut"))
        say_result(step, shutdown(*fd, *step->argument[0] == 'w' ? SHUT_WR
                                       : step->argument[0][2]    ? SHUT_RDWR
                                                                 : SHUT_RD));
    else if (IS("peer") || IS("name"))
        name(step, IS("peer"));
    else if (IS("addr"))
        numeric_name(step);
    else if (IS("inform"))
        inform(step);
    else if (IS("ioctl"))
        queued(step);
    else if (IS("msg"))
        SAY("%x,%ld,%zu", (unsigned)last_message.flags, last_message.queued, last_message.length);
    else if (IS("poll") || IS("ppoll") || IS("busypoll"))
        wait_by_poll(step);
    else if (IS("select") || IS("pselect"))
        wait_by_select(step);
    else if (strncmp(what, "epoll", 5) == 0)
        wait_by_epoll(step, what + 5);
    else if (IS("state"))
        SAY("%s", state_names[state_of(*fd)]);
    else if (IS("until"))
        await_state(step);
    else if (IS("ends"))
        say_ends(step);
    else if (IS("queued")) { /* FIONREAD */
        int bytes = -1;
        say_result(step, ioctl(*fd, FIONREAD, &bytes) < 0 ? -1 : bytes);
    } else if (IS("drain"))
        drain(step);
    else if (IS("number"))
        SAY("%d", *fd);
    else if (IS("fds")) /* more than at the first time */
        opened = opened < 0 ? open_descriptors() : (SAY("%ld", open_descriptors() - opened), opened);
    else if (IS("hits"))
        SAY("%d", (int)hits), hits = 0;
    else if (IS("mark"))
        marked = milliseconds();
    else if (IS("since"))
        SAY("%s", milliseconds() - marked >= number(step, 0, 0) ? "yes" : "no");
    else
        return false;
    return true;
}

static bool act(struct step *step)
{
    if (step->in)
        receive(step);
    else if (step->out)
        transmit(step);
    else
        return prepare(step) || perform(step);
    return true;
}

static void *in_thread(void *data)
{
    struct step *step = data;
    step->tid = (int)KERNEL(SYS_gettid);
    act(step);
    return NULL;
}

/* Operations that may be silent print nothing. */
static void print(const struct step *step)
{
    static bool any;
    if (!*step->said)
        return;
    printf("%s", any ? " " : "");
    any = true;
    if (step->socket)
        printf("%c.", step->socket);
    printf("%s=%s", step->operation, step->said);
    fflush(stdout);
}

/* Its word is one of the line's, whichever process says it. */
static void in_child(struct step *step)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        act(step);
        print(step);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

static void take_apart(struct step *step, const char *word)
{
    snprintf(step->word, sizeof step->word, "%s", word);
    char *rest, *at = step->word;
    if (at[0] && at[1] == '.') {
        step->socket = at[0];
        at += 2;
    }
    snprintf(step->operation, sizeof step->operation, "%s", strtok_r(at, ":", &rest));
    while (step->arguments < 6 && (at = strtok_r(NULL, ":", &rest)))
        step->argument[step->arguments++] = at;
    for (int i = 0; io_calls[i].name; i++)
        if (strcmp(io_calls[i].name, step->operation) == 0) {
            step->in = io_calls[i].in;
            step->out = io_calls[i].out;
        }
}

int main(int argc, char **argv)
{
    (void)argc;
    self_path = argv[0];
    for (int i = 0; i < 128; i++)
        fds[i] = epolls[i] = -1;
    signal(SIGPIPE, SIG_IGN);
    for (words = argv + 1; *words;) {
        char *word = *words++;
        struct step *step = calloc(1, sizeof *step);
        size_t length = strlen(word);
        bool aside = word[length - 1] == '&', apart = word[length - 1] == '@';
        if (aside || apart)
            word[length - 1] = 0;
        if (strcmp(word, "join") == 0) {
            pthread_join(background->thread, NULL);
            print(background);
            continue;
        }
        take_apart(step, word);
        if (apart) {
            in_child(step);
        } else if (aside) {
            background = step;
            pthread_create(&step->thread, NULL, in_thread, step);
            while (!step->tid)
                sched_yield();
            await_sleep(step->tid);
        } else if (!act(step)) {
            fprintf(stderr, "probe: what is %s?\n", word);
            return 2;
        } else {
            print(step);
        }
    }
    return 0;
}
