/* SPDX-License-Identifier: MIT */
#include "coro/task/switch.h"

void nidoi_switch_with_exceptions(struct nidoi_sched *sched, struct nidoi_task *from,
                                  struct nidoi_task *to)
{
    struct nidoi_exceptions kept = *sched->exceptions;

    *sched->exceptions = (struct nidoi_exceptions){0};
    nidoi_context_switch(&from->context, &to->context);
    *sched->exceptions = kept;
}
