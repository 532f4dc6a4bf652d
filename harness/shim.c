#include "shim.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef TF_LIBDIR
#define TF_LIBDIR "/usr/local/lib/tcpfault"
#endif

#define NAME "libtcpfault.so"
#define RELATIVE "../lib/tcpfault/" NAME /* where an installed tree has it, wherever it lies */

static int accept_path(const char *found, char *path, size_t size, struct tf_error *error)
{
    char real[PATH_MAX];
    if (!realpath(found, real))
        return tf_error_errno(error, errno, "%.300s", found);
    if (strpbrk(real, " :\t\n"))
        return tf_error_set(error, "%.300s: LD_PRELOAD cannot name a path with a blank or a colon in it",
                            real);
    if (strlen(real) >= size)
        return tf_error_set(error, "the path of " NAME " is too long");
    strcpy(path, real);
    return 0;
}

int tf_shim_find(char *path, size_t size, struct tf_error *error)
{
    char beside[PATH_MAX];
    const char *named = getenv("TCPFAULT_LIB");
    if (named && *named)
        return accept_path(named, path, size, error);
    ssize_t length = readlink("/proc/self/exe", beside, sizeof beside - sizeof RELATIVE - 1);
    if (length < 0)
        return tf_error_errno(error, errno, "/proc/self/exe (is /proc mounted?)");
    if (length > 0) {
        static const char *const places[] = {NAME, RELATIVE};
        beside[length] = 0;
        char *base = strrchr(beside, '/') + 1;
        for (int i = 0; i < 2; i++) {
            strcpy(base, places[i]);
            if (!access(beside, R_OK))
                return accept_path(beside, path, size, error);
        }
    }
    if (!access(TF_LIBDIR "/" NAME, R_OK))
        return accept_path(TF_LIBDIR "/" NAME, path, size, error);
    return tf_error_set(error, NAME " is neither beside this program nor in " TF_LIBDIR
                                    "; TCPFAULT_LIB can name it");
}

static bool is_name(const char *variable, const char *name)
{
    size_t length = strlen(name);
    return !strncmp(variable, name, length) && variable[length] == '=';
}

static bool same_name(const char *one, const char *other)
{
    size_t length = strcspn(one, "=");
    return !strncmp(one, other, length + 1);
}

static const char *value_of(char *const *base, const char *name)
{
    for (; *base; base++) {
        if (is_name(*base, name))
            return *base + strlen(name) + 1;
    }
    return NULL;
}

/* Variables that are never handed on as they came. */
static bool is_ours(const char *variable, const struct tf_shim_environment *settings)
{
    static const char *const always[] = {"TCPFAULT", "TCPFAULT_SEED", "TCPFAULT_TRACE", "TCPFAULT_CTRL"};
    for (size_t i = 0; i < sizeof always / sizeof *always; i++) {
        if (is_name(variable, always[i]))
            return true;
    }
    return settings->shim_path && (is_name(variable, "LD_PRELOAD") || is_name(variable, "ASAN_OPTIONS"));
}

static bool is_replaced(const char *variable, char *const *extra)
{
    for (; extra && *extra; extra++) {
        if (same_name(*extra, variable))
            return true;
    }
    return false;
}

/* The list and its strings, in one growing block: offsets until it is complete. */
struct block {
    char *text;
    size_t length, room, count;
    bool failed;
};

static void put(struct block *block, const char *name, const char *value, const char *separator,
                const char *more)
{
    size_t need = strlen(name) + strlen(value) + strlen(separator) + strlen(more) + 1;
    if (block->room - block->length < need) {
        size_t room = 2 * (block->room + need);
        char *text = realloc(block->text, room);
        if (!text) {
            block->failed = true;
            return;
        }
        block->text = text;
        block->room = room;
    }
    block->length +=
        (size_t)sprintf(block->text + block->length, "%s%s%s%s", name, value, separator, more) + 1;
    block->count++;
}

char **tf_shim_environment(char *const *base, const struct tf_shim_environment *settings)
{
    struct block block = {0};
    char *const *extra = settings->extra;
    /* A program's own setting of these is what ours goes in front of. */
    const char *preload = extra ? value_of(extra, "LD_PRELOAD") : NULL;
    const char *asan = extra ? value_of(extra, "ASAN_OPTIONS") : NULL;
    if (!preload)
        preload = value_of(base, "LD_PRELOAD");
    if (!asan)
        asan = value_of(base, "ASAN_OPTIONS");
    for (; *base; base++) {
        if (!is_ours(*base, settings) && !is_replaced(*base, extra))
            put(&block, *base, "", "", "");
    }
    for (; extra && *extra; extra++) {
        if (!is_ours(*extra, settings))
            put(&block, *extra, "", "", "");
    }
    if (settings->shim_path) {
        bool more = preload && *preload;
        put(&block, "LD_PRELOAD=", settings->shim_path, more ? ":" : "", more ? preload : "");
        more = asan && *asan;
        /* gcc's runtime refuses to start behind another library; what it warns
         * of does not hold for a shim that allocates nothing before it. */
        put(&block, "ASAN_OPTIONS=", more ? asan : "", more ? ":" : "", "verify_asan_link_order=0");
        if (settings->segment_path)
            put(&block, "TCPFAULT_TRACE=", settings->segment_path, "", "");
        if (settings->control)
            put(&block, "TCPFAULT_CTRL=", settings->control, "", "");
    }
    size_t pointers = (block.count + 1) * sizeof(char *);
    char **list = block.failed ? NULL : malloc(pointers + block.length);
    if (list) {
        char *text = (char *)list + pointers;
        if (block.length)
            memcpy(text, block.text, block.length);
        for (size_t i = 0; i < block.count; i++) {
            list[i] = text;
            text += strlen(text) + 1;
        }
        list[block.count] = NULL;
    }
    free(block.text);
    return list;
}
