/* The run goes on in every image that a process becomes, also when the program
 * cleared its environment (env -i) or put another LD_PRELOAD there. Works on
 * the stack alone: a vfork child shares its parent's memory. */
#include "shim.h"

#include <dlfcn.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define NEXT(type, name) ((type)dlsym(RTLD_NEXT, name))

/* "NAME=value" of what a later image needs, beside LD_PRELOAD. */
enum { CARRIED = 3 };
static char carried[CARRIED][PATH_MAX + 32];
static char library[PATH_MAX];

static const char *value_of(char *const *environment, const char *name)
{
    size_t length = strlen(name);
    for (; environment && *environment; environment++)
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return *environment + length + 1;
    return NULL;
}

void tf_exec_remember(char *const *environment, const char *segment_path)
{
    static const char *const names[CARRIED] = {"TCPFAULT_RUN", "TCPFAULT_CTRL", "ASAN_OPTIONS"};
    Dl_info self;

    for (int i = 0; i < CARRIED; i++) {
        const char *value = i == 0 ? segment_path : value_of(environment, names[i]);
        if (value && strlen(value) < PATH_MAX)
            snprintf(carried[i], sizeof carried[i], "%s=%s", names[i], value);
    }
    if (dladdr(carried, &self) && self.dli_fname && strlen(self.dli_fname) < sizeof library)
        strcpy(library, self.dli_fname);
}

static size_t count(char *const *list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

/* How much room the LD_PRELOAD entry needs; 0: the environment will do as it is. */
static size_t preload_room(char *const *environment)
{
    const char *preload = value_of(environment, "LD_PRELOAD");
    bool complete = preload && strstr(preload, library);

    if (!tf_self.segment || !*library)
        return 0;
    for (int i = 0; i < CARRIED; i++) {
        size_t name = strcspn(carried[i], "=");
        char key[32];
        if (!*carried[i])
            continue;
        memcpy(key, carried[i], name);
        key[name] = 0;
        complete = complete && value_of(environment, key);
    }
    return complete ? 0 : strlen(library) + (preload ? strlen(preload) : 0) + sizeof "LD_PRELOAD=:";
}

/* Fills list[count + CARRIED + 2] with the environment and what is ours. */
static void complete(char *const *environment, char **list, char *room)
{
    const char *preload = value_of(environment, "LD_PRELOAD");
    size_t used = 0;

    strcpy(room, "LD_PRELOAD=");
    if (!preload || !strstr(preload, library)) { /* ours first: it hides no other's symbols */
        strcat(room, library);
        if (preload && *preload)
            strcat(strcat(room, ":"), preload);
    } else {
        strcat(room, preload);
    }
    list[used++] = room;
    for (int i = 0; i < CARRIED; i++)
        if (*carried[i])
            list[used++] = carried[i];
    for (; environment && *environment; environment++) {
        bool ours = strncmp(*environment, "LD_PRELOAD=", 11) == 0;
        for (int i = 0; i < CARRIED; i++)
            ours |= *carried[i] && strncmp(*environment, carried[i], strcspn(carried[i], "=") + 1) == 0;
        if (!ours)
            list[used++] = *environment;
    }
    list[used] = NULL;
}

/* Declares `environment` as it has to be passed on. */
#define COMPLETED(environment)                                                                               \
    size_t room_ = preload_room(environment);                                                                \
    char preload_[room_ ? room_ : 1];                                                                        \
    char *list_[room_ ? count(environment) + CARRIED + 2 : 1];                                               \
    if (room_) {                                                                                             \
        complete(environment, list_, preload_);                                                              \
        environment = list_;                                                                                 \
    }

#define EXEC(name, params, type, call)                                                                       \
    EXPORT int tf_##name params __asm__(#name);                                                              \
    int tf_##name params                                                                                     \
    {                                                                                                        \
        COMPLETED(envp)                                                                                      \
        return NEXT(type, #name) call;                                                                       \
    }

typedef int exec_path(const char *, char *const *, char *const *);

EXEC(execve, (const char *path, char *const *argv, char *const *envp), exec_path *, (path, argv, envp))
EXEC(execvpe, (const char *file, char *const *argv, char *const *envp), exec_path *, (file, argv, envp))
EXEC(fexecve, (int fd, char *const *argv, char *const *envp), int (*)(int, char *const *, char *const *),
     (fd, argv, envp))
EXEC(execveat, (int fd, const char *path, char *const *argv, char *const *envp, int flags),
     int (*)(int, const char *, char *const *, char *const *, int), (fd, path, argv, envp, flags))

typedef int spawn(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                  char *const *, char *const *);
#define SPAWN(name)                                                                                          \
    EXEC(name,                                                                                               \
         (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions,                          \
          const posix_spawnattr_t *attributes, char *const *argv, char *const *envp),                        \
         spawn *, (pid, path, actions, attributes, argv, envp))
SPAWN(posix_spawn)
SPAWN(posix_spawnp)

EXPORT int tf_execv(const char *path, char *const *argv) __asm__("execv");
int tf_execv(const char *path, char *const *argv)
{
    return tf_execve(path, argv, environ);
}

EXPORT int tf_execvp(const char *file, char *const *argv) __asm__("execvp");
int tf_execvp(const char *file, char *const *argv)
{
    return tf_execvpe(file, argv, environ);
}

/* execl and its kin: the arguments up to the NULL, on the stack. */
#define COLLECTED(first)                                                                                     \
    size_t n_ = 1;                                                                                           \
    va_list ap_;                                                                                             \
    va_start(ap_, first);                                                                                    \
    while (va_arg(ap_, char *))                                                                              \
        n_++;                                                                                                \
    va_end(ap_);                                                                                             \
    char *argv[n_ + 1];                                                                                      \
    va_start(ap_, first);                                                                                    \
    argv[0] = (char *)first;                                                                                 \
    for (size_t i_ = 1; i_ <= n_; i_++)                                                                      \
        argv[i_] = va_arg(ap_, char *);

EXPORT int tf_execl(const char *path, const char *first, ...) __asm__("execl");
int tf_execl(const char *path, const char *first, ...)
{
    COLLECTED(first)
    va_end(ap_);
    return tf_execve(path, argv, environ);
}

EXPORT int tf_execlp(const char *file, const char *first, ...) __asm__("execlp");
int tf_execlp(const char *file, const char *first, ...)
{
    COLLECTED(first)
    va_end(ap_);
    return tf_execvpe(file, argv, environ);
}

EXPORT int tf_execle(const char *path, const char *first, ...) __asm__("execle");
int tf_execle(const char *path, const char *first, ...)
{
    COLLECTED(first)
    char *const *environment = va_arg(ap_, char *const *);
    va_end(ap_);
    return tf_execve(path, argv, environment);
}
