/* SPDX-License-Identifier: MIT */
/* coro/stack/context.h: switching stacks. Nothing else touches a stack pointer, and all that sanitizers
 * and Valgrind must be told of a switch is told here.
 *
 * The switch is Boost.Context's fcontext, folded into this library under private names. It keeps
 * callee-saved registers and, but for arm64, where we do it ourselves, the floating-point control
 * words; a new context inherits the latter from its maker. */
#ifndef NIDOI_CONTEXT_H
#define NIDOI_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NIDOI_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define NIDOI_TSAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define NIDOI_ASAN 1
#endif
#ifdef __SANITIZE_THREAD__
#define NIDOI_TSAN 1
#endif

#ifdef NIDOI_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef NIDOI_TSAN
#include <sanitizer/tsan_interface.h>
extern _Thread_local void
    *nidoi_context_dead_fiber; /* left for good: the next to run destroys it */
#endif

/* A name of C's as the assembler has it, and how a frame's personality is given to it (Mach-O: the
 * address of a pointer; else relative, in four bytes). */
#define NIDOI_ASM_PREFIX_(prefix) #prefix
#define NIDOI_ASM_PREFIX(prefix)  NIDOI_ASM_PREFIX_(prefix)
#define NIDOI_ASM_NAME(name)      NIDOI_ASM_PREFIX(__USER_LABEL_PREFIX__) name
#ifdef __APPLE__
#define NIDOI_ASM_PERSONALITY ".cfi_personality 0x9b, "
#else
#define NIDOI_ASM_PERSONALITY ".cfi_personality 0x1b, "
#endif

struct nidoi_context {
    void *sp; /* where it stands while it does not run */
#ifdef __aarch64__
    uint64_t fpcr; /* the floating-point control register, likewise */
#endif
#ifdef NIDOI_ASAN
    void *fake_stack;
    const void *bottom;
    size_t size;
#endif
#ifdef NIDOI_TSAN
    void *fiber;
#endif
};

/* The context of the thread that calls, as it stands. */
void nidoi_context_adopt(struct nidoi_context *context);

/* fcontext's own interface: two pointers, in and out of every jump. */
struct nidoi_transfer {
    void *sp;
    void *data;
};

/* What a context runs. It begins with NIDOI_CONTEXT_BEGINS, ends with nidoi_context_leave, and never
 * returns. It must leave from its own frame: from deeper down, calls would stay open that the
 * processor still expects to return, and every return of the context that goes on would be mispredicted. */
typedef void nidoi_context_entry(struct nidoi_transfer transfer);

/* A context that will begin at `entry` on the stack [bottom, top). */
static inline void nidoi_context_make(struct nidoi_context *context, void *bottom, void *top,
                                      nidoi_context_entry *entry);

/* Leaves `from`, which must be the running context, and goes on in `to`. Returns when `from` is
 * switched to again. */
static inline void nidoi_context_switch(struct nidoi_context *from, struct nidoi_context *to);

/* The same for the last time: `from` is never switched to again, and its stack may be reused by the
 * next context that runs. */
static inline _Noreturn void nidoi_context_leave(struct nidoi_context *from,
                                                 struct nidoi_context *to);

/* The end of the calling function's frame: what lies above it belongs to its callers, what lies
 * below to itself, to its callees and to frames that are gone. */
#define nidoi_frame_end() ((char *)__builtin_dwarf_cfa())

/* For what stands between a public call and its entry, in every build: there nidoi_frame_end() is
 * the end of the public call's own frame. */
#define NIDOI_IN_CALLER static inline __attribute__((always_inline))

/* ---- How: in the header, because a call more is a return more to mispredict ---- */

struct nidoi_transfer nidoi_fctx_jump(void *to, void *data);
void *nidoi_fctx_make(void *top, size_t size, nidoi_context_entry *entry);

#ifdef NIDOI_BALANCED
struct nidoi_transfer nidoi_context_jump(void *to, void *data); /* context_x86_64.S */
#else
#define nidoi_context_jump nidoi_fctx_jump
#endif

#ifdef __aarch64__
static inline uint64_t nidoi_context_fpcr(void)
{
    uint64_t fpcr;

    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return fpcr;
}

