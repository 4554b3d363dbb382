/* SPDX-License-Identifier: MIT */
/* coro/run/overflow.h: the report on a task that has used up its stack, by a handler of SIGSEGV and SIGBUS.
 *
 * 1. There is one only where the signal has its default action when a run that asks for it begins, and
 * until the last such run ends. What the program sets meanwhile stays.
 * 2. It runs on an alternate stack of its thread (coro/run/aside.h).
 * 3. It then lets the default action happen, at the same instruction: exit status and core are as
 * without it. */
#ifndef NIDOI_RUN_OVERFLOW_H
#define NIDOI_RUN_OVERFLOW_H

struct nidoi_run;

/* If the options or the environment ask for it. 0 or -ENOMEM. */
int nidoi_overflow_begin(struct nidoi_run *run);
void nidoi_overflow_end(struct nidoi_run *run);

#endif
