#include "caller.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* glibc 2.35: finds the module of an address without a lock, in any context.
 * Looked up by name, so that an older libc loads us all the same. */
struct found {
    unsigned long long flags;
    void *map_start, *map_end;
    struct link_map *link_map;
    void *eh_frame;
    unsigned long long reserved[7];
};

static int (*find_object)(void *address, void *result);
static _Atomic bool looked;

/* By link_map: the rows that this process has met. Racing threads write the same. */
enum { CACHE = 64 };
static struct {
    _Atomic(const struct link_map *) map;
    _Atomic uint16_t row;
} cache[CACHE];

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static uint16_t row_of(const char *path)
{
    struct tf_module *rows = tf_self.segment->module;

    for (unsigned i = 0; i < TF_MODULES; i++) {
        uint32_t state = atomic_load_explicit(&rows[i].state, memory_order_acquire);
        if (state == 2 && strcmp(rows[i].path, path) == 0)
            return (uint16_t)(i + 1);
        if (state != 0 || !atomic_compare_exchange_strong(&rows[i].state, &state, 1))
            continue;
        size_t length = strnlen(path, TF_MODULE_PATH - 1);
        memcpy(rows[i].path, path, length); /* the mapping began as zeros */
        atomic_store_explicit(&rows[i].state, 2, memory_order_release);
        return (uint16_t)(i + 1);
    }
    return 0;
}

uint16_t tf_caller_module(const void *address, uint64_t *offset)
{
    struct found found = {0};
    char exe[TF_MODULE_PATH];

    *offset = (uint64_t)(uintptr_t)address;
    if (!atomic_load(&looked)) {
        find_object = (int (*)(void *, void *))dlsym(RTLD_DEFAULT, "_dl_find_object");
        atomic_store(&looked, true);
    }
    /* One byte before the return address is inside the call, also at a function's end. */
    if (!find_object || find_object((char *)address - 1, &found) != 0 || !found.link_map)
        return 0;
    *offset = (uint64_t)(uintptr_t)address - found.link_map->l_addr;
    size_t at = ((uintptr_t)found.link_map >> 4) % CACHE;
    if (atomic_load(&cache[at].map) == found.link_map)
        return atomic_load(&cache[at].row);
    const char *path = found.link_map->l_name;
    if (!path || !*path) { /* the program itself */
        long length = tf_sys(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", exe, sizeof exe - 1);
        if (length <= 0)
            return 0;
        exe[length] = 0;
        path = exe;
    }
    uint16_t row = row_of(path);
    atomic_store(&cache[at].map, NULL);
    atomic_store(&cache[at].row, row);
    atomic_store(&cache[at].map, found.link_map);
    return row;
}

const char *tf_caller_module_name(uint16_t module)
{
    return module ? base_name(tf_self.segment->module[module - 1].path) : "";
}

/* The function symbol of an ELF file's .symtab that covers `offset`. */
static const char *symbol_in(const uint8_t *file, size_t size, uint64_t offset)
{
    const ElfW(Ehdr) *header = (const void *)file;
    const ElfW(Shdr) * sections, *section;

    if (size < sizeof *header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_shoff > size ||
        (uint64_t)header->e_shnum * sizeof *sections > size - header->e_shoff)
        return "";
    sections = (const void *)(file + header->e_shoff);
    for (section = sections; section < sections + header->e_shnum; section++) {
        if (section->sh_type != SHT_SYMTAB || section->sh_link >= header->e_shnum)
            continue;
        const ElfW(Shdr) *strings = &sections[section->sh_link];
        if (section->sh_offset > size || section->sh_size > size - section->sh_offset ||
            strings->sh_offset > size || strings->sh_size > size - strings->sh_offset ||
            strings->sh_size == 0 || file[strings->sh_offset + strings->sh_size - 1] != 0)
            return "";
        const ElfW(Sym) *symbol = (const void *)(file + section->sh_offset);
        for (size_t i = 0; i < section->sh_size / sizeof *symbol; i++)
            if (ELF64_ST_TYPE(symbol[i].st_info) == STT_FUNC && offset > symbol[i].st_value &&
                offset <= symbol[i].st_value + symbol[i].st_size && symbol[i].st_name < strings->sh_size)
                return (const char *)file + strings->sh_offset + symbol[i].st_name;
    }
    return "";
}

const char *tf_caller_function(const void *address, uint16_t module, uint64_t offset)
{
    Dl_info info;
    static struct {
        _Atomic uint32_t module;
        size_t size;
        const uint8_t *file;
    } mapped[16]; /* a file stays mapped: at most sixteen */

    if (dladdr((char *)address - 1, &info) && info.dli_sname)
        return info.dli_sname;
    if (module == 0)
        return "";
    for (size_t i = 0; i < sizeof mapped / sizeof *mapped; i++) {
        uint32_t owner = atomic_load_explicit(&mapped[i].module, memory_order_acquire);
        if (owner == 0) {
            struct stat status;
            long fd =
                tf_sys(SYS_openat, AT_FDCWD, tf_self.segment->module[module - 1].path, O_RDONLY | O_CLOEXEC);
            if (fd < 0 || fstat((int)fd, &status) < 0)
                return "";
            void *file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, (int)fd, 0);
            tf_sys(SYS_close, fd);
            if (file == MAP_FAILED)
                return "";
            if (!atomic_compare_exchange_strong(&mapped[i].module, &owner, UINT32_MAX)) {
                munmap(file, (size_t)status.st_size);
                return "";
            }
            mapped[i].size = (size_t)status.st_size;
            mapped[i].file = file;
            atomic_store_explicit(&mapped[i].module, module, memory_order_release);
            owner = module;
        }
        if (owner == module)
            return symbol_in(mapped[i].file, mapped[i].size, offset);
    }
    return "";
}
