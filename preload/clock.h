/* The time as the kernel tells it, whatever libc has been told: a libfaketime in
 * between changes only the program's clocks. */
#ifndef TF_CLOCK_H
#define TF_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC. By the vDSO (vdso(7)) where there is one: no system call.
 * Async-signal-safe; no thread-local storage after the first call. */
uint64_t tf_now_ns(void);

#endif
