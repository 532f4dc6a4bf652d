/* A segment of a connection that is over, which arrives late: an old duplicate (RFC 9293,
 * 3.4.2; RFC 1337). It is a copy of one that the connection did send. */
#include "case_held.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    COPY_BYTES = 60 + TF_LEAVE_DATA, /* a TCP header with its options, and the data */
    PACKET_BYTES = 60 + COPY_BYTES,
    ANSWERED_S = 5, /* for what takes the kernel microseconds on loopback */
};

struct copy {
    uint8_t bytes[COPY_BYTES]; /* as it was sent, from the TCP header on */
    size_t length;
};

struct tf_old {
    struct tf_old *next; /* in tf_case_run.old */
    uint16_t port, peer;
    int family;
    struct copy of[2]; /* from the end on `port`, from the one on `peer` */
};

struct tf_tap {
    int fd, family;
    uint16_t port, peer;
};

/* ---- what passes ---- */

/* Only the two ports' segments are queued, whatever else goes on. */
static int keep_ports(const struct tf_tap *tap)
{
    uint32_t there = (uint32_t)tap->port << 16 | tap->peer, back = (uint32_t)tap->peer << 16 | tap->port;
    bool six = tap->family == AF_INET6;
    /* raw(7): an IPv4 packet begins with its IP header, ipv6(7): an IPv6 one behind it. */
    struct sock_filter code[] = {
        six ? (struct sock_filter)BPF_STMT(BPF_LDX | BPF_IMM, 0)
            : (struct sock_filter)BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, there, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, back, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
    return setsockopt(tap->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static int tap_open(struct tf_case_run *run, struct tf_tap *tap, struct tf_error *error)
{
    tap->fd = tf_sandbox_raw_socket(run->sandbox, tap->family, error);
    if (tap->fd < 0)
        return -1;
    if (keep_ports(tap) == 0)
        return 0;
    tf_error_errno(error, errno, "SO_ATTACH_FILTER");
    close(tap->fd);
    return -1;
}

/* The next segment of the connection that has passed. False: none has. */
static bool tap_next(const struct tf_tap *tap, struct copy *copy, struct tcphdr *header)
{
    uint8_t packet[PACKET_BYTES];
    ssize_t got;
    while ((got = recv(tap->fd, packet, sizeof(packet), MSG_TRUNC)) >= 0) {
        size_t ip = tap->family == AF_INET6 || got == 0 ? 0 : (size_t)(packet[0] & 15) * 4;
        if ((size_t)got < ip + sizeof(*header) || (size_t)got > ip + COPY_BYTES)
            continue;
        copy->length = (size_t)got - ip;
        memcpy(copy->bytes, packet + ip, copy->length);
        memcpy(header, copy->bytes, sizeof(*header));
        /* One that came before the filter may be another's. */
        uint16_t from = ntohs(header->source), to = ntohs(header->dest);
        if ((size_t)header->doff * 4 <= copy->length && header->doff >= 5 &&
            ((from == tap->port && to == tap->peer) || (from == tap->peer && to == tap->port)))
            return true;
    }
    return false;
}

static size_t data_bytes(const struct copy *copy, const struct tcphdr *header)
{
    return copy->length - (size_t)header->doff * 4;
}

/* ---- of the old connection ---- */

int tf_late_open(struct tf_case_run *run, const struct tf_leave *leave, struct tf_tap **tap,
                 struct tf_error *error)
{
    union tf_address address;
    bool wanted = false;
    for (uint32_t i = 0; i < run->one->steps_count; i++)
        wanted |=
            run->one->steps[i].late_segment != NULL && tf_late_of(run->one->steps[i].late_segment, leave);
    if (!wanted)
        return 0;
    *tap = calloc(1, sizeof(**tap));
    if (*tap == NULL)
        return tf_error_set(error, "out of memory");
    (*tap)->port = tf_case_port(run, leave->port);
    (*tap)->peer = tf_case_port(run, leave->peer);
    tf_held_address(run, leave->address, (*tap)->port, &address);
    (*tap)->family = address.any.sa_family;
    if (tap_open(run, *tap, error) == 0)
        return 0;
    free(*tap);
    *tap = NULL;
    return -1;
}

void tf_late_close(struct tf_tap *tap)
{
    if (tap != NULL)
        close(tap->fd);
    free(tap);
}

/* Of each end its data, or where it sent none its FIN. */
int tf_late_note(struct tf_case_run *run, struct tf_tap *tap, struct tf_error *error)
{
    struct tf_old *old = calloc(1, sizeof(*old));
    struct copy copy;
    struct tcphdr header;
    if (old == NULL)
        return tf_error_set(error, "out of memory");
    *old = (struct tf_old){.next = run->old, .port = tap->port, .peer = tap->peer, .family = tap->family};
    run->old = old;
    while (tap_next(tap, &copy, &header)) {
        struct copy *of = &old->of[ntohs(header.source) == old->peer];
        if (of->length == 0 && (data_bytes(&copy, &header) > 0 || header.fin))
            *of = copy;
    }
    return old->of[0].length > 0 && old->of[1].length > 0 ? 0
                                                          : tf_error_set(error, "its segments were not seen");
}

void tf_late_end(struct tf_case_run *run)
{
    while (run->old != NULL) {
        struct tf_old *next = run->old->next;
        free(run->old);
        run->old = next;
    }
}

/* ---- the late segment ---- */

static uint32_t add_words(uint32_t sum, const void *data, size_t length)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < length; i++)
        sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
    return sum;
}

/* RFC 9293, 3.1: over a pseudo-header, too, of two addresses, which here are the same,
 * the length and the protocol. */
static uint16_t checksum(const struct copy *copy, const union tf_address *address)
{
    uint32_t sum = IPPROTO_TCP + (uint32_t)copy->length;
    for (int i = 0; i < 2; i++)
        sum = address->any.sa_family == AF_INET6
                  ? add_words(sum, &address->in6.sin6_addr, sizeof(address->in6.sin6_addr))
                  : add_words(sum, &address->in.sin_addr, sizeof(address->in.sin_addr));
    sum = add_words(sum, copy->bytes, copy->length);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)~sum);
}

