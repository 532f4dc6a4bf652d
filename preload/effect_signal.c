/* signal=SIG: SIG arrives on entry, and does to the call what a real one does
 * (signal(7), "Interruption of system calls and library functions"). */
#include "effect.h"
#include "socket.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>

static void send_to_self(int signal)
{
    tf_sys(SYS_tgkill, tf_sys(SYS_getpid), tf_sys(SYS_gettid), signal);
}

/* The p-forms unblock the signal and sleep in one step: what happens then is
 * the kernel's own doing. */
static long interrupted_wait(struct tf_call *call)
{
    int signal = call->effect.signal;
    sigset_t blocked, before;
    struct timespec time;
    long arg[6];
    enum tf_call_id id = call->id;

    memcpy(arg, call->arg, sizeof arg);
    sigemptyset(&blocked);
    sigaddset(&blocked, signal);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    send_to_self(signal);
    switch (call->id) {
    case TF_poll:
        id = TF_ppoll;
        time = (struct timespec){call->arg[2] / 1000, call->arg[2] % 1000 * 1000000};
        arg[2] = (int)call->arg[2] < 0 ? 0 : (long)&time;
        arg[3] = (long)&before;
        break;
    case TF_select:
        id = TF_pselect;
        if (call->arg[4]) {
            const struct timeval *timeout = (const struct timeval *)call->arg[4];
            time = (struct timespec){timeout->tv_sec, timeout->tv_usec * 1000};
            arg[4] = (long)&time;
        }
        arg[5] = (long)&before;
        break;
    case TF_epoll_wait:
        id = TF_epoll_pwait;
        arg[4] = (long)&before;
        break;
    case TF_ppoll:
        if (!arg[3])
            arg[3] = (long)&before;
        break;
    case TF_pselect:
        if (!arg[5])
            arg[5] = (long)&before;
        break;
    default: /* epoll_pwait, epoll_pwait2 */
        if (!arg[4])
            arg[4] = (long)&before;
        break;
    }
    long result = tf_perform(id, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

static bool would_wait(const struct tf_call *call)
{
    unsigned class = tf_call_info[call->id].class;
    struct pollfd ready = {.fd = call->fd, .events = class == TF_CLASS_OUT ? POLLOUT : POLLIN};
    struct timespec none = {0, 0};

    if (call->nonblocking)
        return false;
    if (call->id == TF_connect)
        return true;
    if (class != TF_CLASS_IN && class != TF_CLASS_OUT && class != TF_CLASS_ACCEPT)
        return false;
    return tf_sys(SYS_ppoll, &ready, 1, &none, 0, sizeof(uint64_t)) == 0;
}

/* With a timeout of its own a call is not restarted. */
static bool has_timeout(const struct tf_call *call)
{
    bool sends = tf_call_info[call->id].class == TF_CLASS_OUT || call->id == TF_connect;
    return tf_socket_timeout_ns(call->fd, sends ? SO_SNDTIMEO : SO_RCVTIMEO) != 0;
}

static bool is_handled(const struct sigaction *action)
{
    return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

/* SIGSTOP and SIGCONT interrupt without a handler what Linux does not restart. */
bool tf_can_be_interrupted(const struct tf_call *call)
{
    struct sigaction action;
    bool waits = tf_call_info[call->id].class == TF_CLASS_WAIT;
    bool epoll = call->id == TF_epoll_wait || call->id == TF_epoll_pwait || call->id == TF_epoll_pwait2;

    if (epoll || (!waits && has_timeout(call)))
        return true;
    for (int signal = 1; signal < NSIG; signal++)
        if (sigaction(signal, NULL, &action) == 0 && is_handled(&action) &&
            (waits || !(action.sa_flags & SA_RESTART)))
            return true;
    return false;
}

/* Does the handler that is installed now end a blocked call with EINTR? */
static enum tf_reason interrupts(const struct tf_call *call)
{
    struct sigaction action;
    sigset_t mask;

    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    if (sigismember(&mask, call->effect.signal) == 1)
        return TF_REASON_signal_blocked;
    if (sigaction(call->effect.signal, NULL, &action) != 0 || !is_handled(&action))
        return TF_REASON_no_wait;
    if ((action.sa_flags & SA_RESTART) && !has_timeout(call))
        return TF_REASON_signal_restarts;
    return TF_REASON_none;
}

bool tf_effect_signal(struct tf_call *call, long *result)
{
    call->fired = true;
    if (tf_call_info[call->id].class == TF_CLASS_WAIT) {
        *result = interrupted_wait(call);
        return true;
    }
    bool waits = would_wait(call);
    enum tf_reason restarts = interrupts(call);
    if (waits && !restarts && call->id == TF_connect) {
        /* An interrupted connect goes on in the background: error=EINTR does just that. */
        call->effect.error = EINTR;
        *result = tf_effect_error(call);
        send_to_self(call->effect.signal);
        return true;
    }
    send_to_self(call->effect.signal);
    *result = -EINTR;
    return waits && !restarts;
}
