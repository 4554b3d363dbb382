/* SPDX-License-Identifier: MIT */
/* In a signal handler, so with what is safe there: memory of its own stack, snprintf of numbers and
 * strings (which allocates nothing in glibc and musl), write. dladdr, which takes a lock of the loader,
 * is a compromise: a fault inside the loader is not one of a task's stack. */
#include "debug/overflow.h"

#include <string.h>
#include <unistd.h>

#include "base/place.h"
#include "base/sys.h"
#include "coro/group/waits.h"
#include "debug/stack.h"

enum {
    LINE = 512,
    MOST_PERIOD = 8,  /* functions that call each other in turn */
    MOST_BEFORE = 16, /* frames of what the last of them has called */
    LEAST_ROUNDS = 3,
    MOST_LISTED = 8 /* frames around what repeats */
};

#define ADD(to, ...) nidoi_text_add((to)->text, (to)->size, &(to)->used, __VA_ARGS__)

/* frames[from] to frames[from + period * rounds - 1] are the same `period` frames again and again. */
struct repeated {
    int from, period, rounds;
};

const struct nidoi_task *nidoi_overflow_of(const void *address)
{
    const struct nidoi_sched *sched = nidoi_sched_self;
    const struct nidoi_stack *stack = sched ? sched->current->stack : NULL;
    const char *at = address;

    if (!sched || !nidoi_on_task(sched) || !stack->class) return NULL;
    return at < stack->bottom && at >= stack->bottom - NIDOI_STACK_GUARD ? sched->current : NULL;
}

static void write_text(const struct nidoi_text *text)
{
    size_t done = 0;

    while (done < text->used) {
        ssize_t n = nidoi_sys.write(STDERR_FILENO, text->text + done, text->used - done);

        if (n <= 0) return;
        done += (size_t)n;
    }
}

/* ---- Its frames ---- */

static int rounds_at(void *const *frames, int n, int from, int period)
{
    int at = from + period;

    while (at < n && frames[at] == frames[at - period]) at++;
    return (at - from) / period;
}

/* What repeats begins soon, for a stack is used up by what recurses. */
static struct repeated find_repeated(void *const *frames, int n)
{
    struct repeated best = {0, 0, 0};

    for (int from = 0; from < MOST_BEFORE && from < n; from++)
        for (int period = 1; period <= MOST_PERIOD; period++) {
            int rounds = rounds_at(frames, n, from, period);

            if (rounds >= LEAST_ROUNDS && rounds * period > best.rounds * best.period + period)
                best = (struct repeated){from, period, rounds};
        }
    return best;
}

static void tell_frames(void *const *frames, int n)
{
    for (int i = 0; i < n && i < MOST_LISTED; i++) {
        char room[LINE];
        struct nidoi_text text = {room, sizeof room, 0};

        nidoi_debug_add_frames(&text, &frames[i], 1);
        write_text(&text);
    }
}

static void tell_repeated(void *const *frames, struct repeated repeated, bool cut)
{
    char room[LINE];
    struct nidoi_text text = {room, sizeof room, 0};

    tell_frames(frames + repeated.from, repeated.period);
    if (repeated.period == 1)
        ADD(&text, "  the last frame %s%d times\n", cut ? "more than " : "", repeated.rounds);
    else
        ADD(&text, "  the last %d frames in turn %s%d times\n", repeated.period,
            cut ? "more than " : "", repeated.rounds);
    write_text(&text);
}

static void tell_left_out(int n, bool cut)
{
    char room[64];
    struct nidoi_text text = {room, sizeof room, 0};

    if (n > 0)
        ADD(&text, "  and %s%d more\n", cut ? "more than " : "", n);
    else if (cut)
        ADD(&text, "  and further frames\n");
    write_text(&text);
}

static void tell_stack(void *const *frames, int n, bool cut)
{
    struct repeated repeated = find_repeated(frames, n);
    int rest = repeated.from + repeated.period * repeated.rounds;

    if (!n) return;
    if (cut && n - rest < repeated.period) n = rest; /* the beginning of one more round */
    tell_frames(frames, repeated.from);
    tell_left_out(repeated.from - MOST_LISTED, false);
    if (repeated.rounds) tell_repeated(frames, repeated, cut && rest == n);
    tell_frames(frames + rest, n - rest);
    tell_left_out(n - rest - MOST_LISTED, cut);
}

/* ---- All of it ---- */

void nidoi_overflow_tell(const struct nidoi_task *task, const void *address, void *const *frames,
                         int n, bool cut)
{
    char room[LINE];
    struct nidoi_text text = {room, sizeof room, 0};
    struct nidoi_place place;

    ADD(&text,
        "nido: STACK OVERFLOW: task #%llu \"%s\", spawned at %s, has used up its stack of %zu KiB "
        "and "
        "touched its guard, %zu bytes below\n",
        (unsigned long long)task->id, task->name ? task->name : "",
        nidoi_place(&place, task->spawned_at), nidoi_debug_stack_size(task) / 1024,
        (size_t)(task->stack->bottom - (const char *)address));
    write_text(&text);
    tell_stack(frames, n, cut);
    text.used = 0;
    ADD(&text, "hint: recurse less deeply, keep large buffers elsewhere, or give the task more: "
               "nido_spawn_options.stack_size, or nido_options.stack_size for every task\n");
    write_text(&text);
}
