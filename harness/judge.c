#include "judge.h"

#include "check.h"
#include "findings.h"
#include "hang.h"
#include "judge_log.h"
#include "proc.h"
#include "spins.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How often the kernel's table is looked at while the program runs. */
#define TABLE_NS UINT64_C(250000000)

enum { TIME_WAITS = 16, PRESENT = 64 };

struct tf_judge {
    struct tf_judge_options options;
    struct tf_judge_log log;
    struct tf_spins *spins;
    struct tf_lives *lives;
    struct tf_proc proc;
    struct tf_hang *hang;
    struct tf_findings findings;
    struct tf_kernel_socket *kernel, *next;
    size_t kernel_count, kernel_room, next_count, next_room;
    uint64_t kernel_ns, began_ns, asked_ns;
    bool outlives[TF_PROCESSES];
    uint32_t present[PRESENT];
    size_t presents;
    uint64_t only_time_wait[TIME_WAITS];
    size_t only_time_waits;
    bool ended;
};

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool cpu_of(void *data, uint32_t pid, uint32_t tid, struct tf_cpu *cpu)
{
    struct tf_judge *judge = data;
    return judge->options.sandbox && !judge->ended && tf_proc_cpu(&judge->proc, pid, tid, cpu);
}

struct tf_judge *tf_judge_new(const struct tf_judge_options *options)
{
    struct tf_judge *judge = calloc(1, sizeof *judge);
    if (!judge)
        return NULL;
    judge->options = *options;
    judge->began_ns = clock_ns();
    judge->findings.segment = options->segment;
    judge->findings.program = options->program;
    judge->findings.binary = options->binary;
    judge->findings.reproduce = options->reproduce;
    judge->findings.allow = options->allow;
    judge->findings.known = options->known;
    judge->spins = tf_spins_new(cpu_of, judge);
    judge->lives = tf_lives_new();
    judge->hang = tf_hang_new(options->kernel_gives_up);
    if (!judge->spins || !judge->lives || !judge->hang) {
        tf_judge_free(judge);
        return NULL;
    }
    if (options->sandbox)
        tf_proc_init(&judge->proc, options->sandbox);
    return judge;
}

void tf_judge_free(struct tf_judge *judge)
{
    if (!judge)
        return;
    tf_judge_log_fini(&judge->log);
    tf_spins_free(judge->spins);
    tf_lives_free(judge->lives);
    tf_hang_free(judge->hang);
    tf_findings_free(&judge->findings);
    free(judge->kernel);
    free(judge->next);
    free(judge);
}

/* ---- while it runs ---- */

struct port_use {
    unsigned time_wait, other;
    uint16_t port;
};

static bool look_at_port(const struct tf_net_socket *socket, void *data)
{
    struct port_use *use = data;
    if (socket->local.port != use->port)
        return true;
    /* What only binds is in no table. */
    use->time_wait += socket->state == TCP_TIME_WAIT;
    use->other += socket->state != TCP_TIME_WAIT;
    return true;
}

static void note_bind(struct tf_judge *judge, const struct tf_event *event)
{
    struct port_use use = {.port = event->local.port};
    struct tf_error error;
    if (event->error != EADDRINUSE || event->flags & TF_EVENT_FIRED || !use.port ||
        judge->only_time_waits == TIME_WAITS)
        return;
    if (!tf_net_sockets(judge->options.sandbox, use.port, look_at_port, &use, &error) && use.time_wait &&
        !use.other)
        judge->only_time_wait[judge->only_time_waits++] = event->number;
}

void tf_judge_event(struct tf_judge *judge, enum tf_collect_what what, const struct tf_event *event)
{
    if (event->call >= TF_CALLS)
        return;
    tf_hang_event(judge->hang, what, event);
    if (what == TF_COLLECT_BLOCKED)
        return;
    tf_spins_event(judge->spins, event);
    tf_judge_log_event(&judge->log, event);
    if (event->call == TF_bind && judge->options.sandbox && !judge->ended)
        note_bind(judge, event);
}

static bool take_socket(const struct tf_net_socket *socket, void *data)
{
    struct tf_judge *judge = data;
    if (judge->next_count == judge->next_room) {
        size_t room = judge->next_room ? 2 * judge->next_room : 256;
        struct tf_kernel_socket *grown = realloc(judge->next, room * sizeof *grown);
        if (!grown)
            return false;
        judge->next = grown;
        judge->next_room = room;
    }
    judge->next[judge->next_count++] = (struct tf_kernel_socket){.cookie = socket->cookie,
                                                                 .inode = socket->inode,
                                                                 .state = socket->state,
                                                                 .receive_queue = socket->receive_queue,
                                                                 .send_queue = socket->send_queue,
                                                                 .local = socket->local,
                                                                 .peer = socket->peer};
    return true;
}

static void look_at_table(struct tf_judge *judge)
{
    struct tf_error error;
    judge->next_count = 0;
    if (tf_net_sockets(judge->options.sandbox, 0, take_socket, judge, &error))
        return;
    struct tf_kernel_socket *old = judge->kernel;
    size_t old_room = judge->kernel_room;
    judge->kernel = judge->next;
    judge->kernel_count = judge->next_count;
    judge->kernel_room = judge->next_room;
    judge->next = old;
    judge->next_room = old_room;
    judge->kernel_ns = clock_ns();
}

