/* What a blocked thread waits for, and whether that can still come. */
#include "hang.h"

#include "hang_wait.h"
#include "ring.h"
#include "rule.h"
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LISTENER, OUR, THEIR, ENDS };

static int end[ENDS];

static void connect_pair(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    end[LISTENER] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    end[OUR] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_FATAL(bind(end[LISTENER], (struct sockaddr *)&address, length) == 0 &&
                    listen(end[LISTENER], 1) == 0 &&
                    getsockname(end[LISTENER], (struct sockaddr *)&address, &length) == 0 &&
                    connect(end[OUR], (struct sockaddr *)&address, length) == 0);
    end[THEIR] = accept(end[LISTENER], NULL, NULL);
}

static void close_pair(void)
{
    for (int i = 0; i < ENDS; i++)
        close(end[i]);
}

/* ---- what a process does for ever ---- */

static char byte;

static void receives(void)
{
    recv(end[OUR], &byte, 1, 0);
}

static void fills(void)
{
    static char many[1 << 20];
    for (;;)
        send(end[OUR], many, sizeof many, 0);
}

static void accepts(void)
{
    accept(end[LISTENER], NULL, NULL);
}

static void polls_for(int limit_ms)
{
    struct pollfd fds[] = {{.fd = end[OUR], .events = POLLIN}, {.fd = -1}};
    poll(fds, 2, limit_ms);
}

static void polls(void)
{
    polls_for(-1);
}

static void polls_with_a_limit(void)
{
    polls_for(3600000);
}

static void selects(void)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(end[OUR], &set);
    select(end[OUR] + 1, &set, NULL, NULL, NULL);
}

static void epolls(void)
{
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = epoll_create1(0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, end[OUR], &event);
    epoll_wait(epoll, &event, 1, -1);
}

static void waits_for_a_thread(void)
{
    static uint32_t word;
    syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static void sleeps(void)
{
    nanosleep(&(struct timespec){3600, 0}, NULL);
}

static pid_t start(void (*does)(void))
{
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (getppid() == parent)
            does();
        _exit(0);
    }
    return pid;
}

static void stop(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static bool in_time(int turn)
{
    nanosleep(&(struct timespec){0, 2000000}, NULL);
    return turn < 5000;
}

static bool sleeping(pid_t pid)
{
    char text[512];
    const char *behind =
        tf_proc_read(text, sizeof text, "/proc/%d/stat", pid) > 0 ? strrchr(text, ')') : NULL;
    return behind && behind[2] == 'S';
}

/* Waits until it is in that system call (-1: any), and looks at it there. */
static struct tf_wait look_at(pid_t pid, long call)
{
    struct tf_wait wait = {.kind = TF_WAIT_HOPE};
    for (int turn = 0; in_time(turn); turn++) {
        tf_wait_look(pid, pid, &wait);
        if (sleeping(pid) && (wait.text[0] >= '0' && wait.text[0] <= '9') &&
            (call < 0 || atol(wait.text) == call))
            break;
    }
    return wait;
}

static void a_wait_without_a_limit_is_told_with_its_descriptors(void)
{
    static const struct {
        void (*does)(void);
        long call;
        enum tf_wait_kind kind;
        int of; /* end[] */
        bool beyond_input, directly;
    } waits[] = {
        {receives, SYS_recvfrom, TF_WAIT_INPUT, OUR, false, true},
        {fills, SYS_sendto, TF_WAIT_INPUT, OUR, true, true},
        {accepts, -1, TF_WAIT_INPUT, LISTENER, true, true},
        {polls, -1, TF_WAIT_INPUT, OUR, false, false},
        {selects, -1, TF_WAIT_INPUT, OUR, false, false},
        {epolls, -1, TF_WAIT_INPUT, OUR, false, false},
        {polls_with_a_limit, -1, TF_WAIT_HOPE, 0, false, false},
        {waits_for_a_thread, SYS_futex, TF_WAIT_OTHER, 0, false, false},
        {sleeps, -1, TF_WAIT_HOPE, 0, false, false},
    };
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        connect_pair();
        pid_t pid = start(waits[i].does);
        struct tf_wait wait = look_at(pid, waits[i].call);
        TF_CHECK(wait.kind == waits[i].kind, "%zu: kind %d in %s", i, wait.kind, wait.text);
        TF_CHECK(wait.fds == (waits[i].kind == TF_WAIT_INPUT), "%zu: %zu descriptors", i, wait.fds);
        TF_CHECK(wait.fds == 0 || wait.fd[0] == end[waits[i].of], "%zu: descriptor %d", i, wait.fd[0]);
        if (waits[i].kind == TF_WAIT_INPUT)
            TF_CHECK(wait.beyond_input == waits[i].beyond_input && wait.directly == waits[i].directly,
                     "%zu: %d %d", i, wait.beyond_input, wait.directly);
        stop(pid);
        close_pair();
    }
}

