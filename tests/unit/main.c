/* Runs the suites of suites.def, or those that are named on the command line.
 * Exit status: 0 all passed, 1 something failed, 2 the tests could not run. */
#include "unit.h"

#include <CUnit/Basic.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUITE(name) CU_ErrorCode tf_suite_##name(void);
#include "suites.def"
#undef SUITE

static const struct {
    const char *name;
    CU_ErrorCode (*add)(void);
} suites[] = {
#define SUITE(name) {#name, tf_suite_##name},
#include "suites.def"
#undef SUITE
};

enum { SUITES = sizeof(suites) / sizeof(suites[0]) };

static char scratch[] = "/tmp/tcpfault-unit-XXXXXX";

void tf_check(int holds, const char *file, unsigned line, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    CU_assertImplementation(holds ? CU_TRUE : CU_FALSE, line, text, file, "", CU_FALSE);
}

void tf_same(const char *found, const char *expected, const char *file, unsigned line)
{
    int same = found && expected ? strcmp(found, expected) == 0 : found == expected;
    tf_check(same, file, line, "found \"%s\", expected \"%s\"", found ? found : "(none)",
             expected ? expected : "(none)");
}

const char *tf_scratch(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", scratch, name);
    return path;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status, (void)kind, (void)where;
    return remove(path);
}

static int wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return 1;
    return argc < 2;
}

int main(int argc, char **argv)
{
    unsigned added = 0;
    if (!mkdtemp(scratch) || CU_initialize_registry() != CUE_SUCCESS) {
        perror("unit");
        return 2;
    }
    alarm(600); /* a test that hangs must not hang the build */
    for (int i = 0; i < SUITES; i++) {
        if (!wanted(suites[i].name, argc, argv))
            continue;
        if (suites[i].add() != CUE_SUCCESS) {
            fprintf(stderr, "unit: cannot add the suite %s: %s\n", suites[i].name, CU_get_error_msg());
            return 2;
        }
        added++;
    }
    if (added < (argc > 1 ? (unsigned)argc - 1 : SUITES)) {
        fprintf(stderr, "unit: no such suite\n");
        return 2;
    }
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_ErrorCode error = CU_basic_run_tests();
    int bad = error != CUE_SUCCESS || CU_get_number_of_failures() > 0 ||
              CU_get_number_of_tests_failed() > 0 || CU_get_number_of_suites_failed() > 0 ||
              CU_get_number_of_tests_run() == 0;
    CU_cleanup_registry();
    nftw(scratch, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return bad;
}
