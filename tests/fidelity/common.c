#include "probe.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { FIRST_PORT = 20000, EPHEMERAL = 32768 };

/* Documentation's own prefixes: RFC 5737, RFC 3849. */
static const struct {
    const char *four, *six;
} places[] = {
    [PLACE_HERE] = {"127.0.0.1", "::1"},
    [PLACE_UNREACHABLE] = {"198.51.100.1", "2001:db8::1"},
    [PLACE_PROHIBITED] = {"198.51.100.2", "2001:db8::2"},
    [PLACE_NOWHERE] = {"198.51.100.3", "2001:db8::3"},
    [PLACE_ANY] = {"0.0.0.0", "::"},
};

socklen_t probe_address(struct sockaddr_storage *out, int family, enum probe_place place, int port)
{
    memset(out, 0, sizeof *out);
    out->ss_family = (sa_family_t)family;
    if (family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)out;
        in->sin_port = htons((uint16_t)port);
        inet_pton(AF_INET, places[place].four, &in->sin_addr);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
    in6->sin6_port = htons((uint16_t)port);
    inet_pton(AF_INET6, places[place].six, &in6->sin6_addr);
    return sizeof *in6;
}

int probe_port(int number, enum probe_port which)
{
    return FIRST_PORT + number * PORTS + which;
}

void probe_show_address(const struct sockaddr_storage *address, int number, char *out, size_t size)
{
    static const char *const names[] = {"peer", "subject", "other", "rival"};
    char host[INET6_ADDRSTRLEN] = "?", port[16];
    int value = 0;

    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        value = ntohs(in->sin_port);
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        value = ntohs(in6->sin6_port);
    }
    int which = value - probe_port(number, PORT_PEER);
    if (which >= 0 && which < PORTS)
        snprintf(port, sizeof port, "%s", names[which]);
    else if (value >= EPHEMERAL)
        snprintf(port, sizeof port, "ephemeral");
    else
        snprintf(port, sizeof port, "%d", value);
    snprintf(out, size, "%s:%s", host, port);
}

void probe_show_result(long result, char *out, size_t size)
{
    if (result > 0)
        snprintf(out, size, "%ld", result);
    else
        snprintf(out, size, "%s", result == 0 ? "ok" : strerrorname_np(errno));
}

void probe_show_bytes(long result, const char *bytes, char *out, size_t size)
{
    if (result <= 0) {
        snprintf(out, size, "%s", result == 0 ? "0" : strerrorname_np(errno));
        return;
    }
    size_t at = (size_t)snprintf(out, size, "%ld ", result);
    for (long i = 0; i < result && at + 5 < size; i++)
        at += (size_t)snprintf(out + at, size - at, isgraph((unsigned char)bytes[i]) ? "%c" : "\\x%02x",
                               (unsigned char)bytes[i]);
}

const char *probe_state_name(unsigned state)
{
    static const char *const names[] = {
        [TCP_ESTABLISHED] = "ESTABLISHED",
        [TCP_SYN_SENT] = "SYN_SENT",
        [TCP_SYN_RECV] = "SYN_RECV",
        [TCP_FIN_WAIT1] = "FIN_WAIT1",
        [TCP_FIN_WAIT2] = "FIN_WAIT2",
        [TCP_TIME_WAIT] = "TIME_WAIT",
        [TCP_CLOSE] = "CLOSE",
        [TCP_CLOSE_WAIT] = "CLOSE_WAIT",
        [TCP_LAST_ACK] = "LAST_ACK",
        [TCP_LISTEN] = "LISTEN",
        [TCP_CLOSING] = "CLOSING",
        [12] = "SYN_RECV" /* TCP_NEW_SYN_RECV */
    };
    return state < sizeof names / sizeof *names && names[state] ? names[state] : "-";
}

unsigned probe_state(int fd)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) ? 0 : info.tcpi_state;
}

char probe_stream_byte(uint64_t position)
{
    uint64_t mixed = position * UINT64_C(0x9e3779b97f4a7c15);
    return (char)(mixed >> 56 ^ mixed >> 32);
}

bool probe_asleep(int pid, int tid)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, tid);
    FILE *file = fopen(path, "re");
    size_t got = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[got] = 0;
    const char *behind = strrchr(text, ')');
    return behind && behind[1] && behind[2] == 'S';
}

uint64_t probe_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void probe_sleep_ms(unsigned ms)
{
    struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}
