/* A run's segment from outside: made with rules of which none is armed yet, armed
 * and disarmed while programs run under it, and asked what came of its rules.
 *
 *   plan check                     rules on stdin, one a line; prints the valid ones
 *   plan create PATH SEED RULE...
 *   plan arm PATH [RULE...]        just these, by number from 1
 *   plan counts PATH               "RULE COUNTED FIRED UNDELIVERED REASON" a line
 *   plan sockets PATH PORT         what is still done to connections of the peer's port
 *   plan hand PATH host|wire       is the second hand, until SIGTERM; a byte on stdout says that it is ready
 */
#include "clock.h"
#include "hands.h"
#include "rule.h"
#include "segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "plan: %s: %s\n", what, why);
    return 2;
}

static int check(void)
{
    char line[TF_RULE_TEXT + 2];
    struct tf_rule_error error;
    struct tf_rule rule;

    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (tf_rule_parse(line, strlen(line), &rule, &error) == 0)
            puts(line);
    }
    return 0;
}

static int create(const char *path, const char *seed, char **rules)
{
    static struct tf_plan plan;
    struct tf_rule_error error;

    plan.seed = strtoull(seed, NULL, 0);
    for (; *rules; rules++)
        if (tf_plan_add(&plan, *rules, &error) != 0)
            return fail(*rules, error.message);
    struct tf_segment *segment = tf_segment_create(path, &plan, 0);
    if (!segment)
        return fail(path, strerror(errno));
    for (uint32_t i = 0; i < plan.rules; i++)
        atomic_store(&segment->state[i].armed, 0);
    tf_segment_gate(segment);
    return 0;
}

static int arm(struct tf_segment *segment, char **numbers)
{
    for (uint32_t i = 0; i < segment->plan.rules; i++)
        atomic_store(&segment->state[i].armed, 0);
    for (; *numbers; numbers++) {
        unsigned long number = strtoul(*numbers, NULL, 10);
        if (number < 1 || number > segment->plan.rules)
            return fail(*numbers, "no such rule");
        atomic_store(&segment->state[number - 1].armed, 1);
    }
    tf_segment_gate(segment);
    return 0;
}

static int counts(struct tf_segment *segment)
{
    for (uint32_t i = 0; i < segment->plan.rules; i++) {
        struct tf_rule_state *state = &segment->state[i];
        printf("%u %llu %llu %llu %u\n", i + 1, (unsigned long long)atomic_load(&state->counted),
               (unsigned long long)atomic_load(&state->fired),
               (unsigned long long)atomic_load(&state->undelivered), atomic_load(&state->reason));
    }
    return 0;
}

static int sockets(struct tf_segment *segment, unsigned long port)
{
    for (int i = 0; i < TF_SOCKETS; i++) {
        struct tf_socket *socket = &segment->socket[i];
        if (atomic_load(&socket->cookie) == 0 || socket->peer.port != port)
            continue;
        printf("conn %u, latches %x, in %llu, out %llu", atomic_load(&socket->conn),
               atomic_load(&socket->latches), (unsigned long long)atomic_load(&socket->bytes_in),
               (unsigned long long)atomic_load(&socket->bytes_out));
        for (int side = 0; side < TF_SIDES; side++) {
            uint64_t until = atomic_load(&socket->hold[side].until_ns);
            printf("; %s: held %+.3f s, free to %llu, lowat %d", side == TF_SIDE_IN ? "in" : "out",
                   until ? (double)until / 1e9 - (double)tf_now_ns() / 1e9 : 0,
                   (unsigned long long)atomic_load(&socket->hold[side].free_to),
                   atomic_load(&socket->hold[side].lowat));
        }
        putchar('\n');
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct tf_segment *segment;

    if (argc == 2 && strcmp(argv[1], "check") == 0)
        return check();
    if (argc >= 4 && strcmp(argv[1], "create") == 0)
        return create(argv[2], argv[3], argv + 4);
    if (argc == 4 && strcmp(argv[1], "hand") == 0)
        tf_hands_main(open(argv[2], O_RDWR | O_CLOEXEC),
                      strcmp(argv[3], "wire") == 0 ? TF_SANDBOX_PRIVATE : TF_SANDBOX_HOST, getppid(),
                      STDOUT_FILENO);
    if (argc < 3)
        return fail("arguments", "expected check, create, arm, counts, sockets or hand");
    segment = tf_segment_open(argv[2]);
    if (!segment)
        return fail(argv[2], strerror(errno));
    if (strcmp(argv[1], "arm") == 0)
        return arm(segment, argv + 3);
    if (strcmp(argv[1], "counts") == 0)
        return counts(segment);
    if (argc == 4 && strcmp(argv[1], "sockets") == 0)
        return sockets(segment, strtoul(argv[3], NULL, 10));
    return fail(argv[1], "expected check, create, arm, counts, sockets or hand");
}
