/* SPDX-License-Identifier: MIT */
#include "coro/run/report.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/debug_words.h"
#include "base/place.h"
#include "base/printable.h"
#include "coro/group/waits.h"
#include "debug/trace_save.h"
#include "debug/tree.h"

enum {
    MOST_LINES = 64,       /* of the list */
    MOST_TREE_LINES = 256, /* of the tree */
    LINE = 512
};

static void text_add_task(char *text, size_t size, size_t *used, const struct nidoi_task *task)
{
    bool root = task == nidoi_loop_of(task->sched)->root;
    struct nidoi_place place;

    nidoi_text_add(text, size, used, "  #%llu \"%s\" ", (unsigned long long)task->id,
                   task->name ? task->name : "");
    if (task == task->sched->current)
        nidoi_text_add(text, size, used, "runs");
    else
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

struct tasks_text {
    char *text;
    size_t size, used;
};

static void tasks_add(void *ctx, const char *line)
{
    struct tasks_text *text = ctx;

    nidoi_text_add(text->text, text->size, &text->used, "%s", line);
}

void nidoi_tasks_print(struct nidoi_loop *loop, char *text, size_t size)
{
    struct tasks_text out = {text, size, 0};

    text[0] = '\0';
    nidoi_tasks_each(loop, tasks_add, &out);
}

static void print_line(void *ctx, const char *line)
{
    fputs(line, ctx);
}

/* ---- The tree ---- */

struct tree_file {
    FILE *file;
    int lines;
};

static void tree_add_line(void *ctx, const char *line)
{
    struct tree_file *out = ctx;

    if (out->lines++ < MOST_TREE_LINES) fputs(line, out->file);
}

void nidoi_report_tasks(struct nidoi_loop *loop, FILE *file)
{
    struct nidoi_debug_view view = {.shown = nidoi_debug_asks("stacks"), .strays = true};
    struct tree_file out = {file, 0};

    if (view.shown) view.symbols = nidoi_symbols_open();
    if (view.shown) fprintf(file, "nido: stacks: %s\n", nidoi_debug_stacks_source(&view));
    if (nidoi_tree_print(loop, &view, tree_add_line, &out))
        nidoi_tasks_each(loop, print_line, file);
    if (out.lines > MOST_TREE_LINES)
        fprintf(file, "and %d lines more\n", out.lines - MOST_TREE_LINES);
    nidoi_symbols_close(view.symbols);
}

/* ---- When a broken law ends the program ---- */

/* The tree may be what is broken: then comes the list, as far as that is sound. The lock of stderr is held meanwhile. */
static sigjmp_buf broken_tree;
static pthread_t reporter;

/* What another thread does meanwhile ends the program as ever. */
static void tree_is_broken(int number)
{
    if (pthread_equal(pthread_self(), reporter)) siglongjmp(broken_tree, 1);
    signal(number, SIG_DFL);
}

static void print_tree_or_less(struct nidoi_loop *loop)
{
    const struct sigaction action = {.sa_handler = tree_is_broken};
    struct sigaction segv, bus;

    if (loop->frames_gone) {
        nidoi_tasks_each(loop, print_line, stderr);
        return;
    }
    reporter = pthread_self();
    sigaction(SIGSEGV, &action, &segv);
    sigaction(SIGBUS, &action, &bus);
    if (!sigsetjmp(broken_tree, 1)) {
        nidoi_report_tasks(loop, stderr);
    } else if (!sigsetjmp(broken_tree, 1)) {
        fputs("(the tree of tasks is broken)\n", stderr);
        nidoi_tasks_each(loop, print_line, stderr);
    }
    sigaction(SIGSEGV, &segv, NULL);
    sigaction(SIGBUS, &bus, NULL);
}

/* When a broken law ends the program, its tasks are worth a look. */
static void print_tasks_of_thread(void)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    char trace[NIDOI_TRACE_SAVED];

    if (!loop) return;
    fputs("nido: tasks of this thread:\n", stderr);
    print_tree_or_less(loop);
    nidoi_trace_save(loop, trace, sizeof trace);
    fputs(trace, stderr);
}

void nidoi_report_crashes(void)
{
    nidoi_crash_hook = print_tasks_of_thread;
}

/* Atomic, once a process; not bool: some processors swap whole words only. */
static int words_reported;

void nidoi_report_unknown_word(struct nidoi_loop *loop)
{
    char text[256];
    size_t length;
    const char *word = nidoi_debug_unknown(&length);

    if (!word || __atomic_exchange_n(&words_reported, 1, __ATOMIC_RELAXED)) return;
    snprintf(text, sizeof text,
             "nido: NIDO_DEBUG has the word \"%.*s\"; there are 1, all, cancel, dump, locks, "
             "overflow, stacks, "
             "stall, strict, trace and users, with commas or blanks between\n",
             length < 32 ? (int)length : 32, word);
    nidoi_make_printable(text, '\n');
    nidoi_loop_report(loop, text);
}
