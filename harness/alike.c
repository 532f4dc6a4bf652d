#include "alike.h"

#include "alike_line.h"
#include "result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum order { ORDER_KEPT, ORDER_ANY, ORDER_ANY_NUMBERS };

struct tf_alike {
    struct tf_lines known; /* the first output, with what has varied since */
    struct tf_lines first; /* as it was */
    size_t learned;
    enum order order;
    struct tf_lengths {
        size_t least, most;
        bool only; /* bytes that are no text, and were others each time */
    } length;
};

struct tf_alike *tf_alike_new(void)
{
    return calloc(1, sizeof(struct tf_alike));
}

void tf_alike_free(struct tf_alike *alike)
{
    if (alike == NULL)
        return;
    tf_lines_fini(&alike->known);
    tf_lines_fini(&alike->first);
    free(alike);
}

/* ---- in their order ---- */

static size_t gap_in(const struct tf_lines *known)
{
    size_t at = 0;
    while (at < known->count && !known->line[at].gap)
        at++;
    return at;
}

struct ends { /* lines that agree before, and behind, what does not */
    size_t first, last;
};

static struct ends agree(const struct tf_lines *known, const struct tf_lines *lines,
                         bool (*holds)(const struct tf_line *, const struct tf_line *))
{
    struct ends ends = {0, 0};
    size_t gap = gap_in(known), behind = gap < known->count ? known->count - gap - 1 : known->count;
    while (ends.first < gap && ends.first < lines->count &&
           holds(&known->line[ends.first], &lines->line[ends.first]))
        ends.first++;
    while (ends.last < behind && ends.first + ends.last < known->count &&
           ends.first + ends.last < lines->count &&
           holds(&known->line[known->count - ends.last - 1], &lines->line[lines->count - ends.last - 1]))
        ends.last++;
    return ends;
}

/* Is nothing left that does not agree? */
static bool complete(const struct tf_lines *known, const struct tf_lines *lines, struct ends ends)
{
    bool gap = gap_in(known) < known->count;
    return ends.first + ends.last + gap == known->count && (gap || lines->count == known->count);
}

/* One gap for all lines between. */
static void leave_gap(struct tf_lines *known, struct ends ends)
{
    size_t from = ends.first, to = known->count - ends.last;
    if (from == to) { /* it was too short: one more of what agrees goes */
        from -= from > 0;
        to += from == to && to < known->count;
    }
    for (size_t i = from; i < to; i++) {
        free(known->line[i].word);
        known->line[i] = (struct tf_line){.gap = true};
    }
    memmove(&known->line[from + 1], &known->line[to], (known->count - to) * sizeof(*known->line));
    known->count -= to - from - 1;
}

static void merge(struct tf_lines *known, const struct tf_lines *lines)
{
    struct ends ends = agree(known, lines, tf_line_resembles);
    bool whole = complete(known, lines, ends);
    bool as_many = known->count == lines->count && gap_in(known) == known->count;
    for (size_t i = 0; i < (as_many ? known->count : ends.first); i++)
        tf_line_merge(&known->line[i], &lines->line[i]);
    for (size_t i = 1; i <= ends.last && !as_many; i++)
        tf_line_merge(&known->line[known->count - i], &lines->line[lines->count - i]);
    if (!whole && !as_many)
        leave_gap(known, ends);
}

/* ---- in any order ---- */

/* Equal ones stay in their order. */
static int by_lines(const void *a, const void *b, bool numbers)
{
    const struct tf_line *first = *(const struct tf_line *const *)a;
    const struct tf_line *second = *(const struct tf_line *const *)b;
    int order = tf_line_compare(first, second, numbers);
    return order != 0 ? order : (first > second) - (first < second);
}

static int by_text(const void *a, const void *b)
{
    return by_lines(a, b, false);
}

static int by_words(const void *a, const void *b)
{
    return by_lines(a, b, true);
}

