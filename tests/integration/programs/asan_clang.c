/* cflags: -fsanitize=address -fno-omit-frame-pointer */
/* cc: clang */
#include "sanitized.h"