static void who_is_stopped_may_be_continued(void)
{
    struct tf_wait wait;
    connect_pair();
    pid_t pid = start(receives);
    look_at(pid, SYS_recvfrom);
    kill(pid, SIGSTOP);
    waitpid(pid, NULL, WUNTRACED);
    tf_wait_look(pid, pid, &wait);
    CU_ASSERT_EQUAL(wait.kind, TF_WAIT_HOPE);
    stop(pid);
    close_pair();
}

static void on_alarm(int signal)
{
    (void)signal;
}

static void has_an_alarm(void)
{
    signal(SIGALRM, on_alarm);
    receives();
}

static void a_timer_is_hope(void)
{
    connect_pair();
    pid_t plain = start(receives), alarmed = start(has_an_alarm);
    look_at(plain, SYS_recvfrom);
    look_at(alarmed, SYS_recvfrom);
    CU_ASSERT(!tf_wait_timer(plain));
    CU_ASSERT(tf_wait_timer(alarmed));
    stop(plain);
    stop(alarmed);
    close_pair();
}

/* ---- the proof ---- */

static struct tf_hang *hang;
static struct tf_collect *collect;
static struct tf_proc proc;
static pid_t hanging;
static uint64_t cookie;

static void on_event(void *data, enum tf_collect_what what, const struct tf_event *event)
{
    (void)data;
    tf_hang_event(hang, what, event);
}

static struct tf_event event_of(enum tf_call_id call, bool returned)
{
    return (struct tf_event){.call = call,
                             .pid = (uint32_t)hanging,
                             .tid = (uint32_t)hanging,
                             .fd = end[OUR],
                             .cookie = cookie,
                             .time_ns = 1,
                             .duration_ns = returned ? 1 : UINT64_MAX};
}

static void happens(const struct tf_event *event)
{
    struct tf_error error;
    uint64_t number = tf_ring_enter(tf_collect_segment(collect), event);
    if (event->duration_ns != UINT64_MAX)
        tf_ring_leave(tf_collect_segment(collect), number, event);
    tf_collect_drain(collect, &error);
}

/* A process that receives on a connection whose other end is here, and its call. */
static void begin(void (*does)(void), const char *rule)
{
    struct tf_plan plan = {.rules = 0};
    struct tf_rule_error wrong;
    struct tf_error error = {.text = ""};
    socklen_t size = sizeof cookie;
    const char *path = tf_scratch("hang");
    CU_ASSERT_EQUAL_FATAL(tf_plan_add(&plan, rule, &wrong), 0);
    unlink(path);
    connect_pair();
    getsockopt(end[OUR], SOL_SOCKET, SO_COOKIE, &cookie, &size);
    hanging = start(does);
    look_at(hanging, SYS_recvfrom);
    hang = tf_hang_new(false);
    collect = tf_collect_open(&(struct tf_collect_options){.path = path, .plan = &plan, .on_event = on_event},
                              &error);
    CU_ASSERT_FATAL(hang != NULL && collect != NULL);
    proc = (struct tf_proc){.root = getpid(), .inside = true};
    struct tf_event call = event_of(TF_recv, false);
    happens(&call);
}

static void finish(void)
{
    stop(hanging);
    tf_collect_close(collect);
    tf_hang_free(hang);
    close_pair();
}

