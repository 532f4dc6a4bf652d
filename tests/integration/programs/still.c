/* cflags: -static */
/* Cannot be covered. */
#include <stdio.h>

int main(void)
{
    puts("ran");
    return 0;
}
