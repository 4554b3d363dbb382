#include "coro/context.h"

_Thread_local struct nidoi_departure (*nidoi_context_entry)(void);

#ifdef NIDOI_TSAN
_Thread_local void *nidoi_context_dead_fiber;
#endif

static inline _Noreturn __attribute__((always_inline)) void leave(struct nidoi_departure departure)
{
    nidoi_context_departing(departure.from, departure.to, 1);
#if defined(__x86_64__) && defined(NIDOI_BALANCED)
    /* A bare jump: no call is left open. */
    __asm__ volatile("jmp nidoi_fctx_jump"
                     :
                     : "D"(departure.to->sp), "S"(departure.from)
                     : "memory");
#else
    nidoi_fctx_jump(departure.to->sp, departure.from);
#endif
    __builtin_unreachable();
}

void nidoi_context_begin(struct nidoi_transfer transfer)
{
    struct nidoi_context *before = transfer.data;

#if defined(__x86_64__)
    __asm__ volatile(".cfi_undefined rip"); /* backtraces end here */
#elif defined(__aarch64__)
    __asm__ volatile(".cfi_undefined x30");
#endif
    before->sp = transfer.sp;
    nidoi_context_arrived(before, NULL);
    leave(nidoi_context_entry());
}

void nidoi_context_adopt(struct nidoi_context *context)
{
    *context = (struct nidoi_context){0};
#ifdef NIDOI_TSAN
    context->fiber = __tsan_get_current_fiber();
#endif
}
