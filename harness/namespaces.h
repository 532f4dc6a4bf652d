/* Entering namespaces, in a process that is going to be a supervisor. Internal to
 * the sandbox. */
#ifndef TF_NAMESPACES_H
#define TF_NAMESPACES_H

#include "sandbox.h"

struct tf_namespaces {
    struct tf_permits permits; /* what came of it */
    pid_t init;                /* its pid 1, a child of the caller */
    int life_fd;               /* init dies when the last descriptor of this is closed */
};

/* Gives the calling process, single-threaded, private network, pid and mount
 * namespaces (and a user namespace where it must), forks their init, and brings
 * the loopback device up. From then on the caller's children live in them; the
 * caller itself keeps its pid, and its capabilities over them until it executes
 * something. Returns 0, or -1 with permits.why filled: the caller is then of no
 * further use. */
int tf_namespaces_enter(struct tf_namespaces *namespaces);

#endif
