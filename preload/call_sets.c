/* Sets of calls: by name, by class, by effect, by errno. */
#include "names.h"
#include "rule.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define ALL_CALLS (TF_BIT(TF_CALLS) - 1)

const char *const tf_call_words[] = {
#define CALL(id, name, ...) name,
#include "calls.def"
#undef CALL
    "%in", "%out", "%accept", "%wait", "%option", "%all", NULL};

const char *const tf_class_words[] = {"%in", "%out", "%accept", "%wait", "%option", "%all", NULL};

const struct tf_errno_info tf_errno_info[] = {
#define ERRNO(call, error, likelihood, lasting) {TF_##call, TF_##likelihood, TF_##lasting, error},
#include "errnos.def"
#undef ERRNO
};
const size_t tf_errno_infos = sizeof(tf_errno_info) / sizeof(tf_errno_info[0]);

static bool is(const char *word, const char *name, size_t length)
{
    return strlen(word) == length && memcmp(word, name, length) == 0;
}

static uint64_t of_class(enum tf_class class)
{
    uint64_t calls = 0;
    for (int call = 0; call < TF_CALLS; call++)
        if (tf_call_info[call].class == class)
            calls |= TF_BIT(call);
    return calls;
}

static uint64_t of_shape(enum tf_shape shape)
{
    uint64_t calls = 0;
    for (int call = 0; call < TF_CALLS; call++)
        if (tf_call_info[call].shape == shape)
            calls |= TF_BIT(call);
    return calls;
}

static uint64_t class_named(const char *name, size_t length)
{
    static const uint8_t class[] = {TF_CLASS_IN, TF_CLASS_OUT, TF_CLASS_ACCEPT, TF_CLASS_WAIT,
                                    TF_CLASS_OPTION};
    for (size_t i = 0; i < sizeof(class); i++)
        if (is(tf_class_words[i], name, length))
            return of_class(class[i]);
    return is("%all", name, length) ? ALL_CALLS : 0;
}

/* tcp/ID: the failure points of this shim; splice has one in each direction. */
static uint64_t point_named(const char *name, size_t length)
{
    static const char *const id[TF_CALLS] = {
#define CALL(id, ...) #id,
#include "calls.def"
#undef CALL
    };
    for (int call = 0; call < TF_CALLS; call++)
        if (is(id[call], name, length))
            return TF_BIT(call);
    return 0;
}

static bool starts(const char *prefix, const char **name, size_t *length)
{
    size_t n = strlen(prefix);
    if (*length <= n || memcmp(*name, prefix, n) != 0)
        return false;
    *name += n;
    *length -= n;
    return true;
}

uint64_t tf_calls_named(const char *name, size_t length)
{
    if (length > 0 && name[0] == '%')
        return class_named(name, length);
    if (starts("tcp/", &name, &length))
        return point_named(name, length);
    /* libfiu's POSIX preload has one point for both accepts. */
    if ((starts("posix/io/net/", &name, &length) || starts("posix/io/rw/", &name, &length) ||
         starts("posix/io/oc/", &name, &length)) &&
        is("accept", name, length))
        return TF_BIT(TF_accept) | TF_BIT(TF_accept4);
    uint64_t calls = 0;
    for (int call = 0; call < TF_CALLS; call++)
        if (is(tf_call_info[call].name, name, length))
            calls |= TF_BIT(call);
    return calls;
}

enum where { ANY, IO, IN, CONNECTED, DROPPABLE, IGNORABLE };

static const uint8_t effect_where[TF_EFFECTS] = {
#define EFFECT(id, argument, where, about) [TF_EFFECT_##id] = where,
#include "effects.def"
#undef EFFECT
};

