/* The other end of a case: peer CONTROL PHASE NUMBER FAMILY. */
#include "peer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { SLICE_MS = 20 };

struct answer {
    char text[PROBE_TEXT];
};

static void say(struct answer *answer, long result)
{
    probe_show_result(result, answer->text, sizeof answer->text);
}

static int opened(const struct peer *peer, enum probe_port which, bool reuse)
{
    struct sockaddr_storage address;
    socklen_t length = probe_address(&address, peer->family, PLACE_HERE, probe_port(peer->number, which));
    int one = 1, fd = socket(peer->family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && reuse)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, length)) {
        close(fd);
        return -1;
    }
    return fd;
}

static void patient(int fd)
{
    struct timeval time = {PROBE_PATIENCE / 1000, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

static int connect_to(int fd, const struct peer *peer, enum probe_port which)
{
    struct sockaddr_storage address;
    socklen_t length = probe_address(&address, peer->family, PLACE_HERE, probe_port(peer->number, which));
    patient(fd);
    return connect(fd, (struct sockaddr *)&address, length);
}

/* Nothing came. */
static bool silent(int fd, int patience_ms)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    return poll(&waiting, 1, patience_ms) == 0;
}

/* ---- requests ---- */

static void do_listen(struct peer *peer, const char *argument, struct answer *answer)
{
    (void)argument;
    peer->listener = opened(peer, PORT_PEER, true);
    patient(peer->listener);
    say(answer, listen(peer->listener, 16));
}

static void do_unlisten(struct peer *peer, const char *argument, struct answer *answer)
{
    (void)argument;
    say(answer, close(peer->listener));
}

static void do_accept(struct peer *peer, const char *argument, struct answer *answer)
{
    (void)argument;
    peer->connection = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);
    patient(peer->connection);
    say(answer, peer->connection < 0 ? -1 : 0);
}

static void do_connect(struct peer *peer, const char *argument, struct answer *answer)
{
    (void)argument;
    peer->older = peer->connection;
    peer->connection = socket(peer->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    say(answer, connect_to(peer->connection, peer, PORT_SUBJECT));
}

/* A port that somebody has: "hold:peer", "hold:other:listen", ... */
static void do_hold(struct peer *peer, const char *argument, struct answer *answer)
{
    bool other = strncmp(argument, "other", 5) == 0, subject = strncmp(argument, "subject", 7) == 0;
    enum probe_port which = other ? PORT_OTHER : subject ? PORT_SUBJECT : PORT_PEER;
    peer->rival = opened(peer, which, strstr(argument, ":reuse"));
    say(answer, strstr(argument, ":listen") ? listen(peer->rival, 1) : peer->rival < 0 ? -1 : 0);
}

static void do_release(struct peer *peer, const char *argument, struct answer *answer)
{
    (void)argument;
    say(answer, close(peer->rival));
}

/* The subject's future address, connected to where it wants to go. */
static void do_rival(struct peer *peer, const char *argument, struct answer *answer)
{
    (void)argument;
    peer->rival = opened(peer, PORT_RIVAL, true);
    say(answer, connect_to(peer->rival, peer, PORT_PEER));
    accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);
}

/* Leaves PORT_OTHER in TIME_WAIT: its socket closes first. */
static void do_timewait(struct peer *peer, const char *argument, struct answer *answer)
{
    int closing = opened(peer, PORT_OTHER, *argument);
    say(answer, connect_to(closing, peer, PORT_PEER));
    int accepted = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);
    shutdown(closing, SHUT_WR);
    silent(accepted, PROBE_PATIENCE);
    close(accepted);
    silent(closing, PROBE_PATIENCE);
    close(closing);
}

static void do_send(struct peer *peer, const char *argument, struct answer *answer)
{
    say(answer, send(peer->connection, argument, strlen(argument), MSG_NOSIGNAL));
}

