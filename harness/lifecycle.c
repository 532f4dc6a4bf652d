#include "lifecycle.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* A new socket whose cookie no call has told: known by descriptor, or by connection. */
struct newborn {
    uint32_t pid, conn;
    int32_t fd;
    size_t life;
};

struct tf_lives {
    struct tf_life *life;
    size_t count, room;
    size_t *table; /* by hash of the cookie: index + 1 */
    size_t table_size;
    struct newborn *newborn;
    size_t newborns, newborn_room;
    size_t events;
    uint16_t to[TF_STATES]; /* transitions, by where they start */
};

struct tf_lives *tf_lives_new(void)
{
    return calloc(1, sizeof(struct tf_lives));
}

void tf_lives_free(struct tf_lives *lives)
{
    if (!lives)
        return;
    free(lives->life);
    free(lives->table);
    free(lives->newborn);
    free(lives);
}

const struct tf_life *tf_lives_all(const struct tf_lives *lives, size_t *count)
{
    *count = lives->count;
    return lives->life;
}

uint16_t tf_lives_transitions(const struct tf_lives *lives, unsigned from)
{
    return from < TF_STATES ? lives->to[from] : 0;
}

bool tf_life_breaks(int error)
{
    return error == ECONNRESET || error == EPIPE || error == ETIMEDOUT || error == ECONNABORTED ||
           error == ENETRESET || error == EHOSTUNREACH || error == ENETUNREACH;
}

bool tf_life_connect_failed(int error)
{
    switch (error) {
    case 0:
    case EINPROGRESS:
    case EINTR:
    case EALREADY:
    case EISCONN:
    case EAGAIN:
    case EFAULT:
    case EINVAL:
        return false;
    default:
        return true;
    }
}

/* ---- by cookie ---- */

