#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int nibble(char letter)
{
    const char *digits = "0123456789abcdef", *at = letter ? strchr(digits, letter | 0x20) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* What the escape at `at`, behind its backslash, stands for; *next is behind it. */
static int escaped(const char *at, const char **next)
{
    static const char letters[] = "rnt0\\", values[] = "\r\n\t\0\\";
    const char *letter = *at ? strchr(letters, *at) : NULL;

    *next = at + 1;
    if (letter)
        return values[letter - letters];
    int high = *at == 'x' ? nibble(at[1]) : -1, low = high < 0 ? -1 : nibble(at[2]);
    if (low < 0)
        return -1;
    *next = at + 3;
    return high * 16 + low;
}

static int read_file(struct tf_peer_text *text, const char *path, const char *option, struct tf_error *error)
{
    FILE *file = fopen(path, "re");
    size_t room = 0, got = 0;

    if (!file)
        return tf_error_errno(error, errno, "--%s: reading %.200s", option, path);
    do {
        if (text->length == room) {
            char *larger = realloc(text->bytes, room = room ? 2 * room : 4096);
            if (!larger)
                break;
            text->bytes = larger;
        }
        got = fread(text->bytes + text->length, 1, room - text->length, file);
        text->length += got;
    } while (got > 0);
    int bad = ferror(file) || !text->bytes ? errno : 0;
    fclose(file);
    return bad ? tf_error_errno(error, bad, "--%s: reading %.200s", option, path) : 0;
}

int tf_peer_text_read(struct tf_peer_text *text, const char *given, const char *option,
                      struct tf_error *error)
{
    *text = (struct tf_peer_text){0};
    if (!given)
        return 0;
    if (*given == '@')
        return read_file(text, given + 1, option, error);
    text->bytes = malloc(strlen(given) + 1);
    if (!text->bytes)
        return tf_error_set(error, "out of memory");
    for (const char *at = given; *at;) {
        const char *next = at + 1;
        int byte = *at == '\\' ? escaped(at + 1, &next) : (unsigned char)*at;
        if (byte < 0)
            return tf_error_set(error,
                                "--%s, column %zu: unknown escape \"%.2s\"; expected \\r, \\n, \\t, \\0, "
                                "\\xNN or \\\\",
                                option, (size_t)(at - given) + 1, at);
        text->bytes[text->length++] = (char)byte;
        at = next;
    }
    return 0;
}

bool tf_peer_text_seen(const struct tf_peer_text *text, size_t *matched, const char *data, size_t size)
{
    for (size_t i = 0; i < size && *matched < text->length; i++) {
        while (*matched && text->bytes[*matched] != data[i]) {
            size_t shorter = *matched - 1;
            while (shorter && memcmp(text->bytes, text->bytes + *matched - shorter, shorter) != 0)
                shorter--;
            *matched = shorter;
        }
        *matched += text->bytes[*matched] == data[i];
    }
    return *matched == text->length;
}

int tf_peer_address_read(union tf_peer_address *address, const char *given, uint16_t port, const char *option,
                         struct tf_error *error)
{
    const char *host = given ? given : "127.0.0.1";

    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, host, &address->in.sin_addr) == 1) {
        address->in.sin_family = AF_INET;
        address->in.sin_port = htons(port);
    } else if (inet_pton(AF_INET6, host, &address->in6.sin6_addr) == 1) {
        address->in6.sin6_family = AF_INET6;
        address->in6.sin6_port = htons(port);
    } else {
        return tf_error_set(error, "--%s: expected an IPv4 or IPv6 address, got \"%.60s\"", option, host);
    }
    return 0;
}

const char *tf_peer_address_text(const union tf_peer_address *address)
{
    static char texts[2][INET6_ADDRSTRLEN + 16];
    static int turn;
    char host[INET6_ADDRSTRLEN] = "?", *text = texts[turn = !turn];

    if (address->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address->in6.sin6_addr, host, sizeof host);
        snprintf(text, sizeof *texts, "[%s]:%d", host, ntohs(address->in6.sin6_port));
    } else {
        inet_ntop(AF_INET, &address->in.sin_addr, host, sizeof host);
        snprintf(text, sizeof *texts, "%s:%d", host, ntohs(address->in.sin_port));
    }
    return text;
}
