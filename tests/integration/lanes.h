/* Suites beside each other, each in a process of its own. */
#ifndef IT_LANES_H
#define IT_LANES_H

/* Runs this program once for each suite, `jobs` at a time, and prints what each says
 * when it has ended. Returns the exit status: 0 if all of them gave that. */
int it_lanes(const char *const *suites, int jobs);

#endif