static void receive(int fd, int patience_ms, struct answer *answer)
{
    char bytes[64];
    if (silent(fd, patience_ms))
        snprintf(answer->text, sizeof answer->text, "nothing");
    else
        probe_show_bytes(recv(fd, bytes, sizeof bytes, 0), bytes, answer->text, sizeof answer->text);
}

static void do_recv(struct peer *peer, const char *argument, struct answer *answer)
{
    receive(peer->connection, strcmp(argument, "quiet") == 0 ? PROBE_QUIET : PROBE_PATIENCE, answer);
}

/* A receive buffer that does not grow. */
static void do_narrow(struct peer *peer, const char *argument, struct answer *answer)
{
    int bytes = 1 << 15;
    (void)argument;
    say(answer, setsockopt(peer->connection, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes));
}

static void do_older(struct peer *peer, const char *argument, struct answer *answer)
{
    (void)argument;
    receive(peer->older, PROBE_PATIENCE, answer);
}

/* Reads the numbered stream up to byte N. */
static void do_drain(struct peer *peer, const char *argument, struct answer *answer)
{
    static char bytes[1 << 16];
    static uint64_t position;
    uint64_t wanted = strtoull(argument, NULL, 10);

    while (position < wanted) {
        uint64_t left = wanted - position;
        ssize_t got = recv(peer->connection, bytes, left < sizeof bytes ? left : sizeof bytes, 0);
        if (got <= 0) {
            snprintf(answer->text, sizeof answer->text, "incomplete: %s", got ? strerrorname_np(errno) : "0");
            return;
        }
        for (ssize_t i = 0; i < got; i++, position++) {
            if (bytes[i] != probe_stream_byte(position)) {
                snprintf(answer->text, sizeof answer->text, "wrong");
                return;
            }
        }
    }
    snprintf(answer->text, sizeof answer->text, "whole");
}

/* "stream:N", "pace:N:RATE": sends N bytes more of the numbered stream. */
static void do_stream(struct peer *peer, const char *argument, struct answer *answer)
{
    static uint64_t position;
    char *rate;
    uint64_t end = position + strtoull(argument, &rate, 10);
    uint64_t slice = *rate ? strtoull(rate + 1, NULL, 10) * SLICE_MS / 1000 : 0;
    char bytes[1024];

    while (position < end) {
        size_t length = 0, most = slice && slice < sizeof bytes ? slice : sizeof bytes;
        for (; length < most && position + length < end; length++)
            bytes[length] = probe_stream_byte(position + length);
        if (slice)
            probe_sleep_ms(SLICE_MS);
        ssize_t sent = send(peer->connection, bytes, length, MSG_NOSIGNAL);
        if (sent <= 0)
            break;
        position += (uint64_t)sent;
    }
    say(answer, position == end ? 0 : -1);
}

static void do_fin(struct peer *peer, const char *argument, struct answer *answer)
{
    (void)argument;
    say(answer, shutdown(peer->connection, SHUT_WR));
}

