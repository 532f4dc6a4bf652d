/* ignore: success, and nothing done. An option that was ignored is reported as
 * set, or a program that checks would see through it. */
#include "effect.h"
#include "socket.h"

#include <string.h>
#include <sys/socket.h>

long tf_effect_ignore(struct tf_call *call)
{
    int value;

    if (call->id == TF_setsockopt && call->arg[3] && (socklen_t)call->arg[4] >= sizeof value) {
        memcpy(&value, (const void *)call->arg[3], sizeof value);
        tf_socket_pretend(call->socket, (int)call->arg[1], (int)call->arg[2], value);
    }
    call->fired = true;
    return 0;
}
