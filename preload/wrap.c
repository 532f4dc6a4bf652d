/* calls.def expanded: the interposed symbols, the real functions behind them,
 * and the way back from a struct of arguments to a typed call. */
#include "real.h"
#include "shim.h"

#include <dlfcn.h>

#define NAMES_P1(...) (a)
#define NAMES_P2(...) (a, b)
#define NAMES_P3(...) (a, b, c)
#define NAMES_P4(...) (a, b, c, d)
#define NAMES_P5(...) (a, b, c, d, e)
#define NAMES_P6(...) (a, b, c, d, e, f)
#define LONGS_P1(...)                                                                                        \
    {                                                                                                        \
        (long)a                                                                                              \
    }
#define LONGS_P2(...)                                                                                        \
    {                                                                                                        \
        (long)a, (long)b                                                                                     \
    }
#define LONGS_P3(...)                                                                                        \
    {                                                                                                        \
        (long)a, (long)b, (long)c                                                                            \
    }
#define LONGS_P4(...)                                                                                        \
    {                                                                                                        \
        (long)a, (long)b, (long)c, (long)d                                                                   \
    }
#define LONGS_P5(...)                                                                                        \
    {                                                                                                        \
        (long)a, (long)b, (long)c, (long)d, (long)e                                                          \
    }
#define LONGS_P6(...)                                                                                        \
    {                                                                                                        \
        (long)a, (long)b, (long)c, (long)d, (long)e, (long)f                                                 \
    }
#define CASTS_P1(A) ((A)arg[0])
#define CASTS_P2(A, B) ((A)arg[0], (B)arg[1])
#define CASTS_P3(A, B, C) ((A)arg[0], (B)arg[1], (C)arg[2])
#define CASTS_P4(A, B, C, D) ((A)arg[0], (B)arg[1], (C)arg[2], (D)arg[3])
#define CASTS_P5(A, B, C, D, E) ((A)arg[0], (B)arg[1], (C)arg[2], (D)arg[3], (E)arg[4])
#define CASTS_P6(A, B, C, D, E, F) ((A)arg[0], (B)arg[1], (C)arg[2], (D)arg[3], (E)arg[4], (F)arg[5])

/* A row that differs from libc's own prototype fails the build here. glibc
 * declares socket addresses as a transparent union. */
#undef SOCKADDR
#undef CONST_SOCKADDR
#define SOCKADDR __SOCKADDR_ARG
#define CONST_SOCKADDR __CONST_SOCKADDR_ARG
#define CALL(id, name, fd, shape, class, ret, params)                                                        \
    _Static_assert(__builtin_types_compatible_p(__typeof__(id), ret PARAMS_##params), name);
#define CALL_VARIADIC(...)
#define CALL_TWIN(...)
#include "calls.def"
#undef CALL
#undef SOCKADDR
#undef CONST_SOCKADDR
#define SOCKADDR struct sockaddr *
#define CONST_SOCKADDR const struct sockaddr *

struct tf_real tf_real;

void tf_resolve(void)
{
#define CALL(id, name, fd, shape, class, ret, params)                                                        \
    tf_real.id = (ret(*) PARAMS_##params)dlsym(RTLD_NEXT, name);
#define CALL_TWIN(...)
#include "calls.def"
#undef CALL
}

/* Three steps, each a tail call of the next, so that the common one needs no
 * stack and the return address stays the program's. */
#define CALL(id, name, fd, shape, class, ret, params)                                                        \
    static __attribute__((noinline)) ret enter_##id PARAMS_##params                                          \
    {                                                                                                        \
        const long arg[6] = LONGS_##params;                                                                  \
        return (ret)tf_intercept(TF_##id, __builtin_return_address(0), arg);                                 \
    }                                                                                                        \
    static __attribute__((noinline)) ret look_##id PARAMS_##params                                           \
    {                                                                                                        \
        const long first[6] = LONGS_##params;                                                                \
        if ((fd) >= 0 && tf_spared(TF_##id, (unsigned)first[(fd) < 0 ? 0 : (fd)]))                           \
            return tf_real.id NAMES_##params;                                                                \
        return enter_##id NAMES_##params;                                                                    \
    }                                                                                                        \
    __attribute__((visibility("default"))) ret tf_wrap_##id PARAMS_##params __asm__(name);                   \
    ret tf_wrap_##id PARAMS_##params                                                                         \
    {                                                                                                        \
        return tf_idle(TF_##id) ? tf_real.id NAMES_##params : look_##id NAMES_##params;                      \
    }
#define CALL_TWIN(...)
#include "calls.def"
#undef CALL

long tf_perform(enum tf_call_id id, const long arg[6])
{
    long result = -1;

    switch (id) {
#define CALL(id, name, fd, shape, class, ret, params)                                                        \
    case TF_##id:                                                                                            \
        if (!tf_real.id) /* called before our constructor */                                                 \
            tf_real.id = (ret(*) PARAMS_##params)dlsym(RTLD_NEXT, name);                                     \
        errno = ENOSYS; /* an older libc has not all of them */                                              \
        if (tf_real.id)                                                                                      \
            result = (long)tf_real.id CASTS_##params;                                                        \
        break;
#define CALL_TWIN(...)
#include "calls.def"
#undef CALL
    case TF_splice_out:
        return tf_perform(TF_splice, arg);
    case TF_CALLS:
        break;
    }
    return result == -1 ? -errno : result;
}

/* The names under which libc exports the same functions again. */
#define ALSO(name, as) __asm__(".globl " name "\n.type " name ", %function\n.set " name ", " as);
ALSO("__close", "close")
ALSO("__connect", "connect")
ALSO("__send", "send")
ALSO("__read", "read")
ALSO("__write", "write")
ALSO("__fcntl", "fcntl")
ALSO("fcntl64", "fcntl")
ALSO("__dup2", "dup2")
ALSO("__select", "select")
ALSO("__poll", "poll")
ALSO("sendfile64", "sendfile")
ALSO("preadv64v2", "preadv2")
ALSO("pwritev64v2", "pwritev2")