static const struct tf_line **sorted(const struct tf_lines *lines, bool numbers)
{
    const struct tf_line **all = calloc(lines->count + 1, sizeof(const struct tf_line *));
    for (size_t i = 0; all != NULL && i < lines->count; i++)
        all[i] = &lines->line[i];
    if (all != NULL)
        qsort(all, lines->count, sizeof(const struct tf_line *), numbers ? by_words : by_text);
    return all;
}

struct pair { /* the first in the order of sorting that the other has not; or NULL */
    const struct tf_line *missing, *surplus;
};

/* Have they the same lines? Without memory they have. */
static bool same_set(const struct tf_lines *a, const struct tf_lines *b, bool numbers, struct pair *pair)
{
    const struct tf_line **first = sorted(a, numbers), **second = sorted(b, numbers);
    size_t i = 0, j = 0;
    *pair = (struct pair){NULL, NULL};
    while (first != NULL && second != NULL && (i < a->count || j < b->count)) {
        int order = i == a->count ? 1 : j == b->count ? -1 : tf_line_compare(first[i], second[j], numbers);
        if (order < 0 && pair->missing == NULL)
            pair->missing = first[i];
        if (order > 0 && pair->surplus == NULL)
            pair->surplus = second[j];
        i += order <= 0;
        j += order >= 0;
    }
    free(first);
    free(second);
    return pair->missing == NULL && pair->surplus == NULL;
}

static bool fits_in_order(const struct tf_lines *known, const struct tf_lines *lines)
{
    return complete(known, lines, agree(known, lines, tf_line_fits));
}

static void find_order(struct tf_alike *alike, const struct tf_lines *lines)
{
    struct pair pair;
    struct ends ends = agree(&alike->known, lines, tf_line_resembles);
    if (alike->order == ORDER_KEPT && complete(&alike->known, lines, ends))
        return;
    if (alike->order <= ORDER_ANY && same_set(&alike->first, lines, false, &pair))
        alike->order = ORDER_ANY;
    else if (same_set(&alike->first, lines, true, &pair))
        alike->order = ORDER_ANY_NUMBERS;
    else
        alike->order = ORDER_KEPT;
}

/* ---- bytes that are no text ---- */

static bool is_binary(const char *text, size_t length)
{
    return length > 0 && memchr(text, '\0', length) != NULL;
}

/* Random bytes have no words that could be masked: only how many there are is known,
 * and that not for sure (a signature has a byte more or less). */
static void learn_length(struct tf_alike *alike, const struct tf_lines *lines, const char *text,
                         size_t length)
{
    struct tf_lengths *known = &alike->length;
    known->only |= is_binary(text, length) && !fits_in_order(&alike->first, lines);
    known->least = alike->learned == 0 || length < known->least ? length : known->least;
    known->most = length > known->most ? length : known->most;
}

enum { MARGIN = 16 }; /* a 16th of it */

static bool too_short(const struct tf_alike *alike, size_t length)
{
    return length + alike->length.least / MARGIN < alike->length.least;
}

static bool too_long(const struct tf_alike *alike, size_t length)
{
    return length > alike->length.most + alike->length.most / MARGIN;
}

static void fill_lengths(struct tf_alike_difference *difference, const struct tf_lengths *known,
                         size_t length)
{
    if (difference == NULL)
        return;
    difference->line = 1;
    snprintf(difference->expected, sizeof(difference->expected), "(%zu bytes)", known->most);
    snprintf(difference->got, sizeof(difference->got), "(%zu bytes)", length);
}

