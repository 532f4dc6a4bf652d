#include "hands.h"

#include "names.h"
#include "reach.h"
#include "supervisor.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define IDLE_NS UINT64_C(1000000000)
#define PATIENCE_NS UINT64_C(500000000) /* until a peer has accepted */
#define PAUSE_NS 2000000

/* What ends at its time. */
struct due {
    struct due *next;
    uint64_t at_ns; /* UINT64_MAX: with the run */
    int kept_fd;    /* closed then; or -1 */
    bool deaf;      /* hears again: it, or the socket with these addresses */
    struct tf_endpoint local, peer;
};

struct tf_hand_server {
    struct tf_segment *segment;
    struct tf_wire *wire; /* NULL: none here */
    struct due *due;
};

bool tf_hands_wanted(const struct tf_plan *plan)
{
    for (uint32_t i = 0; i < plan->rules; i++) {
        const struct tf_rule *rule = &plan->rule[i];
        bool drops = rule->effects & 1U << TF_EFFECT_drop;
        if (tf_drop_by_hand(rule) || (drops && rule->calls & TF_BIT(TF_connect)))
            return true;
    }
    return false;
}

/* ---- what can be asked ---- */

static int remember(struct tf_hand_server *server, const struct due *what)
{
    struct due *due = malloc(sizeof *due);
    if (!due)
        return -ENOMEM;
    *due = *what;
    due->next = server->due;
    server->due = due;
    return 0;
}

static uint64_t end_of(const struct tf_hand_slot *slot)
{
    return slot->lasts_ns ? tf_clock_ns() + slot->lasts_ns : UINT64_MAX;
}

/* Without a wire of our own: the other end's socket drops what arrives. */
static int deafen_peer(struct tf_hand_server *server, const struct tf_hand_slot *slot)
{
    uint64_t until_ns = tf_clock_ns() + PATIENCE_NS;
    int fd = tf_reach_address(&slot->peer, &slot->local);
    while (fd == -ENOENT && tf_clock_ns() < until_ns) {
        nanosleep(&(struct timespec){0, PAUSE_NS}, NULL);
        fd = tf_reach_address(&slot->peer, &slot->local);
    }
    if (fd < 0)
        return fd;
    struct due due = {
        .at_ns = end_of(slot), .kept_fd = fd, .deaf = true, .local = slot->peer, .peer = slot->local};
    int result = tf_reach_deafen(fd, true);
    /* For a time a duplicate is kept, for if the peer closes meanwhile, nobody else
     * could have it hear again; its FIN is late by that. No longer, or there would be
     * none. The peer may be anybody's: it hears again when the run ends. */
    if (result || slot->lasts_ns == 0) {
        close(fd);
        due.kept_fd = -1;
    }
    if (!result)
        result = remember(server, &due);
    if (result && due.kept_fd >= 0)
        close(fd);
    return result;
}

static int darken(struct tf_hand_server *server, const struct tf_hand_slot *slot)
{
    if (server->wire)
        return tf_wire_add(server->wire, TF_WIRE_DARK, &slot->local, &slot->peer, slot->lasts_ns);
    return deafen_peer(server, slot);
}

static int mute(struct tf_hand_server *server, const struct tf_hand_slot *slot)
{
    if (!server->wire)
        return -ENOTSUP;
    return tf_wire_add(server->wire, TF_WIRE_MUTE, &slot->local, &slot->peer, slot->lasts_ns);
}

static int keep(struct tf_hand_server *server, const struct tf_hand_slot *slot)
{
    int fd = tf_reach_own((pid_t)slot->pid, slot->fd, slot->cookie);
    if (fd < 0)
        return fd;
    int result = remember(server, &(struct due){.at_ns = end_of(slot), .kept_fd = fd});
    if (result)
        close(fd);
    return result;
}

static int (*const operations[TF_HAND_OPS])(struct tf_hand_server *, const struct tf_hand_slot *) = {
    [TF_HAND_DARK] = darken,
    [TF_HAND_MUTE] = mute,
    [TF_HAND_KEEP] = keep,
};

/* ---- a turn ---- */

static uint32_t phase_of(uint32_t state, enum tf_hand_phase phase)
{
    return state - TF_HAND_PHASE(state) + phase;
}

