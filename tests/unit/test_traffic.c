/* How much a program moved, and that beside what it does without faults. */
#include "result.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void moves(struct tf_traffic *traffic, unsigned call, uint32_t conn, int64_t result, uint64_t flags)
{
    struct tf_event event = {.call = (uint16_t)call, .conn = conn, .result = result, .arg = {[3] = flags}};
    tf_traffic_event(traffic, &event);
}

static void what_is_read_and_written_is_added_up(void)
{
    struct tf_traffic traffic = {.known = true};
    struct tf_event never = {.call = TF_recv, .result = 5, .duration_ns = UINT64_MAX};
    char text[100];
    tf_traffic_say(&traffic, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "no connection");
    moves(&traffic, TF_send, 1, 4, 0);
    moves(&traffic, TF_recv, 1, 7, MSG_PEEK);
    moves(&traffic, TF_recv, 1, 7, MSG_DONTWAIT);
    moves(&traffic, TF_recv, 1, -1, 0);
    moves(&traffic, TF_readv, 2, 3, 0);
    moves(&traffic, TF_setsockopt, 2, 9, 0);
    tf_traffic_event(&traffic, &never);
    tf_traffic_say(&traffic, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "2 connections, 10 bytes received, 4 sent");
    CU_ASSERT_TRUE(traffic.known);
    moves(&traffic, TF_recvmmsg, 2, 1, 0);
    CU_ASSERT_FALSE(traffic.known);
}

static void what_repeats_without_faults_stands_beside_it(void)
{
    static const struct tf_traffic all = {true, 1, 1012, 4}, part = {true, 1, 512, 4},
                                   other = {true, 2, 0, 8};
    struct tf_program_result_text program = {.end = (char[]){"exited with status 0"}, .tcp = part};
    char text[300];
    tf_program_traffic(&program, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "1 connection, 512 bytes received, 4 sent");
    CU_ASSERT_FALSE(tf_program_differs(&program));
    tf_result_usual(&program, true, "exited with status 0", &all);
    tf_result_usual(&program, false, "exited with status 0", &all);
    tf_program_traffic(&program, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text,
                           "1 connection, 512 bytes received, 4 sent; without faults 1 connection, 1012 "
                           "bytes received, 4 sent");
    CU_ASSERT_TRUE(tf_program_differs(&program));
    tf_result_usual(&program, false, "exited with status 0", &other);
    tf_program_traffic(&program, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "1 connection, 512 bytes received, 4 sent");
    tf_result_usual(&program, false, "exited with status 1", &all);
    CU_ASSERT_PTR_NULL(program.usual.end);
    tf_result_usual(&program, true, "exited with status 1", &part);
    tf_program_traffic(&program, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text,
                           "1 connection, 512 bytes received, 4 sent; without faults exited with status 1, "
                           "1 connection, 512 bytes received, 4 sent");
    tf_result_forget_usual(&program);
    tf_result_usual(&program, true, "exited with status 0", &part);
    tf_program_traffic(&program, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "1 connection, 512 bytes received, 4 sent; as without faults");
    tf_result_forget_usual(&program);
}

TF_SUITE(traffic, TF_TEST(what_is_read_and_written_is_added_up),
         TF_TEST(what_repeats_without_faults_stands_beside_it))
