#include "preflight.h"

#include "elf_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { SCRIPTS_MAX = 5 }; /* as the kernel: execve(2), "Interpreter scripts" */

struct lookup {
    const char *directory; /* absolute */
    const char *search;
};

/* The file, mapped or not. */
struct image {
    const uint8_t *bytes; /* NULL: it may be executed, but not read */
    size_t length;
    struct stat status;
};

static int absolute(const char *directory, const char *name, char *path, struct tf_error *error)
{
    while (!strncmp(name, "./", 2) && name[2])
        name += 2;
    int length = *name == '/' ? snprintf(path, PATH_MAX, "%s", name)
                              : snprintf(path, PATH_MAX, "%s/%s", directory, name);
    return length < PATH_MAX ? 0 : tf_error_set(error, "the path of %.100s is too long", name);
}

/* 0: a file that may be executed. Else an errno. */
static int executable(const char *path)
{
    struct stat status;
    if (stat(path, &status))
        return errno;
    if (S_ISDIR(status.st_mode))
        return EISDIR;
    if (!S_ISREG(status.st_mode) || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS))
        return EACCES;
    return 0;
}

static int refuse_file(const char *path, int problem, struct tf_error *error)
{
    struct stat status;
    if (problem == EISDIR)
        return tf_error_set(error, "%.300s is a directory, not a program", path);
    if (problem == ENOENT)
        return tf_error_set(error, "%.300s: no such file", path);
    if (problem == EACCES && !stat(path, &status))
        return tf_error_set(error, "%.300s is not executable%s", path,
                            S_ISREG(status.st_mode) ? " for this user" : ": it is not a regular file");
    return tf_error_errno(error, problem, "%.300s", path);
}

/* As execvp(3): a name with a slash is a path; else PATH decides. */
static int look_up(const struct lookup *lookup, const char *name, char *path, struct tf_error *error)
{
    if (!*name)
        return tf_error_set(error, "no such program: its name is empty");
    if (strchr(name, '/')) {
        if (absolute(lookup->directory, name, path, error))
            return -1;
        int problem = executable(path);
        return problem ? refuse_file(path, problem, error) : 0;
    }
    char denied[PATH_MAX] = "";
    int denied_by = 0;
    for (const char *part = lookup->search;; part++) {
        char directory[PATH_MAX], candidate[PATH_MAX];
        size_t length = strcspn(part, ":");
        snprintf(candidate, sizeof candidate, "%.*s", (int)length, length ? part : ".");
        if (!absolute(lookup->directory, length ? candidate : ".", directory, NULL) &&
            !absolute(directory, name, candidate, NULL)) {
            int problem = executable(candidate);
            if (!problem) {
                memcpy(path, candidate, sizeof candidate);
                return 0;
            }
            if (!denied_by && problem != ENOENT && problem != ENOTDIR) {
                denied_by = problem;
                memcpy(denied, candidate, sizeof denied);
            }
        }
        part += length;
        if (!*part)
            break;
    }
    if (denied_by)
        return refuse_file(denied, denied_by, error);
    return tf_error_set(error, "no such program: \"%.200s\" is not in PATH", name);
}

