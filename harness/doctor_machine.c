/* What the kernel says of itself and of this process. */
#include "doctor.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The first line of a file, or "". */
static void read_line(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "re");
    if (!file || !fgets(out, (int)size, file))
        *out = 0;
    out[strcspn(out, "\n")] = 0;
    if (file)
        fclose(file);
}

static void read_status(struct tf_machine *machine)
{
    char line[256];
    FILE *file = fopen("/proc/self/status", "re");
    machine->seccomp = -1;
    while (file && fgets(line, sizeof line, file)) {
        if (!strncmp(line, "Seccomp:", 8))
            machine->seccomp = atoi(line + 8);
        else if (!strncmp(line, "CapEff:", 7))
            machine->capabilities = strtoull(line + 7, NULL, 16);
    }
    if (file)
        fclose(file);
}

void tf_doctor_machine(struct tf_machine *machine)
{
    struct utsname name;
    struct stat user;
    *machine = (struct tf_machine){.uid = geteuid()};
    uname(&name);
    snprintf(machine->kernel, sizeof machine->kernel, "%s", name.release);
    snprintf(machine->architecture, sizeof machine->architecture, "%s", name.machine);
    read_status(machine);
    /* PROC_USER_INIT_INO of the kernel's linux/proc_ns.h. */
    machine->initial_userns = stat("/proc/self/ns/user", &user) || user.st_ino == 0xEFFFFFFDU;
    machine->yama = (int)tf_doctor_number("/proc/sys/kernel/yama/ptrace_scope");
    read_line("/sys/kernel/security/lsm", machine->lsm, sizeof machine->lsm);
    read_line("/proc/self/attr/apparmor/current", machine->apparmor, sizeof machine->apparmor);
    /* Before Linux 5.8 in a place that other modules write to as well. */
    if (!*machine->apparmor && !access("/sys/module/apparmor/parameters/enabled", F_OK))
        read_line("/proc/self/attr/current", machine->apparmor, sizeof machine->apparmor);
}
