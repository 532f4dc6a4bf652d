/* Call sites: a return address as module and offset, which mean the same in
 * every process and to a symboliser afterwards. Async-signal-safe. */
#ifndef TF_CALLER_H
#define TF_CALLER_H

#include "shim.h"

/* The segment's row for the module that holds `address`, from 1, and the
 * offset in it. 0, and the address itself, where that cannot be told. */
uint16_t tf_caller_module(const void *address, uint64_t *offset);

/* The base name of a module's path; "" for 0. */
const char *tf_caller_module_name(uint16_t module);

/* The function around `address` by the symbols that the dynamic linker has, or
 * those in the module's file; "" where there is none. Not async-signal-safe:
 * only for plans with caller=FUNCTION. */
const char *tf_caller_function(const void *address, uint16_t module, uint64_t offset);

#endif
