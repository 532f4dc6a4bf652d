#include "ttl.h"

#include "socket.h"

#include <netinet/in.h>

#ifndef IP_MINTTL
#define IP_MINTTL 21
#endif
#ifndef IPV6_MINHOPCOUNT
#define IPV6_MINHOPCOUNT 73
#endif

static const struct {
    int level, name;
} deaf[] = {{IPPROTO_IP, IP_MINTTL}, {IPPROTO_IPV6, IPV6_MINHOPCOUNT}},
  tagged[] = {{IPPROTO_IP, IP_TTL}, {IPPROTO_IPV6, IPV6_UNICAST_HOPS}};

static void set(struct tf_socket *socket, int fd, int level, int name, int value)
{
    int before = tf_socket_int_option(fd, level, name, -1);

    if (before < 0 || before == value) /* no such option on this family; done already */
        return;
    if (tf_sys(SYS_setsockopt, fd, level, name, &value, sizeof value) == 0)
        tf_socket_pretend(socket, level, name, before);
}

static void restore(struct tf_socket *socket, int fd, int level, int name)
{
    int before;

    if (tf_socket_pretends(socket, level, name, &before))
        tf_sys(SYS_setsockopt, fd, level, name, &before, sizeof before);
}

void tf_ttl_deafen(struct tf_socket *socket, int fd)
{
    for (size_t i = 0; i < sizeof deaf / sizeof *deaf; i++)
        set(socket, fd, deaf[i].level, deaf[i].name, TF_DEAF_TTL);
}

void tf_ttl_tag(struct tf_socket *socket, int fd)
{
    for (size_t i = 0; i < sizeof tagged / sizeof *tagged; i++)
        set(socket, fd, tagged[i].level, tagged[i].name, TF_TAG_TTL);
}

void tf_ttl_heal(struct tf_socket *socket, int fd)
{
    for (size_t i = 0; i < sizeof deaf / sizeof *deaf; i++) {
        restore(socket, fd, deaf[i].level, deaf[i].name);
        restore(socket, fd, tagged[i].level, tagged[i].name);
    }
}
