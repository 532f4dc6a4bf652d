#include "elf_file.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
enum { MACHINE = EM_X86_64 };
#elif defined(__aarch64__)
enum { MACHINE = EM_AARCH64 };
#elif defined(__i386__)
enum { MACHINE = EM_386 };
#elif defined(__arm__)
enum { MACHINE = EM_ARM };
#elif defined(__riscv)
enum { MACHINE = EM_RISCV };
#elif defined(__powerpc64__)
enum { MACHINE = EM_PPC64 };
#elif defined(__s390x__)
enum { MACHINE = EM_S390 };
#else
#error "which ELF machine is this?"
#endif

enum {
    CLASS = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32,
    DATA = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB,
};

struct view {
    const uint8_t *bytes;
    size_t length;
    const ElfW(Ehdr) * header;
};

static const struct {
    uint16_t machine;
    uint8_t class;
    const char *name;
} machines[] = {
    {EM_X86_64, ELFCLASS64, "x86-64"},    {EM_X86_64, ELFCLASS32, "x32"},
    {EM_386, ELFCLASS32, "32-bit x86"},   {EM_AARCH64, ELFCLASS64, "AArch64"},
    {EM_ARM, ELFCLASS32, "32-bit ARM"},   {EM_RISCV, ELFCLASS64, "RISC-V 64"},
    {EM_PPC64, ELFCLASS64, "PowerPC 64"}, {EM_S390, ELFCLASS64, "s390x"},
    {EM_MIPS, ELFCLASS32, "MIPS"},        {EM_MIPS, ELFCLASS64, "MIPS64"},
    {EM_RISCV, ELFCLASS32, "RISC-V 32"},  {EM_LOONGARCH, ELFCLASS64, "LoongArch"},
};

const char *tf_elf_machine(const struct tf_elf *elf, char *buffer, size_t size)
{
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++) {
        if (machines[i].machine == elf->machine && machines[i].class == elf->class)
            return machines[i].name;
    }
    snprintf(buffer, size, "machine %u", elf->machine);
    return buffer;
}

/* `size` bytes at `offset`, or NULL where the file does not have them. */
static const void *at(const struct view *view, uint64_t offset, uint64_t size)
{
    return offset <= view->length && size <= view->length - offset ? view->bytes + offset : NULL;
}

static bool segment(const struct view *view, size_t i, ElfW(Phdr) * row)
{
    const void *found = at(view, view->header->e_phoff + i * sizeof *row, sizeof *row);
    if (found)
        memcpy(row, found, sizeof *row);
    return found != NULL;
}

/* The string at a virtual address, or NULL. */
static const char *string_at(const struct view *view, uint64_t address)
{
    ElfW(Phdr) row;
    for (size_t i = 0; i < view->header->e_phnum && segment(view, i, &row); i++) {
        if (row.p_type != PT_LOAD || address < row.p_vaddr || address - row.p_vaddr >= row.p_filesz)
            continue;
        uint64_t offset = row.p_offset + (address - row.p_vaddr);
        if (offset >= view->length || !memchr(view->bytes + offset, 0, view->length - offset))
            return NULL;
        return (const char *)view->bytes + offset;
    }
    return NULL;
}

static void read_dynamic(const struct view *view, const ElfW(Phdr) * row, struct tf_elf *elf)
{
    uint64_t strings = 0;
    ElfW(Dyn) entry;
    elf->dynamic = true;
    for (int pass = 0; pass < 2; pass++) {
        for (uint64_t i = 0; i < row->p_filesz / sizeof entry; i++) {
            const void *found = at(view, row->p_offset + i * sizeof entry, sizeof entry);
            if (!found)
                return;
            memcpy(&entry, found, sizeof entry);
            if (entry.d_tag == DT_NULL)
                break;
            if (pass == 0 && entry.d_tag == DT_STRTAB)
                strings = entry.d_un.d_ptr;
            const char *name =
                pass && entry.d_tag == DT_NEEDED ? string_at(view, strings + entry.d_un.d_val) : NULL;
            if (name && !strncmp(name, "libasan.so", 10))
                elf->asan = true;
        }
    }
}

/* The Go toolchain leaves a note with its build id, under the name "Go". */
static void read_note(const struct view *view, const ElfW(Phdr) * row, struct tf_elf *elf)
{
    const uint8_t *note = at(view, row->p_offset, sizeof(ElfW(Nhdr)) + 4);
    ElfW(Nhdr) header;
    if (!note || row->p_filesz < sizeof header + 4)
        return;
    memcpy(&header, note, sizeof header);
    elf->go = elf->go || (header.n_namesz == 4 && !memcmp(note + sizeof header, "Go\0", 4));
}

bool tf_elf_read(const uint8_t *bytes, size_t length, struct tf_elf *elf)
{
    ElfW(Ehdr) header;
    *elf = (struct tf_elf){0};
    /* e_type and e_machine lie at the same place in both classes. */
    if (length < 20 || memcmp(bytes, ELFMAG, SELFMAG))
        return false;
    elf->class = bytes[EI_CLASS];
    elf->data = bytes[EI_DATA];
    bool big = elf->data == ELFDATA2MSB;
    elf->type = (uint16_t)(bytes[16 + big] | bytes[17 - big] << 8);
    elf->machine = (uint16_t)(bytes[18 + big] | bytes[19 - big] << 8);
    elf->native = elf->class == CLASS && elf->data == DATA && elf->machine == MACHINE;
    if (!elf->native)
        return elf->class == ELFCLASS32 || elf->class == ELFCLASS64;
    if (length < sizeof header)
        return false;
    memcpy(&header, bytes, sizeof header);
    if (header.e_phentsize != sizeof(ElfW(Phdr)))
        return false;
    struct view view = {bytes, length, &header};
    ElfW(Phdr) row;
    for (size_t i = 0; i < header.e_phnum; i++) {
        if (!segment(&view, i, &row))
            return false;
        const char *text = row.p_type == PT_INTERP ? at(&view, row.p_offset, row.p_filesz) : NULL;
        if (text && row.p_filesz > 0)
            snprintf(elf->interpreter, sizeof elf->interpreter, "%.*s",
                     (int)(row.p_filesz < 255 ? row.p_filesz : 255), text);
        else if (row.p_type == PT_DYNAMIC)
            read_dynamic(&view, &row, elf);
        else if (row.p_type == PT_NOTE)
            read_note(&view, &row, elf);
    }
    return true;
}
