/* What one output of a program said: read as fast as it comes, its first and last
 * TF_OUTPUT_KEPT bytes kept. Internal to launch.c. */
#ifndef TF_CAPTURE_H
#define TF_CAPTURE_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct tf_capture {
    int fd;      /* our end of the pipe; -1 once it is closed */
    int file_fd; /* -1: none */
    uint64_t bytes;
    char *head, *tail; /* TF_OUTPUT_KEPT each, allocated when needed; tail is a ring */
    bool open_handle;
    uv_poll_t poll;
    void (*on_closed)(void *data);
    void *data;
};

/* Makes the pipe, whose other end goes into *program_fd (close it after the
 * start), and the file, if `path` is not NULL. */
int tf_capture_open(struct tf_capture *capture, uv_loop_t *loop, const char *path, int *program_fd,
                    struct tf_error *error);

/* Reads what is there now, and brings the file up to date. */
void tf_capture_flush(struct tf_capture *capture);

/* As tf_program_output. */
char *tf_capture_text(const struct tf_capture *capture, size_t *length);

/* Closes everything; calls on_closed(data) from the loop when the memory that
 * *capture lies in may go, or at once and from here where nothing was open. */
void tf_capture_close(struct tf_capture *capture, void (*on_closed)(void *data), void *data);

#endif