static void tell(struct tf_judge *judge, enum tf_check_id id, const struct tf_event *event,
                 const char *message)
{
    tf_findings_add(&judge->findings, id, event, NULL, NULL, judge->log.event, judge->log.count, message);
}

void tf_judge_hangs(struct tf_judge *judge, const struct tf_event *event, const char *message)
{
    tell(judge, TF_CHECK_proven_hang, event, message);
}

void tf_judge_wrong(struct tf_judge *judge, const struct tf_event *event, const char *message)
{
    tell(judge, TF_CHECK_wrong_success, event, message);
}

struct tf_hang *tf_judge_hang(const struct tf_judge *judge)
{
    return judge->hang;
}

void tf_judge_tick(struct tf_judge *judge, struct tf_collect *collect)
{
    struct tf_event event;
    char message[512];
    if (!judge->options.sandbox || judge->ended)
        return;
    tf_hang_look(judge->hang, collect, judge->options.sandbox, &judge->proc);
    if (tf_hang_proven(judge->hang, &event, message, sizeof message))
        tf_judge_hangs(judge, &event, message);
    if (clock_ns() >= judge->kernel_ns + TABLE_NS)
        look_at_table(judge);
}

void tf_judge_disturb(struct tf_judge *judge)
{
    tf_hang_disturb(judge->hang);
}

/* Which of the processes that have made calls are there. */
static void look_at_processes(struct tf_judge *judge)
{
    uint32_t looked[PRESENT];
    size_t count = 0;
    judge->presents = 0;
    for (size_t i = judge->log.count; i-- > 0 && count < PRESENT;) {
        size_t same = 0;
        while (same < count && looked[same] != judge->log.event[i].pid)
            same++;
        if (same < count)
            continue;
        looked[count++] = judge->log.event[i].pid;
        if (tf_proc_alive(&judge->proc, looked[same]))
            judge->present[judge->presents++] = looked[same];
    }
}

void tf_judge_before_end(struct tf_judge *judge)
{
    if (!judge->asked_ns)
        judge->asked_ns = clock_ns();
    if (!judge->options.sandbox || judge->ended)
        return;
    look_at_table(judge);
    look_at_processes(judge);
}

bool tf_judge_ends_never(struct tf_judge *judge, struct tf_collect *collect, pid_t first)
{
    return judge->options.sandbox && !judge->ended &&
           tf_hang_ends_never(judge->hang, collect, judge->options.sandbox, &judge->proc, first);
}

const struct tf_finding *tf_judge_findings(const struct tf_judge *judge, size_t *count)
{
    *count = judge->findings.count;
    return judge->findings.finding;
}

/* ---- when it is over ---- */

static size_t count_processes(struct tf_judge *judge)
{
    size_t count = 0;
    while (count < TF_PROCESSES && atomic_load(&judge->options.segment->process[count].pid))
        count++;
    return count;
}

void tf_judge_outlived(struct tf_judge *judge)
{
    size_t count = count_processes(judge);
    for (size_t i = 0; judge->options.sandbox && i < count; i++)
        judge->outlives[i] =
            tf_proc_alive(&judge->proc, atomic_load(&judge->options.segment->process[i].pid));
    judge->ended = true;
}

int tf_judge_finish(struct tf_judge *judge, const struct tf_judge_end *end)
{
    static void (*const checks[TF_CHECKS])(const struct tf_evidence *evidence) = {
#define CHECK(id, ...) [TF_CHECK_##id] = tf_check_##id,
#include "checks.def"
#undef CHECK
    };
    int status = 0;
    judge->ended = true;
    tf_judge_log_sort(&judge->log);
    for (size_t i = 0; i < judge->log.count && !status; i++)
        status = tf_lives_event(judge->lives, &judge->log.event[i]);
    for (size_t i = 0; i < judge->kernel_count; i++)
        tf_lives_observe(judge->lives, judge->kernel[i].cookie, judge->kernel[i].state);
    struct tf_evidence evidence = {.segment = judge->options.segment,
                                   .event = judge->log.event,
                                   .events = judge->log.count,
                                   .lives = judge->lives,
                                   .kernel = judge->kernel,
                                   .kernel_count = judge->kernel_count,
                                   .kernel_ns = judge->kernel_ns,
                                   .end = end,
                                   .began_ns = judge->began_ns,
                                   .end_ns = end->result->ended_ns ? end->result->ended_ns : clock_ns(),
                                   .asked_ns = judge->asked_ns ? judge->asked_ns : UINT64_MAX,
                                   .serves_for_ever = judge->options.serves_for_ever,
                                   .outlives = judge->outlives,
                                   .processes = count_processes(judge),
                                   .present = judge->present,
                                   .presents = judge->presents,
                                   .only_time_wait = judge->only_time_wait,
                                   .only_time_waits = judge->only_time_waits,
                                   .findings = &judge->findings};
    evidence.life = tf_lives_all(judge->lives, &evidence.life_count);
    evidence.spin = tf_spins_all(judge->spins, &evidence.spins);
    for (int id = 0; id < TF_CHECKS; id++)
        checks[id](&evidence);
    return status || judge->findings.no_memory || judge->log.no_memory ? -1 : 0;
}

const struct tf_lives *tf_judge_lives(const struct tf_judge *judge)
{
    return judge->lives;
}

bool tf_judge_partial(const struct tf_judge *judge)
{
    return judge->log.partial;
}
