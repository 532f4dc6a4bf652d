/* What the tests of lost connections have in common. */
#ifndef IT_LOOKS_H
#define IT_LOOKS_H

#include <stddef.h>

#define EACH(list) (size_t i = 0; i < sizeof(list) / sizeof *(list); i++)

/* What a program may look at next. The error is still there in the first only
 * where nothing before has reported it. */
static const char *const looks[] = {
    "c.poll c.select c.epoll c.getopt:SO_ERROR c.getopt:SO_ERROR c.poll c.recv:9 c.send:x hits c.peer c.addr "
    "c.inform c.ioctl c.shut:wr c.connect c.connect",
    "c.peer c.addr c.ppoll c.pselect c.epollet c.recv:9:peek c.recv:9 c.poll c.send:x c.send:x hits "
    "c.getopt:SO_ERROR c.shut:rw c.close",
    "c.send:x hits c.send:x hits c.recv:9 c.poll c.getopt:SO_ERROR c.addr c.listen",
};

enum { LOOKS = sizeof looks / sizeof *looks };

#endif
