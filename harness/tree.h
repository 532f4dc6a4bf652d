/* The processes below one, found in /proc, and their end. */
#ifndef TF_TREE_H
#define TF_TREE_H

#include <stdbool.h>
#include <sys/types.h>

struct tf_tree {
    int proc_fd; /* a /proc that shows the caller's own pid namespace */
    pid_t root;
    bool keep_root; /* root itself stays: it is the caller */
    pid_t group;    /* 0, or a process group whose members belong to it too */
};

/* Kills the tree: stops everything in it until nothing new appears, so that
 * nothing can fork away, then SIGKILL, and again until none is left, for
 * timeout_ms at the most. `reap` (may be NULL) is called in between, for a caller
 * whose children are among them. Returns how many were left alive: processes
 * that the caller may not signal, or that sit in the kernel. */
int tf_tree_kill(const struct tf_tree *tree, int timeout_ms, void (*reap)(void *data), void *data);

#endif
