/* Inside alike.c: a text as lines, a line as words. */
#ifndef TF_ALIKE_LINE_H
#define TF_ALIKE_LINE_H

#include <stdbool.h>
#include <stddef.h>

enum tf_word_kind {
    TF_WORD_TEXT,
    TF_WORD_BLANK,  /* a run of blanks */
    TF_WORD_VARIES, /* any one word stands for it */
    TF_WORD_GAP,    /* any words do, or none */
};

struct tf_word { /* points into the text that its line is of */
    enum tf_word_kind kind;
    const char *text;
    size_t length;
};

struct tf_line {
    struct tf_word *word;
    size_t words;
    bool varies; /* one of them does: then blanks may be of any length */
    bool gap;    /* the whole line: any lines stand for it, or none */
    const char *text;
    size_t length;
};

struct tf_lines {
    struct tf_line *line;
    size_t count;
    char *text; /* what the lines point into */
};

/* 0, or -1: no memory. What varies by its nature is marked so. */
int tf_lines_split(struct tf_lines *lines, const char *text, size_t length, const char *dir);
void tf_lines_fini(struct tf_lines *lines);

/* Does the line fit what is known of it? */
bool tf_line_fits(const struct tf_line *known, const struct tf_line *line);
/* Would it, if some numbers and identifiers in it varied? */
bool tf_line_resembles(const struct tf_line *known, const struct tf_line *line);
/* Makes it fit, by letting vary what does. */
void tf_line_merge(struct tf_line *known, const struct tf_line *line);
/* An order of lines: 0 where they are equal but for what varies. Where `numbers`,
 * words with digits in them count for nothing either. */
int tf_line_compare(const struct tf_line *a, const struct tf_line *b, bool numbers);

#endif
