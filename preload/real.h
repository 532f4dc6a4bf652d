/* The real functions behind the interposed symbols, by name: tf_real.recv(...).
 * Filled by tf_resolve; a call through here is what the program would have done. */
#ifndef TF_REAL_H
#define TF_REAL_H

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define PARAMS_P1(A) (A a)
#define PARAMS_P2(A, B) (A a, B b)
#define PARAMS_P3(A, B, C) (A a, B b, C c)
#define PARAMS_P4(A, B, C, D) (A a, B b, C c, D d)
#define PARAMS_P5(A, B, C, D, E) (A a, B b, C c, D d, E e)
#define PARAMS_P6(A, B, C, D, E, F) (A a, B b, C c, D d, E e, F f)

#define SOCKADDR struct sockaddr *
#define CONST_SOCKADDR const struct sockaddr *

struct tf_real {
#define CALL(id, name, fd, shape, class, ret, params) ret(*id) PARAMS_##params;
#define CALL_TWIN(...)
#include "calls.def"
#undef CALL
};

extern struct tf_real tf_real;

#endif
