/* libtcpfault.so: where it is, and the environment that loads it. */
#ifndef TF_HARNESS_SHIM_H
#define TF_HARNESS_SHIM_H

#include "error.h"

#include <stddef.h>

/* Finds it: in TCPFAULT_LIB (a file), beside this executable, in LIBDIR. The path
 * has neither blank nor colon, which LD_PRELOAD cannot hold. Returns 0 or -1. */
int tf_shim_find(char *path, size_t size, struct tf_error *error);

struct tf_shim_environment {
    const char *shim_path;    /* NULL: do not load it: for a program without faults */
    const char *segment_path; /* TCPFAULT_TRACE */
    const char *control;      /* TCPFAULT_CTRL, NULL: none */
    char *const *extra;       /* "NAME=VALUE", ended by NULL: added or replaced. NULL: none */
};

/* A copy of `base` (an envp) with LD_PRELOAD prepended to, ASAN_OPTIONS appended
 * to, TCPFAULT_TRACE set, and TCPFAULT, TCPFAULT_SEED and an inherited
 * TCPFAULT_CTRL gone. One block: free() releases it. NULL when out of memory. */
char **tf_shim_environment(char *const *base, const struct tf_shim_environment *settings);

#endif
