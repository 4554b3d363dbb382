#include "coro/run/deadlock.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/place.h"
#include "coro/group/waits.h"
#include "coro/run/run_on.h"

enum { MOST_LINES = 64, LINE = 512, REPORT = 16384 };

static void add_task(char *text, size_t size, size_t *used, const struct nidoi_task *task)
{
    bool root = task == nidoi_loop_of(task->sched)->root;
    struct nidoi_place place;

    nidoi_text_add(text, size, used, "  #%llu \"%s\" ", (unsigned long long)task->id,
                   task->name ? task->name : "");
    nidoi_wait_print(text, size, used, task->waiter);
    nidoi_text_add(text, size, used, ", %s%s\n",
                   root          ? "the root"
                   : task->group ? "spawned at "
                                 : "nido's own",
                   task->group ? nidoi_place(&place, task->spawned_at) : "");
}

void nidoi_tasks_each(struct nidoi_loop *loop, void (*line)(void *ctx, const char *text), void *ctx)
{
    uint32_t listed = 0;
    char text[LINE];

    for (uint32_t i = 1; i <= loop->slots.made && listed < MOST_LINES; i++) {
        const struct nidoi_slot *slot = nidoi_slots_get(&loop->slots, i);
        size_t used = 0;

        if (!slot->task) continue;
        add_task(text, sizeof text, &used, slot->task);
        line(ctx, text);
        listed++;
    }
    if (listed == loop->live) return;
    snprintf(text, sizeof text, "  and %u more\n", loop->live - listed);
    line(ctx, text);
}

struct report {
    char *text;
    size_t size, used;
};

static void add_line(void *ctx, const char *line)
{
    struct report *report = ctx;

    nidoi_text_add(report->text, report->size, &report->used, "%s", line);
}

void nidoi_tasks_print(struct nidoi_loop *loop, char *text, size_t size)
{
    struct report report = {text, size, 0};

    text[0] = '\0';
    nidoi_tasks_each(loop, add_line, &report);
}

/* Of its own memory: several threads may have something to report at once. Without memory the list is
 * left out. */
static void report(struct nidoi_loop *loop)
{
    const char *why = loop->expected ? "jobs or child processes are out, but have long been silent"
                                     : "none can ever run again: no timer, no descriptor, no job, "
                                       "nobody else who may post";
    char head[256];
    struct report text = {nidoi_mem.alloc(REPORT), REPORT, 0};

    if (!text.text) text = (struct report){head, sizeof head, 0};
    nidoi_text_add(text.text, text.size, &text.used, "nido: DEADLOCK: %u tasks, and %s\n",
                   loop->live, why);
    if (text.text != head) nidoi_tasks_each(loop, add_line, &text);
    nidoi_loop_report(loop, text.text);
    if (text.text != head) nidoi_mem.release(text.text);
}

void nidoi_deadlock(struct nidoi_loop *loop)
{
    report(loop);
    loop->deadlocked = true;
    nidoi_run_cancel(loop, NIDO_CAUSE_DEADLOCK, -EDEADLK, "deadlock");
    if (!nidoi_sched_ready(&loop->sched))
        nidoi_panic(
            "cancelling the deadlocked tasks above woke none of them: all are in waits that "
            "only another task can end, or behind shields without a bound");
}
