#include "alike_line.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- words ---- */

static bool is_letter(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return isdigit((unsigned char)c);
}

static size_t word_length(const char *at, const char *end)
{
    const char *from = at;
    if (*at == ' ' || *at == '\t') {
        while (at < end && (*at == ' ' || *at == '\t'))
            at++;
        return (size_t)(at - from);
    }
    bool number = is_digit(*at);
    while (at < end && (is_letter(*at) || (number && *at == '.' && at + 1 < end && is_digit(at[1])))) {
        number &= is_digit(*at) || *at == '.';
        at++;
    }
    return at > from ? (size_t)(at - from) : 1;
}

static bool is(const struct tf_word *word, char c)
{
    return word->length == 1 && word->text[0] == c;
}

/* Its digits and dots, where it begins with them: their number. */
static size_t number_in(const struct tf_word *word)
{
    size_t length = 0;
    while (length < word->length && (is_digit(word->text[length]) || word->text[length] == '.'))
        length++;
    return length;
}

static bool is_number(const struct tf_word *word)
{
    return word->length > 0 && number_in(word) == word->length && is_digit(word->text[0]);
}

static bool is_digits(const struct tf_word *word, size_t length)
{
    return word->length == length && is_number(word) && memchr(word->text, '.', length) == NULL;
}

static bool among(const char *text, size_t length, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strlen(*words) == length && strncasecmp(*words, text, length) == 0)
            return true;
    return false;
}

static bool has_digit(const struct tf_word *word)
{
    for (size_t i = 0; i < word->length; i++)
        if (is_digit(word->text[i]))
            return true;
    return false;
}

static bool is_word(const struct tf_word *word)
{
    return word->kind == TF_WORD_TEXT && word->length > 0 && is_letter(word->text[0]);
}

/* ---- what varies by its nature: each looks at the words from `at` on, and says how
 * many of them it is about, which then vary where they have digits ---- */

static size_t clock_time(const struct tf_word *word, size_t left)
{
    if (left < 3 || word->length < 2 || !is_digit(word->text[word->length - 1]) ||
        !is_digit(word->text[word->length - 2]) || !is(&word[1], ':') || word[2].length < 2 ||
        !is_digit(word[2].text[0]) || word[2].text[0] > '5' || !is_digit(word[2].text[1]) ||
        (word->length != 2 && (word->length != 5 || toupper((unsigned char)word->text[2]) != 'T')))
        return 0;
    return left >= 5 && is(&word[3], ':') && number_in(&word[4]) >= 2 ? 5 : 3;
}

static size_t date(const struct tf_word *word, size_t left)
{
    return left >= 5 && is_digits(word, 4) && (is(&word[1], '-') || is(&word[1], '/')) &&
                   is_digits(&word[2], 2) && is(&word[3], word[1].text[0]) && number_in(&word[4]) >= 2
               ? 5
               : 0;
}

static size_t date_with_name(const struct tf_word *word, size_t left)
{
    static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                         "aug", "sep", "oct", "nov", "dec", NULL};
    if (left >= 3 && is_number(word) && among(word[2].text, word[2].length, months))
        return left >= 5 && is_digits(&word[4], 4) ? 5 : 3;
    return left >= 3 && among(word->text, word->length, months) && is_number(&word[2]) ? 3 : 0;
}

static size_t duration(const struct tf_word *word, size_t left)
{
    static const char *const units[] = {"ns",  "us",   "ms",     "msec",    "usec",      "s",
                                        "sec", "secs", "second", "seconds", "\xc2\xb5s", NULL};
    size_t number = number_in(word);
    if (number == 0)
        return 0;
    if (number < word->length)
        return among(word->text + number, word->length - number, units);
    return left >= 3 && word[1].kind == TF_WORD_BLANK && among(word[2].text, word[2].length, units);
}

static size_t seconds_since_1970(const struct tf_word *word, size_t left)
{
    (void)left;
    return is_number(word) && word->length >= 10 && (word->text[0] == '1' || word->text[0] == '2') &&
           strspn(word->text, "0123456789") == 10;
}

static size_t memory_address(const struct tf_word *word, size_t left)
{
    (void)left;
    return word->length > 2 && word->text[0] == '0' && word->text[1] == 'x';
}

static size_t port(const struct tf_word *word, size_t left)
{
    static const char *const hosts[] = {"localhost", "]", NULL};
    bool address = is_number(word) && word->length >= 7;
    return left >= 3 && (address || among(word->text, word->length, hosts)) && is(&word[1], ':') &&
                   is_number(&word[2])
               ? 3
               : 0;
}

