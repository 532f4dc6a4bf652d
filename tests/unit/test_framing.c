#include "framing.h"
#include "unit.h"

#include <string.h>

static bool told(const char *reply)
{
    return tf_framing_told(reply, strlen(reply));
}

static void a_length_that_fits_is_told(void)
{
    CU_ASSERT_TRUE(told("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"));
    CU_ASSERT_TRUE(told("HTTP/1.0 200 OK\ncontent-length:5\nServer: x\n\nhello"));
    CU_ASSERT_TRUE(told("LENGTH 5\nhello"));
    CU_ASSERT_TRUE(told("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));
    CU_ASSERT_TRUE(tf_framing_told("length=2\n\0\n", 11));
}

static void anything_else_is_not(void)
{
    CU_ASSERT_FALSE(told(""));
    CU_ASSERT_FALSE(told("hello"));
    CU_ASSERT_FALSE(told("hello, 5\nhello"));
    CU_ASSERT_FALSE(told("HTTP/1.0 200 OK\r\nServer: x\r\n\r\nhello"));
    CU_ASSERT_FALSE(told("HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello"));
    CU_ASSERT_FALSE(told("HTTP/1.0 200 OK\r\nContent-Length:\r\n\r\nhello"));
    CU_ASSERT_FALSE(told("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"));
    CU_ASSERT_FALSE(told("hello\n\nlength 3\nabc"));
    CU_ASSERT_FALSE(told("length\n5"));
}

TF_SUITE(framing, TF_TEST(a_length_that_fits_is_told), TF_TEST(anything_else_is_not))
