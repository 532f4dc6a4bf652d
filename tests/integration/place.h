/* Where things are: what was built, what a test may write. */
#ifndef IT_PLACE_H
#define IT_PLACE_H

#include <stdbool.h>

/* The build directory. False where there is none. */
bool it_set_build(const char *path);

/* A file below it; a program of tests/integration/programs (a missing one fails
 * the test); a file of the source tree. */
const char *it_built(const char *name);
const char *it_program(const char *name);
const char *it_source(const char *name);

/* Writes a file into the scratch directory, and returns its path. */
const char *it_file(const char *name, const char *text);

/* All of a file; "" where there is none. */
const char *it_read_file(const char *path);

/* child.c: the parts of it_end. */
void it_kill_all(void);
void it_release(void);

/* The last line of the source that holds `code`; 0: none. */
unsigned it_line_of(const char *file, const char *code);

#endif
