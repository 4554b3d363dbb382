#include "coro/run/report.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/place.h"
#include "coro/group/waits.h"

enum { MOST_LINES = 64, LINE = 512 };

static void text_add_task(char *text, size_t size, size_t *used, const struct nidoi_task *task)
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
        text_add_task(text, sizeof text, &used, slot->task);
        line(ctx, text);
        listed++;
    }
    if (listed == loop->live) return;
    snprintf(text, sizeof text, "  and %u more\n", loop->live - listed);
    line(ctx, text);
}

void nidoi_tasks_add(void *ctx, const char *line)
{
    struct nidoi_tasks_text *text = ctx;

    nidoi_text_add(text->text, text->size, &text->used, "%s", line);
}

void nidoi_tasks_print(struct nidoi_loop *loop, char *text, size_t size)
{
    struct nidoi_tasks_text out = {text, size, 0};

    text[0] = '\0';
    nidoi_tasks_each(loop, nidoi_tasks_add, &out);
}

static void print_line(void *ctx, const char *line)
{
    fputs(line, ctx);
}

/* When a broken law ends the program, its tasks are worth a look. */
static void print_tasks_of_thread(void)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    if (!loop) return;
    fputs("nido: tasks of this thread:\n", stderr);
    nidoi_tasks_each(loop, print_line, stderr);
}

void nidoi_report_crashes(void)
{
    nidoi_crash_hook = print_tasks_of_thread;
}
