/* Programs that a test starts. Whatever it forgets dies with it: each leads a
 * process group of its own, gets SIGKILL with the runner, has a deadline; and the
 * runner adopts orphans (it_end).
 *
 * Everything returned lives until the test's end and is not to be freed.
 */
#ifndef IT_CHILD_H
#define IT_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { IT_DEADLINE_S = 20, IT_KEPT_BYTES = 4 << 20 };

/* The arguments of a command: ARGV("curl", "-sS", url). */
#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})

struct it_command {
    const char *const *argv;
    const char *const *env; /* "NAME=value" beside PATH, HOME, LC_ALL; NULL: no more */
    const char *input;      /* standard input; NULL: /dev/null */
    int input_fd;           /* standard input, where it is > 0 */
    unsigned deadline_s;    /* 0: IT_DEADLINE_S */
};

struct it_child {
    pid_t pid;
    bool over, late; /* it has ended; by its deadline */
    int exit;        /* its status, or 128 + the signal that killed it */
    char *out, *err; /* what it wrote, NUL-terminated; the first IT_KEPT_BYTES */
    size_t out_length, err_length;
    uint64_t out_bytes, err_bytes; /* how much it wrote in all */
    uint64_t peak_bytes;           /* its largest resident size, before its exec included */
    uint64_t deadline_ns;
    int out_fd, err_fd, in_fd;
    struct it_child *next;
};

/* Starts it; where that fails, so does the test, and its exit is 127. */
struct it_child *it_start(const struct it_command *command);

/* Waits for its end, and for that of its output. */
struct it_child *it_finish(struct it_child *child);

/* Both. */
struct it_child *it_run(const struct it_command *command);

/* Waits until its standard output (or error) holds `text`; false: it ended, or
 * the deadline passed, without. */
bool it_says(struct it_child *child, const char *text);

/* Writes to its standard input, which stays open; needs input "" or more. */
void it_tell(struct it_child *child, const char *text);

/* Reads what it wrote meanwhile, for `seconds` at most or until it ends. */
void it_attend(struct it_child *child, double seconds);

/* Around each test: a scratch directory, open to every user; then no process,
 * no file, no port of the test is left. */
void it_begin(void);
void it_end(void);

const char *it_scratch(void);

/* printf into memory of the test's. */
const char *it_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
void *it_memory(size_t size);

/* Closed at the test's end. */
void it_holds(int fd);

/* CPU time that a process has used, from /proc/PID/stat; -1: there is none. */
double it_cpu_seconds(pid_t pid);

/* How many processes have `text` in their command line, whose arguments are
 * separated by tabs there. */
int it_processes_with(const char *text);

uint64_t it_now_ns(void);

/* A moment, between two looks at something that cannot be waited for. */
void it_pause(void);

#endif
