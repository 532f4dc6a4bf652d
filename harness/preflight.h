/* A look at a program's file before it is started: can the shim see its calls?
 *
 * Needs no rights beyond reading the file. Does not print, starts nothing.
 */
#ifndef TF_PREFLIGHT_H
#define TF_PREFLIGHT_H

#include "error.h"

#include <limits.h>
#include <stdbool.h>

struct tf_preflight {
    char path[PATH_MAX];   /* what to execute: tf_program_options.path */
    char binary[PATH_MAX]; /* the ELF file that will run: of a script, its interpreter */
    bool asan;             /* linked with libasan as a shared library */
    char note[256];        /* worth saying, no obstacle (musl); or "" */
};

/* Looks `program` up as execvp(3) would, from directory `cwd` (NULL: the
 * caller's) with `search` as PATH (NULL: the caller's), follows script
 * interpreters, "#!/usr/bin/env X" included, and looks at the ELF file at the end.
 *
 * Returns 0, or -1 with a sentence in *error that says what cannot be covered and
 * why: no such program, not executable, a directory, no program at all, static,
 * setuid or setgid or with file capabilities (unless this changes nothing for
 * the caller), another architecture. Each is exit status 3. */
int tf_preflight(const char *program, const char *cwd, const char *search, struct tf_preflight *found,
                 struct tf_error *error);

#endif
