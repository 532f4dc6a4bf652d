#include "tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct process {
    pid_t pid, parent, group;
    bool dead, member;
};

struct snapshot {
    struct process *rows;
    size_t count, room;
};

/* proc(5), /proc/pid/stat: the name in parentheses may hold anything. */
static bool read_stat(int proc_fd, const char *name, struct process *process)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "%.20s/stat", name);
    int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length <= 0)
        return false;
    text[length] = 0;
    char *end = strrchr(text, ')'), state;
    int parent, group;
    if (!end || sscanf(end + 1, " %c %d %d", &state, &parent, &group) != 3)
        return false;
    *process = (struct process){
        .pid = atoi(name), .parent = parent, .group = group, .dead = state == 'Z' || state == 'X'};
    return true;
}

static void take(int proc_fd, struct snapshot *all)
{
    all->count = 0;
    int fd = openat(proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    if (!directory) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        if (all->count == all->room) {
            size_t room = all->room ? 2 * all->room : 256;
            struct process *rows = realloc(all->rows, room * sizeof *rows);
            if (!rows)
                break;
            all->rows = rows;
            all->room = room;
        }
        if (read_stat(proc_fd, entry->d_name, &all->rows[all->count]))
            all->count++;
    }
    closedir(directory);
}

static bool is_member(const struct snapshot *all, pid_t pid)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->rows[i].pid == pid)
            return all->rows[i].member;
    }
    return false;
}

static void mark(const struct tf_tree *tree, struct snapshot *all)
{
    for (size_t i = 0; i < all->count; i++) {
        struct process *row = &all->rows[i];
        row->member = row->pid == tree->root || (tree->group && row->group == tree->group);
    }
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < all->count; i++) {
            struct process *row = &all->rows[i];
            if (!row->member && is_member(all, row->parent))
                more = row->member = true;
        }
    }
}

/* Sends `signal` to every living member; returns how many there are. */
static int signal_all(const struct tf_tree *tree, struct snapshot *all, int signal)
{
    int living = 0;
    take(tree->proc_fd, all);
    mark(tree, all);
    for (size_t i = 0; i < all->count; i++) {
        const struct process *row = &all->rows[i];
        if (!row->member || row->dead || (tree->keep_root && row->pid == tree->root))
            continue;
        living++;
        kill(row->pid, signal);
    }
    return living;
}

int tf_tree_kill(const struct tf_tree *tree, int timeout_ms, void (*reap)(void *data), void *data)
{
    struct snapshot all = {0};
    int living = 0, before = -1;
    for (int round = 0; round < 8 && living != before; round++) {
        before = living;
        living = signal_all(tree, &all, SIGSTOP);
    }
    for (int waited_ms = 0; waited_ms <= timeout_ms; waited_ms++) {
        living = signal_all(tree, &all, SIGKILL);
        if (reap)
            reap(data);
        if (!living)
            break;
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    free(all.rows);
    return living;
}
