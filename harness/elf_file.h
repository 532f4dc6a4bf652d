/* What an ELF file says about how it will be loaded. Internal to preflight.c. */
#ifndef TF_ELF_FILE_H
#define TF_ELF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tf_elf {
    uint8_t class, data; /* e_ident[EI_CLASS], [EI_DATA] */
    uint16_t type, machine;
    bool native;           /* of this tool's own class, byte order and machine: the rest is filled */
    bool dynamic;          /* it has a dynamic section */
    char interpreter[256]; /* PT_INTERP, or "" */
    bool asan;             /* DT_NEEDED libasan */
    bool go;               /* built by the Go toolchain */
};

/* Reads it from `bytes`, which may be cut or made up in whatever way. False: no
 * ELF file, or a broken one. */
bool tf_elf_read(const uint8_t *bytes, size_t length, struct tf_elf *elf);

/* "x86-64", "AArch64"; "machine 1234" into `buffer` where there is no name. */
const char *tf_elf_machine(const struct tf_elf *elf, char *buffer, size_t size);

#endif
