/* cflags: -fsanitize=undefined */
/* cc: gcc */
#include "sanitized.h"
