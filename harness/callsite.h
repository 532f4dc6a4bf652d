/* Call sites, from a module's path and an offset in it to functions and lines of
 * source. After the run; never in the program. Does not print.
 */
#ifndef TF_CALLSITE_H
#define TF_CALLSITE_H

#include "finding.h"

#include <elfutils/libdwfl.h>

struct tf_callsites; /* opens each module once */

struct tf_callsites *tf_callsites_new(void); /* NULL: no memory */

/* The frames of a return address, the innermost first: more than one where the call
 * was inlined. At least one, with what could be found: without debug information
 * `file` is "", without symbols `function` is "", too. The caller frees them with
 * tf_frames_free. NULL with *count 0: no memory. */
struct tf_frame *tf_callsites_find(struct tf_callsites *sites, const char *module, uint64_t offset,
                                   size_t *count);

/* Dwfl_Callbacks.find_debuginfo, on this machine alone. */
int tf_callsites_debuginfo(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
                           const char *file, const char *link, GElf_Word crc, char **found);

void tf_frames_free(struct tf_frame *frames, size_t count);
void tf_callsites_free(struct tf_callsites *sites); /* NULL is fine */

#endif
