/* cflags: -fsanitize=undefined */
/* cc: clang */
#include "sanitized.h"
