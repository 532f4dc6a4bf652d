/* Assertions that say what they saw. Like CUnit's, they let the test go on. */
#ifndef IT_CHECK_H
#define IT_CHECK_H

#include "child.h"

#include <CUnit/CUnit.h>
#include <stdint.h>
#include <string.h>

#define CHECK(claim) CHECK_SAYING(claim, #claim)

/* `said` is evaluated where the claim fails, and printed. */
#define CHECK_SAYING(claim, said)                                                                            \
    do {                                                                                                     \
        bool holds_ = (claim);                                                                               \
        CU_assertImplementation(holds_, __LINE__, holds_ ? "" : (said), __FILE__, "", CU_FALSE);             \
    } while (0)

#define CHECK_INT(got, expected)                                                                             \
    do {                                                                                                     \
        int64_t got_ = (int64_t)(got), expected_ = (int64_t)(expected);                                      \
        CHECK_SAYING(got_ == expected_,                                                                      \
                     it_text("%s is %lld, not %lld", #got, (long long)got_, (long long)expected_));          \
    } while (0)

#define CHECK_TEXT(got, expected)                                                                            \
    do {                                                                                                     \
        const char *got_ = (got), *expected_ = (expected);                                                   \
        CHECK_SAYING(strcmp(got_, expected_) == 0, it_differ(#got, got_, expected_));                        \
    } while (0)

/* Where two texts differ, and what they have there. */
const char *it_differ(const char *name, const char *got, const char *expected);

#define CHECK_HAS(text, part)                                                                                \
    do {                                                                                                     \
        const char *text_ = (text), *part_ = (part);                                                         \
        CHECK_SAYING(strstr(text_, part_), it_text("%s has no \"%s\":\n%s", #text, part_, text_));           \
    } while (0)

/* The program ended with this status; else what it wrote is shown. */
#define CHECK_EXIT(child, expected)                                                                          \
    do {                                                                                                     \
        const struct it_child *child_ = (child);                                                             \
        CHECK_SAYING(child_->exit == (expected),                                                             \
                     it_text("exit status %d, not %d\nstdout: %.2000s\nstderr: %.2000s", child_->exit,       \
                             (expected), child_->out, child_->err));                                         \
    } while (0)

#endif
