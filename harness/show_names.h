/* Numbers of socket calls by the names that the man pages give them. Internal to
 * show.c. Each writes to `out` as snprintf(3) does, and where a number has no
 * name, the number. */
#ifndef TF_SHOW_NAMES_H
#define TF_SHOW_NAMES_H

#include <stddef.h>
#include <stdint.h>

enum tf_names {
    TF_NAMES_DOMAIN,
    TF_NAMES_TYPE,   /* with SOCK_NONBLOCK and SOCK_CLOEXEC */
    TF_NAMES_ACCEPT, /* accept4's flags */
    TF_NAMES_PROTOCOL,
    TF_NAMES_LEVEL,
    TF_NAMES_HOW, /* shutdown */
    TF_NAMES_MSG, /* MSG_* */
    TF_NAMES_SPLICE,
    TF_NAMES_RWF,   /* preadv2, pwritev2 */
    TF_NAMES_OPEN,  /* O_*: F_SETFL, dup3 */
    TF_NAMES_EPOLL, /* epoll_ctl's operation */
    TF_NAMES_FCNTL,
    TF_NAMES_IOCTL,
};

int tf_names_write(enum tf_names kind, uint64_t value, char *out, size_t size);

/* `length` bytes in double quotes, escaped as strace(1) does it; "..." behind
 * them where `cut`. */
int tf_show_quote(const uint8_t *bytes, size_t length, int cut, char *out, size_t size);

#endif
