/* ignore: success, and nothing done. An option that was ignored is reported as
 * set, or a program that checks would see through it. */
#include "effect.h"

#include <string.h>
#include <sys/socket.h>

static void remember(struct tf_call *call)
{
    struct tf_socket *socket = call->socket;
    int level = (int)call->arg[1], name = (int)call->arg[2];
    uint32_t count = atomic_load(&socket->ignored_count), at = 0;

    if (!call->arg[3] || (socklen_t)call->arg[4] < sizeof(int))
        return;
    while (at < count && (socket->ignored[at].level != level || socket->ignored[at].name != name))
        at++;
    if (at == TF_IGNORED_OPTIONS)
        return;
    socket->ignored[at].level = level;
    socket->ignored[at].name = name;
    memcpy(&socket->ignored[at].value, (const void *)call->arg[3], sizeof(int));
    if (at == count)
        atomic_store(&socket->ignored_count, count + 1);
}

long tf_effect_ignore(struct tf_call *call)
{
    if (call->id == TF_setsockopt)
        remember(call);
    call->fired = true;
    return 0;
}
