/* One program, started in a sandbox, watched, ended.
 *
 *   tf_program_start(...)           it runs; the loop watches it
 *   options.on_exit                 it has ended; tf_program_result is final
 *   tf_program_free
 *
 * All functions belong to the loop's thread. They do not print.
 */
#ifndef TF_LAUNCH_H
#define TF_LAUNCH_H

#include "error.h"
#include "sandbox.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { TF_OUTPUT_KEPT = 256 * 1024 }; /* bytes kept of each end of an output */

struct tf_program;

struct tf_program_options {
    const char *path; /* what to execute, absolute or relative to cwd: preflight.h finds it */
    char *const *argv;
    char *const *envp;       /* shim.h builds it */
    const char *cwd;         /* NULL: the caller's */
    bool capture;            /* false: stdin, stdout and stderr are the caller's own */
    const char *stdin_path;  /* with capture: what it reads; NULL: /dev/null */
    const char *stdout_path; /* with capture: a file to create, or NULL: memory only */
    const char *stderr_path;
    uint64_t deadline_ns; /* from its start: it and its descendants get SIGKILL. 0: none */
    /* Once, from the loop (or from tf_sandbox_stop), when it has ended and what
     * it wrote has been read. May be NULL. May free the program. */
    void (*on_exit)(struct tf_program *program, void *data);
    void *data;
};

enum tf_end { TF_END_RUNNING, TF_END_EXITED, TF_END_SIGNALED };

struct tf_program_result {
    enum tf_end end;
    int status; /* TF_END_EXITED: exit status; TF_END_SIGNALED: the signal */
    bool core_dumped;
    bool deadline;                 /* its deadline passed, and we killed it */
    bool stopped;                  /* tf_program_stop or tf_sandbox_stop was called while it ran */
    uint64_t started_ns, ended_ns; /* CLOCK_MONOTONIC; ended_ns 0 while it runs */
    uint64_t user_ns, system_ns;   /* CPU time of it and the children that it waited for */
    uint64_t peak_bytes;           /* its largest resident size */
};

/* Starts it. Returns NULL with *error filled when it cannot be executed, when cwd
 * or a file cannot be opened, or when the sandbox is gone. The strings need not
 * outlive the call. */
struct tf_program *tf_program_start(struct tf_sandbox *sandbox, const struct tf_program_options *options,
                                    struct tf_error *error);

const struct tf_program_result *tf_program_result(const struct tf_program *program);

/* 0..255 as a shell would see it: the exit status, or 128 + the signal. */
int tf_program_shell_status(const struct tf_program_result *result);

/* "exited with status 7", "was killed by SIGSEGV", ... */
void tf_program_describe(const struct tf_program_result *result, char *out, size_t size);

pid_t tf_program_pid(const struct tf_program *program);       /* as the host sees it */
pid_t tf_program_inner_pid(const struct tf_program *program); /* as it sees itself: as in events */

/* Sends a signal to the program alone, SIGSTOP and SIGCONT also to the process group
 * that it leads; it has been sent on return. 0, or -1 (ESRCH: it has ended). */
int tf_program_signal(struct tf_program *program, int signal, struct tf_error *error);

/* Asks it to end: SIGTERM to it (to its process group where it leads one), and
 * after grace_ns SIGKILL to it and its descendants; 0: SIGKILL at once. Returns
 * at once; on_exit tells. Calling it again can only shorten the grace. */
void tf_program_stop(struct tf_program *program, uint64_t grace_ns);

enum tf_stream { TF_STDOUT, TF_STDERR };

/* What it has written so far, in `*length` bytes behind which a NUL stands; where
 * more than 2 * TF_OUTPUT_KEPT bytes came, the first and the last TF_OUTPUT_KEPT
 * with a line between them that says how many are missing. The same text is in
 * stdout_path: its beginning as it happens, all of it once the program has ended.
 * The caller frees it. NULL when out of memory. Empty without capture. */
char *tf_program_output(const struct tf_program *program, enum tf_stream stream, size_t *length);

/* How many bytes it wrote, kept or not. */
uint64_t tf_program_output_bytes(const struct tf_program *program, enum tf_stream stream);

/* Frees it, killing it first if it runs (on_exit is then not called). The loop
 * must turn once more before it is closed. NULL is fine. */
void tf_program_free(struct tf_program *program);

#endif
