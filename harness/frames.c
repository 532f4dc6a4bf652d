#include "frames.h"

#include <elfutils/libdwfl.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH = 32, FRAMES_MOST = 24 };

struct walk {
    const struct tf_stack *stack;
    Dwarf_Addr pc[DEPTH]; /* return addresses, but for the first */
    size_t count;
};

static pid_t next_thread(Dwfl *dwfl, void *data, void **thread)
{
    const struct walk *walk = data;
    (void)dwfl;
    if (*thread)
        return 0;
    *thread = data;
    return (pid_t)walk->stack->tid;
}

static bool read_word(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *result, void *data)
{
    const struct tf_stack *stack = ((const struct walk *)data)->stack;
    uint64_t at = address - stack->reg[TF_STACK_RSP];
    (void)dwfl;
    if (at % sizeof *result || at / sizeof *result >= stack->words)
        return false;
    *result = stack->word[at / sizeof *result];
    return true;
}

/* By DWARF's numbers: System V ABI for AMD64, figure 3.36. */
static bool set_registers(Dwfl_Thread *thread, void *data)
{
    static const int number[TF_STACK_REGS] = {16, 7, 6, 3, 12, 13, 14, 15};
    const struct walk *walk = data;
    bool set = true;
    for (int i = 0; i < TF_STACK_REGS; i++) {
        Dwarf_Word value = walk->stack->reg[i];
        set &= dwfl_thread_state_registers(thread, number[i], 1, &value);
    }
    return set;
}

static int take_frame(Dwfl_Frame *state, void *data)
{
    struct walk *walk = data;
    bool activation = false;
    if (walk->count == DEPTH || !dwfl_frame_pc(state, &walk->pc[walk->count], &activation))
        return DWARF_CB_ABORT;
    walk->count++;
    return DWARF_CB_OK;
}

static const char *path_of(const struct tf_segment *segment, const struct tf_stack *stack, size_t i)
{
    const struct tf_module *module = &segment->module[stack->module[i].row - 1];
    return atomic_load(&module->state) == 2 ? module->path : "";
}

static void unwind(const struct tf_segment *segment, struct walk *walk)
{
    static const Dwfl_Callbacks files = {.find_elf = dwfl_build_id_find_elf,
                                         .find_debuginfo = tf_callsites_debuginfo};
    static const Dwfl_Thread_Callbacks threads = {
        .next_thread = next_thread, .memory_read = read_word, .set_initial_registers = set_registers};
    Dwfl *dwfl = dwfl_begin(&files);
    if (!dwfl)
        return;
    dwfl_report_begin(dwfl);
    for (size_t i = 0; i < walk->stack->modules; i++) {
        const char *path = path_of(segment, walk->stack, i);
        dwfl_report_elf(dwfl, path, path, -1, walk->stack->module[i].base, true);
    }
    dwfl_report_end(dwfl, NULL, NULL);
    if (dwfl_attach_state(dwfl, NULL, (pid_t)walk->stack->tid, &threads, walk))
        dwfl_getthread_frames(dwfl, (pid_t)walk->stack->tid, take_frame, walk);
    dwfl_end(dwfl);
}

/* What calls main and the threads' functions tells nothing. */
static bool is_libcs_start(const char *function)
{
    return strncmp(function, "__libc_start", 12) == 0 || strcmp(function, "start_thread") == 0;
}

/* Adds what is called from `pc`; false: there is no more to be told. */
static bool add(struct tf_callsites *sites, const struct tf_segment *segment, const struct tf_stack *stack,
                uint64_t pc, struct tf_frame **frames, size_t *count)
{
    size_t best = stack->modules, more = 0;
    for (size_t i = 0; i < stack->modules; i++)
        if (stack->module[i].base < pc &&
            (best == stack->modules || stack->module[i].base > stack->module[best].base))
            best = i;
    if (best == stack->modules || *count >= FRAMES_MOST)
        return false;
    struct tf_frame *found =
        tf_callsites_find(sites, path_of(segment, stack, best), pc - stack->module[best].base, &more);
    if (more > 0 && is_libcs_start(found[0].function)) {
        tf_frames_free(found, more);
        return false;
    }
    struct tf_frame *grown = found ? realloc(*frames, (*count + more) * sizeof *grown) : NULL;
    if (!grown) {
        tf_frames_free(found, more);
        return false;
    }
    memcpy(grown + *count, found, more * sizeof *grown);
    free(found);
    *frames = grown;
    *count += more;
    return true;
}

struct tf_frame *tf_frames_find(struct tf_callsites *sites, const struct tf_segment *segment,
                                const struct tf_event *event, size_t *count)
{
    const char *path = event->module && event->module <= TF_MODULES &&
                               atomic_load(&segment->module[event->module - 1].state) == 2
                           ? segment->module[event->module - 1].path
                           : "";
    struct tf_frame *frames = *path ? tf_callsites_find(sites, path, event->caller, count) : NULL;
    const struct tf_stack *stack =
        event->stack && event->stack <= TF_STACKS ? &segment->stack[event->stack - 1] : NULL;
    if (!frames || !stack || atomic_load(&stack->state) != 2)
        return frames;
    struct walk walk = {.stack = stack};
    unwind(segment, &walk);
    size_t at = 0;
    while (at < walk.count && walk.pc[at] != stack->caller)
        at++;
    while (++at < walk.count && add(sites, segment, stack, walk.pc[at], &frames, count))
        ;
    return frames;
}