struct late {
    struct tf_tap tap;
    union tf_address address;
    socklen_t length;
    struct copy copy;
    struct tcphdr header; /* of the copy */
};

static int emit(struct late *late, struct tf_error *error)
{
    late->header.check = 0;
    memcpy(late->copy.bytes, &late->header, sizeof(late->header));
    late->header.check = checksum(&late->copy, &late->address);
    memcpy(late->copy.bytes, &late->header, sizeof(late->header));
    ssize_t sent =
        sendto(late->tap.fd, late->copy.bytes, late->copy.length, 0, &late->address.any, late->length);
    return sent == (ssize_t)late->copy.length ? 0 : tf_error_errno(error, errno, "sending the segment");
}

struct answer {
    const struct late *late;
    bool passed; /* the late segment has: what is seen from now on may answer it */
    bool advances;
    uint32_t beyond; /* with `advances`, it acknowledges all before this */
    struct tcphdr header;
};

static bool answered(struct tf_case_run *run, const void *data)
{
    struct answer *answer = *(struct answer *const *)data;
    const struct late *late = answer->late;
    struct copy copy;
    (void)run;
    while (tap_next(&late->tap, &copy, &answer->header)) {
        if (answer->header.source == late->header.source)
            answer->passed |=
                answer->header.seq == late->header.seq && answer->header.check == late->header.check;
        else if (answer->passed && (answer->header.rst || answer->header.ack) &&
                 (!answer->advances || answer->header.rst ||
                  (int32_t)(ntohl(answer->header.ack_seq) - answer->beyond) >= 0))
            return true;
    }
    return false;
}