static size_t named_number(const struct tf_word *word, size_t left)
{
    static const char *const names[] = {"pid", "port", "fd", NULL};
    if (!among(word->text, word->length, names))
        return 0;
    size_t at = 1;
    while (at < left && at < 4 &&
           (word[at].kind == TF_WORD_BLANK || is(&word[at], '=') || is(&word[at], ':')))
        at++;
    return at > 1 && at < left && is_number(&word[at]) ? at + 1 : 0;
}

static size_t number_in_brackets(const struct tf_word *word, size_t left)
{
    return left >= 3 && is(word, '[') && is_number(&word[1]) && is(&word[2], ']') ? 3 : 0;
}

typedef size_t nature(const struct tf_word *word, size_t left);

static nature *const natures[] = {clock_time,     date, date_with_name, duration,          seconds_since_1970,
                                  memory_address, port, named_number,   number_in_brackets};

static bool varies_in(nature *of, const struct tf_word *word, bool first)
{
    if (of == date_with_name && is_word(word))
        return true;
    return has_digit(word) && !(of == port && first);
}

static void mark(struct tf_line *line)
{
    for (size_t i = 0; i < line->words; i++)
        for (size_t j = 0; j < sizeof(natures) / sizeof(natures[0]); j++) {
            size_t count = natures[j](&line->word[i], line->words - i);
            for (size_t k = i; k < i + count; k++)
                if (varies_in(natures[j], &line->word[k], k == i)) {
                    line->word[k].kind = TF_WORD_VARIES;
                    line->varies = true;
                }
        }
}

/* ---- lines ---- */

/* A path in a temporary directory, or one that begins with `dir`: its length. */
static size_t temporary(const char *at, const char *end, const char *dir)
{
    static const char tmp[] = "/tmp/", ends[] = " \t\"'`:;,()[]{}<>|";
    size_t left = (size_t)(end - at), length = dir != NULL ? strlen(dir) : 0;
    if (length > 0 && left >= length && memcmp(at, dir, length) == 0)
        return length;
    length = sizeof(tmp) - 1;
    if (left <= length || memcmp(at, tmp, length) != 0)
        return 0;
    while (length < left && strchr(ends, at[length]) == NULL)
        length++;
    return length;
}

static int split_line(struct tf_line *line, const char *text, const char *end, const char *dir)
{
    *line = (struct tf_line){.text = text, .length = (size_t)(end - text)};
    line->word = calloc(line->length + 1, sizeof(*line->word));
    if (line->word == NULL)
        return -1;
    for (const char *at = text; at < end;) {
        size_t path = temporary(at, end, dir), length = path > 0 ? path : word_length(at, end);
        line->varies |= path > 0;
        line->word[line->words++] = (struct tf_word){.kind = path > 0                    ? TF_WORD_VARIES
                                                             : *at == ' ' || *at == '\t' ? TF_WORD_BLANK
                                                                                         : TF_WORD_TEXT,
                                                     .text = at,
                                                     .length = length};
        at += length;
    }
    struct tf_word *fitted = realloc(line->word, (line->words + 1) * sizeof(*fitted));
    line->word = fitted != NULL ? fitted : line->word;
    mark(line);
    return 0;
}

int tf_lines_split(struct tf_lines *lines, const char *text, size_t length, const char *dir)
{
    size_t room = 1;
    for (size_t i = 0; i < length; i++)
        room += text[i] == '\n';
    *lines = (struct tf_lines){.text = malloc(length + 1), .line = calloc(room, sizeof(*lines->line))};
    if (lines->text == NULL || lines->line == NULL) {
        tf_lines_fini(lines);
        return -1;
    }
    if (length > 0)
        memcpy(lines->text, text, length);
    lines->text[length] = '\0';
    const char *at = lines->text, *end = lines->text + length;
    while (lines->count < room) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (split_line(&lines->line[lines->count], at, newline != NULL ? newline : end, dir) != 0) {
            tf_lines_fini(lines);
            return -1;
        }
        lines->count++;
        at = newline != NULL ? newline + 1 : end;
    }
    return 0;
}

void tf_lines_fini(struct tf_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        free(lines->line[i].word);
    free(lines->line);
    free(lines->text);
    *lines = (struct tf_lines){0};
}

/* ---- comparing ---- */

