/* Places inside a scalar: which character of the file a byte of its text is. */
#include "scenario_yaml.h"

#include <stdlib.h>
#include <string.h>

size_t tf_yaml_character(const unsigned char *at, size_t left)
{
    size_t length = at[0] < 0x80                    ? 1
                    : at[0] >= 0xf0 && at[0] < 0xf5 ? 4
                    : at[0] >= 0xe0 && at[0] < 0xf0 ? 3
                    : at[0] >= 0xc2 && at[0] < 0xe0 ? 2
                                                    : 0;
    if (length == 0 || length > left)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

/* The source at a mark, or NULL. */
static const char *source_at(const struct tf_yaml *yaml, struct tf_mark mark)
{
    const char *at = yaml->source, *end = at + yaml->source_size;
    for (int line = 1; line < mark.line && at < end; line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (newline == NULL)
            return NULL;
        at = newline + 1;
    }
    for (int column = 1; column < mark.column && at < end; column++)
        at += tf_yaml_character((const unsigned char *)at, (size_t)(end - at));
    return at < end ? at : NULL;
}

/* How many bytes of source one piece of a quoted scalar takes, and how many bytes
 * of text it stands for. */
static size_t piece(const char *at, size_t left, char quote, size_t *stands_for)
{
    *stands_for = tf_yaml_character((const unsigned char *)at, left);
    if (quote == '\'' && left > 1 && at[0] == '\'' && at[1] == '\'') {
        *stands_for = 1;
        return 2;
    }
    if (quote != '"' || at[0] != '\\' || left < 2)
        return *stands_for;
    *stands_for = 1;
    size_t digits = at[1] == 'x' ? 2 : at[1] == 'u' ? 4 : at[1] == 'U' ? 8 : 0;
    if (digits > 0 && left >= 2 + digits) {
        char number[9] = {0};
        memcpy(number, at + 2, digits);
        unsigned long code = strtoul(number, NULL, 16);
        *stands_for = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    }
    return 2 + digits;
}

struct tf_mark tf_yaml_place(const struct tf_yaml *yaml, const struct tf_node *node, size_t offset)
{
    struct tf_mark mark = node->mark;
    const char *at = source_at(yaml, mark);
    if (!node->one_line || at == NULL)
        return mark;
    const char *end = yaml->source + yaml->source_size;
    char quote = node->plain ? '\0' : *at;
    if (quote != '\0') {
        at++;
        mark.column++;
    }
    for (size_t text = 0; text < offset && at < end && *at != '\n';) {
        size_t stands_for, length = piece(at, (size_t)(end - at), quote, &stands_for);
        if (length == 0 || length > (size_t)(end - at) || text + stands_for > offset)
            break;
        for (size_t i = 0; i < length;
             i += tf_yaml_character((const unsigned char *)at + i, (size_t)(end - at) - i))
            mark.column++;
        at += length;
        text += stands_for;
    }
    return mark;
}
