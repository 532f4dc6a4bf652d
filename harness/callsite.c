#include "callsite.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <stdlib.h>
#include <string.h>

enum { MODULES = 64, FRAMES = 16 };

struct module {
    char *path;
    Dwfl *dwfl; /* NULL: the file could not be read */
    Dwfl_Module *module;
};

struct tf_callsites {
    struct module module[MODULES];
    size_t count;
};

/* Separate debug files are looked for on this machine only: a server of them
 * (debuginfod) may be far away. */
int tf_callsites_debuginfo(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
                           const char *file, const char *link, GElf_Word crc, char **found)
{
    const char *urls = getenv("DEBUGINFOD_URLS");
    char *kept = urls ? strdup(urls) : NULL;
    unsetenv("DEBUGINFOD_URLS");
    int fd = dwfl_standard_find_debuginfo(module, data, name, base, file, link, crc, found);
    if (kept)
        setenv("DEBUGINFOD_URLS", kept, 1);
    free(kept);
    return fd;
}

static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = tf_callsites_debuginfo,
    .section_address = dwfl_offline_section_address,
};

struct tf_callsites *tf_callsites_new(void)
{
    return calloc(1, sizeof(struct tf_callsites));
}

void tf_callsites_free(struct tf_callsites *sites)
{
    if (!sites)
        return;
    for (size_t i = 0; i < sites->count; i++) {
        free(sites->module[i].path);
        if (sites->module[i].dwfl)
            dwfl_end(sites->module[i].dwfl);
    }
    free(sites);
}

static Dwfl_Module *module_of(struct tf_callsites *sites, const char *path)
{
    for (size_t i = 0; i < sites->count; i++)
        if (!strcmp(sites->module[i].path, path))
            return sites->module[i].module;
    if (sites->count == MODULES)
        return NULL;
    struct module *module = &sites->module[sites->count];
    *module = (struct module){.path = strdup(path), .dwfl = dwfl_begin(&callbacks)};
    if (!module->path) {
        if (module->dwfl)
            dwfl_end(module->dwfl);
        return NULL;
    }
    sites->count++;
    if (module->dwfl) {
        dwfl_report_begin(module->dwfl);
        module->module = dwfl_report_offline(module->dwfl, "", path, -1);
        dwfl_report_end(module->dwfl, NULL, NULL);
    }
    return module->module;
}

struct building {
    struct tf_frame frame[FRAMES];
    size_t count;
};

static void add(struct building *building, const char *module, uint64_t offset, const char *function,
                const char *file, int line)
{
    if (building->count == FRAMES)
        return;
    building->frame[building->count++] = (struct tf_frame){.module = strdup(module),
                                                           .offset = offset,
                                                           .function = strdup(function ? function : ""),
                                                           .file = strdup(file ? file : ""),
                                                           .line = line > 0 ? (unsigned)line : 0};
}

static Dwarf_Word number_of(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attribute;
    Dwarf_Word value = 0;
    return dwarf_formudata(dwarf_attr_integrate(die, name, &attribute), &value) ? 0 : value;
}

/* The functions that were inlined around an address, and the one that it lies in. */
static void add_scopes(struct building *building, const char *module, uint64_t offset, Dwarf_Die *unit,
                       Dwarf_Addr at, const char *file, int line)
{
    Dwarf_Die *scopes = NULL, *concrete = NULL;
    Dwarf_Files *files = NULL;
    int count = dwarf_getscopes(unit, at, &scopes);
    /* Of an inlined function, the scopes are those of its definition: what it was
     * inlined into are the scopes of its instance. */
    if (count > 0) {
        int instances = dwarf_getscopes_die(&scopes[0], &concrete);
        if (instances > 0) {
            free(scopes);
            scopes = concrete;
            count = instances;
        }
    }
    dwarf_getsrcfiles(unit, &files, NULL);
    for (int i = 0; i < count; i++) {
        int tag = dwarf_tag(&scopes[i]);
        if (tag != DW_TAG_subprogram && tag != DW_TAG_inlined_subroutine)
            continue;
        add(building, module, offset, dwarf_diename(&scopes[i]), file, line);
        if (tag == DW_TAG_subprogram)
            break;
        file = files ? dwarf_filesrc(files, number_of(&scopes[i], DW_AT_call_file), NULL, NULL) : NULL;
        line = (int)number_of(&scopes[i], DW_AT_call_line);
    }
    free(scopes);
}

static void free_parts(const struct tf_frame *frames, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(frames[i].module);
        free(frames[i].function);
        free(frames[i].file);
    }
}

/* The compilation unit around an address. By .debug_aranges where the compiler wrote
 * one; clang writes none, and the units have to be asked for their ranges. */
static Dwarf_Die *unit_at(Dwfl_Module *module, Dwarf_Addr at, Dwarf_Addr *bias)
{
    Dwarf_Die *unit = dwfl_module_addrdie(module, at, bias);

    if (unit)
        return unit;
    do {
        unit = dwfl_module_nextcu(module, unit, bias);
    } while (unit && dwarf_haspc(unit, at - *bias) != 1);
    return unit;
}

static const char *source_of(Dwarf_Die *unit, Dwarf_Addr at, int *number)
{
    Dwarf_Line *line = dwarf_getsrc_die(unit, at);
    if (!line || dwarf_lineno(line, number) != 0)
        return NULL;
    return dwarf_linesrc(line, NULL, NULL);
}

struct tf_frame *tf_callsites_find(struct tf_callsites *sites, const char *module, uint64_t offset,
                                   size_t *count)
{
    struct building building = {.count = 0};
    Dwfl_Module *dwfl = *module && offset ? module_of(sites, module) : NULL;
    GElf_Addr elf_bias = 0;
    if (dwfl && dwfl_module_getelf(dwfl, &elf_bias)) {
        /* A return address is behind its call, and may be the next line's or function's. */
        Dwarf_Addr at = elf_bias + offset - 1, bias = 0;
        int line = 0;
        Dwarf_Die *unit = unit_at(dwfl, at, &bias);
        const char *file = unit ? source_of(unit, at - bias, &line) : NULL;
        if (unit)
            add_scopes(&building, module, offset, unit, at - bias, file, line);
        if (building.count == 0)
            add(&building, module, offset, dwfl_module_addrname(dwfl, at), file, line);
    }
    if (building.count == 0)
        add(&building, module, offset, NULL, NULL, 0);
    struct tf_frame *frames = malloc(building.count * sizeof *frames);
    *count = frames ? building.count : 0;
    if (frames)
        memcpy(frames, building.frame, building.count * sizeof *frames);
    else
        free_parts(building.frame, building.count);
    return frames;
}

void tf_frames_free(struct tf_frame *frames, size_t count)
{
    free_parts(frames, count);
    free(frames);
}
