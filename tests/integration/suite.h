/* A suite is one file, test_NAME.c: functions whose names are claims, IT_SUITE at
 * its end, and a line in suites.def. */
#ifndef IT_SUITE_H
#define IT_SUITE_H

#include <CUnit/CUnit.h>
#include <CUnit/TestDB.h>

#define TEST(claim)                                                                                          \
    {                                                                                                        \
#claim, claim                                                                                        \
    }

#define IT_SUITE(name, ...)                                                                                  \
    extern const CU_TestInfo it_suite_##name[];                                                              \
    const CU_TestInfo it_suite_##name[] = {__VA_ARGS__, CU_TEST_INFO_NULL};

#endif
