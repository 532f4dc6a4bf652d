/* Pointers that the program passed: the kernel answers a bad one with EFAULT,
 * and looking at it must not be worse. */
#ifndef TF_POINTER_H
#define TF_POINTER_H

#include "shim.h"

/* Can every struct be read that the shim reads before the real call? Buffers are
 * not among them: they are looked at after the kernel has used them. */
bool tf_pointers_readable(const struct tf_call *call);

#endif
