/* coro/run/question.h: the frames of a thread that computes, told by itself: in the handler of a real-time signal
 * that has its default action, and that is ours from the question to the answer. */
#ifndef NIDOI_QUESTION_H
#define NIDOI_QUESTION_H

#include <pthread.h>
#include <stdint.h>

struct nidoi_run;
struct nidoi_task;

/* Of the thread of a run that has nidoi_aside_need: its frames, the innermost first, if it still runs `current` and
 * has last read its clock at `read`. How many; 0: there is no such signal, or no answer in time. One caller at
 * a time. */
int nidoi_question_ask(const struct nidoi_run *run, pthread_t thread,
                       const struct nidoi_task *current, int64_t read, void **frames, int room);

/* In a forked child, whose parent may have asked. */
void nidoi_question_forked(void);

#endif
