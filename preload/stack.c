#include "stack.h"

#include "caller.h"

#include <signal.h>

#if defined(__x86_64__)

enum { PAGE = 4096, WAYS = 8, LOWEST = 1 << 16 };
#define HIGHEST (UINT64_C(1) << 47)

/* How much of [at, end) can be read, in whole pages. The kernel reads the set before
 * it looks at `how`, which is none: nothing is changed. */
static uintptr_t readable(uintptr_t at, uintptr_t end)
{
    uintptr_t page = (at | (PAGE - 1)) + 1; /* what lies on the first one is in use */
    while (page < end && tf_sys(SYS_rt_sigprocmask, ~0, page, NULL, sizeof(uint64_t)) == -EINVAL)
        page += PAGE;
    return page < end ? page : end;
}

/* Which words may be return addresses, and the modules that they point into. */
static void find_codes(struct tf_stack *stack, uintptr_t sp)
{
    for (uint32_t i = 0; i < stack->words && stack->codes < TF_STACK_CODES; i++) {
        uint64_t word = stack->word[i], offset;
        if (word < LOWEST || word >= HIGHEST || word - sp < sizeof stack->word)
            continue;
        uint16_t row = tf_caller_module((const void *)(uintptr_t)word, &offset);
        if (!row)
            continue;
        stack->code[stack->codes++] = (uint16_t)i;
        uint32_t at = 0;
        while (at < stack->modules && stack->module[at].base != word - offset)
            at++;
        if (at < TF_STACK_MODULES && at == stack->modules) {
            stack->module[at].base = word - offset;
            stack->module[at].row = row;
            stack->modules++;
        }
    }
}

/* No memcpy: that of a sanitizer would complain. */
static void copy(struct tf_stack *stack, const void *caller, struct tf_thread self)
{
    uintptr_t sp = stack->reg[TF_STACK_RSP];
    uintptr_t end = readable(sp, sp + sizeof stack->word);
    const volatile uint64_t *from = (const volatile uint64_t *)sp;
    stack->words = (uint32_t)((end - sp) / sizeof *from);
    for (uint32_t i = 0; i < stack->words; i++)
        stack->word[i] = from[i];
    stack->caller = (uint64_t)(uintptr_t)caller;
    stack->pid = self.pid;
    stack->tid = self.tid;
    find_codes(stack, sp);
}

static bool same(const struct tf_stack *stack, const void *caller, uintptr_t sp, struct tf_thread self)
{
    if (stack->caller != (uint64_t)(uintptr_t)caller || stack->reg[TF_STACK_RSP] != sp)
        return false;
    uintptr_t end = sp + stack->words * sizeof(uint64_t);
    /* Where it was copied from it can still be read. */
    if ((stack->pid != self.pid || stack->tid != self.tid) && readable(sp, end) < end)
        return false;
    const volatile uint64_t *word = (const volatile uint64_t *)sp;
    for (uint32_t i = 0; i < stack->codes; i++)
        if (stack->word[stack->code[i]] != word[stack->code[i]])
            return false;
    return true;
}

__attribute__((noinline)) uint16_t tf_stack_row(const void *caller, struct tf_thread self)
{
    uint64_t reg[TF_STACK_REGS];
    /* In the order of enum tf_stack_reg. */
    __asm__ volatile(
        "leaq 0f(%%rip), %%rax\n"
        "0:\tmovq %%rax, (%1)\n\tmovq %%rsp, 8(%1)\n\tmovq %%rbp, 16(%1)\n\tmovq %%rbx, 24(%1)\n\t"
        "movq %%r12, 32(%1)\n\tmovq %%r13, 40(%1)\n\tmovq %%r14, 48(%1)\n\tmovq %%r15, 56(%1)"
        : "=m"(reg)
        : "r"(reg)
        : "rax");
    uint64_t place = ((uint64_t)(uintptr_t)caller ^ reg[TF_STACK_RSP]) * UINT64_C(0x9e3779b97f4a7c15) >> 40;
    for (uint32_t way = 0; way < WAYS; way++) {
        uint32_t at = (uint32_t)(place + way) % TF_STACKS, free = 0;
        struct tf_stack *stack = &tf_self.segment->stack[at];
        uint32_t state = atomic_load_explicit(&stack->state, memory_order_acquire);
        if (state == 2 && same(stack, caller, reg[TF_STACK_RSP], self))
            return (uint16_t)(at + 1);
        if (state != 0 || !atomic_compare_exchange_strong(&stack->state, &free, 1))
            continue;
        for (int i = 0; i < TF_STACK_REGS; i++)
            stack->reg[i] = reg[i];
        copy(stack, caller, self);
        atomic_store_explicit(&stack->state, 2, memory_order_release);
        return (uint16_t)(at + 1);
    }
    return 0;
}

#else

uint16_t tf_stack_row(const void *caller, struct tf_thread self)
{
    (void)caller;
    (void)self;
    return 0;
}

#endif
