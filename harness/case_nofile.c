/* The steps limit_nofile and restore_nofile: no descriptor is free, by the kernel's own
 * limit. Which number is refused is RLIMIT_NOFILE (getrlimit(2)), and a new descriptor
 * has the lowest that is free: so one that the program closes may be had again. */
#include "case_run.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

struct limiting {
    struct tf_running *running;
    size_t processes; /* that were there, and are limited now */
    int error;        /* errno of the first that could not be; 0: there is none */
};

/* The lowest descriptor that the process does not have; -1 with errno. */
static int lowest_free(pid_t pid)
{
    enum { MOST = 1 << 16 };
    char path[64];
    static bool used[MOST];
    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    DIR *folder = opendir(path);
    if (folder == NULL)
        return -1;
    memset(used, 0, sizeof(used));
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char *end;
        unsigned long fd = strtoul(entry->d_name, &end, 10);
        if (*end == '\0' && end > entry->d_name && fd < MOST)
            used[fd] = true;
    }
    closedir(folder);
    int lowest = 0;
    while (lowest < MOST && used[lowest])
        lowest++;
    return lowest;
}

static const struct tf_nofile *kept_of(const struct tf_running *running, pid_t pid)
{
    for (size_t i = 0; i < running->nofiles; i++)
        if (running->nofile[i].pid == pid)
            return &running->nofile[i];
    return NULL;
}

static int keep(struct tf_running *running, pid_t pid, uint64_t soft)
{
    struct tf_nofile *grown = realloc(running->nofile, (running->nofiles + 1) * sizeof(*grown));
    if (grown == NULL)
        return ENOMEM;
    running->nofile = grown;
    grown[running->nofiles++] = (struct tf_nofile){.pid = pid, .soft = soft};
    return 0;
}

/* Whose it is: real user and group. */
static bool owner_of(pid_t pid, unsigned *user, unsigned *group)
{
    char text[4096];
    if (tf_proc_read(text, sizeof(text), "/proc/%d/status", pid) <= 0)
        return false;
    const char *users = strstr(text, "\nUid:"), *groups = strstr(text, "\nGid:");
    return users != NULL && groups != NULL && sscanf(users, "\nUid: %u", user) == 1 &&
           sscanf(groups, "\nGid: %u", group) == 1;
}

/* Without CAP_SYS_RESOURCE not even root may change the limits of a process that has
 * become another user's, but that user may: this thread is, for the moment
 * (prlimit(2), RETURN VALUE and EPERM). */
static int prlimit_as_owner(pid_t pid, const struct rlimit *set, struct rlimit *old)
{
    unsigned user = 0, group = 0;
    if (geteuid() != 0 || !owner_of(pid, &user, &group))
        return EPERM;
    uid_t own_user = getuid();
    gid_t own_group = getgid();
    int error = EPERM;
    if (syscall(SYS_setregid, group, -1) == 0 && syscall(SYS_setreuid, user, -1) == 0)
        error = prlimit(pid, RLIMIT_NOFILE, set, old) != 0 ? errno : 0;
    return syscall(SYS_setreuid, own_user, -1) != 0 || syscall(SYS_setregid, own_group, -1) != 0 ? errno
                                                                                                 : error;
}

static int change(pid_t pid, const struct rlimit *set, struct rlimit *old)
{
    if (prlimit(pid, RLIMIT_NOFILE, set, old) == 0)
        return 0;
    return errno == EPERM ? prlimit_as_owner(pid, set, old) : errno;
}

static int set_soft(pid_t pid, rlim_t soft)
{
    struct rlimit limit = {0};
    int error = change(pid, NULL, &limit);
    if (error != 0)
        return error;
    limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
    return change(pid, &limit, NULL);
}

static void note(struct limiting *limiting, int error)
{
    if (error == ESRCH || error == ENOENT) /* it has ended */
        return;
    limiting->processes += error == 0;
    limiting->error = limiting->error == 0 ? error : limiting->error;
}

static void limit_one(pid_t pid, void *data)
{
    struct limiting *limiting = data;
    struct tf_running *running = limiting->running;
    struct rlimit limit = {0};
    int lowest = lowest_free(pid), error = lowest < 0 ? errno : change(pid, NULL, &limit);
    if (error == 0 && kept_of(running, pid) == NULL) {
        bool inherited = running->nofiles > 0 && limit.rlim_cur <= (rlim_t)lowest;
        error = keep(running, pid, inherited ? running->nofile[0].soft : limit.rlim_cur);
    }
    note(limiting, error != 0 ? error : set_soft(pid, (rlim_t)lowest));
}

/* What has been forked meanwhile has its parent's. */
static void restore_one(pid_t pid, void *data)
{
    struct limiting *limiting = data;
    const struct tf_nofile *kept = kept_of(limiting->running, pid);
    note(limiting, set_soft(pid, kept != NULL ? kept->soft : limiting->running->nofile[0].soft));
}

void tf_running_nofile(struct tf_running *running, bool limited)
{
    struct limiting limiting = {.running = running};
    if (!limited && running->nofiles == 0)
        return;
    size_t before;
    do { /* what was forked before its parent had its limit has none */
        before = running->nofiles;
        tf_running_each(running, limited ? limit_one : restore_one, &limiting);
    } while (running->nofiles > before);
    if (!limited) {
        free(running->nofile);
        running->nofile = NULL;
        running->nofiles = 0;
    }
    if (limiting.error != 0)
        tf_case_fail(running->run, true, running->actor->name, "step",
                     "its RLIMIT_NOFILE to be set by prlimit(2)", strerror(limiting.error));
    else if (limited && limiting.processes == 0)
        tf_case_fail(running->run, false, running->actor->name, "step",
                     "to run, so that its RLIMIT_NOFILE can be set", "it has ended");
}
