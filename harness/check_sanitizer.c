/* What libc or a sanitizer said of the program's memory: sanitizer. Only where its
 * output was captured.
 *
 * False alarms: a message of its own may name malloc; so libc's words count where the
 * program was killed as well, which libc does. */
#include "callsite.h"
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES = 8 };

struct text {
    const char *at, *end;
};

/* The line of `text` that holds a word, whole; NULL in `at`: none does. */
static struct text line_with(struct text text, const char *const *words, size_t count)
{
    struct text line = {0};
    for (size_t i = 0; i < count && !line.at; i++)
        line.at = memmem(text.at, (size_t)(text.end - text.at), words[i], strlen(words[i]));
    if (!line.at)
        return line;
    const char *end = memchr(line.at, '\n', (size_t)(text.end - line.at));
    line.end = end ? end : text.end;
    while (line.at > text.at && line.at[-1] != '\n')
        line.at--;
    return line;
}

static struct text what_it_says(const struct tf_evidence *evidence, struct text text)
{
    static const char *const sanitizers[] = {
        "ERROR: AddressSanitizer", "WARNING: ThreadSanitizer", "ERROR: LeakSanitizer",
        "MemorySanitizer: use-of-uninitialized-value", ": runtime error: "};
    static const char *const libc[] = {"*** buffer overflow detected ***",
                                       "*** stack smashing detected ***",
                                       "Fatal glibc error: ",
                                       "double free or corruption",
                                       "corrupted size vs. prev_size",
                                       "corrupted double-linked list",
                                       "free(): ",
                                       "malloc(): ",
                                       "malloc_consolidate(): ",
                                       "munmap_chunk(): ",
                                       "realloc(): "};
    struct text line = line_with(text, sanitizers, sizeof sanitizers / sizeof *sanitizers);
    return line.at || !tf_crashed(evidence) ? line : line_with(text, libc, sizeof libc / sizeof *libc);
}

/* "FILE:LINE" or "FILE:LINE:COLUMN" at the begin of `text`. */
static bool is_place(const char *text, struct tf_frame *frame)
{
    char file[512];
    unsigned line;
    if (sscanf(text, "%511[^: \n]:%u", file, &line) != 2)
        return false;
    frame->file = strdup(file);
    frame->line = line;
    return true;
}

/* A line of a stack:
 *   #1 0x55b5f382951a in serve fixtures/server.c:27:33
 *   #1 serve fixtures/server.c:27 (server+0x1241)
 * Lines of the sanitizer's, of libc's and of the shim's own are none of the program's. */
static bool is_frame(const char *text, struct tf_frame *frame)
{
    char copy[1024], function[256];
    unsigned number;
    int at = 0;
    snprintf(copy, sizeof copy, "%.*s", (int)strcspn(text, "\n"), text);
    if (sscanf(copy, " #%u 0x%*x in %255s %n", &number, function, &at) != 2 &&
        sscanf(copy, " #%u %255s %n", &number, function, &at) != 2)
        return false;
    if (strstr(copy, "sanitizer") || strstr(copy, "libtcpfault") || strstr(copy, "__libc_start") ||
        !is_place(copy + at, frame))
        return false;
    frame->function = strdup(function);
    frame->module = strdup("");
    return true;
}

/* The shim's entry to a call (wrap.c): the frames within are not the program's. */
static bool is_shims(const struct tf_frame *frame)
{
    bool found = false;
    for (size_t i = 0; i < TF_CALLS && !found && !strncmp(frame->function, "enter_", 6); i++)
        found = !strcmp(frame->function + 6, tf_call_info[i].name);
    return found;
}

static void forget(struct tf_frames *frames)
{
    tf_frames_free(frames->frame, frames->count);
    *frames = (struct tf_frames){.frame = calloc(FRAMES, sizeof *frames->frame)};
}

/* Where it says that it happened: in the line itself, or in the stack behind it. */
static struct tf_frames places(struct text text, struct text said)
{
    struct tf_frames frames = {.frame = calloc(FRAMES, sizeof *frames.frame)};
    if (!frames.frame)
        return frames;
    if (is_place(said.at, &frames.frame[0])) {
        frames.frame[0].function = strdup("");
        frames.frame[0].module = strdup("");
        frames.count = 1;
    }
    for (const char *line = said.end;
         frames.frame && line && ++line < text.end && *line != '\n' && frames.count < FRAMES;
         line = memchr(line, '\n', (size_t)(text.end - line))) {
        frames.count += is_frame(line, &frames.frame[frames.count]);
        if (frames.count && is_shims(&frames.frame[frames.count - 1]))
            forget(&frames);
    }
    if (frames.count == 0)
        free(frames.frame);
    return frames;
}

void tf_check_sanitizer(const struct tf_evidence *evidence)
{
    const struct tf_judge_end *end = evidence->end;
    struct text text = {.at = end->err, .end = end->err ? end->err + end->err_length : NULL};
    struct text said = text.at ? what_it_says(evidence, text) : text;
    if (!said.at)
        return;
    struct tf_frames frames = places(text, said);
    size_t length = (size_t)(said.end - said.at);
    tf_found_at(evidence, TF_CHECK_sanitizer, tf_last_event(evidence), &frames,
                "its standard error says \"%.*s\"", (int)(length < 200 ? length : 200), said.at);
}
