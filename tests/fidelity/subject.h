/* The program under test.
 *
 *   subject real|injected PEER SCRIPT
 *
 * It carries the script out once in each of ten cases (five ways of waiting, two
 * address families), all at a time, and prints what each one saw:
 *
 *   blocking 4<TAB>recv<TAB>ECONNRESET
 *
 * A script is steps with blanks between: PREFIXES NAME[:ARGUMENT]. The prefixes,
 * in this order:
 *
 *   b/ n/  only where the descriptor blocks, or does not
 *   ~ =    only under the real event, or the injected one
 *   &      (with @) when the subject sleeps in its next call
 *   ^      = "~", and where the descriptor blocks also "&"
 *   .      preparation: recorded only where it fails (as is all that only one of
 *          the two does, or the peer alone)
 *   !      the struck call: recorded under the name "call: NAME"
 *   @      the peer's: see peer.c
 *
 * "end" ends the script, "b/end" where the descriptor blocks.
 *
 * A name that comes again is recorded as "NAME 2".
 */
#ifndef SUBJECT_H
#define SUBJECT_H

#include "probe.h"

#include <pthread.h>
#include <stdatomic.h>

enum mode { MODE_BLOCKING, MODE_POLL, MODE_SELECT, MODE_EPOLL_LT, MODE_EPOLL_ET, MODES };

enum { WATCHED = 8, NAMES = 64, RECORD = 1 << 14 };

enum want { WANT_IN = 1, WANT_OUT = 2, WANT_ALL = 7 };

struct subject {
    enum mode mode;
    int family, number;
    bool real;
    int control; /* to the peer */
    atomic_int *phase;
    int at; /* the descriptor that steps are about */
    int connection, listener, duplicate;
    int epoll, watched[WATCHED];
    uint64_t sent, received; /* of the numbered streams */
    uint64_t mark_ms, mark_cpu_ms;
    pthread_t thread;
    atomic_int thread_id;
    char thread_saw[PROBE_TEXT];
    char record[RECORD];
    size_t recorded;
};

/* script.c. Returns 0, or -1 for a script that is wrong (said on stderr). */
int subject_run(struct subject *subject, const char *script);

/* Asks the peer and waits for its answer. */
void subject_ask(struct subject *subject, const char *request, char *out, size_t size);

/* A step: gets its argument ("" for none), writes what it saw; nothing written is
 * nothing recorded. */
struct step {
    const char *name;
    void (*carry_out)(struct subject *subject, const char *argument, char *out, size_t size);
};
extern const struct step steps_calls[], steps_bytes[], steps_views[], steps_setup[]; /* each ends with {0} */

/* wait.c: waits in the case's way, the timeout in milliseconds, and writes what it
 * said: "IN RDHUP", "nothing", an errno. Blocking cases ask poll. */
void wait_for(struct subject *subject, int fd, enum want want, int timeout_ms, char *out, size_t size);
/* Registers with epoll, and takes the edge that this is. */
void wait_watch(struct subject *subject, int fd);

/* world.c: a network namespace of its own, with the routes and the packet filter
 * that real events need. Returns 0 or -1, with errno. */
int world_enter(void);

extern volatile int subject_broken_pipes, subject_signals; /* SIGPIPE, SIGUSR1 handled */

#endif
