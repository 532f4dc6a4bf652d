/* What /proc tells of the programs in a sandbox, by the process ids that they see
 * themselves. Internal to judging. Does not print.
 */
#ifndef TF_PROC_H
#define TF_PROC_H

#include "sandbox.h"

struct tf_proc { /* {0} to begin with */
    pid_t root;  /* the sandbox's supervisor */
    bool inside; /* process ids there are the host's, too */
    struct {
        uint32_t inner;
        pid_t host;
    } known[64];
    unsigned known_count;
};

void tf_proc_init(struct tf_proc *proc, const struct tf_sandbox *sandbox);
/* The process id on the host; 0: it is not there (any more). */
pid_t tf_proc_host(struct tf_proc *proc, uint32_t pid);
/* The same for a thread of it. */
pid_t tf_proc_thread(struct tf_proc *proc, pid_t host, uint32_t tid);
/* The other way round: a thread's id as it sees it; 0: it is not there. */
uint32_t tf_proc_inner(const struct tf_proc *proc, pid_t host, pid_t thread);

/* What a thread has had of the CPUs. */
struct tf_cpu {
    uint64_t at_ns; /* CLOCK_MONOTONIC */
    uint64_t used_ns;
    uint64_t busy_ns; /* used, or spent waiting for a CPU; 0: the kernel does not tell */
};

/* How long the main thread could have run and had no CPU; 0: not known. As the host
 * numbers it. */
uint64_t tf_proc_queued_ns(pid_t pid);
/* False: not known. */
bool tf_proc_cpu(struct tf_proc *proc, uint32_t pid, uint32_t tid, struct tf_cpu *cpu);
/* Is there such a process, not dead and waiting to be buried? */
bool tf_proc_alive(struct tf_proc *proc, uint32_t pid);

/* Its parent, both as the host numbers them; 0: it is not there, or dead. */
pid_t tf_proc_parent(pid_t pid);
/* Is it `from`, or below it? Both as the host numbers them. */
bool tf_proc_descends(pid_t pid, pid_t from);
/* Is each of its threads stopped, or dead? As the host numbers it. */
bool tf_proc_stopped(pid_t pid);
/* Or asleep, with nothing to run for? */
bool tf_proc_rests(pid_t pid);
/* Its only child; 0: none; -1: several. Dead ones don't count. */
pid_t tf_proc_child(pid_t pid);

/* A file of /proc, in all; returns its length, or -1. NUL-terminated. */
ssize_t tf_proc_read(char *out, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
