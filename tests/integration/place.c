#include "place.h"
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char build[PATH_MAX], scratch[PATH_MAX];
static uint64_t begun_ns;

/* What it_memory gave out. */
static void **blocks;
static size_t block_count;

void *it_memory(size_t size)
{
    void **more = realloc(blocks, (block_count + 1) * sizeof *blocks);
    void *block = calloc(1, size);
    if (!more || !block)
        abort();
    blocks = more;
    blocks[block_count++] = block;
    return block;
}

const char *it_text(const char *format, ...)
{
    va_list arguments;
    char *text = NULL;

    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        abort();
    char *kept = it_memory((size_t)length + 1);
    memcpy(kept, text, (size_t)length + 1);
    free(text);
    return kept;
}

const char *it_differ(const char *name, const char *got, const char *expected)
{
    size_t same = 0;
    while (got[same] && got[same] == expected[same])
        same++;
    same = same < 200 ? 0 : same - 100;
    return it_text("%s\n      is:  %s%.1000s\n      not: %s%.1000s", name, same ? "..." : "", got + same,
                   same ? "..." : "", expected + same);
}

bool it_set_build(const char *path)
{
    return realpath(path, build) != NULL;
}

const char *it_built(const char *name)
{
    return it_text("%s/%s", build, name);
}

const char *it_program(const char *name)
{
    const char *path = it_built(it_text("tests/programs/%s", name));
    CHECK_SAYING(access(path, X_OK) == 0, it_text("%s: not built", path));
    return path;
}

const char *it_source(const char *name)
{
    return it_text("%s/%s", TF_SOURCE, name);
}

const char *it_scratch(void)
{
    return scratch;
}

const char *it_file(const char *name, const char *text)
{
    const char *path = it_text("%s/%s", scratch, name);
    FILE *file = fopen(path, "we");
    CHECK_SAYING(file != NULL, it_text("%s: %s", path, strerror(errno)));
    if (file) {
        fputs(text, file);
        fclose(file);
        chmod(path, 0666);
    }
    return path;
}

const char *it_read_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t length = 0, room = 1 << 16;
    char *text = it_memory(room);

    for (ssize_t got; fd >= 0 && (got = read(fd, text + length, room - length - 1)) > 0;) {
        length += (size_t)got;
        if (room - length < 2) {
            char *bigger = it_memory(room * 2);
            memcpy(bigger, text, length);
            text = bigger;
            room *= 2;
        }
    }
    text[length] = 0;
    if (fd >= 0)
        close(fd);
    return text;
}

int it_processes_with(const char *text)
{
    char line[8192];
    int found = 0;
    DIR *proc = opendir("/proc");

    for (const struct dirent *entry; proc && (entry = readdir(proc));) {
        int fd = entry->d_name[0] >= '1' && entry->d_name[0] <= '9'
                     ? open(it_text("/proc/%s/cmdline", entry->d_name), O_RDONLY | O_CLOEXEC)
                     : -1;
        if (fd < 0)
            continue;
        ssize_t got = read(fd, line, sizeof line);
        close(fd);
        for (ssize_t i = 0; i < got; i++)
            line[i] = line[i] ? line[i] : '\t';
        found += got > 0 && memmem(line, (size_t)got, text, strlen(text)) != NULL;
    }
    if (proc)
        closedir(proc);
    return found;
}

void it_begin(void)
{
    const char *tmp = getenv("TMPDIR");

    begun_ns = it_now_ns();
    snprintf(scratch, sizeof scratch, "%s/tcpfault-test.XXXXXX", tmp && *tmp == '/' ? tmp : "/tmp");
    if (!mkdtemp(scratch) || chmod(scratch, 0777) != 0) {
        perror(scratch);
        exit(1);
    }
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status, (void)kind, (void)where;
    return remove(path);
}

void it_end(void)
{
    it_kill_all();
    it_release();
    nftw(scratch, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    for (size_t i = 0; i < block_count; i++)
        free(blocks[i]);
    free(blocks);
    blocks = NULL;
    block_count = 0;
    double seconds = (double)(it_now_ns() - begun_ns) / 1e9;
    if (seconds > 2)
        printf("(%.1f s) ", seconds);
    fflush(stdout);
}

unsigned it_line_of(const char *file, const char *code)
{
    const char *text = it_read_file(it_source(file)), *at = NULL;
    unsigned line = 1;
    for (const char *next = text; (next = strstr(next, code)); next++)
        at = next;
    for (const char *c = text; at && c < at; c++)
        line += *c == '\n';
    return at ? line : 0;
}
