#include "pointer.h"

#include <limits.h>
#include <poll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { PAGE = 4096, PROBE = 8 };

/* The kernel copies a signal set before it refuses an unknown `how`: EFAULT or
 * EINVAL, and nothing done (sigprocmask(2), kernel/signal.c). */
static bool probe(uintptr_t address)
{
    return tf_sys(SYS_rt_sigprocmask, -1, address, 0, PROBE) != -EFAULT;
}

static bool readable(const void *start, size_t length)
{
    uintptr_t address = (uintptr_t)start, end = address + length;

    if (length == 0)
        return true;
    if (end < address)
        return false;
    /* Up to seven bytes before the start are in its page, or in one of its struct's. */
    for (uintptr_t at = address & ~(uintptr_t)(PROBE - 1); at < end;
         at = (at & ~(uintptr_t)(PAGE - 1)) + PAGE)
        if (!probe(at))
            return false;
    return true;
}

static bool vector_readable(const struct iovec *vector, size_t count)
{
    return count > IOV_MAX || readable(vector, count * sizeof *vector);
}

static bool message_readable(const struct msghdr *message)
{
    return readable(message, sizeof *message) && vector_readable(message->msg_iov, message->msg_iovlen);
}

static bool sets_readable(const struct tf_call *call)
{
    int count = (int)call->arg[0] < TF_DESCRIPTORS ? (int)call->arg[0] : TF_DESCRIPTORS;
    for (int set = 1; set <= 3; set++)
        if (call->arg[set] && count > 0 && !readable((const void *)call->arg[set], ((size_t)count + 7) / 8))
            return false;
    return true;
}

bool tf_pointers_readable(const struct tf_call *call)
{
    const void *first = (const void *)call->arg[0], *second = (const void *)call->arg[1];

    switch (tf_call_info[call->id].shape) {
    case TF_SHAPE_ADDRESS:
        return (socklen_t)call->arg[2] > sizeof(struct sockaddr_storage) ||
               readable(second, (socklen_t)call->arg[2]);
    case TF_SHAPE_NAME:
        return readable((const void *)call->arg[2], sizeof(socklen_t));
    case TF_SHAPE_OPTION:
        return call->id != TF_setsockopt || (int)call->arg[4] <= 0 ||
               readable((const void *)call->arg[3], sizeof(int));
    case TF_SHAPE_VECTOR:
        return (int)call->arg[2] <= 0 || vector_readable(second, (size_t)(int)call->arg[2]);
    case TF_SHAPE_MESSAGE:
        return message_readable(second);
    case TF_SHAPE_MESSAGES:
        return (unsigned)call->arg[2] == 0 || message_readable(&((const struct mmsghdr *)second)->msg_hdr);
    case TF_SHAPE_WAIT:
        if (call->id == TF_poll || call->id == TF_ppoll)
            return readable(first, (size_t)call->arg[1] * sizeof(struct pollfd));
        return (call->id != TF_select && call->id != TF_pselect) || sets_readable(call);
    default:
        return true;
    }
}
