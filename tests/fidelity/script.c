#include "subject.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct token {
    bool blocking_only, other_only, real_only, injected_only, asleep, asleep_if_blocking, quiet, struck,
        peers;
    char *text; /* NAME[:ARGUMENT] */
};

static bool skip(char **text, const char *prefix)
{
    size_t length = strlen(prefix);
    if (strncmp(*text, prefix, length) != 0)
        return false;
    *text += length;
    return true;
}

static struct token parse(char *text)
{
    struct token token = {0};
    token.blocking_only = skip(&text, "b/");
    token.other_only = skip(&text, "n/");
    token.real_only = skip(&text, "~");
    token.injected_only = skip(&text, "=");
    token.asleep = skip(&text, "&");
    token.asleep_if_blocking = skip(&text, "^");
    token.quiet = skip(&text, ".");
    token.struck = skip(&text, "!");
    token.peers = skip(&text, "@");
    token.quiet |=
        !token.struck && (token.real_only || token.injected_only || token.asleep || token.asleep_if_blocking);
    token.text = text;
    return token;
}

static bool concerns(const struct token *token, const struct subject *subject)
{
    bool blocking = subject->mode == MODE_BLOCKING;
    return !(token->blocking_only && !blocking) && !(token->other_only && blocking) &&
           !((token->real_only || token->asleep_if_blocking) && !subject->real) &&
           !(token->injected_only && subject->real);
}

/* How often each name has come. */
static struct {
    char name[PROBE_TEXT];
    int times;
} names[NAMES];

static void put(struct subject *subject, const char *name, const char *value)
{
    int i = 0;
    while (i < NAMES - 1 && names[i].times && strcmp(names[i].name, name) != 0)
        i++;
    snprintf(names[i].name, sizeof names[i].name, "%s", name);
    char number[16] = "";
    if (++names[i].times > 1)
        snprintf(number, sizeof number, " %d", names[i].times);
    size_t room = sizeof subject->record - subject->recorded;
    int length = snprintf(subject->record + subject->recorded, room, "%s%s\t%s\n", name, number, value);
    if (length > 0 && (size_t)length < room)
        subject->recorded += (size_t)length;
}

void subject_ask(struct subject *subject, const char *request, char *out, size_t size)
{
    ssize_t got = -1;
    if (send(subject->control, request, strlen(request) + 1, MSG_NOSIGNAL) > 0) {
        do
            got = recv(subject->control, out, size - 1, 0);
        while (got < 0 && errno == EINTR);
    }
    if (got > 0)
        out[got] = 0;
    else
        snprintf(out, size, "the peer does not answer");
}

/* Preparations may find what they like, but not an error. */
static bool failed(const char *value)
{
    enum { ERRNOS = 134 };
    size_t length = strcspn(value, " ");
    for (int error = 1; error < ERRNOS; error++) {
        const char *name = strerrorname_np(error);
        if (name && strlen(name) == length && strncmp(name, value, length) == 0)
            return true;
    }
    return strstr(value, "nothing") || strstr(value, "not ") || strstr(value, "still ");
}

static const struct step *find(const char *name)
{
    const struct step *const tables[] = {steps_calls, steps_bytes, steps_views, steps_setup};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const struct step *step = tables[i]; step->name; step++)
            if (strcmp(step->name, name) == 0)
                return step;
    return NULL;
}

static void take(struct subject *subject, const struct token *token)
{
    char name[PROBE_TEXT + 16], value[PROBE_TEXT] = "", request[PROBE_TEXT + 2];
    bool asleep = token->asleep || (token->asleep_if_blocking && subject->mode == MODE_BLOCKING);
    size_t length = strcspn(token->text, ":");

    if (token->peers) {
        snprintf(request, sizeof request, "%s%s", asleep ? "&" : "", token->text);
        snprintf(name, sizeof name, "peer: %.*s", (int)length, token->text);
        subject_ask(subject, request, value, sizeof value);
        if (asleep)
            atomic_fetch_add(subject->phase, 1);
    } else {
        snprintf(name, sizeof name, "%.*s", (int)length, token->text);
        const char *argument = token->text[length] ? token->text + length + 1 : "";
        const struct step *step = find(name);
        if (!step) {
            fprintf(stderr, "no such step: %s\n", token->text);
            exit(2);
        }
        step->carry_out(subject, argument, value, sizeof value);
    }
    if (token->quiet) {
        if (failed(value)) {
            char wrong[sizeof name + 16];
            snprintf(wrong, sizeof wrong, "set-up: %s", token->text);
            put(subject, wrong, value);
        }
    } else if (*value) {
        char struck[sizeof name + 16];
        snprintf(struck, sizeof struck, "%s%s", token->struck ? "call: " : "", name);
        put(subject, struck, value);
    }
}

int subject_run(struct subject *subject, const char *script)
{
    char *text = strdup(script), *rest = text;
    for (char *word; (word = strtok_r(rest, " \n", &rest));) {
        struct token token = parse(word);
        if (!concerns(&token, subject))
            continue;
        if (strcmp(token.text, "end") == 0)
            break;
        take(subject, &token);
    }
    free(text);
    return 0;
}
