#include "names.h"

#include "rule.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

struct tf_name {
    const char *name;
    int number;
};

static const struct tf_name errno_names[] = {
#define ERRNO_NAME(id) {#id, id},
#include "errno_names.def"
#undef ERRNO_NAME
};

/* SIGRTMIN is a call in C; on Linux glibc keeps 32 and 33, so that it is 34. */
static const struct tf_name signal_names[] = {
#define SIGNAL_NAME(id) {"SIG" #id, SIG##id},
#include "signals.def"
#undef SIGNAL_NAME
    {"SIGRTMIN", 34},    {"SIGRTMIN+1", 35},  {"SIGRTMIN+2", 36},  {"SIGRTMIN+3", 37},  {"SIGRTMIN+4", 38},
    {"SIGRTMIN+5", 39},  {"SIGRTMIN+6", 40},  {"SIGRTMIN+7", 41},  {"SIGRTMIN+8", 42},  {"SIGRTMIN+9", 43},
    {"SIGRTMIN+10", 44}, {"SIGRTMIN+11", 45}, {"SIGRTMIN+12", 46}, {"SIGRTMIN+13", 47}, {"SIGRTMIN+14", 48},
    {"SIGRTMIN+15", 49}, {"SIGRTMAX-14", 50}, {"SIGRTMAX-13", 51}, {"SIGRTMAX-12", 52}, {"SIGRTMAX-11", 53},
    {"SIGRTMAX-10", 54}, {"SIGRTMAX-9", 55},  {"SIGRTMAX-8", 56},  {"SIGRTMAX-7", 57},  {"SIGRTMAX-6", 58},
    {"SIGRTMAX-5", 59},  {"SIGRTMAX-4", 60},  {"SIGRTMAX-3", 61},  {"SIGRTMAX-2", 62},  {"SIGRTMAX-1", 63},
    {"SIGRTMAX", 64},
};

static const struct {
    const char *name;
    int level, number;
} option_names[] = {
#define OPTION(level, id) {#id, level, id},
#include "options.def"
#undef OPTION
};

const char *const tf_errno_words[] = {
#define ERRNO_NAME(id) #id,
#include "errno_names.def"
#undef ERRNO_NAME
    NULL};

const char *const tf_signal_words[] = {
#define SIGNAL_NAME(id) "SIG" #id, #id,
#include "signals.def"
#undef SIGNAL_NAME
    NULL};

const char *const tf_option_words[] = {
#define OPTION(level, id) #id,
#include "options.def"
#undef OPTION
    NULL};

const char *const tf_family_words[] = {"inet", "inet6", NULL};

enum { TF_WORD_MAX = 48 };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool same(const char *word, const char *name, size_t length)
{
    return strlen(word) == length && memcmp(word, name, length) == 0;
}

const char *tf_errno_name(int error)
{
    for (size_t i = 0; i < COUNT(errno_names); i++)
        if (errno_names[i].number == error)
            return errno_names[i].name;
    return NULL;
}

int tf_errno_number(const char *name, size_t length)
{
    for (size_t i = 0; i < COUNT(errno_names); i++)
        if (same(errno_names[i].name, name, length))
            return errno_names[i].number;
    return -1;
}

const char *tf_signal_name(int signal)
{
    for (size_t i = 0; i < COUNT(signal_names); i++)
        if (signal_names[i].number == signal)
            return signal_names[i].name;
    return NULL;
}

int tf_signal_number(const char *name, size_t length)
{
    int number = 0;
    size_t digits = 0;
    while (digits < length && digits < 3 && name[digits] >= '0' && name[digits] <= '9')
        number = number * 10 + (name[digits++] - '0');
    if (digits > 0 && digits == length)
        return tf_signal_name(number) ? number : -1;
    for (size_t i = 0; i < COUNT(signal_names); i++)
        if (same(signal_names[i].name, name, length) || same(signal_names[i].name + 3, name, length))
            return signal_names[i].number;
    return -1;
}

const char *tf_option_name(int level, int name)
{
    for (size_t i = 0; i < COUNT(option_names); i++)
        if (option_names[i].level == level && option_names[i].number == name)
            return option_names[i].name;
    return NULL;
}

int tf_option_find(const char *name, size_t length, int *level, int *number)
{
    for (size_t i = 0; i < COUNT(option_names); i++)
        if (same(option_names[i].name, name, length)) {
            *level = option_names[i].level;
            *number = option_names[i].number;
            return 0;
        }
    return -1;
}

const char *tf_family_name(uint32_t family)
{
    return family == AF_INET6 ? tf_family_words[1] : family == AF_INET ? tf_family_words[0] : NULL;
}

uint32_t tf_family_number(const char *name, size_t length)
{
    if (same(tf_family_words[1], name, length))
        return AF_INET6;
    return same(tf_family_words[0], name, length) ? AF_INET : 0;
}

const char *tf_effect_name(enum tf_effect_id effect)
{
    static const char *const name[TF_EFFECTS] = {
#define EFFECT(id, ...) #id,
#include "effects.def"
#undef EFFECT
    };
    return effect < TF_EFFECTS ? name[effect] : NULL;
}

/* Damerau-Levenshtein (optimal string alignment), without regard to case. */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t row[3][TF_WORD_MAX + 1];
    size_t *before = row[0], *last = row[1], *now = row[2];
    for (size_t j = 0; j <= m; j++)
        last[j] = j;
    for (size_t i = 1; i <= n; i++) {
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t wrong = (a[i - 1] | 32) != (b[j - 1] | 32);
            size_t best = last[j - 1] + wrong;
            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && (a[i - 1] | 32) == (b[j - 2] | 32) && (a[i - 2] | 32) == (b[j - 1] | 32) &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
        size_t *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[m];
}

const char *tf_nearest(const char *word, size_t length, const char *const *words)
{
    const char *nearest = NULL;
    size_t least = SIZE_MAX;
    if (length > TF_WORD_MAX)
        return NULL;
    for (; *words; words++) {
        size_t letters = strlen(*words);
        if (letters > TF_WORD_MAX)
            continue;
        size_t wrong = distance(word, length, *words, letters);
        if (wrong <= (letters > length ? letters : length) / 3 && wrong < least) {
            least = wrong;
            nearest = *words;
        }
    }
    return nearest;
}
