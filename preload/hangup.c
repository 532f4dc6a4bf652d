#include "hangup.h"

#include "readiness.h"
#include "socket.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

static bool gives_in_parts(void)
{
    const struct tf_segment *segment = tf_self.segment;
    for (uint32_t i = 0; i < segment->plan.rules; i++)
        if (tf_segment_rations(&segment->plan.rule[i]) && atomic_load(&segment->state[i].armed))
            return true;
    return false;
}

static bool comes_later(int fd)
{
    int bytes = 0;
    return fd >= 0 && tf_socket_of(fd) && tf_sys(SYS_ioctl, fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

void tf_hangup_hide(const struct tf_call *call, long ready)
{
    struct pollfd *polled = (struct pollfd *)call->arg[0];
    struct epoll_event *event = (struct epoll_event *)call->arg[1];

    if (ready <= 0 || call->id == TF_select || call->id == TF_pselect)
        return;
    if (call->id == TF_poll || call->id == TF_ppoll) {
        for (long i = 0; i < call->arg[1]; i++)
            if (polled[i].revents & POLLHUP && polled[i].revents & POLLIN && gives_in_parts() &&
                comes_later(polled[i].fd))
                polled[i].revents &= ~POLLHUP;
        return;
    }
    for (long i = 0; i < ready; i++)
        if (event[i].events & EPOLLHUP && event[i].events & EPOLLIN && gives_in_parts() &&
            comes_later(tf_readiness_fd((int)call->arg[0], event[i].data.u64)))
            event[i].events &= ~(uint32_t)EPOLLHUP;
}
