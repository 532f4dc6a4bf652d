/* The checks that look at nothing themselves: what a battery expects, and does not hold,
 * is made a finding where it is seen (case_verdict.c). */
#include "check.h"

#define EXPECTED(id)                                                                                         \
    void tf_check_##id(const struct tf_evidence *evidence)                                                   \
    {                                                                                                        \
        (void)evidence;                                                                                      \
    }
EXPECTED(service_lost)
EXPECTED(wrong_success)
EXPECTED(transient_fatal)
EXPECTED(failure_ignored)
EXPECTED(hung)
EXPECTED(broken_expectation)