static bool is_answered(struct tf_case_run *run, struct answer *answer)
{
    return tf_case_until(run, answered, &answer, tf_case_now() + ANSWERED_S * TF_SECOND_NS);
}

/* The connection at one end: a program may make it anew as soon as it is over. */
struct end {
    uint16_t port, peer;
    bool there;
    uint64_t cookie;
};

static bool note_end(const struct tf_net_socket *socket, void *data)
{
    struct end *end = data;
    if (socket->local.port == end->port && socket->peer.port == end->peer) {
        end->there = true;
        end->cookie = socket->cookie;
    }
    return true;
}

static struct end end_of(const struct tf_case_run *run, const struct late *late)
{
    struct end end = {.port = ntohs(late->header.dest), .peer = ntohs(late->header.source)};
    struct tf_error error;
    tf_net_sockets(run->sandbox, end.port, note_end, &end, &error);
    return end;
}

struct ending {
    const struct late *late;
    struct end before;
};

static bool has_ended(struct tf_case_run *run, const void *data)
{
    const struct ending *ending = data;
    struct end now = end_of(run, ending->late);
    return !now.there || now.cookie != ending->before.cookie;
}

/* With the sequence numbers that the end expects, which its answer has told (RFC 9293,
 * 3.10.7.4: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>). It was by chance that they fitted. */
static int be_accepted(struct tf_case_run *run, struct late *late, const struct tcphdr *told, bool reset,
                       struct tf_error *error)
{
    const struct ending ending = {late, end_of(run, late)};
    uint64_t until_ns = tf_case_now() + ANSWERED_S * TF_SECOND_NS;
    late->header.seq = told->ack_seq;
    late->header.ack_seq = told->seq;
    if (reset) {
        late->copy.length = (size_t)late->header.doff * 4;
        late->header.rst = 1;
        late->header.fin = late->header.psh = 0;
    }
    if (emit(late, error) != 0)
        return -1;
    if (reset)
        return tf_case_until(run, has_ended, &ending, until_ns)
                   ? 0
                   : tf_error_set(error, "the RST ended nothing");
    struct answer answer = {.late = late, .advances = true};
    answer.beyond =
        ntohl(late->header.seq) + (uint32_t)data_bytes(&late->copy, &late->header) + late->header.fin;
    return is_answered(run, &answer) && !answer.header.rst ? 0 : tf_error_set(error, "it was not accepted");
}

static int arrive(struct tf_case_run *run, struct late *late, const struct tf_late *what,
                  struct tf_error *error)
{
    struct answer answer = {.late = late};
    memcpy(&late->header, late->copy.bytes, sizeof(late->header));
    if (emit(late, error) != 0)
        return -1;
    /* Whatever is there, or is not, answers it: RFC 9293, 3.10.7. */
    if (!is_answered(run, &answer))
        return tf_error_set(error, "nothing answered it");
    if (!what->acceptable)
        return 0;
    if (answer.header.rst)
        return tf_error_set(error, "there is no connection of this pair");
    return be_accepted(run, late, &answer.header, what->reset, error);
}

void tf_case_late_segment(struct tf_case_run *run, const struct tf_step *step)
{
    const struct tf_late *what = step->late_segment;
    const struct tf_old *old = run->old;
    uint16_t port = tf_case_port(run, what->port), peer = tf_case_port(run, what->peer);
    struct late late = {.tap = {.port = port, .peer = peer}};
    struct tf_error error;
    late.length = tf_held_address(run, what->address, 0, &late.address); /* raw(7): no port */
    late.tap.family = late.address.any.sa_family;
    while (old->port != port || old->peer != peer || old->family != late.tap.family)
        old = old->next;
    late.copy = old->of[what->to != TF_PART_CLIENT];
    int result = tap_open(run, &late.tap, &error);
    if (result == 0) {
        result = arrive(run, &late, what, &error);
        close(late.tap.fd);
    }
    if (result != 0)
        tf_held_fail(run, "late_segment", step->text, &error);
}
