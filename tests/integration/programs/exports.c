/* cflags: -rdynamic */
/* Exports functions whose names others have used, too: a library that called one
 * of these would end the program. */
#include "loopback.h"

#define TRAP(name)                                                                                           \
    void name(void);                                                                                         \
    void name(void)                                                                                          \
    {                                                                                                        \
        dprintf(2, "%s was called\n", #name);                                                                \
        _exit(77);                                                                                           \
    }
TRAP(hash_create)
TRAP(hash_get)
TRAP(hash_set)
TRAP(hash_free)
TRAP(wtable_create)
TRAP(wtable_get)
TRAP(cache_create)
TRAP(tf_decide)
TRAP(tf_hash)
TRAP(tf_start)
TRAP(tf_intercept)
TRAP(tf_perform)
TRAP(tf_apply)
TRAP(tf_resolve)
TRAP(tf_failpoint)
TRAP(tf_socket_of)
TRAP(tf_ring_enter)
TRAP(tf_trace_enter)
TRAP(tf_segment_create)
TRAP(tf_plan_add)
TRAP(tf_rule_parse)
TRAP(tf_self)
TRAP(tf_real)
TRAP(tf_settled)
TRAP(decide)
TRAP(judged)
TRAP(enter)
TRAP(leave)
TRAP(adopt)
TRAP(begin)
TRAP(ask)
TRAP(insert)
TRAP(find)
TRAP(claim)

int main(void)
{
    int end[2];
    char byte;

    loopback_pair(end);
    printf("%s", outcome(recv(end[0], &byte, 1, MSG_DONTWAIT)));
    printf(" %s\n", outcome(recv(end[0], &byte, 1, MSG_DONTWAIT)));
    return 0;
}
