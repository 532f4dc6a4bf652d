#include "framing.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static size_t behind(const char *reply, size_t size, const char *end)
{
    const char *at = memmem(reply, size, end, strlen(end));
    return at != NULL ? (size_t)(at - reply) + strlen(end) : 0;
}

static size_t head_of(const char *reply, size_t size)
{
    size_t crlf = behind(reply, size, "\r\n\r\n"), lf = behind(reply, size, "\n\n");
    size_t lines = crlf == 0 || (lf != 0 && lf < crlf) ? lf : crlf;
    return lines != 0 ? lines : behind(reply, size, "\n");
}

static const char *word_in(const char *line, const char *word)
{
    while (*line != '\0' && *line != '\n' && strncasecmp(line, word, strlen(word)) != 0)
        line++;
    return *line != '\0' && *line != '\n' ? line + strlen(word) : NULL;
}

static bool is_length(const char *line, size_t length)
{
    const char *at = word_in(line, "length");
    if (at == NULL)
        return false;
    at += strspn(at, " \t:=");
    return *at >= '0' && *at <= '9' && strtoull(at, NULL, 10) == length;
}

bool tf_framing_told(const char *reply, size_t size)
{
    static const char last_chunk[] = "0\r\n\r\n";
    size_t length = head_of(reply, size), end = sizeof(last_chunk) - 1;
    char *head = length > 0 ? strndup(reply, length) : NULL, *next = head;
    bool ended = size >= end && memcmp(reply + size - end, last_chunk, end) == 0, told = false;
    while (next != NULL && !told) {
        told = is_length(next, size - length) || (ended && word_in(next, "chunked") != NULL);
        next = strchr(next, '\n');
        next += next != NULL;
    }
    free(head);
    return told;
}