static uint64_t where_valid(enum where where)
{
    uint64_t in = of_class(TF_CLASS_IN), out = of_class(TF_CLASS_OUT), accept = of_class(TF_CLASS_ACCEPT);
    switch (where) {
    case IO:
        return in | out;
    case IN:
        return in;
    case CONNECTED:
        return ALL_CALLS &
               ~(of_class(TF_CLASS_WAIT) | accept | TF_BIT(TF_socket) | TF_BIT(TF_bind) | TF_BIT(TF_listen));
    case DROPPABLE:
        return in | out | accept | TF_BIT(TF_connect) | TF_BIT(TF_close) | TF_BIT(TF_shutdown);
    case IGNORABLE:
        return TF_BIT(TF_setsockopt) | TF_BIT(TF_listen) | TF_BIT(TF_bind) | TF_BIT(TF_shutdown) |
               TF_BIT(TF_close);
    default:
        return ALL_CALLS;
    }
}

uint64_t tf_effect_calls(enum tf_effect_id id)
{
    uint64_t calls = where_valid(effect_where[id]);
    /* The bytes of sendfile and splice never enter the program. */
    return id == TF_EFFECT_corrupt ? calls & ~of_shape(TF_SHAPE_COUNT) : calls;
}

uint64_t tf_drop_by_hand(const struct tf_rule *rule)
{
    if (!(rule->effects & 1u << TF_EFFECT_drop))
        return 0;
    return rule->calls & (of_class(TF_CLASS_OUT) | TF_BIT(TF_close) | TF_BIT(TF_shutdown));
}

uint64_t tf_errno_calls(int error)
{
    uint64_t calls = 0;
    for (size_t i = 0; i < tf_errno_infos; i++)
        if (tf_errno_info[i].error == error)
            calls |= TF_BIT(tf_errno_info[i].call);
    return calls;
}

const struct tf_errno_info *tf_errno_find(enum tf_call_id call, int error)
{
    for (size_t i = 0; i < tf_errno_infos; i++)
        if (tf_errno_info[i].call == call && tf_errno_info[i].error == error)
            return &tf_errno_info[i];
    return NULL;
}

/* Appends a word after a separator; counts what did not fit, as snprintf does. */
static size_t append(char *out, size_t size, size_t at, const char *separator, const char *word)
{
    const char *part[] = {at > 0 ? separator : "", word};
    for (int i = 0; i < 2; i++)
        for (const char *c = part[i]; *c; c++, at++)
            if (at + 1 < size)
                out[at] = *c;
    if (size > 0)
        out[at < size ? at : size - 1] = '\0';
    return at;
}

void tf_errno_list(enum tf_call_id call, char *out, size_t size)
{
    size_t at = append(out, size, 0, "", "");
    for (size_t i = 0; i < tf_errno_infos; i++)
        if (tf_errno_info[i].call == call)
            at = append(out, size, at, ", ", tf_errno_name(tf_errno_info[i].error));
}

enum { FEW = 6 }; /* names that read better than %all */

size_t tf_calls_write(uint64_t calls, uint64_t valid, char *out, size_t size)
{
    const bool all = calls == (ALL_CALLS & valid);
    size_t at = append(out, size, 0, "", "");
    for (const char *const *word = tf_class_words; word[1]; word++) { /* without %all, the last */
        uint64_t class = tf_calls_named(*word, strlen(*word)) & valid;
        /* One call goes by its name. */
        if ((calls & class) == class && (class & (class - 1)) != 0) {
            at = append(out, size, at, ",", *word);
            calls &= ~class;
        }
    }
    if (all && __builtin_popcountll(calls) > FEW)
        return append(out, size, 0, "", "%all");
    for (int call = 0; call < TF_CALLS; call++) {
        if (!(calls & TF_BIT(call)))
            continue;
        const char *name = tf_call_info[call].name;
        uint64_t same = tf_calls_named(name, strlen(name)) & valid;
        if ((calls & same) != same) /* splice in one direction */
            name = call == TF_splice ? "tcp/splice" : "tcp/splice_out";
        else
            calls &= ~same;
        at = append(out, size, at, ",", name);
    }
    return at;
}
