#include "traffic.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>

/* Of recv and its like, MSG_PEEK: the bytes come again. */
static bool peeks(const struct tf_event *event)
{
    return ((event->call == TF_recv || event->call == TF_recvfrom) && (event->arg[3] & MSG_PEEK) != 0) ||
           (event->call == TF_recvmsg && (event->arg[2] & MSG_PEEK) != 0);
}

void tf_traffic_event(struct tf_traffic *traffic, const struct tf_event *event)
{
    unsigned int class = event->call < TF_CALLS ? tf_call_info[event->call].class : TF_CLASS_NONE;
    if (event->conn > traffic->connections)
        traffic->connections = event->conn;
    if (event->duration_ns == UINT64_MAX || event->result <= 0 || peeks(event) ||
        (class != TF_CLASS_IN && class != TF_CLASS_OUT))
        return;
    if (tf_call_info[event->call].shape == TF_SHAPE_MESSAGES)
        traffic->known = false;
    *(class == TF_CLASS_IN ? &traffic->received : &traffic->sent) += (uint64_t)event->result;
}

bool tf_traffic_same(const struct tf_traffic *one, const struct tf_traffic *other)
{
    return one->known == other->known &&
           (!one->known || (one->connections == other->connections && one->received == other->received &&
                            one->sent == other->sent));
}

int tf_traffic_say(const struct tf_traffic *traffic, char *out, size_t size)
{
    if (traffic->connections == 0 && traffic->received + traffic->sent == 0)
        return snprintf(out, size, "no connection");
    return snprintf(out, size, "%" PRIu64 " connection%s, %" PRIu64 " byte%s received, %" PRIu64 " sent",
                    traffic->connections, traffic->connections == 1 ? "" : "s", traffic->received,
                    traffic->received == 1 ? "" : "s", traffic->sent);
}

void tf_traffic_put(json_t *object, const struct tf_traffic *traffic)
{
    if (traffic->known)
        json_object_set_new(object, "tcp",
                            json_pack("{sI sI sI}", "connections", (json_int_t)traffic->connections,
                                      "received", (json_int_t)traffic->received, "sent",
                                      (json_int_t)traffic->sent));
}

struct tf_traffic tf_traffic_get(const json_t *object)
{
    const json_t *tcp = json_object_get(object, "tcp");
    return (struct tf_traffic){.known = json_is_object(tcp),
                               .connections =
                                   (uint64_t)json_integer_value(json_object_get(tcp, "connections")),
                               .received = (uint64_t)json_integer_value(json_object_get(tcp, "received")),
                               .sent = (uint64_t)json_integer_value(json_object_get(tcp, "sent"))};
}
