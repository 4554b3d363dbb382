/* SPDX-License-Identifier: MIT */
#include "stacks.h"

#include <string.h>

enum { GUARD = 64 << 10 /* bytes, as in every nido */ };

/* What is being unwound: libdwfl asks for it by call-backs. */
static struct {
    struct target *target;
    const struct task *task;
    const struct thread *thread; /* it runs there; NULL: it is parked or ready */
} unwound;

static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread)
{
    (void)dwfl, (void)arg;
    if (*thread) return 0;
    *thread = &unwound;
    return 1;
}

static bool get_thread(Dwfl *dwfl, pid_t id, void *arg, void **thread)
{
    (void)dwfl, (void)id, (void)arg;
    *thread = &unwound;
    return true;
}

static bool memory_read(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *out, void *arg)
{
    (void)dwfl, (void)arg;
    *out = 0;
    return blocks_get(&unwound.target->memory, address, out, sizeof(uint64_t));
}

static bool set_running(Dwfl_Thread *thread)
{
    const struct thread *on = unwound.thread;

    dwfl_thread_state_register_pc(thread, on->pc);
    return dwfl_thread_state_registers(thread, 0, on->count, on->registers);
}

/* The registers that the switch has saved below the stack pointer of a task that does not run. */
static bool set_registers(Dwfl_Thread *thread, void *arg)
{
    struct target *target = unwound.target;
    const struct layout *layout = &target->layout;
    uint64_t sp = unwound.task->sp;
    Dwarf_Word end = sp + layout->at[SAVED_END], value;

    (void)arg;
    if (unwound.thread) return set_running(thread);
    for (int i = 0; i < SAVED_REGISTERS; i++) {
        if (layout->saved[i] < 0) continue;
        value = target_pointer(target, sp + (uint64_t)layout->saved[i]);
        if (!dwfl_thread_state_registers(thread, i, 1, &value)) return false;
    }
    dwfl_thread_state_register_pc(thread, target_pointer(target, sp + layout->at[SAVED_PC]));
    return dwfl_thread_state_registers(thread, thread_sp_number(), 1, &end);
}

static const Dwfl_Thread_Callbacks callbacks = {.next_thread = next_thread,
                                                .get_thread = get_thread,
                                                .memory_read = memory_read,
                                                .set_initial_registers = set_registers};

static int frame_take(Dwfl_Frame *state, void *arg)
{
    struct stack *stack = arg;
    Dwarf_Addr pc;
    bool activation;
    struct frame *frame = &stack->frames[stack->count];

    if (!dwfl_frame_pc(state, &pc, &activation)) return DWARF_CB_ABORT;
    if (stack->count == FRAMES) {
        stack->more = true;
        return DWARF_CB_ABORT;
    }
    frame->address = pc;
    frame->symbol = *image_symbol(unwound.target->image, pc, !activation);
    stack->count++;
    return DWARF_CB_OK;
}

/* The first that does not begin so (or that does), from `from` on. */
static size_t frame_after(const struct stack *stack, size_t from, const char *prefix, bool begins)
{
    while (from < stack->count &&
           begins != !strncmp(stack->frames[from].symbol.function, prefix, strlen(prefix)))
        from++;
    return from;
}

/* The library's inside, from nidoi_context_jump up to the call that parked. That has no frame if it has
 * jumped to what it ends with: then what is named as the inside is left out. */
static void leave_out_inside(struct stack *stack)
{
    size_t inside = frame_after(stack, 0, "nidoi_", false);
    size_t first = frame_after(stack, inside, "nido_", true);

    if (!inside) return;
    if (first == stack->count) first = inside;
    memmove(stack->frames, stack->frames + first, (stack->count - first) * sizeof *stack->frames);
    stack->count -= first;
}

/* The thread that runs it. Of a task whose stack has overflowed the stack pointer is in the guard, which
 * lies below the stack. */
static const struct thread *thread_of(const struct target *target, const struct task *task)
{
    const struct thread *on = threads_on(&target->threads, task->stack_bottom, task->stack_top);

    return on ? on : threads_on(&target->threads, task->stack_bottom - GUARD, task->stack_bottom);
}

static const char *why_not(const struct target *target, const struct task *task)
{
    if (task->is_running && !unwound.thread) return "(it runs; its registers are not known)";
    if (!task->is_running && (!target->layout.has[SAVED_PC] || thread_sp_number() < 0))
        return "(how a switch saves registers on this processor is not known)";
    if (!task->is_running && !task->sp) return "(no saved stack pointer)";
    return NULL;
}

void stack_of(struct stack *stack, struct target *target, const struct task *task)
{
    static const struct target *attached;

    stack->count = 0;
    stack->more = false;
    unwound.target = target;
    unwound.task = task;
    unwound.thread = task->is_running ? thread_of(target, task) : NULL;
    stack->why = why_not(target, task);
    if (stack->why) return;
    if (attached != target && !dwfl_attach_state(target->image, NULL, 1, &callbacks, NULL)) {
        stack->why = "(libdw cannot unwind this program)";
        return;
    }
    attached = target;
    dwfl_getthread_frames(target->image, 1, frame_take, stack);
    leave_out_inside(stack);
    if (!stack->count) stack->why = "(its frames cannot be unwound)";
}
