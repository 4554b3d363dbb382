/* SPDX-License-Identifier: MIT */
/* coro/run/question.h: the frames of a thread that computes, told by itself: in the handler of a real-time signal
 * that has its default action, and that is ours from the question to the answer. */
#ifndef NIDOI_QUESTION_H
#define NIDOI_QUESTION_H

#include <stdint.h>

#include "base/thread_look.h"

struct nidoi_run;
struct nidoi_task;

/* Of the thread of a run that has nidoi_aside_need: its frames, the innermost first, if it still runs `current` and
 * has last read its clock at `read`. How many; 0: there is no such signal, or no answer in time, of which a
 * thread that computes but finds no processor has more. One caller at a time. */
int nidoi_question_ask(const struct nidoi_run *run, const struct nidoi_thread *thread,
                       const struct nidoi_task *current, int64_t read, void **frames, int room);

/* In a forked child, whose parent may have asked. */
void nidoi_question_forked(void);

#endif
