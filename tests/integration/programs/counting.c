/* cflags: -shared -fPIC */
/* Another preload: counts calls of recv, and passes them on. */
#include <dlfcn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/types.h>

static int counted;

ssize_t recv(int fd, void *data, size_t size, int flags)
{
    counted++;
    return ((ssize_t(*)(int, void *, size_t, int))dlsym(RTLD_NEXT, "recv"))(fd, data, size, flags);
}

__attribute__((destructor)) static void say(void)
{
    if (counted)
        dprintf(2, "counted %d\n", counted);
}
