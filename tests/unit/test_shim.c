#include "../../harness/shim.h" /* the shim has a header of that name, too */

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *get(char **list, const char *name)
{
    size_t length = strlen(name);
    const char *value = NULL;
    int count = 0;
    for (; *list; list++) {
        if (!strncmp(*list, name, length) && (*list)[length] == '=') {
            value = *list + length + 1;
            count++;
        }
    }
    TF_CHECK(count <= 1, "%s is there %d times", name, count);
    return value;
}

static const struct tf_shim_environment settings = {.shim_path = "/lib/shim.so",
                                                    .segment_path = "/tmp/segment"};

static void the_shim_goes_first_and_drops_nothing(void)
{
    char *base[] = {(char *)"A=1",
                    (char *)"LD_PRELOAD=/x.so:/y.so",
                    (char *)"ASAN_OPTIONS=detect_leaks=0",
                    (char *)"EMPTY=",
                    (char *)"B=2",
                    NULL};
    char **list = tf_shim_environment(base, &settings);
    TF_SAME(get(list, "LD_PRELOAD"), "/lib/shim.so:/x.so:/y.so");
    TF_SAME(get(list, "ASAN_OPTIONS"), "detect_leaks=0:verify_asan_link_order=0");
    TF_SAME(get(list, "TCPFAULT_TRACE"), "/tmp/segment");
    TF_SAME(get(list, "A"), "1");
    TF_SAME(get(list, "B"), "2");
    TF_SAME(get(list, "EMPTY"), "");
    free(list);
}

static void an_empty_environment_gets_what_it_needs(void)
{
    char *base[] = {NULL};
    char **list = tf_shim_environment(base, &settings);
    TF_SAME(get(list, "LD_PRELOAD"), "/lib/shim.so");
    TF_SAME(get(list, "ASAN_OPTIONS"), "verify_asan_link_order=0");
    CU_ASSERT_PTR_NULL(get(list, "TCPFAULT_CTRL"));
    free(list);
}

static void what_bare_use_is_steered_by_is_not_inherited(void)
{
    char *base[] = {(char *)"TCPFAULT=connect:error=EIO", (char *)"TCPFAULT_SEED=5",
                    (char *)"TCPFAULT_TRACE=/old",        (char *)"TCPFAULT_CTRL=/old",
                    (char *)"TCPFAULT_LIB=/kept",         NULL};
    struct tf_shim_environment with_control = settings;
    with_control.control = "/run/fiu";
    char **list = tf_shim_environment(base, &with_control);
    CU_ASSERT_PTR_NULL(get(list, "TCPFAULT"));
    CU_ASSERT_PTR_NULL(get(list, "TCPFAULT_SEED"));
    TF_SAME(get(list, "TCPFAULT_TRACE"), "/tmp/segment");
    TF_SAME(get(list, "TCPFAULT_CTRL"), "/run/fiu");
    TF_SAME(get(list, "TCPFAULT_LIB"), "/kept");
    free(list);
}

static void extra_variables_replace_and_are_prepended_to(void)
{
    char *base[] = {(char *)"A=1", (char *)"LD_PRELOAD=/base.so", NULL};
    char *extra[] = {(char *)"A=2", (char *)"NEW=3", (char *)"LD_PRELOAD=/extra.so", NULL};
    struct tf_shim_environment with_extra = settings;
    with_extra.extra = extra;
    char **list = tf_shim_environment(base, &with_extra);
    TF_SAME(get(list, "A"), "2");
    TF_SAME(get(list, "NEW"), "3");
    TF_SAME(get(list, "LD_PRELOAD"), "/lib/shim.so:/extra.so");
    free(list);
    with_extra.shim_path = NULL;
    list = tf_shim_environment(base, &with_extra);
    TF_SAME(get(list, "LD_PRELOAD"), "/extra.so");
    CU_ASSERT_PTR_NULL(get(list, "TCPFAULT_TRACE"));
    CU_ASSERT_PTR_NULL(get(list, "ASAN_OPTIONS"));
    free(list);
}

static void the_library_can_be_named(void)
{
    char path[4096], named[300];
    struct tf_error error;
    snprintf(named, sizeof named, "%s", tf_scratch("lib.so"));
    FILE *file = fopen(named, "w");
    if (file)
        fclose(file);
    setenv("TCPFAULT_LIB", named, 1);
    CU_ASSERT_EQUAL(tf_shim_find(path, sizeof path, &error), 0);
    TF_SAME(path, named);
    CU_ASSERT_EQUAL(tf_shim_find(path, 5, &error), -1);
    setenv("TCPFAULT_LIB", "/no/such/lib.so", 1);
    CU_ASSERT_EQUAL(tf_shim_find(path, sizeof path, &error), -1);
    TF_SAME(error.text, "/no/such/lib.so: No such file or directory");
    snprintf(named, sizeof named, "%s", tf_scratch("a lib.so"));
    file = fopen(named, "w");
    if (file)
        fclose(file);
    setenv("TCPFAULT_LIB", named, 1);
    CU_ASSERT_EQUAL(tf_shim_find(path, sizeof path, &error), -1);
    TF_CHECK(strstr(error.text, "a blank or a colon"), "%s", error.text);
    unsetenv("TCPFAULT_LIB");
}

TF_SUITE(shim, TF_TEST(the_shim_goes_first_and_drops_nothing),
         TF_TEST(an_empty_environment_gets_what_it_needs),
         TF_TEST(what_bare_use_is_steered_by_is_not_inherited),
         TF_TEST(extra_variables_replace_and_are_prepended_to), TF_TEST(the_library_can_be_named))
