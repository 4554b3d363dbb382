/* SPDX-License-Identifier: MIT */
#include "coro/stack/context.h"

#ifdef NIDOI_TSAN
_Thread_local void *nidoi_context_dead_fiber;
#endif

void nidoi_context_adopt(struct nidoi_context *context)
{
    *context = (struct nidoi_context){0};
#ifdef NIDOI_TSAN
    context->fiber = __tsan_get_current_fiber();
#endif
}