int tf_alike_learn(struct tf_alike *alike, const char *text, size_t length, const char *dir)
{
    struct tf_lines lines;
    if (alike->learned == 0) {
        if (tf_lines_split(&alike->first, text, length, dir) != 0)
            return -1;
        if (tf_lines_split(&alike->known, text, length, dir) != 0) {
            tf_lines_fini(&alike->first);
            return -1;
        }
        learn_length(alike, &alike->first, text, length);
        alike->learned++;
        return 0;
    }
    if (tf_lines_split(&lines, text, length, dir) != 0)
        return -1;
    learn_length(alike, &lines, text, length);
    find_order(alike, &lines);
    if (alike->order == ORDER_KEPT)
        merge(&alike->known, &lines);
    tf_lines_fini(&lines);
    alike->learned++;
    return 0;
}

/* ---- the answer ---- */

static void show(char *out, size_t size, const struct tf_line *line)
{
    char *clean =
        line != NULL && !line->gap ? tf_text_clean(line->text, line->length, size - 8, false) : NULL;
    snprintf(out, size, "%s", line == NULL ? "(nothing)" : clean != NULL ? clean : "...");
    free(clean);
}

static void fill(struct tf_alike_difference *difference, const struct tf_lines *lines,
                 const struct tf_line *expected, const struct tf_line *got)
{
    if (difference == NULL)
        return;
    difference->line = got != NULL ? (size_t)(got - lines->line) + 1 : lines->count;
    show(difference->expected, sizeof(difference->expected), expected);
    if (expected != NULL && got == NULL && expected->length == 0)
        snprintf(difference->expected, sizeof(difference->expected), "(a newline at its end)");
    show(difference->got, sizeof(difference->got), got);
}

bool tf_alike_same(const struct tf_alike *alike, const char *text, size_t length, const char *dir,
                   struct tf_alike_difference *difference)
{
    struct tf_lines lines;
    struct pair pair = {NULL, NULL};
    if (alike->length.only) {
        bool fits = !too_short(alike, length) && !too_long(alike, length);
        if (!fits)
            fill_lengths(difference, &alike->length, length);
        return fits;
    }
    if (alike->learned == 0 || tf_lines_split(&lines, text, length, dir) != 0)
        return true;
    bool same = alike->order == ORDER_KEPT
                    ? fits_in_order(&alike->known, &lines)
                    : same_set(&alike->first, &lines, alike->order == ORDER_ANY_NUMBERS, &pair);
    if (!same && alike->order != ORDER_KEPT) {
        fill(difference, &lines, pair.missing, pair.surplus);
    } else if (!same) {
        struct ends ends = agree(&alike->known, &lines, tf_line_fits);
        bool gap = ends.first < alike->known.count && alike->known.line[ends.first].gap;
        size_t at = gap ? alike->known.count - ends.last - 1 : ends.first;
        size_t of = gap ? lines.count - ends.last - 1 : ends.first;
        fill(difference, &lines, at < alike->known.count ? &alike->known.line[at] : NULL,
             of < lines.count ? &lines.line[of] : NULL);
    }
    tf_lines_fini(&lines);
    return same;
}

static bool begins_line(const struct tf_line *known, const struct tf_line *first, const struct tf_line *line)
{
    return known->varies || (line->length <= first->length &&
                             (line->length == 0 || memcmp(line->text, first->text, line->length) == 0));
}

bool tf_alike_begins(const struct tf_alike *alike, const char *text, size_t length, const char *dir)
{
    struct tf_lines lines;
    if (alike->length.only)
        return !too_long(alike, length);
    if (alike->learned == 0 || alike->order != ORDER_KEPT || tf_lines_split(&lines, text, length, dir) != 0)
        return true;
    const struct tf_lines *known = &alike->known;
    size_t gap = gap_in(known), most = gap < lines.count ? gap : lines.count;
    bool begins = gap < known->count || lines.count <= known->count;
    for (size_t i = 0; i < most && begins; i++)
        begins =
            tf_line_fits(&known->line[i], &lines.line[i]) ||
            (i + 1 == lines.count && begins_line(&known->line[i], &alike->first.line[i], &lines.line[i]));
    tf_lines_fini(&lines);
    return begins;
}