static void answer(struct tf_hand_server *server, struct tf_hand_slot *slot)
{
    uint32_t asked = atomic_load(&slot->state);
    if (TF_HAND_PHASE(asked) != TF_HAND_ASKED)
        return;
    uint32_t taken = phase_of(asked, TF_HAND_TAKEN);
    if (!atomic_compare_exchange_strong(&slot->state, &asked, taken))
        return; /* who asked has given up */
    slot->result = slot->op < TF_HAND_OPS ? operations[slot->op](server, slot) : -EINVAL;
    atomic_store_explicit(&slot->state, phase_of(asked, TF_HAND_DONE), memory_order_release);
    syscall(SYS_futex, &slot->state, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* A claim of which nothing came, or an answer that nobody fetched. */
static void reclaim(struct tf_hand_slot *slot, uint64_t now_ns)
{
    uint32_t state = atomic_load(&slot->state);
    if (TF_HAND_PHASE(state) == TF_HAND_FREE || atomic_load(&slot->claimed_ns) + TF_HAND_STALE_NS > now_ns)
        return;
    atomic_compare_exchange_strong(&slot->state, &state, phase_of(state, TF_HAND_FREE) + 8);
}

static void end_due(struct due *due)
{
    int fd = due->kept_fd;
    if (due->deaf && fd < 0)
        fd = tf_reach_address(&due->local, &due->peer);
    if (due->deaf && fd >= 0)
        tf_reach_deafen(fd, false);
    if (fd >= 0)
        close(fd);
    free(due);
}

uint64_t tf_hand_server_turn(struct tf_hand_server *server)
{
    struct tf_hand_slot *slot = server->segment->hands.slot;
    uint64_t next_ns = IDLE_NS;
    for (int i = 0; i < TF_HAND_SLOTS; i++) {
        answer(server, &slot[i]);
        reclaim(&slot[i], tf_clock_ns());
    }
    for (struct due **at = &server->due; *at;) {
        struct due *due = *at;
        uint64_t now_ns = tf_clock_ns();
        if (due->at_ns <= now_ns) {
            *at = due->next;
            end_due(due);
            continue;
        }
        if (due->at_ns - now_ns < next_ns)
            next_ns = due->at_ns - now_ns;
        at = &due->next;
    }
    return next_ns;
}

struct tf_hand_server *tf_hand_server_new(struct tf_segment *segment, enum tf_sandbox_kind kind)
{
    struct tf_hand_server *server = calloc(1, sizeof *server);
    struct tf_error error;
    if (!server)
        return NULL;
    server->segment = segment;
    if (kind == TF_SANDBOX_PRIVATE)
        server->wire = tf_wire_open(&error);
    uint32_t can = TF_HAND_THERE | (server->wire ? TF_HAND_WIRE : 0) | (tf_reach_works() ? TF_HAND_REACH : 0);
    atomic_store(&segment->hands.pid, (uint32_t)getpid());
    atomic_store(&segment->hands.can, can);
    return server;
}

void tf_hand_server_free(struct tf_hand_server *server)
{
    while (server && server->due) {
        struct due *due = server->due;
        server->due = due->next;
        end_due(due);
    }
    if (server)
        tf_wire_close(server->wire);
    free(server);
}

/* ---- the process ---- */

static _Atomic uint32_t *bell;
static volatile sig_atomic_t dismissed;

/* Ringing it, so that a wait that is about to begin does not. */
static void on_dismissal(int signal)
{
    (void)signal;
    dismissed = 1;
    atomic_fetch_add(bell, 1);
    alarm(1); /* SIGALRM ends what hangs */
}

static void accept_dismissal(void)
{
    struct sigaction action = {.sa_handler = on_dismissal};
    sigset_t set;
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_DFL;
    sigaction(SIGALRM, &action, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGALRM);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void serve(struct tf_hand_server *server)
{
    while (!dismissed) {
        uint32_t rung = atomic_load(bell);
        uint64_t idle_ns = tf_hand_server_turn(server);
        struct timespec rest = {(time_t)(idle_ns / 1000000000), (long)(idle_ns % 1000000000)};
        syscall(SYS_futex, bell, FUTEX_WAIT, rung, &rest, NULL, 0);
    }
}

_Noreturn void tf_hands_main(int segment_fd, enum tf_sandbox_kind kind, pid_t supervisor, int report_fd)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_NAME, "tcpfault-hands");
    struct tf_segment *segment = tf_segment_of(segment_fd);
    if (!segment)
        _exit(1);
    bell = &segment->hands.bell;
    accept_dismissal();
    if (kind == TF_SANDBOX_HOST && getppid() != supervisor)
        _exit(0);
    /* Nothing of the tool's stays open here: its terminal, files and pipes would
     * outlive it by as much as this process does. */
    int report = fcntl(report_fd, F_DUPFD_CLOEXEC, 3);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; fd++)
        if (null < 0 || dup2(null, fd) < 0)
            close(fd);
    if (report > 3)
        close_range(3, (unsigned int)report - 1, 0);
    close_range((unsigned int)report + 1, ~0U, 0);
    struct tf_hand_server *server = tf_hand_server_new(segment, kind);
    char ready = 1;
    if (!server || write(report, &ready, 1) != 1)
        _exit(1);
    close(report);
    serve(server);
    tf_hand_server_free(server);
    _exit(0);
}

/* ---- the tool's side ---- */

int tf_hands_start(struct tf_sandbox *sandbox, const struct tf_segment *segment, const char *path,
                   struct tf_error *error)
{
    if (!tf_hands_wanted(&segment->plan))
        return 0;
    struct tf_request request = {.kind = TF_REQUEST_HANDS};
    struct tf_notice notice = {0};
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return tf_error_errno(error, errno, "%s", path);
    int result = tf_sandbox_ask(sandbox, &request, &fd, 1, TF_NOTICE_HANDS, &notice, error);
    close(fd);
    if (result)
        return -1;
    return notice.error ? tf_error_errno(error, notice.error, "%.159s", notice.failed) : 0;
}
