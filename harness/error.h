/* What went wrong, in one line, in storage of the caller's. */
#ifndef TF_ERROR_H
#define TF_ERROR_H

struct tf_error {
    char text[512]; /* no newline; starts without a capital, ends without a full stop */
};

/* Fills *error (which may be NULL) as printf does, cutting what does not fit.
 * Returns -1, so that a function can end with `return tf_error_set(...)`. */
int tf_error_set(struct tf_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same with ": " and strerror(number) behind it. */
int tf_error_errno(struct tf_error *error, int number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
