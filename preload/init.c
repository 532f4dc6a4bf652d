/* Starts the shim: from the environment to a mapped segment and open gates. */
#include "failpoint.h"
#include "later.h"
#include "names.h"
#include "real.h"
#include "rule.h"
#include "shim.h"
#include "socket.h"

#include <dirent.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const _Atomic uint8_t boot_gate[64] = {[0 ... 63] = TF_GATE_RULE | TF_GATE_KEEP};
static const _Atomic uint8_t nothing[64];

struct tf_self tf_self = {.gate = boot_gate};
uint64_t tf_settled[TF_DESCRIPTORS];

/* A segment of no tool's and no TCPFAULT_TRACE's: PLACE/tcpfault-PID-TIME.events,
 * which ends with the process PID, whatever images it becomes. */
static const char *const places[] = {"/dev/shm", "/tmp"};
static char own_file[128];

/* Before main a program can still be told; later the shim is silent. */
static void refuse(const char *what, const char *why)
{
    dprintf(STDERR_FILENO, "libtcpfault: %s: %s\n", what, why);
    _exit(2);
}

/* Without the tool there is nobody who could do it. */
static void refuse_hand(const struct tf_rule *rule)
{
    char place[TF_RULE_TEXT + 32], calls[TF_RULE_TEXT], why[2 * TF_RULE_TEXT];
    uint64_t by_hand = tf_drop_by_hand(rule);

    if (!by_hand)
        return;
    tf_calls_write(by_hand, UINT64_MAX, calls, sizeof calls);
    snprintf(place, sizeof place, "TCPFAULT, \"%s\"", rule->text);
    snprintf(why, sizeof why, "drop on %s takes the tool: tcpfault inject --sandbox, or run", calls);
    refuse(place, why);
}

static void read_rules(struct tf_plan *plan)
{
    const char *rules = getenv("TCPFAULT"), *seed = getenv("TCPFAULT_SEED");
    struct tf_rule_error error;
    char place[64], *end;

    if (seed && *seed) {
        errno = 0;
        plan->seed = strtoull(seed, &end, 0);
        if (*end || errno || *seed == '-')
            refuse("TCPFAULT_SEED", "expected a number");
    }
    if (rules && tf_plan_add(plan, rules, &error) != 0) {
        snprintf(place, sizeof place, "TCPFAULT, column %zu", error.at + 1);
        refuse(place, error.message);
    }
    for (uint32_t i = 0; i < plan->rules; i++)
        refuse_hand(&plan->rule[i]);
}

/* The process that a segment ends with; 0 for one that somebody named. */
static pid_t owner_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    int pid = 0;
    bool ours = false;

    for (size_t i = 0; slash && i < 2; i++)
        ours |=
            strlen(places[i]) == (size_t)(slash - path) && strncmp(path, places[i], strlen(places[i])) == 0;
    return ours && sscanf(slash, "/tcpfault-%d-", &pid) == 1 ? pid : 0;
}

/* Removes what processes left that were killed. */
static void sweep(const char *place)
{
    char path[128];
    DIR *directory = opendir(place);
    const struct dirent *entry;

    while (directory && (entry = readdir(directory))) {
        if (strncmp(entry->d_name, "tcpfault-", 9) != 0 || strlen(entry->d_name) > 80)
            continue;
        snprintf(path, sizeof path, "%s/%.80s", place, entry->d_name);
        pid_t owner = owner_of(path);
        if (owner && kill(owner, 0) != 0 && errno == ESRCH)
            unlink(path);
    }
    if (directory)
        closedir(directory);
}

static struct tf_segment *make(const char *directory, const struct tf_plan *plan, uint32_t flags, char *path,
                               size_t size)
{
    snprintf(path, size, "%s/tcpfault-%ld-%llx.events", directory, tf_sys(SYS_getpid),
             (unsigned long long)tf_now_ns());
    return tf_segment_create(path, plan, flags);
}

/* The image that exits last in the owner's life removes the file. */
static void own(const char *path)
{
    if (strlen(path) < sizeof own_file && owner_of(path) == (pid_t)tf_sys(SYS_getpid))
        strcpy(own_file, path);
}

