/* SPDX-License-Identifier: MIT */
#include "coro/run/layout.h"

#include <stddef.h>

#include "coro/run/remotes.h"
#include "coro/scope/scope.h"
#include "coro/task/measure.h"
#include "nido/version.h"

#define FIELD(prefix, type, member)                                              \
    {                                                                            \
#prefix "." #member, offsetof(type, member), sizeof(((type *)0)->member) \
    }
#define CONSTANT(name, value) \
    {                         \
        name, value, 0        \
    }

#define LOOP(member)  FIELD(loop, struct nidoi_loop, member)
#define SLOT(member)  FIELD(slot, struct nidoi_slot, member)
#define TASK(member)  FIELD(task, struct nidoi_task, member)
#define SCOPE(member) FIELD(scope, nido_scope, member)
#define GROUP(member) FIELD(group, nido_group, member)
#define WAIT(member)  FIELD(waiter, struct nidoi_waiter, member)
#define KIND(member)  FIELD(kind, struct nidoi_wait_kind, member)
#define STACK(member) FIELD(stack, struct nidoi_stack, member)
#define MEAS(member)  FIELD(measure, struct nidoi_measure, member)

/* Where the switch has left the registers of a task that does not run: by their numbers in DWARF; `pc`, where
 * it goes on; `end`, its stack pointer then. Their places from there are the same in every version of Boost.
 * How many bytes they are is found out when nido is configured; if not, nothing is said of them. */
#ifndef NIDOI_SAVED_BYTES
#define NIDOI_SAVED_BYTES 0
#endif
#define SAVED(name, below_end)                                         \
    {                                                                  \
        "saved." name, NIDOI_SAVED_BYTES - (below_end), sizeof(void *) \
    }
#if NIDOI_SAVED_BYTES && defined(__x86_64__) && defined(__LP64__)
#define SAVED_REGISTERS                                                             \
    SAVED("r12", 0x38), SAVED("r13", 0x30), SAVED("r14", 0x28), SAVED("r15", 0x20), \
        SAVED("r3", 0x18), SAVED("r6", 0x10), SAVED("pc", 0x08),                    \
        CONSTANT("saved.end", NIDOI_SAVED_BYTES),
#elif NIDOI_SAVED_BYTES && defined(__aarch64__) && defined(__LP64__)
#define SAVED_REGISTERS                                                                 \
    SAVED("r19", 0x70), SAVED("r20", 0x68), SAVED("r21", 0x60), SAVED("r22", 0x58),     \
        SAVED("r23", 0x50), SAVED("r24", 0x48), SAVED("r25", 0x40), SAVED("r26", 0x38), \
        SAVED("r27", 0x30), SAVED("r28", 0x28), SAVED("r29", 0x20), SAVED("r30", 0x18), \
        SAVED("pc", 0x10), CONSTANT("saved.end", NIDOI_SAVED_BYTES),
#else
#define SAVED_REGISTERS
#endif

/* Used: no code refers to it. */
__attribute__((used)) const struct nidoi_layout nidoi_layout = {
    .magic = {'n', 'i', 'd', 'o', '-', 'l', 'a', 'y'},
    .version = NIDOI_LAYOUT_VERSION,
    .pointer_size = sizeof(void *),
    .entry_size = sizeof(struct nidoi_layout_entry),
    .entry_count = NIDOI_LAYOUT_MOST,
    .entries_at = offsetof(struct nidoi_layout, entries),
    .library = NIDO_VERSION,
    .runtimes = &nidoi_remotes,
    .entries = {FIELD(rt, nido_rt, link),
                FIELD(rt, nido_rt, loop),
                LOOP(number),
                LOOP(live),
                LOOP(system_thread),
                LOOP(began),
                LOOP(expected),
                LOOP(reactor.watching),
                LOOP(root),
                LOOP(clock.is_virtual),
                LOOP(sched.current),
                LOOP(sched.now),
                LOOP(sched.measure),
                LOOP(sched.loop.state),
                LOOP(sched.head),
                LOOP(sched.tail),
                LOOP(slots.chunks),
                LOOP(slots.made),
                CONSTANT("slots.chunk", NIDOI_SLOTS_CHUNK),
                CONSTANT("slot.bytes", sizeof(struct nidoi_slot)),
                SLOT(id),
                SLOT(task),
                CONSTANT("task.bytes", sizeof(struct nidoi_task)),
                TASK(context.sp),
                TASK(waiter),
                TASK(scope),
                TASK(state),
                TASK(deepest),
                TASK(base),
                TASK(group),
                TASK(sibling),
                TASK(fn),
                TASK(id),
                TASK(spawned_at),
                TASK(name),
                TASK(service),
                TASK(cpu_ns),
                TASK(stack),
                CONSTANT("state.ready", NIDOI_READY),
                CONSTANT("state.running", NIDOI_RUNNING),
                CONSTANT("state.parked", NIDOI_PARKED),
                CONSTANT("state.parked_told", NIDOI_PARKED_TOLD),
                SCOPE(due),
                SCOPE(flags),
                SCOPE(code),
                SCOPE(parent),
                SCOPE(inner),
                SCOPE(task),
                SCOPE(deadline),
                SCOPE(place),
                SCOPE(reason),
                SCOPE(when),
                SCOPE(by),
                SCOPE(by_name),
                SCOPE(order),
                CONSTANT("scope.is_cancelled", NIDOI_SCOPE_CANCELLED),
                CONSTANT("scope.is_shield", NIDOI_SCOPE_SHIELD),
                CONSTANT("scope.is_group", NIDOI_SCOPE_GROUP),
                GROUP(children),
                GROUP(name),
                GROUP(winner.id),
                GROUP(failure),
                GROUP(policy),
                GROUP(live),
                GROUP(services),
                GROUP(limit),
                WAIT(kind),
                WAIT(object),
                WAIT(since),
                KIND(name),
                KIND(named),
                KIND(owner),
                KIND(name_at),
                KIND(owner_at),
                KIND(is_fd),
                CONSTANT("stack.bytes", sizeof(struct nidoi_stack)),
                STACK(bottom),
                MEAS(counts_cpu),
                SAVED_REGISTERS},
};

#ifdef __ELF__
__asm__(".pushsection .note.nido, \"a\", %note\n"
        ".balign 4\n"
        ".long 5, 4, 1\n"
        ".asciz \"nido\"\n"
        ".balign 4\n"
        ".long " NIDOI_ASM_NAME("nidoi_layout") " - .\n"
                                                ".popsection\n");
#endif
