#include "callsite.h"

#include "unit.h"

#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *here;

__attribute__((noinline)) static void outer(void)
{
    here = __builtin_extract_return_addr(__builtin_return_address(0));
}

static uint64_t offset_of(const void *address)
{
    return (uint64_t)(uintptr_t)address - (uint64_t)_r_debug.r_map->l_addr;
}

static void a_return_address_becomes_a_function_and_a_line(void)
{
    char path[PATH_MAX] = "";
    size_t count = 0;
    CU_ASSERT(readlink("/proc/self/exe", path, sizeof path - 1) > 0);
    struct tf_callsites *sites = tf_callsites_new();
    outer();
    unsigned line = __LINE__ - 1;
    struct tf_frame *frames = tf_callsites_find(sites, path, offset_of(here), &count);
    CU_ASSERT_FATAL(frames != NULL && count > 0);
    TF_SAME(frames[0].function, __func__);
    TF_CHECK(strstr(frames[0].file, "test_callsite.c") && frames[0].line == line, "%s:%u, not line %u",
             frames[0].file, frames[0].line, line);
    tf_frames_free(frames, count);
    tf_callsites_free(sites);
}

static void what_cannot_be_told_is_said_to_be_unknown(void)
{
    size_t count = 0;
    struct tf_callsites *sites = tf_callsites_new();
    struct tf_frame *frames = tf_callsites_find(sites, "/nowhere/at/all", 0x1234, &count);
    CU_ASSERT_FATAL(frames != NULL && count == 1);
    TF_SAME(frames[0].function, "");
    TF_SAME(frames[0].file, "");
    CU_ASSERT_EQUAL(frames[0].offset, 0x1234);
    tf_frames_free(frames, count);
    tf_callsites_free(sites);
}

TF_SUITE(callsite, TF_TEST(a_return_address_becomes_a_function_and_a_line),
         TF_TEST(what_cannot_be_told_is_said_to_be_unknown))
