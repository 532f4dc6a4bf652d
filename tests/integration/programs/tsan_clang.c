/* cflags: -fsanitize=thread */
/* cc: clang */
#include "sanitized.h"
