/* cflags: -fsanitize=address -fno-omit-frame-pointer */
/* cc: gcc */
#include "sanitized.h"
