/* What the supervisor tells, and the sockets that it hands on. */
#include "supervisor.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void tf_supervisor_tell(int socket_fd, const struct tf_notice *notice, const int *fds, size_t count)
{
    char control[CMSG_SPACE(TF_SOCKETS_MAX * sizeof(int))] = {0};
    struct iovec bytes = {(void *)notice, sizeof *notice};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(count * sizeof *fds);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof *fds);
        memcpy(CMSG_DATA(header), fds, count * sizeof *fds);
    }
    /* A tool that is gone is noticed by the poll in the main loop. */
    while (sendmsg(socket_fd, &message, MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
}

/* A socket belongs to the network that it was made in, whoever uses it. */
void tf_supervisor_make_sockets(int socket_fd, const struct tf_request *request)
{
    struct tf_notice notice = {.kind = TF_NOTICE_SOCKET};
    int fds[TF_SOCKETS_MAX] = {0};
    size_t count = 0;
    while (count < (size_t)request->count && !notice.error) {
        fds[count] = socket(request->family, request->type | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
        if (fds[count] < 0)
            notice.error = errno;
        else
            count++;
    }
    snprintf(notice.failed, sizeof notice.failed, "socket");
    tf_supervisor_tell(socket_fd, &notice, fds, notice.error ? 0 : count);
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    notice.kind = TF_NOTICE_PASSED;
    tf_supervisor_tell(socket_fd, &notice, NULL, 0);
}
