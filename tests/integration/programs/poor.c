/* cflags: -shared -fPIC */
/* Another preload, which leaves the program no descriptor but the first three. */
#include <sys/resource.h>

__attribute__((constructor)) static void limit(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &limit);
}
