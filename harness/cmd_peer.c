#include "cmd.h"

#include "peer.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT = TF_PEER_CONNECT, LISTEN = TF_PEER_LISTEN, RELAY = TF_PEER_RELAY, BAD = TF_PEER_BAD };

static const struct tf_option options[] = {
#define OPTION(kind, field, name, argument, modes, about)                                                    \
    {name, 0, TF_OPTION_##kind, argument, offsetof(struct tf_peer_options, field), NULL, about},
#include "peer.def"
#undef OPTION
    {0},
};

/* The modes, and whether each option was given; rows as in `options`. */
static const struct {
    int modes;
    size_t size;
} rows[] = {
#define OPTION(kind, field, name, argument, modes, about) {modes, sizeof((struct tf_peer_options *)0)->field},
#include "peer.def"
#undef OPTION
};

static const struct mode {
    const char *name;
    enum tf_peer_mode bit;
    int ports;
    int (*run)(struct tf_peer *peer, struct tf_error *error);
} modes[] = {{"connect", TF_PEER_CONNECT, 1, tf_peer_connect},
             {"listen", TF_PEER_LISTEN, 1, tf_peer_listen},
             {"relay", TF_PEER_RELAY, 2, tf_peer_relay}};

enum { MODES = sizeof modes / sizeof *modes, ROWS = sizeof rows / sizeof *rows };

static int run(int argc, char **argv);

const struct tf_command tf_command_peer = {
    .name = "peer",
    .synopsis = "connect|listen PORT | relay PORT TO-PORT [OPTION]...",
    .about = "be the other side of a program under test, well behaved or badly",
    .details = "connect: sends, prints the answer, and exits with 0 if it got one. listen: reads a\n"
               "request, answers, closes; for ever. relay: stands between a client and its server at\n"
               "TO-PORT. Exit status 1: it could not do as it was told.",
    .options = options,
    .run = run,
};

static bool given(const struct tf_peer_options *values, int row)
{
    const char *value = (const char *)values + options[row].offset;
    for (size_t i = 0; i < rows[row].size; i++)
        if (value[i])
            return true;
    return false;
}

static int check_port(const struct tf_number *port, const char *option, struct tf_error *error)
{
    if (!port->given || (port->value > 0 && port->value <= 65535))
        return 0;
    return tf_error_set(error, "--%s: expected a port, 1 to 65535, got %llu", option,
                        (unsigned long long)port->value);
}

static int check(const struct mode *mode, const struct tf_peer_options *values, struct tf_error *error)
{
    for (int row = 0; row < ROWS; row++) {
        if (!given(values, row) || rows[row].modes & (int)mode->bit)
            continue;
        char others[64] = "";
        for (int i = 0; i < MODES; i++)
            if (rows[row].modes & (int)modes[i].bit)
                snprintf(others + strlen(others), sizeof others - strlen(others), "%s%s",
                         *others ? " and " : "", modes[i].name);
        return tf_error_set(error, "--%s is for %s, not for %s", options[row].name, others, mode->name);
    }
    if (values->pause_ns && !values->byte_at_a_time && !values->read_slowly)
        return tf_error_set(error, "--pause goes with --byte-at-a-time or --read-slowly");
    return check_port(&values->from, "from", error) ||
                   check_port(&values->simultaneous_open, "simultaneous-open", error)
               ? -1
               : 0;
}

static const struct mode *mode_of(const char *word, struct tf_error *error)
{
    for (int i = 0; word && i < MODES; i++)
        if (!strcmp(modes[i].name, word))
            return &modes[i];
    if (word)
        tf_error_set(error, "expected connect, listen or relay, got \"%.60s\"", word);
    else
        tf_error_set(error, "expected connect, listen or relay");
    return NULL;
}

static int port_of(const char *text, uint16_t *port, struct tf_error *error)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || value == 0 || value > 65535)
        return tf_error_set(error, "expected a port, 1 to 65535, got \"%.60s\"", text);
    *port = (uint16_t)value;
    return 0;
}

/* What the command line says, read into *peer. */
static int prepare(struct tf_peer *peer, const struct mode *mode, char **ports, struct tf_error *error)
{
    struct tf_peer_options *values = &peer->options;
    uint16_t port = 0, to_port = 0;

    if (port_of(ports[0], &port, error) || (mode->ports > 1 && port_of(ports[1], &to_port, error)) ||
        check(mode, values, error))
        return -1;
    if (!values->timeout_ns)
        values->timeout_ns = UINT64_C(10000000000);
    if (tf_peer_address_read(&peer->address, values->address, port, "address", error) ||
        tf_peer_address_read(&peer->to, values->to_address ? values->to_address : values->address, to_port,
                             "to-address", error))
        return -1;
    if (values->send ? tf_peer_text_read(&peer->text, values->send, "send", error)
                     : tf_peer_text_read(&peer->text, values->reply, "reply", error))
        return -1;
    return values->until ? tf_peer_text_read(&peer->end, values->until, "until", error)
                         : tf_peer_text_read(&peer->end, values->request_ends, "request-ends", error);
}

static int run(int argc, char **argv)
{
    struct tf_peer peer = {.say = tf_say};
    struct tf_error error;
    int end, command, status = TF_EXIT_OK;
    int first = tf_options_parse(&tf_command_peer, argc, argv, &peer.options, &end, &command, &error);
    const struct mode *mode = NULL;

    if (first >= 0 && !(mode = mode_of(first < end ? argv[first] : NULL, &error)))
        first = -1;
    if (first >= 0 && end - first - 1 != mode->ports)
        first = tf_error_set(&error, "%s: expected %s, got %d", mode->name,
                             mode->ports == 1 ? "one PORT" : "PORT and TO-PORT", end - first - 1);
    if (first >= 0 && prepare(&peer, mode, argv + first + 1, &error))
        first = -1;
    if (first < 0) {
        status = tf_cmd_usage(&tf_command_peer, first, &error);
    } else if (mode->run(&peer, &error)) {
        tf_say("peer %s: %s", mode->name, error.text);
        status = TF_EXIT_FOUND;
    }
    free(peer.text.bytes);
    free(peer.end.bytes);
    return status;
}
