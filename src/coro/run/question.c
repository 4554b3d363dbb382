/* SPDX-License-Identifier: MIT */
#include "coro/run/question.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/sys.h"
#include "coro/run/run.h"
#include "nido/time.h"

enum { MOST = 24 };
#define PATIENCE     NIDO_MS(100)
#define COMPUTED     NIDO_MS(20) /* by then a signal that is not blocked has come */
#define MOST_PATIENT NIDO_SEC(10)

enum { NOTHING_ASKED, ASKED, ANSWERED };

static struct {
    int signal;     /* ours from the question to the answer; 0: none */
    uint32_t state; /* atomic: what is below is the asking thread's, but while it is ASKED */
    const struct nidoi_run *run;
    const struct nidoi_task *current; /* as the asking thread has seen it */
    int64_t read;
    void *frames[MOST];
    int count;
} question;

static void question_answer(const void *context)
{
    const struct nidoi_sched *sched = nidoi_sched_self;
    void **frames;
    bool cut;

    if (sched != &question.run->loop.sched || sched->current != question.current ||
        sched->now != question.read)
        return; /* it has got on */
    question.count = nidoi_aside_frames(&question.run->aside, context, &frames, &cut);
    if (question.count > MOST) question.count = MOST;
    if (question.count) memcpy(question.frames, frames, (size_t)question.count * sizeof *frames);
}

static void question_handler(int number, siginfo_t *info, void *context)
{
    int err = errno;

    (void)number, (void)info;
    if (__atomic_load_n(&question.state, __ATOMIC_ACQUIRE) != ASKED) return;
    question_answer(context);
    __atomic_store_n(&question.state, ANSWERED, __ATOMIC_RELEASE);
    errno = err;
}

/* Takes a signal that the program leaves alone. False: there is none. */
static bool signal_take(void)
{
    const struct sigaction ours = {.sa_sigaction = question_handler,
                                   .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};

#ifdef SIGRTMIN
    for (int number = SIGRTMAX; number >= SIGRTMIN && !question.signal; number--) {
        struct sigaction now;

        if (nidoi_sys.sigaction(number, NULL, &now) || now.sa_flags & SA_SIGINFO ||
            now.sa_handler != SIG_DFL)
            continue;
        if (!nidoi_sys.sigaction(number, &ours, NULL)) question.signal = number;
    }
#endif
    return question.signal != 0;
}

static void signal_give_back(void)
{
    const struct sigaction none = {.sa_handler = SIG_DFL};
    struct sigaction now;

    if (!nidoi_sys.sigaction(question.signal, NULL, &now) && now.sa_flags & SA_SIGINFO &&
        now.sa_sigaction == question_handler)
        nidoi_sys.sigaction(question.signal, &none, NULL);
    question.signal = 0;
}

static bool is_answered(void)
{
    return __atomic_load_n(&question.state, __ATOMIC_ACQUIRE) == ANSWERED;
}

/* On a busy machine a thread that computes may not run for long: until it has, it cannot have answered. */
static bool may_yet_run(const struct nidoi_thread *thread, int64_t used)
{
    struct nidoi_thread_look look;

    nidoi_thread_look(thread, &look);
    return look.state == NIDOI_THREAD_RUNS && nidoi_thread_cpu(thread) - used < COMPUTED;
}

static bool wait_for_answer(const struct nidoi_thread *thread, int64_t used)
{
    const struct timespec moment = {.tv_nsec = NIDO_MS(1)};
    int64_t begin = nidoi_sys_now(), now = begin;

    while (now - begin < PATIENCE || (now - begin < MOST_PATIENT && may_yet_run(thread, used))) {
        if (is_answered()) return true;
        nanosleep(&moment, NULL);
        now = nidoi_sys_now();
    }
    return is_answered();
}

/* If the thread has blocked the signal it may come at any later time, when the default action would end
 * the program: then it stays ours, and no other question is asked before the answer. */
int nidoi_question_ask(const struct nidoi_run *run, const struct nidoi_thread *thread,
                       const struct nidoi_task *current, int64_t read, void **frames, int room)
{
    int64_t used = nidoi_thread_cpu(thread);
    int n;

    if (question.signal && !is_answered()) return 0;
    if (question.signal) signal_give_back();
    if (!signal_take()) return 0;
    question.run = run;
    question.current = current;
    question.read = read;
    question.count = 0;
    __atomic_store_n(&question.state, ASKED, __ATOMIC_RELEASE);
    if (pthread_kill(thread->thread, question.signal) || !wait_for_answer(thread, used)) return 0;
    signal_give_back();
    n = question.count < room ? question.count : room;
    memcpy(frames, question.frames, (size_t)n * sizeof *frames);
    return n;
}

void nidoi_question_forked(void)
{
    if (question.signal) signal_give_back();
}
