#include "coro/run/deadlock.h"

#include "base/mem.h"
#include "coro/group/waits.h"
#include "coro/run/cancel.h"
#include "coro/run/report.h"

enum { REPORT = 16384 };

/* Of its own memory: several threads may have something to report at once. Without memory the list is
 * left out. */
static void deadlock_report(struct nidoi_loop *loop)
{
    const char *why = loop->expected ? "jobs or child processes are out, but have long been silent"
                                     : "none can ever run again: no timer, no descriptor, no job, "
                                       "no other thread that may post";
    char head[256];
    struct nidoi_tasks_text text = {nidoi_mem.alloc(REPORT), REPORT, 0};

    if (!text.text) text = (struct nidoi_tasks_text){head, sizeof head, 0};
    nidoi_text_add(text.text, text.size, &text.used, "nido: DEADLOCK: %u tasks, and %s\n",
                   loop->live, why);
    if (text.text != head) nidoi_tasks_each(loop, nidoi_tasks_add, &text);
    nidoi_loop_report(loop, text.text);
    if (text.text != head) nidoi_mem.release(text.text);
}

void nidoi_deadlock(struct nidoi_loop *loop)
{
    deadlock_report(loop);
    loop->deadlocked = true;
    nidoi_run_cancel(loop, NIDO_CAUSE_DEADLOCK, -EDEADLK, "deadlock");
    if (!nidoi_sched_ready(&loop->sched))
        nidoi_panic(
            "cancelling the deadlocked tasks above woke none of them: all are in waits that "
            "only another task can end, or behind shields without a bound");
}
