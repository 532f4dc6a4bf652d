#include "session_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT "events.tcpfault"

static bool is_empty(const char *path)
{
    DIR *directory = opendir(path);
    bool empty = directory != NULL;
    for (struct dirent *entry; empty && (entry = readdir(directory));)
        empty = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
    if (directory)
        closedir(directory);
    return empty;
}

#define PREFIX "tcpfault-"

/* A run that was killed could not remove its directory; its lock is gone. One
 * that is being made has no segment before it has its lock. */
static void remove_stale(const char *parent)
{
    DIR *directory = opendir(parent);
    if (!directory)
        return;
    for (struct dirent *entry; (entry = readdir(directory));) {
        char path[PATH_MAX], segment[PATH_MAX + 32];
        struct stat status;
        if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) ||
            strlen(entry->d_name) != strlen(PREFIX "XXXXXX") ||
            snprintf(path, sizeof path, "%s/%s", parent, entry->d_name) >= (int)sizeof path)
            continue;
        snprintf(segment, sizeof segment, "%s/" SEGMENT, path);
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            continue;
        if (!fstat(fd, &status) && status.st_uid == geteuid() && !access(segment, F_OK) &&
            !flock(fd, LOCK_EX | LOCK_NB)) {
            unlink(segment);
            rmdir(path);
        }
        close(fd);
    }
    closedir(directory);
}

static int make_temporary(struct tf_session_dir *dir, struct tf_error *error)
{
    const char *parent = getenv("TMPDIR");
    if (!parent || *parent != '/' || strlen(parent) > PATH_MAX - 64)
        parent = "/tmp";
    remove_stale(parent);
    snprintf(dir->path, sizeof dir->path, "%s/" PREFIX "XXXXXX", parent);
    if (!mkdtemp(dir->path)) {
        dir->path[0] = 0;
        return tf_error_errno(error, errno, "creating a directory in %.200s", parent);
    }
    dir->temporary = true;
    dir->lock_fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir->lock_fd < 0 || flock(dir->lock_fd, LOCK_EX | LOCK_NB))
        return tf_error_errno(error, errno, "locking %.200s", dir->path);
    return chmod(dir->path, 0711) ? tf_error_errno(error, errno, "%.200s", dir->path) : 0;
}

int tf_session_dir_open(struct tf_session_dir *dir, const char *output, struct tf_error *error)
{
    *dir = (struct tf_session_dir){.lock_fd = -1};
    if (!output) {
        if (make_temporary(dir, error))
            return -1;
    } else {
        if (mkdir(output, 0777) && errno != EEXIST)
            return tf_error_errno(error, errno, "--output: creating %.300s", output);
        if (!realpath(output, dir->path) || !is_empty(dir->path)) {
            dir->path[0] = 0;
            return tf_error_set(error, "--output: %.300s must be a new or an empty directory", output);
        }
    }
    snprintf(dir->segment, sizeof dir->segment, "%s/" SEGMENT, dir->path);
    snprintf(dir->jsonl, sizeof dir->jsonl, "%s/events.jsonl", dir->path);
    snprintf(dir->run, sizeof dir->run, "%s/run.json", dir->path);
    return 0;
}

int tf_session_dir_write(const struct tf_session_dir *dir, const json_t *run, struct tf_error *error)
{
    char fresh[sizeof dir->run + 8];
    snprintf(fresh, sizeof fresh, "%s.new", dir->run);
    if (!run || json_dump_file(run, fresh, JSON_INDENT(2)) || rename(fresh, dir->run))
        return tf_error_errno(error, errno, "writing %.300s", dir->run);
    return 0;
}

void tf_session_dir_close(struct tf_session_dir *dir)
{
    if (!dir->temporary || !*dir->path)
        return;
    unlink(dir->segment);
    rmdir(dir->path);
    if (dir->lock_fd >= 0)
        close(dir->lock_fd);
    dir->path[0] = 0;
}
