/* cflags: -fsanitize=thread */
/* cc: gcc */
#include "sanitized.h"
