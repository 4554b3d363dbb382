#include "coro/context.h"

#include "base/assert.h"

void *nidoi_fctx_make(void *top, size_t size, void (*entry)(struct nidoi_transfer));

_Thread_local void (*nidoi_context_entry)(void);

#ifdef NIDOI_TSAN
_Thread_local void *nidoi_context_dead_fiber;
#endif

static void begin(struct nidoi_transfer transfer)
{
    struct nidoi_context *before = transfer.data;

#if defined(__x86_64__)
    __asm__ volatile(".cfi_undefined rip"); /* backtraces end here */
#elif defined(__aarch64__)
    __asm__ volatile(".cfi_undefined x30");
#endif
    before->sp = transfer.sp;
    nidoi_context_arrived(before, NULL);
    nidoi_context_entry();
    nidoi_assert(!"a context's entry must not return");
}

void nidoi_context_adopt(struct nidoi_context *context)
{
    *context = (struct nidoi_context){0};
#ifdef NIDOI_TSAN
    context->fiber = __tsan_get_current_fiber();
#endif
}

void nidoi_context_make(struct nidoi_context *context, void *bottom, void *top)
{
    size_t size = (size_t)((char *)top - (char *)bottom);

    *context = (struct nidoi_context){.sp = nidoi_fctx_make(top, size, begin)};
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

void nidoi_context_leave(struct nidoi_context *from, struct nidoi_context *to)
{
    nidoi_context_departing(from, to, 1);
#if defined(__x86_64__) && defined(NIDOI_BALANCED)
    /* A bare jump: no call is left open that the processor's return predictor would count on. */
    __asm__ volatile("jmp nidoi_fctx_jump" : : "D"(to->sp), "S"(from) : "memory");
    __builtin_unreachable();
#else
    nidoi_fctx_jump(to->sp, from);
    __builtin_unreachable();
#endif
}