static int map(const char *path, struct image *image, struct tf_error *error)
{
    *image = (struct image){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == EACCES)
        return stat(path, &image->status) ? tf_error_errno(error, errno, "%.300s", path) : 0;
    if (fd < 0 || fstat(fd, &image->status)) {
        tf_error_errno(error, errno, "%.300s", path);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    image->length = (size_t)image->status.st_size;
    void *bytes = image->length ? mmap(NULL, image->length, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    int saved = errno;
    close(fd);
    if (bytes == MAP_FAILED)
        return tf_error_errno(error, saved, "reading %.300s", path);
    image->bytes = bytes ? bytes : (const uint8_t *)"";
    return 0;
}

static void unmap(struct image *image)
{
    if (image->length && image->bytes)
        munmap((void *)image->bytes, image->length);
}

static char *next_word(char **text)
{
    char *word = *text + strspn(*text, " \t");
    if (!*word)
        return NULL;
    *text = word + strcspn(word, " \t");
    if (**text)
        *(*text)++ = 0;
    return word;
}

/* What "env" in a "#!" line runs: behind its options and assignments. */
static char *env_runs(char *rest)
{
    for (char *word; (word = next_word(&rest));) {
        if (!strcmp(word, "-u") || !strcmp(word, "--unset") || !strcmp(word, "-C"))
            next_word(&rest);
        else if (!strncmp(word, "-S", 2) && word[2])
            return word + 2;
        else if (*word != '-' && !strchr(word, '='))
            return word;
    }
    return NULL;
}

/* The "#!" line: the path of what runs the script into `path`. */
static int interpreter_of(const struct lookup *lookup, const struct image *image, char *path,
                          struct tf_error *error)
{
    char line[1024], script[PATH_MAX];
    memcpy(script, path, sizeof script);
    size_t length = image->length - 2 < sizeof line - 1 ? image->length - 2 : sizeof line - 1;
    memcpy(line, image->bytes + 2, length);
    line[length] = 0;
    line[strcspn(line, "\n")] = 0;
    char *rest = line, *interpreter = next_word(&rest);
    if (!interpreter)
        return tf_error_set(error, "%.300s: its #! line names no interpreter", script);
    if (absolute(lookup->directory, interpreter, path, error))
        return -1;
    int problem = executable(path);
    if (problem)
        return tf_error_errno(error, problem, "%.200s: its interpreter %.200s", script, interpreter);
    const char *base = strrchr(interpreter, '/');
    char *runs = base && !strcmp(base, "/env") ? env_runs(rest) : NULL;
    struct tf_error why;
    if (runs && look_up(lookup, runs, path, &why))
        return tf_error_set(error, "%.150s: its interpreter: %.300s", script, why.text);
    return 0;
}

/* Would executing it change who we are? Then ld.so ignores LD_PRELOAD (ld.so(8),
 * secure-execution mode). */
static int check_privileges(const char *path, const struct image *image, struct tf_error *error)
{
    struct statvfs mount;
    const struct stat *status = &image->status;
    if ((!statvfs(path, &mount) && mount.f_flag & ST_NOSUID) || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
        return 0;
    const char *what = NULL;
    if (status->st_mode & S_ISUID && status->st_uid != getuid())
        what = "setuid";
    else if (status->st_mode & S_ISGID && status->st_mode & S_IXGRP && status->st_gid != getgid())
        what = "setgid";
    else if (geteuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
        what = "given capabilities by its file";
    if (!what)
        return 0;
    return tf_error_set(
        error,
        "%.250s is %s: the loader ignores LD_PRELOAD for such programs, so none of its calls can be "
        "covered; run it as the user that it changes to, or a copy without that bit",
        path, what);
}

static int check_elf(const char *path, const struct tf_elf *elf, struct tf_preflight *found,
                     struct tf_error *error)
{
    char machine[32];
    if (!elf->native)
        return tf_error_set(error, "%.250s is built for %s: this libtcpfault.so cannot be loaded into it",
                            path, tf_elf_machine(elf, machine, sizeof machine));
    const char *base = strrchr(path, '/') + 1;
    bool is_loader = !strncmp(base, "ld-linux", 8) || !strcmp(base, "ld.so") || !strncmp(base, "ld64.so", 7);
    if (!*elf->interpreter && !is_loader)
        return tf_error_set(
            error,
            "%.250s is statically linked%s: nothing can be preloaded into it, so none of its calls "
            "can be covered",
            path, elf->go ? " (a Go program)" : "");
    if (elf->go)
        snprintf(
            found->note, sizeof found->note,
            "%.120s is a Go program: it asks the kernel directly, past libc, so its calls will not be seen",
            base);
    else if (strstr(elf->interpreter, "ld-musl"))
        snprintf(found->note, sizeof found->note,
                 "%.120s is linked with musl, not glibc: the shim may not load into it", base);
    found->asan = elf->asan;
    return 0;
}

static int inspect(const struct lookup *lookup, struct tf_preflight *found, struct tf_error *error)
{
    memcpy(found->binary, found->path, sizeof found->binary);
    for (int depth = 0; depth <= SCRIPTS_MAX; depth++) {
        struct image image;
        struct tf_elf elf;
        if (map(found->binary, &image, error))
            return -1;
        int result;
        bool done = true;
        if (!image.bytes) {
            snprintf(found->note, sizeof found->note, "%.200s cannot be read, so it was not looked at",
                     strrchr(found->binary, '/') + 1);
            result = check_privileges(found->binary, &image, error);
        } else if (tf_elf_read(image.bytes, image.length, &elf)) {
            result = check_privileges(found->binary, &image, error);
            if (!result)
                result = check_elf(found->binary, &elf, found, error);
        } else if (image.length > 2 && !memcmp(image.bytes, "#!", 2)) {
            result = interpreter_of(lookup, &image, found->binary, error);
            done = false;
        } else if (image.length >= SELFMAG && !memcmp(image.bytes, ELFMAG, SELFMAG)) {
            result = tf_error_set(error, "%.300s is a damaged ELF file", found->binary);
        } else if (memchr(image.bytes, 0, image.length < 256 ? image.length : 256)) {
            result =
                tf_error_set(error, "%.300s is no program: neither an ELF file nor a script", found->binary);
        } else {
            snprintf(found->binary, sizeof found->binary, "/bin/sh"); /* as execvp(3) does */
            result = 0;
            done = false;
        }
        unmap(&image);
        if (result || done)
            return result;
    }
    return tf_error_set(error, "%.300s: too many interpreters of interpreters", found->path);
}

int tf_preflight(const char *program, const char *cwd, const char *search, struct tf_preflight *found,
                 struct tf_error *error)
{
    char directory[PATH_MAX];
    memset(found, 0, sizeof *found);
    if (!realpath(cwd ? cwd : ".", directory))
        return tf_error_errno(error, errno, "directory %.300s", cwd ? cwd : ".");
    if (!search)
        search = getenv("PATH");
    struct lookup lookup = {directory, search ? search : "/bin:/usr/bin"};
    if (look_up(&lookup, program, found->path, error))
        return -1;
    return inspect(&lookup, found, error);
}