static bool same_text(const struct tf_word *a, const struct tf_word *b)
{
    return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

static bool word_fits(const struct tf_line *line, const struct tf_word *known, const struct tf_word *word)
{
    if (known->kind == TF_WORD_VARIES)
        return word->kind == TF_WORD_VARIES || is_word(word);
    if (known->kind == TF_WORD_BLANK && word->kind == TF_WORD_BLANK && line->varies)
        return true;
    return word->kind == known->kind && same_text(known, word);
}

/* The words before the gap, and those behind it, where there is one. */
static bool fits_around(const struct tf_line *known, const struct tf_line *line, size_t gap)
{
    size_t behind = known->words - gap - 1;
    if (line->words < gap + behind)
        return false;
    for (size_t i = 0; i < gap; i++)
        if (!word_fits(known, &known->word[i], &line->word[i]))
            return false;
    for (size_t i = 1; i <= behind; i++)
        if (!word_fits(known, &known->word[known->words - i], &line->word[line->words - i]))
            return false;
    return true;
}

static size_t gap_in(const struct tf_line *line)
{
    size_t at = 0;
    while (at < line->words && line->word[at].kind != TF_WORD_GAP)
        at++;
    return at;
}

bool tf_line_fits(const struct tf_line *known, const struct tf_line *line)
{
    size_t gap = gap_in(known);
    if (gap < known->words)
        return fits_around(known, line, gap);
    if (known->words != line->words)
        return false;
    for (size_t i = 0; i < known->words; i++)
        if (!word_fits(known, &known->word[i], &line->word[i]))
            return false;
    return true;
}

bool tf_line_resembles(const struct tf_line *known, const struct tf_line *line)
{
    if (tf_line_fits(known, line))
        return true;
    if (known->words != line->words || gap_in(known) < known->words)
        return false;
    for (size_t i = 0; i < known->words; i++) {
        const struct tf_word *a = &known->word[i], *b = &line->word[i];
        bool blanks = a->kind == TF_WORD_BLANK && b->kind == TF_WORD_BLANK;
        if (!word_fits(known, a, b) && !blanks && !(is_word(a) && is_word(b) && has_digit(a) && has_digit(b)))
            return false;
    }
    return true;
}

static bool merge_words(struct tf_line *known, const struct tf_line *line)
{
    if (known->words != line->words || gap_in(known) < known->words)
        return false;
    for (size_t i = 0; i < known->words; i++) {
        const struct tf_word *a = &known->word[i], *b = &line->word[i];
        bool words = is_word(a) && (is_word(b) || b->kind == TF_WORD_VARIES);
        if (!word_fits(known, a, b) && !words && (a->kind != TF_WORD_BLANK || b->kind != TF_WORD_BLANK))
            return false;
    }
    for (size_t i = 0; i < known->words; i++)
        if (known->word[i].kind == TF_WORD_TEXT && !word_fits(known, &known->word[i], &line->word[i]))
            known->word[i].kind = TF_WORD_VARIES;
    known->varies = true;
    return true;
}

void tf_line_merge(struct tf_line *known, const struct tf_line *line)
{
    if (tf_line_fits(known, line) || merge_words(known, line))
        return;
    size_t gap = gap_in(known), first = 0, last = 0;
    size_t behind = gap < known->words ? known->words - gap - 1 : known->words;
    while (first < gap && first < line->words && word_fits(known, &known->word[first], &line->word[first]))
        first++;
    while (last < behind && first + last < known->words && first + last < line->words &&
           word_fits(known, &known->word[known->words - last - 1], &line->word[line->words - last - 1]))
        last++;
    /* split_line has left room for one more. */
    memmove(&known->word[first + 1], &known->word[known->words - last], last * sizeof(*known->word));
    known->word[first] = (struct tf_word){.kind = TF_WORD_GAP, .text = ""};
    known->words = first + last + 1;
    known->varies = true;
}

static int compare_words(const struct tf_word *a, const struct tf_word *b, bool numbers)
{
    bool a_counts = a->kind != TF_WORD_VARIES && !(numbers && has_digit(a));
    bool b_counts = b->kind != TF_WORD_VARIES && !(numbers && has_digit(b));
    if (!a_counts || !b_counts)
        return (int)a_counts - (int)b_counts;
    size_t shorter = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->text, b->text, shorter);
    return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

int tf_line_compare(const struct tf_line *a, const struct tf_line *b, bool numbers)
{
    for (size_t i = 0; i < a->words && i < b->words; i++) {
        int order = compare_words(&a->word[i], &b->word[i], numbers);
        if (order != 0)
            return order;
    }
    return (a->words > b->words) - (a->words < b->words);
}