/* From here on nothing arrives there, by rule 1. */
static void strikes(void)
{
    struct tf_event event = event_of(TF_recv, true);
    event.rule = 1;
    event.effects = 1U << TF_EFFECT_drop;
    event.flags = TF_EVENT_FIRED;
    happens(&event);
}

static void sets(int level, int name)
{
    struct tf_event event = event_of(TF_setsockopt, true);
    event.arg[1] = (uint64_t)level;
    event.arg[2] = (uint64_t)name;
    happens(&event);
}

/* Looks for as long as a proof takes, and for much longer where none comes. */
static bool proven(char *message, size_t size)
{
    struct tf_event event;
    for (int turn = 0; turn < 200; turn++) {
        nanosleep(&(struct timespec){0, 10000000}, NULL);
        tf_hang_look(hang, collect, NULL, &proc);
        if (tf_hang_proven(hang, &event, message, size))
            return true;
        if (turn > 40 && message[0] == '?') /* no proof is wanted */
            return false;
    }
    return false;
}

static bool stays_unproven(void)
{
    char message[512] = "?";
    return !proven(message, sizeof message);
}

/* ThreadSanitizer's own thread, in every process, wakes up now and then. */
#ifdef __SANITIZE_THREAD__
enum { PROVABLE = false };
#else
enum { PROVABLE = true };
#endif

static void a_wait_for_what_was_dropped_is_proven_and_taken_back(void)
{
    char message[512] = "";
    if (!PROVABLE)
        return;
    begin(receives, "%in:drop");
    CU_ASSERT(stays_unproven()); /* nothing has struck yet, and the peer is there */
    strikes();
    CU_ASSERT(proven(message, sizeof message));
    TF_CHECK(strstr(message, "blocked in recv") && strstr(message, "nothing arrives any more"), "%s",
             message);
    bool never = false;
    for (int turn = 0; in_time(turn) && !never; turn++)
        never = tf_hang_ends_never(hang, collect, NULL, &proc, hanging);
    CU_ASSERT(never);
    tf_hang_disturb(hang);
    CU_ASSERT(!tf_hang_ends_never(hang, collect, NULL, &proc, hanging));
    finish();
}

static void a_limit_of_the_socket_is_hope(void)
{
    static const int options[][2] = {
        {SOL_SOCKET, SO_RCVTIMEO}, {SOL_SOCKET, SO_KEEPALIVE}, {IPPROTO_TCP, 18 /* TCP_USER_TIMEOUT */}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        begin(receives, "%in:drop");
        strikes();
        sets(options[i][0], options[i][1]);
        TF_CHECK(stays_unproven(), "option %zu", i);
        finish();
    }
}

static void a_drop_that_ends_is_hope(void)
{
    begin(receives, "%in:drop=1h");
    strikes();
    CU_ASSERT(stays_unproven());
    finish();
}

static void a_process_with_an_alarm_is_not_proven_to_hang(void)
{
    begin(has_an_alarm, "%in:drop");
    strikes();
    CU_ASSERT(stays_unproven());
    finish();
}

static void beside_it(void)
{
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pause();
        _exit(0);
    }
    receives();
}

static void a_child_beside_it_may_yet_end_it(void)
{
    char message[512] = "";
    if (!PROVABLE)
        return;
    begin(beside_it, "%in:drop");
    strikes();
    CU_ASSERT(proven(message, sizeof message)); /* it hangs, and may be woken by its child's end */
    for (int turn = 0; turn < 20; turn++) {
        nanosleep(&(struct timespec){0, 10000000}, NULL);
        CU_ASSERT(!tf_hang_ends_never(hang, collect, NULL, &proc, hanging));
    }
    finish();
}

TF_SUITE(hang, TF_TEST(a_wait_without_a_limit_is_told_with_its_descriptors),
         TF_TEST(who_is_stopped_may_be_continued), TF_TEST(a_timer_is_hope),
         TF_TEST(a_wait_for_what_was_dropped_is_proven_and_taken_back),
         TF_TEST(a_limit_of_the_socket_is_hope), TF_TEST(a_drop_that_ends_is_hope),
         TF_TEST(a_process_with_an_alarm_is_not_proven_to_hang), TF_TEST(a_child_beside_it_may_yet_end_it))