static void do_rst(struct peer *peer, const char *argument, struct answer *answer)
{
    (void)argument;
    struct linger none = {1, 0};
    setsockopt(peer->connection, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    say(answer, close(peer->connection));
    peer->connection = -1;
}

static void do_close(struct peer *peer, const char *argument, struct answer *answer)
{
    (void)argument;
    say(answer, close(peer->connection));
    peer->connection = -1;
}

static void do_state(struct peer *peer, const char *argument, struct answer *answer)
{
    (void)argument;
    snprintf(answer->text, sizeof answer->text, "%s", probe_state_name(probe_state(peer->connection)));
}

static void do_kernel(struct peer *peer, const char *argument, struct answer *answer)
{
    (void)argument;
    diag_states(peer, answer->text, sizeof answer->text);
}

/* "forge", or "forge:BYTES" of what was sent did not arrive. */
static void do_forge(struct peer *peer, const char *argument, struct answer *answer)
{
    say(answer, wire_forge_reset(peer, (uint32_t)strtoul(argument, NULL, 10)));
}

static void do_lose(struct peer *peer, const char *argument, struct answer *answer)
{
    say(answer, wire_lose(peer, argument));
}

static void do_heal(struct peer *peer, const char *argument, struct answer *answer)
{
    say(answer, wire_heal(peer, argument));
}

static void do_kill(struct peer *peer, const char *argument, struct answer *answer)
{
    (void)argument;
    say(answer, kill(peer->subject, SIGUSR1));
}

static const struct {
    const char *name;
    void (*carry_out)(struct peer *peer, const char *argument, struct answer *answer);
} requests[] = {
    {"accept", do_accept},   {"close", do_close},   {"connect", do_connect},   {"drain", do_drain},
    {"fin", do_fin},         {"forge", do_forge},   {"heal", do_heal},         {"hold", do_hold},
    {"kernel", do_kernel},   {"kill", do_kill},     {"listen", do_listen},     {"lose", do_lose},
    {"narrow", do_narrow},   {"older", do_older},   {"pace", do_stream},       {"recv", do_recv},
    {"release", do_release}, {"rival", do_rival},   {"rst", do_rst},           {"send", do_send},
    {"state", do_state},     {"stream", do_stream}, {"unlisten", do_unlisten}, {"timewait", do_timewait},
};

static void carry_out(struct peer *peer, char *text, struct answer *answer)
{
    char *argument = strchr(text, ':');
    if (argument)
        *argument++ = 0;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        if (strcmp(requests[i].name, text) == 0) {
            requests[i].carry_out(peer, argument ? argument : "", answer);
            return;
        }
    }
    snprintf(answer->text, sizeof answer->text, "no such request: %s", text);
}

/* The subject has said that it goes into the call, and sleeps. */
static void until_asleep(const struct peer *peer, int phase)
{
    for (uint64_t end = probe_now_ms() + PROBE_PATIENCE; probe_now_ms() < end;) {
        if (atomic_load(peer->phase) >= phase && probe_asleep(peer->subject, peer->subject))
            return;
        probe_sleep_ms(1);
    }
}

static int answered(const struct peer *peer, const struct answer *answer)
{
    return send(peer->control, answer->text, strlen(answer->text) + 1, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* "&kill,send:x": one after the other, each when the subject sleeps. Requests with '&' or "later:MS:" are
 * answered before they are carried out. */
static int serve(struct peer *peer, char *text)
{
    struct answer answer = {"ok"};
    unsigned long later_ms = 0;
    static int phase;

    if (*text == '&') {
        if (answered(peer, &answer))
            return -1;
        ++phase;
        for (char *rest = text + 1, *request; (request = strtok_r(rest, ",", &rest));) {
            until_asleep(peer, phase);
            carry_out(peer, request, &answer);
        }
        return 0;
    }
    if (strncmp(text, "later:", 6) == 0) {
        char *end;
        later_ms = strtoul(text + 6, &end, 10);
        if (answered(peer, &answer))
            return -1;
        probe_sleep_ms((unsigned)later_ms);
        carry_out(peer, end + 1, &answer);
        return 0;
    }
    carry_out(peer, text, &answer);
    return answered(peer, &answer);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    struct peer peer = {.control = atoi(argv[1]),
                        .number = atoi(argv[3]),
                        .family = atoi(argv[4]),
                        .subject = getppid(),
                        .listener = -1,
                        .connection = -1,
                        .rival = -1};
    peer.phase = mmap(NULL, sizeof *peer.phase, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(argv[2]), 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (peer.phase == MAP_FAILED)
        return 2;
    for (;;) {
        char text[PROBE_TEXT];
        ssize_t got = recv(peer.control, text, sizeof text - 1, 0);
        if (got <= 0)
            return 0;
        text[got] = 0;
        if (serve(&peer, text))
            return 0;
    }
}
