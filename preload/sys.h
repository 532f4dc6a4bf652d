/* System calls without libc: no errno, no cancellation, no other preload in
 * between. Each returns what the kernel returned: a result, or -errno.
 *
 * The shim's own looks at a socket go through here; what the program asked for
 * goes through the real libc function (tf_perform).
 */
#ifndef TF_SYS_H
#define TF_SYS_H

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static inline long tf_sys6(long number, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory", "cc");
    return x0;
#else
#error "tcpfault knows the system calls of x86-64 and arm64 only"
#endif
}

#define TF_SYS_PICK(_0, _1, _2, _3, _4, _5, _6, name, ...) name
#define TF_SYS0(n) tf_sys6(n, 0, 0, 0, 0, 0, 0)
#define TF_SYS1(n, a) tf_sys6(n, (long)(a), 0, 0, 0, 0, 0)
#define TF_SYS2(n, a, b) tf_sys6(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define TF_SYS3(n, a, b, c) tf_sys6(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define TF_SYS4(n, a, b, c, d) tf_sys6(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define TF_SYS5(n, a, b, c, d, e) tf_sys6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define TF_SYS6(n, a, b, c, d, e, f)                                                                         \
    tf_sys6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
/* tf_sys(SYS_close, fd): up to six arguments of any scalar type. */
#define tf_sys(...)                                                                                          \
    TF_SYS_PICK(__VA_ARGS__, TF_SYS6, TF_SYS5, TF_SYS4, TF_SYS3, TF_SYS2, TF_SYS1, TF_SYS0)(__VA_ARGS__)

#endif
