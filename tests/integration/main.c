/* Runs real programs under what was built.
 *
 *   integration [SUITE | SUITE.TEST]...
 *   integration -j N
 *
 * With -j all suites run, N at a time.
 * TF_BUILD in the environment names the build directory; without it, the one
 * that this program was built in.
 */
#include "child.h"
#include "lanes.h"
#include "place.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SUITE(name) extern const CU_TestInfo it_suite_##name[];
#include "suites.def"
#undef SUITE

static const char *const suites[] = {
#define SUITE(name) #name,
#include "suites.def"
#undef SUITE
    NULL};

/* Programs that the tests run, and the Debian packages that hold them. */
static const struct {
    const char *program, *package;
} needed[] = {{"curl", "curl"},           {"redis-server", "redis-server"}, {"redis-cli", "redis-tools"},
              {"memcached", "memcached"}, {"haproxy", "haproxy"},           {"nginx", "nginx-light"},
              {"socat", "socat"},         {"faketime", "faketime"},         {"fiu-ctrl", "fiu-utils"},
              {"fiu-run", "fiu-utils"},   {"xmllint", "libxml2-utils"},     {"python3", "python3"},
              {"nm", "binutils"},         {"unshare", "util-linux"},        {"setpriv", "util-linux"},
              {"stdbuf", "coreutils"}};

static bool all_there(void)
{
    static const char *const folders[] = {"/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin"};
    bool there = true;

    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        bool found = false;
        for (size_t folder = 0; folder < sizeof folders / sizeof *folders; folder++) {
            char path[256];
            snprintf(path, sizeof path, "%s/%s", folders[folder], needed[i].program);
            found |= access(path, X_OK) == 0;
        }
        if (!found)
            fprintf(stderr, "integration: %s is missing: apt-get install %s\n", needed[i].program,
                    needed[i].package);
        there &= found;
    }
    return there;
}

static bool wanted(const char *suite, const char *test, int argc, char **argv)
{
    char whole[256];

    snprintf(whole, sizeof whole, "%s.%s", suite, test);
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], suite) == 0 || fnmatch(argv[i], whole, 0) == 0)
            return true;
    return argc == 1;
}

static void add(const char *name, const CU_TestInfo *tests, int argc, char **argv)
{
    CU_pSuite suite = NULL;

    for (; tests->pName; tests++) {
        if (!wanted(name, tests->pName, argc, argv))
            continue;
        if (!suite)
            suite = CU_add_suite_with_setup_and_teardown(name, NULL, NULL, it_begin, it_end);
        if (!suite || !CU_add_test(suite, tests->pName, tests->pTestFunc)) {
            fprintf(stderr, "%s.%s: %s\n", name, tests->pName, CU_get_error_msg());
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    const char *build = getenv("TF_BUILD");

    if (!it_set_build(build ? build : TF_BUILD)) {
        perror(build ? build : TF_BUILD);
        return 2;
    }
    if (!all_there())
        return 2;
    if (argc == 3 && strcmp(argv[1], "-j") == 0)
        return it_lanes(suites, atoi(argv[2]));
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    signal(SIGPIPE, SIG_IGN);
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 2;
#define SUITE(name) add(#name, it_suite_##name, argc, argv);
#include "suites.def"
#undef SUITE
    if (CU_get_registry()->uiNumberOfTests == 0) {
        fprintf(stderr, "no such test\n");
        return 2;
    }
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_ErrorCode ran = CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return ran == CUE_SUCCESS && failures == 0 ? 0 : 1;
}
