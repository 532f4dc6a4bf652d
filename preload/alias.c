/* Ways to a socket that are not a row of calls.def: the fortified names, the
 * calls that close many descriptors or hide one in a FILE, and syscall(). */
#include "hold.h"
#include "later.h"
#include "real.h"
#include "shim.h"

#include <dlfcn.h>
#include <linux/close_range.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>

#define EXPORT __attribute__((visibility("default")))

#define NEXT(type, name) ((type)dlsym(RTLD_NEXT, name))

/* libc's "buffer overflow detected"; does not return. */
extern void __chk_fail(void) __attribute__((weak, noreturn));

/* debug/read_chk.c and its kin: the buffer's true size comes last or fourth. A
 * call that fits is the plain one. */
#define FORTIFIED(name, ret, id, params, small, arguments, ...)                                              \
    EXPORT ret tf_##name params __asm__(#name);                                                              \
    ret tf_##name params                                                                                     \
    {                                                                                                        \
        if (small)                                                                                           \
            __chk_fail();                                                                                    \
        if (tf_idle(TF_##id))                                                                                \
            return tf_real.id arguments;                                                                     \
        const long arg[6] = {__VA_ARGS__};                                                                   \
        return (ret)tf_intercept(TF_##id, __builtin_return_address(0), arg);                                 \
    }

FORTIFIED(__read_chk, ssize_t, read, (int a, void *b, size_t c, size_t size), c > size, (a, b, c), a, (long)b,
          (long)c)
FORTIFIED(__recv_chk, ssize_t, recv, (int a, void *b, size_t c, size_t size, int d), c > size, (a, b, c, d),
          a, (long)b, (long)c, d)
FORTIFIED(__recvfrom_chk, ssize_t, recvfrom,
          (int a, void *b, size_t c, size_t size, int d, struct sockaddr *e, socklen_t *f), c > size,
          (a, b, c, d, e, f), a, (long)b, (long)c, d, (long)e, (long)f)
FORTIFIED(__poll_chk, int, poll, (struct pollfd * a, nfds_t b, int c, size_t size), size / sizeof *a < b,
          (a, b, c), (long)a, (long)b, c)
FORTIFIED(__ppoll_chk, int, ppoll,
          (struct pollfd * a, nfds_t b, const struct timespec *c, const sigset_t *d, size_t size),
          size / sizeof *a < b, (a, b, c, d), (long)a, (long)b, (long)c, (long)d)

/* glibc looks the real one up each time: these are rare, and a static cache
 * would need an order of its own. */
EXPORT int tf_fclose(FILE *stream) __asm__("fclose");
int tf_fclose(FILE *stream)
{
    if (stream)
        tf_forget(fileno(stream));
    return NEXT(int (*)(FILE *), "fclose")(stream);
}

EXPORT FILE *tf_freopen(const char *path, const char *mode, FILE *stream) __asm__("freopen");
FILE *tf_freopen(const char *path, const char *mode, FILE *stream)
{
    if (stream)
        tf_forget(fileno(stream));
    return NEXT(FILE * (*)(const char *, const char *, FILE *), "freopen")(path, mode, stream);
}

__asm__(".globl freopen64\n.type freopen64, %function\n.set freopen64, freopen");

EXPORT int tf_close_range(unsigned first, unsigned last, int flags) __asm__("close_range");
int tf_close_range(unsigned first, unsigned last, int flags)
{
    tf_forget_range(first, last);
    if (!(flags & (int)CLOSE_RANGE_CLOEXEC)) {
        tf_hold_close(first, last);
        tf_later_close(first, last);
    }
    int (*real)(unsigned, unsigned, int) = NEXT(int (*)(unsigned, unsigned, int), "close_range");
    if (real)
        return real(first, last, flags);
    errno = ENOSYS;
    return -1;
}

EXPORT void tf_closefrom(int first) __asm__("closefrom");
void tf_closefrom(int first)
{
    void (*real)(int) = NEXT(void (*)(int), "closefrom");
    tf_forget_range((unsigned)(first < 0 ? 0 : first), TF_DESCRIPTORS - 1);
    tf_hold_close((unsigned)(first < 0 ? 0 : first), ~0u);
    tf_later_close((unsigned)(first < 0 ? 0 : first), ~0u);
    if (real)
        real(first);
}

/* Programs that make system calls by number: those whose arguments are the
 * function's own go the function's way. One more than the id; 0: none. */
#define SAME(id) [SYS_##id] = TF_##id + 1
static const uint8_t id_of_number[512] = {
    SAME(socket), SAME(bind),      SAME(listen),   SAME(accept),     SAME(accept4),     SAME(connect),
    SAME(close),  SAME(shutdown),  SAME(dup),      SAME(dup3),       SAME(getsockname), SAME(getpeername),
    SAME(fcntl),  SAME(read),      SAME(readv),    SAME(setsockopt), SAME(getsockopt),  SAME(write),
    SAME(writev), SAME(epoll_ctl), SAME(recvfrom), SAME(recvmsg),    SAME(recvmmsg),    SAME(sendfile),
    SAME(splice), SAME(sendto),    SAME(sendmsg),  SAME(sendmmsg),
#ifdef SYS_dup2
    SAME(dup2),
#endif
};

EXPORT long tf_syscall(long number, long a, long b, long c, long d, long e, long f) __asm__("syscall");
long tf_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    int id = (unsigned long)number < sizeof id_of_number ? id_of_number[number] - 1 : -1;
    int fd = id < 0 || tf_call_info[id].fd < 0 ? -1 : (int)a;

    if (number == SYS_close_range)
        tf_forget_range((unsigned)a, (unsigned)b);
    if (id < 0 || tf_idle((enum tf_call_id)id) || (fd >= 0 && tf_spared((enum tf_call_id)id, (unsigned)fd))) {
        long result = tf_sys6(number, a, b, c, d, e, f);
        if (result < 0 && result >= -4095) {
            errno = (int)-result;
            return -1;
        }
        return result;
    }
    const long arg[6] = {a, b, c, d, e, f};
    return tf_intercept((enum tf_call_id)id, __builtin_return_address(0), arg);
}
