/* Running a shell script in a sandbox, for the suites launch and sandbox. */
#ifndef TF_UNIT_SANDBOX_RUN_H
#define TF_UNIT_SANDBOX_RUN_H

#include "launch.h"
#include "sandbox.h"

#include <stdbool.h>

/* A loop, a sandbox, and the program that was last run in it. */
struct tf_unit_run {
    uv_loop_t loop;
    struct tf_sandbox *sandbox;
    struct tf_program *program;
    struct tf_program_result result; /* once it has ended */
    bool ended;
    char *out, *err; /* what it wrote */
    size_t out_length;
    struct tf_error error;
};

/* 0, or -1: not permitted here, or failed (then a check has failed). */
int tf_unit_open(struct tf_unit_run *run, enum tf_sandbox_kind kind);

/* Starts `sh -c script`; *options may be NULL, and its path, argv, envp and capture
 * are filled where they are not. 0 or -1, without a check. */
int tf_unit_start(struct tf_unit_run *run, const char *script, const struct tf_program_options *options);

/* Turns the loop until the program has ended, for 20 s at the most. */
void tf_unit_wait(struct tf_unit_run *run);

/* Start and wait; fails a check where it did not start. */
void tf_unit_sh(struct tf_unit_run *run, const char *script, const struct tf_program_options *options);

/* Turns the loop until its standard output holds `text`, for 20 s at the most. Fails
 * a check where it does not. */
void tf_unit_says(struct tf_unit_run *run, const char *text);

/* Turns the loop for so long. */
void tf_unit_turn(struct tf_unit_run *run, uint64_t ms);

void tf_unit_close(struct tf_unit_run *run);

/* Reads from a descriptor until `wanted` appears in what came (an empty string: until
 * the end), 10 s at the most. Whether it did. */
bool tf_unit_read_until(int fd, const char *wanted);

#endif