/* No tool around: the run is this process and its children. */
static struct tf_segment *own_segment(const char *trace)
{
    static struct tf_plan plan;
    struct stat status;
    struct tf_segment *segment = NULL;
    char path[PATH_MAX];

    read_rules(&plan);
    if (!trace) {
        for (size_t i = 0; !segment && i < 2; i++) {
            sweep(places[i]);
            segment = make(places[i], &plan, 0, path, sizeof path);
        }
    } else if (stat(trace, &status) == 0 && S_ISDIR(status.st_mode)) {
        segment = make(trace, &plan, TF_RUN_TRACE, path, sizeof path);
    } else {
        snprintf(path, sizeof path, "%s", trace);
        segment = tf_segment_open(trace);
        if (!segment && errno == ENOENT)
            segment = tf_segment_create(trace, &plan, TF_RUN_TRACE);
        else if (segment && plan.rules) { /* of an earlier run: its counts are not ours */
            tf_segment_close(segment);
            unlink(trace);
            segment = tf_segment_create(trace, &plan, TF_RUN_TRACE);
        }
    }
    if (!segment)
        refuse(trace ? trace : "/dev/shm", strerror(errno));
    char whole[PATH_MAX];
    if (realpath(path, whole)) /* children may run elsewhere */
        memcpy(path, whole, sizeof path);
    setenv("TCPFAULT_RUN", path, 1); /* system() and popen() pass environ on unseen */
    tf_exec_remember(environ, path);
    own(path);
    return segment;
}

/* Sockets of this run that an exec handed on: close-on-exec was not set. */
static void note_inherited(const struct tf_segment *segment, struct tf_process *process)
{
    DIR *directory = opendir("/proc/self/fd");
    const struct dirent *entry;

    while (directory && (entry = readdir(directory)) && process->inherited_count < TF_INHERITED) {
        int fd = atoi(entry->d_name);
        uint64_t cookie = 0;
        socklen_t length = sizeof cookie;
        if (entry->d_name[0] == '.' ||
            tf_sys(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) < 0 ||
            !tf_socket_in(segment, cookie))
            continue;
        process->inherited[process->inherited_count].fd = fd;
        process->inherited[process->inherited_count++].cookie = cookie;
    }
    if (directory)
        closedir(directory);
}

static void enroll(struct tf_segment *segment)
{
    uint32_t pid = (uint32_t)tf_sys(SYS_getpid);
    char path[sizeof segment->process[0].exe] = "";
    long length = tf_sys(SYS_readlinkat, -100 /* AT_FDCWD */, "/proc/self/exe", path, sizeof path - 1);

    path[length > 0 ? length : 0] = 0;
    const char *slash = strrchr(path, '/');
    snprintf(tf_self.exe, sizeof tf_self.exe, "%s", slash ? slash + 1 : path);
    for (int i = 0; i < TF_PROCESSES; i++) {
        uint32_t nobody = 0;
        if (!atomic_compare_exchange_strong(&segment->process[i].pid, &nobody, pid))
            continue;
        segment->process[i].parent = (uint32_t)tf_sys(SYS_getppid);
        segment->process[i].start_ns = tf_now_ns();
        memcpy(segment->process[i].exe, path, sizeof path);
        if (i > 0 && (segment->flags & TF_RUN_TRACE))
            note_inherited(segment, &segment->process[i]);
        return;
    }
}

static void after_fork_child(void)
{
    tf_failpoint_after_fork();
    tf_later_forget();
    tf_self.pid = tf_sys(SYS_getpid);
    for (int i = 0; i < TF_RULES_MAX; i++)
        atomic_store(&tf_self.counted[i], 0);
}

