/* What the unit tests share. A suite is a file: test functions whose names are
 * claims, TF_SUITE at its end, and a row in suites.def.
 *
 * CUnit is not thread-safe: only the main thread asserts.
 */
#ifndef TF_UNIT_H
#define TF_UNIT_H

#include <CUnit/CUnit.h>
#include <CUnit/TestDB.h>
#include <stddef.h>

#define TF_TEST(claim)                                                                                       \
    {                                                                                                        \
#claim, claim                                                                                        \
    }

#define TF_SUITE(name, ...)                                                                                  \
    CU_ErrorCode tf_suite_##name(void);                                                                      \
    CU_ErrorCode tf_suite_##name(void)                                                                       \
    {                                                                                                        \
        static CU_TestInfo tests[] = {__VA_ARGS__, CU_TEST_INFO_NULL};                                       \
        CU_SuiteInfo suites[] = {{#name, NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};                \
        return CU_register_suites(suites);                                                                   \
    }

/* Asserts, and says what was found where it does not hold. */
#define TF_CHECK(condition, ...) tf_check((condition) != 0, __FILE__, __LINE__, __VA_ARGS__)
void tf_check(int holds, const char *file, unsigned line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The strings are equal; NULL is equal to nothing but NULL. */
#define TF_SAME(found, expected) tf_same(found, expected, __FILE__, __LINE__)
void tf_same(const char *found, const char *expected, const char *file, unsigned line);

/* A path in a directory that is removed when the runner ends. */
const char *tf_scratch(const char *name);

#endif
