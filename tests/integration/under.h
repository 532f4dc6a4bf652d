/* Programs under the shim. */
#ifndef IT_UNDER_H
#define IT_UNDER_H

#include "child.h"
#include "segment.h"

enum it_way {
    IT_BARE,    /* LD_PRELOAD and TCPFAULT, no tool */
    IT_PLAIN,   /* with a segment of the test's, as under the tool: it_segment() */
    IT_TRACED,  /* the same, and every TCP call becomes an event */
    IT_INJECT,  /* `tcpfault inject RULE... -- COMMAND` */
    IT_SANDBOX, /* the same with --sandbox */
};

struct it_under {
    enum it_way way;
    const char *rules; /* separated by ';' */
    const char *const *argv;
    const char *const *env; /* more of it, or NULL */
    uint64_t seed;
    unsigned deadline_s;
    int input_fd; /* standard input, where it is > 0 */
};

struct it_child *it_under_start(const struct it_under *under);
struct it_child *it_under_run(const struct it_under *under);

/* The short form, to the end. */
struct it_child *it_shimmed(enum it_way way, const char *rules, const char *const *argv);

/* `tcpfault ARGUMENT...`, with a NULL at the end; to the end. */
struct it_child *it_tool(const char *const *arguments);

/* The environment entry with which a program runs under the shim; `other` is what
 * LD_PRELOAD held before, or NULL. */
const char *it_preload(const char *other);

/* Of the last IT_PLAIN or IT_TRACED program. */
struct tf_segment *it_segment(void);
uint64_t it_fired(unsigned rule); /* rules from 1 */
uint64_t it_counted(unsigned rule);
uint64_t it_undelivered(unsigned rule);

/* The events so far, in order; *count of them. */
const struct tf_event *it_events(size_t *count);

/* One line an event, nothing in it that differs between two runs. */
const char *it_history(void);

/* The command line of the probe for a script. */
const char *const *it_probe_argv(const char *script);

/* The probe (programs/probe.c) runs `script` under the rules, in both of the
 * shim's ways, and says `expected`; then `expected_fired` calls were struck by
 * rule 1 (-1: any number), and `reason` (or NULL) is why one was not. */
void it_probe(const char *file, unsigned line, const char *rules, const char *script, const char *expected,
              long expected_fired, const char *reason);

/* The probe says under the rules what it says, of another script, without them:
 * where the second has met the real thing. */
void it_same(const char *file, unsigned line, const char *rules, const char *script, const char *real);

#define PROBE_AS_REAL(rules, script, real) it_same(__FILE__, __LINE__, rules, script, real)
#define PROBE(rules, script, expected) it_probe(__FILE__, __LINE__, rules, script, expected, -1, NULL)
#define PROBE_FIRED(rules, script, expected, fired)                                                          \
    it_probe(__FILE__, __LINE__, rules, script, expected, fired, NULL)
#define PROBE_REFUSED(rules, script, expected, reason)                                                       \
    it_probe(__FILE__, __LINE__, rules, script, expected, 0, reason)

#endif