/* From here on calls are looked at: the gate comes last. */
static void adopt(struct tf_segment *segment)
{
    enroll(segment);
    tf_self.keep = tf_segment_always(segment);
    for (uint32_t i = 0; i < segment->plan.rules; i++) {
        tf_self.asks_caller |= (segment->plan.rule[i].selects & TF_SELECT_CALLER) != 0;
        tf_self.asks_errno |= (segment->plan.rule[i].selects & TF_SELECT_ERRNO) != 0;
    }
    tf_self.pid = tf_sys(SYS_getpid);
    tf_self.segment = segment;
    pthread_atfork(tf_failpoint_before_fork, tf_failpoint_after_fork, after_fork_child);
    for (int id = 0; id < TF_CALLS; id++) {
        unsigned quick = atomic_load(&segment->quick[id]);
        if (quick == 0)
            continue;
        const struct tf_rule *rule = &segment->plan.rule[quick - 1];
        tf_self.quick[id].first = rule->first - 1;
        tf_self.quick[id].span = rule->last - rule->first;
        tf_self.quick[id].counted = &segment->state[quick - 1].counted;
    }
    tf_self.gate = segment->gate;
}

/* fiu-run puts its own preload where ours was; `fiu-run -c ... env LD_PRELOAD=...`
 * leaves us with its settings and nobody to act on them. */
static bool fiu_run_alone(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return getenv("FIU_ENABLE") && !(preload && strstr(preload, "fiu_run_preload"));
}

/* A program may begin with all the descriptors that it may have. Ours is for the moment. */
static struct tf_segment *open_segment(const char *path)
{
    enum { MORE = 64 };
    struct rlimit limit, now;
    struct tf_segment *segment = tf_segment_open(path);

    if (segment || errno != EMFILE || getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return segment;
    struct rlimit higher = {.rlim_cur = limit.rlim_cur + MORE, .rlim_max = limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &higher) != 0)
        return NULL;
    segment = tf_segment_open(path);
    int error = errno;
    if (getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == higher.rlim_cur) /* and nobody else's */
        setrlimit(RLIMIT_NOFILE, &limit);
    errno = error;
    return segment;
}

static void begin(void)
{
    const char *run = getenv("TCPFAULT_RUN"), *trace = getenv("TCPFAULT_TRACE");
    const char *rules = getenv("TCPFAULT"), *control = getenv("TCPFAULT_CTRL");
    struct tf_segment *segment = NULL;
    const char *path;

    if (fiu_run_alone() && !(control && *control))
        control = getenv("FIU_CTRL_FIFO");
    /* The tool names the segment by TCPFAULT_TRACE alone; a run inside a run has
     * an outer TCPFAULT_RUN as well. */
    if (trace && *trace && !(rules && *rules))
        segment = open_segment(path = trace);
    if (!segment && run && *run)
        segment = open_segment(path = run);
    if (segment) {
        tf_exec_remember(environ, path);
        own(path);
    }
    if (!segment && ((rules && *rules) || (trace && *trace) || (control && *control)))
        segment = own_segment(trace && *trace ? trace : NULL);
    if (!segment) {
        tf_self.gate = nothing;
    } else {
        adopt(segment);
        if (tf_failpoint_start(control && *control ? control : NULL) != 0)
            refuse("TCPFAULT_CTRL", "the control FIFO could not be made");
    }
    if (fiu_run_alone() && tf_failpoint_commands(getenv("FIU_ENABLE")) != 0)
        refuse("FIU_ENABLE", "expected libfiu's remote control commands, one a line");
}

bool tf_start_bare(void)
{
    if (!tf_self.segment) {
        struct tf_segment *segment = own_segment(NULL);
        adopt(segment);
    }
    return tf_self.segment != NULL;
}

bool tf_start(void)
{
    int state = 0;

    if (atomic_load_explicit(&tf_self.started, memory_order_acquire) == 2)
        return true;
    if (!atomic_compare_exchange_strong(&tf_self.started, &state, 1))
        return state == 2;
    int saved = errno;
    tf_resolve();
    begin();
    errno = saved;
    atomic_store_explicit(&tf_self.started, 2, memory_order_release);
    return true;
}

__attribute__((constructor)) static void constructor(void)
{
    tf_start();
}

__attribute__((destructor)) static void destructor(void)
{
    tf_later_close(0, ~0u);
    if (*own_file && owner_of(own_file) == (pid_t)tf_sys(SYS_getpid))
        unlink(own_file);
}
