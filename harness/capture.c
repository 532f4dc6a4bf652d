#include "capture.h"

#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEPT = TF_OUTPUT_KEPT, READ = 64 * 1024, READS_A_TURN = 16 };

static void write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return; /* a full disk loses the file's end; memory still has it */
        bytes += written;
        length -= (size_t)written;
    }
}

static void keep(struct tf_capture *capture, const char *bytes, size_t length)
{
    if (capture->bytes < KEPT) {
        size_t room = KEPT - (size_t)capture->bytes, part = length < room ? length : room;
        if (capture->head)
            memcpy(capture->head + capture->bytes, bytes, part);
        if (capture->file_fd >= 0)
            write_all(capture->file_fd, bytes, part);
        capture->bytes += part;
        bytes += part;
        length -= part;
    }
    if (length > 0 && !capture->tail)
        capture->tail = malloc(KEPT);
    while (length > 0) {
        size_t at = (size_t)(capture->bytes % KEPT), part = length < KEPT - at ? length : KEPT - at;
        if (capture->tail)
            memcpy(capture->tail + at, bytes, part);
        capture->bytes += part;
        bytes += part;
        length -= part;
    }
}

/* Returns false when there is nothing more for now, or ever. */
static bool read_some(struct tf_capture *capture)
{
    static char buffer[READ];
    ssize_t got = capture->fd >= 0 ? read(capture->fd, buffer, sizeof buffer) : -1;
    if (got > 0)
        keep(capture, buffer, (size_t)got);
    else if (got == 0 && capture->open_handle)
        uv_poll_stop(&capture->poll);
    return got > 0 || (got < 0 && capture->fd >= 0 && errno == EINTR);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct tf_capture *capture = poll->data;
    for (int i = 0; i < READS_A_TURN && read_some(capture); i++)
        ;
}

int tf_capture_open(struct tf_capture *capture, uv_loop_t *loop, const char *path, int *program_fd,
                    struct tf_error *error)
{
    int ends[2];
    *capture = (struct tf_capture){.fd = -1, .file_fd = -1};
    if (path) {
        capture->file_fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (capture->file_fd < 0)
            return tf_error_errno(error, errno, "creating %.300s", path);
    }
    capture->head = malloc(KEPT);
    if (!capture->head)
        return tf_error_set(error, "out of memory");
    if (pipe2(ends, O_CLOEXEC))
        return tf_error_errno(error, errno, "pipe");
    capture->fd = ends[0];
    *program_fd = ends[1];
    /* Only our end: the two have their own file status flags. */
    fcntl(capture->fd, F_SETFL, O_NONBLOCK);
    int result = uv_poll_init(loop, &capture->poll, capture->fd);
    if (result) {
        close(*program_fd);
        *program_fd = -1;
        return tf_error_set(error, "watching an output: %s", uv_strerror(result));
    }
    capture->open_handle = true;
    capture->poll.data = capture;
    uv_poll_start(&capture->poll, UV_READABLE, on_readable);
    uv_unref((uv_handle_t *)&capture->poll); /* it is the program that holds the loop */
    return 0;
}

char *tf_capture_text(const struct tf_capture *capture, size_t *length)
{
    size_t head = capture->bytes < KEPT ? (size_t)capture->bytes : KEPT;
    uint64_t rest = capture->bytes - head;
    size_t tail = rest < KEPT ? (size_t)rest : KEPT;
    char note[80] = "";
    if (rest > tail)
        snprintf(note, sizeof note, "\n[... %llu bytes cut here ...]\n", (unsigned long long)(rest - tail));
    char *text = malloc(head + strlen(note) + tail + 1);
    if (!text)
        return NULL;
    size_t at = 0;
    if (capture->head)
        memcpy(text, capture->head, head);
    at += head;
    memcpy(text + at, note, strlen(note));
    at += strlen(note);
    if (tail && capture->tail) {
        size_t start = (size_t)((capture->bytes - tail) % KEPT),
               part = KEPT - start < tail ? KEPT - start : tail;
        memcpy(text + at, capture->tail + start, part);
        memcpy(text + at + part, capture->tail, tail - part);
        at += tail;
    }
    text[at] = 0;
    *length = at;
    return text;
}

void tf_capture_flush(struct tf_capture *capture)
{
    /* A pipe holds 1 MiB at the most (pipe(7)): what the program had written by
     * now is read, even while a child of its keeps writing. */
    for (int i = 0; i < (1 << 20) / 4096 && read_some(capture); i++)
        ;
    size_t length;
    char *text = capture->file_fd >= 0 && capture->bytes > KEPT ? tf_capture_text(capture, &length) : NULL;
    if (text && !ftruncate(capture->file_fd, KEPT) && lseek(capture->file_fd, KEPT, SEEK_SET) >= 0)
        write_all(capture->file_fd, text + KEPT, length - KEPT);
    free(text);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct tf_capture *capture = handle->data;
    capture->on_closed(capture->data);
}

void tf_capture_close(struct tf_capture *capture, void (*on_closed)(void *data), void *data)
{
    if (capture->fd >= 0)
        tf_capture_flush(capture);
    if (capture->file_fd >= 0)
        close(capture->file_fd);
    free(capture->head);
    free(capture->tail);
    capture->head = capture->tail = NULL;
    capture->on_closed = on_closed;
    capture->data = data;
    bool wait = capture->open_handle;
    if (wait) {
        capture->open_handle = false;
        uv_close((uv_handle_t *)&capture->poll, on_handle_closed);
    }
    if (capture->fd >= 0)
        close(capture->fd);
    capture->fd = capture->file_fd = -1;
    if (!wait)
        on_closed(data);
}
