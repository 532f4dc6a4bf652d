/* The small grammars inside scenario values.
 *
 * Each takes text of `length` bytes; on failure it returns -1 with *wrong filled:
 * where, and what was found and expected. Pure; any thread.
 */
#ifndef TF_SCENARIO_TEXT_H
#define TF_SCENARIO_TEXT_H

#include "error.h"
#include "scenario.h"

#include <regex.h>
#include <stddef.h>
#include <stdint.h>

struct tf_wrong {
    size_t at;         /* byte offset in the text */
    char message[320]; /* no newline */
};

/* Fills *wrong; returns -1. */
int tf_wrong_set(struct tf_wrong *wrong, size_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "2", "1..3", "1+". `floor` is the least that is allowed. */
int tf_range_parse(const char *text, size_t length, int64_t floor, struct tf_range *range,
                   struct tf_wrong *wrong);

/* The other way: into `out`. */
void tf_range_format(struct tf_range range, char *out, size_t size);

static inline bool tf_range_holds(struct tf_range range, int64_t value)
{
    return value >= range.min && value <= range.max;
}

/* "SIGTERM", "TERM". */
int tf_signal_parse(const char *text, size_t length, int *signal, struct tf_wrong *wrong);

/* Calls `word` for each word of a command line: blanks, ' " and \ as in a shell,
 * nothing else of it. `at` is where the word begins. Stops at -1. */
int tf_words_split(const char *text, size_t length, int (*word)(void *data, const char *word, size_t at),
                   void *data, struct tf_wrong *wrong);

/* Compiles a POSIX extended expression as scenarios mean it (^ and $ match at
 * lines). Refuses repetitions that would take regcomp(3) gigabytes. */
int tf_regex_compile(regex_t *regex, const char *text, struct tf_wrong *wrong);

/* A program's, port's name: letters, digits, _ and -, at most 64. */
bool tf_name_valid(const char *name);

/* What {..} stands for. */
struct tf_values {
    const char *dir, *fixtures, *build;          /* NULL: not known yet; then only checked */
    const char *sent, *reply, *expect, *address; /* of a battery; address NULL: it is none */
    /* The port of that name ("" for {port}); 0: none can be had. NULL: see above. */
    uint16_t (*port)(void *data, const char *name);
    void *data;
};

/* Which substitutions a text may hold. A battery has more, which TF_SUBST_ALL knows
 * where the values are those of one. */
enum tf_subst { TF_SUBST_PORTS, TF_SUBST_ALL, TF_SUBST_BATTERY };

/* A copy of `text` with every {..} replaced; the caller frees it. NULL with *wrong
 * filled. `values` NULL: checks only, and ports become 65535. `map`, where not
 * NULL, receives for each byte of the result (and its end) the offset in `text`
 * that it came from; the caller frees it. */
char *tf_subst(const char *text, enum tf_subst which, const struct tf_values *values, size_t **map,
               struct tf_wrong *wrong);

#endif