static size_t place(const struct tf_lives *lives, uint64_t cookie)
{
    size_t at = (size_t)(cookie * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (lives->table_size - 1);
    while (lives->table[at] && lives->life[lives->table[at] - 1].cookie != cookie)
        at = (at + 1) & (lives->table_size - 1);
    return at;
}

const struct tf_life *tf_lives_find(const struct tf_lives *lives, uint64_t cookie)
{
    if (!lives->table_size || !cookie)
        return NULL;
    size_t found = lives->table[place(lives, cookie)];
    return found ? &lives->life[found - 1] : NULL;
}

static int enter(struct tf_lives *lives, size_t index)
{
    if (lives->table_size < 2 * (lives->count + 1)) {
        size_t size = lives->table_size ? 2 * lives->table_size : 256;
        size_t *table = calloc(size, sizeof *table);
        if (!table)
            return -1;
        free(lives->table);
        lives->table = table;
        lives->table_size = size;
        for (size_t i = 0; i < lives->count; i++)
            if (lives->life[i].cookie)
                lives->table[place(lives, lives->life[i].cookie)] = i + 1;
    }
    lives->table[place(lives, lives->life[index].cookie)] = index + 1;
    return 0;
}

static struct tf_life *add(struct tf_lives *lives, const struct tf_event *event)
{
    if (lives->count == lives->room) {
        size_t room = lives->room ? 2 * lives->room : 64;
        struct tf_life *grown = realloc(lives->life, room * sizeof *grown);
        if (!grown)
            return NULL;
        lives->life = grown;
        lives->room = room;
    }
    if (!lives->life)
        return NULL;
    struct tf_life *life = &lives->life[lives->count++];
    *life = (struct tf_life){.pid = event->pid,
                             .last_ns = event->time_ns,
                             .created_at = TF_NO_EVENT,
                             .eof_at = TF_NO_EVENT,
                             .failed_at = TF_NO_EVENT,
                             .last_at = lives->events};
    return life;
}

static int bear(struct tf_lives *lives, const struct tf_event *event, int32_t fd, uint32_t conn)
{
    if (lives->newborns == lives->newborn_room) {
        size_t room = lives->newborn_room ? 2 * lives->newborn_room : 16;
        struct newborn *grown = realloc(lives->newborn, room * sizeof *grown);
        if (!grown)
            return -1;
        lives->newborn = grown;
        lives->newborn_room = room;
    }
    struct tf_life *life = add(lives, event);
    if (!life)
        return -1;
    life->created_ns = event->time_ns;
    life->created_at = lives->events;
    life->conn = conn;
    life->holder[0].pid = event->pid;
    life->holder[0].fd = fd;
    life->holders = 1;
    lives->newborn[lives->newborns++] = (struct newborn){event->pid, conn, fd, lives->count - 1};
    return 0;
}

/* The life that this event tells the cookie of. */
static struct tf_life *known(struct tf_lives *lives, const struct tf_event *event)
{
    const struct tf_life *found = tf_lives_find(lives, event->cookie);
    if (found)
        return (struct tf_life *)found;
    for (size_t i = lives->newborns; i-- > 0;) {
        const struct newborn *newborn = &lives->newborn[i];
        bool same = newborn->conn ? newborn->conn == event->conn
                                  : newborn->pid == event->pid && newborn->fd == event->fd;
        if (!same)
            continue;
        size_t index = newborn->life;
        lives->newborn[i] = lives->newborn[--lives->newborns];
        if (!lives->life)
            return NULL;
        lives->life[index].cookie = event->cookie;
        return enter(lives, index) ? NULL : &lives->life[index];
    }
    struct tf_life *life = add(lives, event);
    if (!life)
        return NULL;
    life->cookie = event->cookie;
    return enter(lives, lives->count - 1) ? NULL : life;
}

/* ---- what an event means ---- */

static void becomes(struct tf_lives *lives, struct tf_life *life, unsigned state)
{
    if (life->state == state)
        return;
    if (life->state)
        lives->to[life->state] |= (uint16_t)(1U << state);
    life->state = (uint8_t)state;
    life->visited |= (uint16_t)(1U << state);
}

static void hold(struct tf_life *life, uint32_t pid, int32_t fd)
{
    for (unsigned i = 0; i < life->holders; i++)
        if (life->holder[i].pid == pid && life->holder[i].fd == fd)
            return;
    if (life->holders == TF_HOLDERS || fd < 0)
        return;
    life->holder[life->holders].pid = pid;
    life->holder[life->holders++].fd = fd;
    life->released_ns = 0;
}

static void establish(struct tf_lives *lives, struct tf_life *life, uint64_t time_ns)
{
    if (life->established_ns)
        return;
    life->established_ns = time_ns;
    becomes(lives, life, TCP_ESTABLISHED);
}

static void break_off(struct tf_lives *lives, struct tf_life *life, const struct tf_event *event, int error)
{
    if (!life->broken_ns) {
        life->broken_ns = event->time_ns;
        life->broken_error = error;
    }
    becomes(lives, life, TCP_CLOSE);
}

static void fail(struct tf_lives *lives, struct tf_life *life, const struct tf_event *event, int error)
{
    life->failed_ns = event->time_ns;
    life->failed_error = error;
    life->failed_at = lives->events;
    becomes(lives, life, TCP_CLOSE);
}

/* ENOTCONN on what was connected: a RST came that no call has told of. After our own
 * FIN that of the peer may have come. */
static void is_gone(struct tf_lives *lives, struct tf_life *life, const struct tf_event *event)
{
    if (event->error == ENOTCONN && life->state == TCP_LAST_ACK)
        becomes(lives, life, TCP_CLOSE);
    else if (event->error == ENOTCONN && life->established_ns && !life->shut_ns)
        break_off(lives, life, event, ENOTCONN);
}

/* Our FIN, or what close sends for it. */
static void finish(struct tf_lives *lives, struct tf_life *life)
{
    if (life->closed_first == TF_CLOSER_NOBODY && life->established_ns)
        life->closed_first = life->eof_ns ? TF_CLOSER_PEER : TF_CLOSER_US;
    if (life->state == TCP_ESTABLISHED || life->state == TCP_SYN_RECV)
        becomes(lives, life, TCP_FIN_WAIT1);
    else if (life->state == TCP_CLOSE_WAIT)
        becomes(lives, life, TCP_LAST_ACK);
    else if (life->state == TCP_SYN_SENT || life->state == TCP_LISTEN)
        becomes(lives, life, TCP_CLOSE);
}

static void end_of_file(struct tf_lives *lives, struct tf_life *life, const struct tf_event *event)
{
    if (life->eof_ns || life->broken_ns)
        return;
    life->eof_ns = event->time_ns + event->duration_ns;
    life->eof_at = lives->events;
    if (life->closed_first == TF_CLOSER_NOBODY)
        life->closed_first = TF_CLOSER_PEER;
    if (life->state == TCP_ESTABLISHED) {
        becomes(lives, life, TCP_CLOSE_WAIT);
    } else if (life->state == TCP_FIN_WAIT1) {
        becomes(lives, life, TCP_FIN_WAIT2);
        becomes(lives, life, TCP_TIME_WAIT);
    }
}

static bool wants_bytes(const struct tf_event *event)
{
    return tf_call_info[event->call].shape != TF_SHAPE_BUFFER || event->arg[2] > 0;
}

static void moved(struct tf_lives *lives, struct tf_life *life, const struct tf_event *event)
{
    bool in = tf_call_info[event->call].class == TF_CLASS_IN;
    if (event->result > 0) {
        if (life->role != TF_ROLE_LISTENER)
            establish(lives, life, event->time_ns);
        *(in ? &life->bytes_in : &life->bytes_out) += (uint64_t)event->result;
    } else if (event->result == 0 && in && wants_bytes(event)) {
        establish(lives, life, event->time_ns);
        end_of_file(lives, life, event);
    } else if (event->error && life->state == TCP_SYN_SENT && tf_life_connect_failed(event->error)) {
        fail(lives, life, event, event->error);
    } else if (tf_life_breaks(event->error)) {
        break_off(lives, life, event, event->error);
    }
}

static void connecting(struct tf_lives *lives, struct tf_life *life, const struct tf_event *event)
{
    if (life->opening != TF_OPENING_ACTIVE || life->state == TCP_CLOSE ||
        tf_life_connect_failed(event->error)) {
        life->opening = TF_OPENING_ACTIVE;
        life->connecting_ns = event->time_ns;
        life->asked_error = false;
        becomes(lives, life, TCP_SYN_SENT);
    }
    if (event->error == 0 || event->error == EISCONN)
        establish(lives, life, event->time_ns + event->duration_ns);
    else if (tf_life_connect_failed(event->error))
        fail(lives, life, event, event->error);
}

static void option(struct tf_lives *lives, struct tf_life *life, const struct tf_event *event)
{
    int level = (int)event->arg[1], name = (int)event->arg[2];
    if (event->call == TF_getsockopt) {
        if (level != SOL_SOCKET || name != SO_ERROR || event->error)
            return;
        life->asked_error = true;
        if (!(event->flags & TF_EVENT_VALUE) || !event->value)
            return;
        if (life->established_ns)
            break_off(lives, life, event, event->value);
        else
            fail(lives, life, event, event->value);
        return;
    }
    bool on = !(event->flags & TF_EVENT_VALUE) || event->value != 0;
    if (event->error)
        return;
    if (level == SOL_SOCKET && name == SO_REUSEADDR)
        life->reuse_address = on;
    else if (level == SOL_SOCKET && name == SO_KEEPALIVE)
        life->keep_alive = on;
    else if (level == SOL_SOCKET && (name == SO_RCVTIMEO_OLD || name == SO_RCVTIMEO_NEW))
        life->receive_timeout = true;
    else if (level == SOL_SOCKET && name == SO_LINGER)
        life->lingers_not = on;
    else if (level == IPPROTO_TCP && name == TCP_NODELAY)
        life->no_delay = on;
}

static void closed(struct tf_lives *lives, struct tf_life *life, const struct tf_event *event)
{
    for (unsigned i = 0; i < life->holders; i++) {
        if (life->holder[i].pid != event->pid || life->holder[i].fd != event->fd)
            continue;
        life->holder[i] = life->holder[--life->holders];
        if (life->holders)
            return;
        life->released_ns = event->time_ns;
        finish(lives, life);
        return;
    }
}

static void happened(struct tf_lives *lives, struct tf_life *life, const struct tf_event *event)
{
    switch (event->call) {
    case TF_bind:
        if (!event->error)
            life->bound_ns = event->time_ns;
        becomes(lives, life, TCP_CLOSE);
        return;
    case TF_listen:
        if (event->error)
            return;
        life->listening_ns = event->time_ns;
        becomes(lives, life, TCP_CLOSE);
        becomes(lives, life, TCP_LISTEN);
        return;
    case TF_connect:
        connecting(lives, life, event);
        return;
    case TF_shutdown:
        is_gone(lives, life, event);
        if (event->error || event->arg[1] == SHUT_RD)
            return;
        life->shut_ns = event->time_ns;
        finish(lives, life);
        return;
    case TF_getpeername:
        is_gone(lives, life, event);
        return;
    case TF_setsockopt:
    case TF_getsockopt:
        option(lives, life, event);
        return;
    case TF_dup:
    case TF_dup2:
    case TF_dup3:
    case TF_fcntl:
        if (!event->error &&
            (event->call != TF_fcntl || event->arg[1] == F_DUPFD || event->arg[1] == F_DUPFD_CLOEXEC))
            hold(life, event->pid, (int32_t)event->result);
        return;
    default:
        if (tf_call_info[event->call].class == TF_CLASS_IN || tf_call_info[event->call].class == TF_CLASS_OUT)
            moved(lives, life, event);
    }
}

int tf_lives_event(struct tf_lives *lives, const struct tf_event *event)
{
    bool returned = event->duration_ns != UINT64_MAX;
    int status = 0;
    if (event->call == TF_socket && returned && event->result >= 0)
        status = bear(lives, event, (int32_t)event->result, 0);
    bool stale = event->error == EBADF;
    struct tf_life *life = event->cookie && !stale && !status ? known(lives, event) : NULL;
    if (event->cookie && !stale && !life)
        status = -1;
    if (life) {
        bool accepts = tf_call_info[event->call].class == TF_CLASS_ACCEPT;
        if (event->call != TF_close)
            hold(life, event->pid, event->fd);
        if (event->conn && !accepts)
            life->conn = event->conn;
        if (event->role)
            life->role = (enum tf_role)event->role;
        if (event->local.family)
            life->local = event->local;
        if (event->peer.family && !accepts)
            life->peer = event->peer;
        if (life->role == TF_ROLE_SERVER && !life->established_ns) {
            life->opening = TF_OPENING_PASSIVE;
            becomes(lives, life, TCP_SYN_RECV);
            establish(lives, life, life->created_ns ? life->created_ns : event->time_ns);
        }
        life->last_ns = event->time_ns;
        life->last_at = lives->events;
        /* The descriptor is released whatever close(2) says. */
        if (event->call == TF_close && returned)
            closed(lives, life, event);
        else if (returned)
            happened(lives, life, event);
        if (accepts && returned && event->result >= 0)
            status = bear(lives, event, (int32_t)event->result, event->conn);
    }
    lives->events++;
    return status;
}

void tf_lives_observe(struct tf_lives *lives, uint64_t cookie, unsigned state)
{
    struct tf_life *life = (struct tf_life *)tf_lives_find(lives, cookie);
    if (!life || state == 0 || state >= TF_STATES || life->visited & 1U << state)
        return;
    life->visited |= (uint16_t)(1U << state);
    if (life->state == TCP_FIN_WAIT1 && state == TCP_FIN_WAIT2)
        becomes(lives, life, state);
}
