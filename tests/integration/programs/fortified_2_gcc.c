/* cflags: -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 */
/* cc: gcc */
#include "fortified.h"
