/* What stands behind a refusal. */
#include "doctor_try.h"

#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    bool root;
    const char *why, *command;
} causes[TF_CAUSES] = {
#define ROOT true
#define USER false
#define CAUSE(id, who, why, command) [TF_CAUSE_##id] = {who, why, command},
#include "causes.def"
#undef CAUSE
#undef ROOT
#undef USER
};

void tf_doctor_reason(const struct tf_probed *finding, char *out, size_t size)
{
    const char *why = causes[finding->cause].why;
    snprintf(out, size, "%s%s%s", finding->detail, *finding->detail && *why ? ": " : "", why);
}

void tf_doctor_command(const struct tf_probed *finding, char *out, size_t size)
{
    const char *command = finding->works ? "" : causes[finding->cause].command;
    bool sudo = *command && causes[finding->cause].root && geteuid() != 0;
    snprintf(out, size, "%s%s", sudo ? "sudo " : "", command);
}

long tf_doctor_number(const char *path)
{
    long number;
    FILE *file = fopen(path, "re");
    if (!file)
        return -1;
    if (fscanf(file, "%ld", &number) != 1)
        number = -1;
    fclose(file);
    return number;
}

/* Which of the limits is it? ENOSPC says it of each, here or in a user namespace
 * around this one (namespaces(7)). */
static enum tf_cause exhausted(void)
{
    static const struct {
        const char *path;
        enum tf_cause cause;
    } limits[] = {{"/proc/sys/user/max_user_namespaces", TF_CAUSE_max_user},
                  {"/proc/sys/user/max_net_namespaces", TF_CAUSE_max_net},
                  {"/proc/sys/user/max_pid_namespaces", TF_CAUSE_max_pid},
                  {"/proc/sys/user/max_mnt_namespaces", TF_CAUSE_max_mnt}};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        if (tf_doctor_number(limits[i].path) == 0)
            return limits[i].cause;
    }
    return TF_CAUSE_max_user;
}

static bool in_chroot(void)
{
    struct statx root;
    return !statx(AT_FDCWD, "/", 0, STATX_BASIC_STATS, &root) &&
           root.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT && !(root.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

enum tf_cause tf_cause_of_net_admin(void)
{
    return tf_cause_of_eperm(geteuid() ? TF_CAUSE_net_admin : TF_CAUSE_net_admin_root);
}

enum tf_cause tf_cause_of_private(const struct tf_machine *before, int error)
{
    if (error == ENOSPC || error == EUSERS)
        return exhausted();
    /* The kernel has no such combination of flags (unshare(2)). */
    if (tf_blocked(unshare(CLONE_NEWUSER | CLONE_PARENT), EINVAL)) {
        enum tf_cause cause = tf_cause_of_eperm(TF_CAUSE_seccomp);
        return cause == TF_CAUSE_seccomp_apparmor ? cause : TF_CAUSE_seccomp;
    }
    if (error == EINVAL || error == ENOSYS)
        return TF_CAUSE_no_namespaces;
    if (error != EPERM && error != EACCES)
        return TF_CAUSE_unknown;
    if (tf_doctor_number("/proc/sys/kernel/unprivileged_userns_clone") == 0)
        return TF_CAUSE_userns_clone;
    if (tf_doctor_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") > 0)
        return TF_CAUSE_apparmor_userns;
    if (in_chroot())
        return TF_CAUSE_chroot;
    if (before->uid == 0 && !(before->capabilities >> CAP_SETFCAP & 1))
        return TF_CAUSE_setfcap;
    return tf_cause_of_eperm(TF_CAUSE_module);
}