/* Writing it may drain the pipeline, and the two are nearly always equal. */
static inline void nidoi_context_exchange_fpcr(struct nidoi_context *from,
                                               const struct nidoi_context *to)
{
    from->fpcr = nidoi_context_fpcr();
    if (to->fpcr != from->fpcr) __asm__ volatile("msr fpcr, %0" : : "r"(to->fpcr));
}
#endif

static inline void nidoi_context_make(struct nidoi_context *context, void *bottom, void *top,
                                      nidoi_context_entry *entry)
{
    size_t size = (size_t)((char *)top - (char *)bottom);

    *context = (struct nidoi_context){.sp = nidoi_fctx_make(top, size, entry)};
#ifdef __aarch64__
    context->fpcr = nidoi_context_fpcr();
#endif
#ifdef NIDOI_ASAN
    context->bottom = bottom;
    context->size = size;
#endif
#ifdef NIDOI_TSAN
    context->fiber = __tsan_create_fiber(0);
#endif
}

/* Always inline: ThreadSanitizer counts entries and exits of functions by fiber, and this changes
 * the fiber. */
static inline __attribute__((always_inline)) void
nidoi_context_departing(struct nidoi_context *from, struct nidoi_context *to, int for_good)
{
    (void)from, (void)to, (void)for_good;
#ifdef __aarch64__
    nidoi_context_exchange_fpcr(from, to);
#endif
#ifdef NIDOI_ASAN
    __sanitizer_start_switch_fiber(for_good ? NULL : &from->fake_stack, to->bottom, to->size);
#endif
#ifdef NIDOI_TSAN
    if (for_good) nidoi_context_dead_fiber = from->fiber;
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
}

/* First thing on the stack that was switched to: `fake_stack` is what it left behind, NULL if it is
 * new. */
static inline void nidoi_context_arrived(struct nidoi_context *from, void *fake_stack)
{
    (void)from, (void)fake_stack;
#ifdef NIDOI_ASAN
    /* Also how the bounds of a thread's own stack are learned. */
    __sanitizer_finish_switch_fiber(fake_stack, &from->bottom, &from->size);
#endif
#ifdef NIDOI_TSAN
    if (nidoi_context_dead_fiber) __tsan_destroy_fiber(nidoi_context_dead_fiber);
    nidoi_context_dead_fiber = NULL;
#endif
}

static inline void nidoi_context_switch(struct nidoi_context *from, struct nidoi_context *to)
{
    struct nidoi_transfer transfer;
    struct nidoi_context *before;

    nidoi_context_departing(from, to, 0);
    transfer = nidoi_context_jump(to->sp, from);
    before = transfer.data;
    before->sp = transfer.sp;
#ifdef NIDOI_ASAN
    nidoi_context_arrived(before, from->fake_stack);
#else
    nidoi_context_arrived(before, NULL);
#endif
}

#ifndef __GCC_HAVE_DWARF2_CFI_ASM /* no tables that describe frames */
#define NIDOI_CONTEXT_OUTERMOST() ((void)0)
#elif defined(__x86_64__)
#define NIDOI_CONTEXT_OUTERMOST() __asm__ volatile(".cfi_undefined rip")
#elif defined(__aarch64__)
#define NIDOI_CONTEXT_OUTERMOST() __asm__ volatile(".cfi_undefined x30")
#else
#define NIDOI_CONTEXT_OUTERMOST() ((void)0)
#endif

/* Backtraces end here; and the context that switched here learns where it stands. */
#define NIDOI_CONTEXT_BEGINS(transfer) \
    do {                               \
        NIDOI_CONTEXT_OUTERMOST();     \
        nidoi_context_begun(transfer); \
    } while (0)

static inline void nidoi_context_begun(struct nidoi_transfer transfer)
{
    struct nidoi_context *before = transfer.data;

    before->sp = transfer.sp;
    nidoi_context_arrived(before, NULL);
}

static inline _Noreturn __attribute__((always_inline)) void
nidoi_context_leave(struct nidoi_context *from, struct nidoi_context *to)
{
    nidoi_context_departing(from, to, 1);
#if defined(__x86_64__) && defined(NIDOI_BALANCED)
    /* A bare jump: no call is left open. */
    __asm__ volatile("jmp nidoi_fctx_jump" : : "D"(to->sp), "S"(from) : "memory");
#else
    nidoi_fctx_jump(to->sp, from);
#endif
    __builtin_unreachable();
}

#endif
