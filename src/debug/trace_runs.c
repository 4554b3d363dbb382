/* SPDX-License-Identifier: MIT */
#include "debug/trace_runs.h"

#include <inttypes.h>
#include <stdio.h>

#include "coro/task/waiter.h"

/* ---- The loop ---- */

static void loop_end(struct nidoi_trace_reader *reader, const char *name)
{
    nidoi_line_span(reader, NIDOI_TRACK_LOOP, reader->stopped, reader->now);
    NIDOI_TRACE_ADD(reader, ",\"cat\":\"loop\",\"name\":\"%s\"", name);
    nidoi_line_end(reader);
    reader->loop_shown = false;
    reader->stopped = reader->now;
}

/* Something happens in the loop itself: it gets a slice between two tasks. */
void nidoi_trace_loop_show(struct nidoi_trace_reader *reader)
{
    reader->loop_shown = !reader->running;
}

void nidoi_trace_loop_hide(struct nidoi_trace_reader *reader)
{
    if (reader->loop_shown) loop_end(reader, "loop");
}

void nidoi_trace_read_sleep(struct nidoi_trace_reader *reader)
{
    nidoi_trace_loop_hide(reader);
    reader->stopped = reader->now;
    reader->asleep = true;
}

/* It may have fallen asleep before the oldest event. */
void nidoi_trace_read_awake(struct nidoi_trace_reader *reader)
{
    loop_end(reader, "sleeps");
    reader->asleep = false;
}

/* ---- What a task does: one slice after the other ---- */

static void add_wait_name(struct nidoi_trace_reader *reader, const char *kind, const char *name)
{
    nidoi_trace_out_quote(&reader->out, kind);
    if (!name || !name[0]) return;
    NIDOI_TRACE_ADD(reader, " ");
    nidoi_trace_out_quote(&reader->out, name);
}

/* As the event of its beginning says. */
static void add_noted_wait(struct nidoi_trace_reader *reader, uint64_t at)
{
    const struct nidoi_event *event = &nidoi_trace_cell(reader, at)->event;
    const struct nidoi_wait_kind *kind = (const void *)(uintptr_t)event->other;
    bool copied = event->number & NIDOI_EVENT_KIND_COPIED;
    struct nidoi_trace_text own, name;

    nidoi_trace_text_of(reader, at, copied, &name);
    if (event->number & NIDOI_EVENT_FD)
        snprintf(name.text, sizeof name.text, "%d", (int)event->object);
    add_wait_name(reader, copied ? nidoi_trace_text_of(reader, at, 0, &own) : kind->name,
                  name.text);
}

static void add_wait(struct nidoi_trace_reader *reader, const struct nidoi_trace_task *task)
{
    const struct nidoi_waiter *waiter;

    if (task->parked_by) {
        add_noted_wait(reader, task->parked_by - 1);
        return;
    }
    waiter = task->live->waiter;
    add_wait_name(reader, waiter->kind->name, nidoi_waiter_name(waiter));
}

static bool is_in_slice(const struct nidoi_trace_task *task)
{
    return task->state != NIDOI_TRACE_UNKNOWN && task->state != NIDOI_TRACE_OVER;
}

/* Begins the line of what the task has done until now. */
static void state_line(struct nidoi_trace_reader *reader, const struct nidoi_trace_task *task)
{
    static const char *const names[][2] = {[NIDOI_TRACE_PARKED] = {"wait", NULL},
                                           [NIDOI_TRACE_WAITED] = {"wait", "waits"},
                                           [NIDOI_TRACE_READY] = {"ready", "ready"},
                                           [NIDOI_TRACE_RUNNING] = {"run", "runs"}};
    const char *const *name = names[task->state];

    nidoi_line_span(reader, nidoi_track_task(task, NIDOI_TRACK_STATE), task->since, reader->now);
    NIDOI_TRACE_ADD(reader, ",\"cat\":\"%s\",\"name\":\"%s", name[0], name[1] ? name[1] : "");
    if (!name[1]) add_wait(reader, task);
    NIDOI_TRACE_ADD(reader, "\"");
}

void nidoi_trace_state_begin(struct nidoi_trace_task *task, enum nidoi_trace_state state,
                             int64_t when)
{
    task->state = (uint8_t)state;
    task->since = when;
}

/* What it waits for has an address, unless it is a descriptor. */
static void add_object(struct nidoi_trace_reader *reader, const struct nidoi_trace_task *task,
                       const char *before, const char *after)
{
    const struct nidoi_event *event;

    if (task->state != NIDOI_TRACE_PARKED || !task->parked_by) return;
    event = &nidoi_trace_cell(reader, task->parked_by - 1)->event;
    if (!(event->number & NIDOI_EVENT_FD) && event->object)
        NIDOI_TRACE_ADD(reader, "%s\"object\":\"0x%" PRIx64 "\"%s", before, event->object, after);
}

/* The slice of what the task did until now, whose beginning may be older than the oldest event. */
void nidoi_trace_state_end(struct nidoi_trace_reader *reader, const struct nidoi_trace_task *task)
{
    if (!is_in_slice(task)) return;
    state_line(reader, task);
    add_object(reader, task, ",\"args\":{", "}");
    nidoi_line_end(reader);
}

static void wait_end(struct nidoi_trace_reader *reader, const struct nidoi_trace_task *task,
                     int64_t result)
{
    state_line(reader, task);
    NIDOI_TRACE_ADD(reader, ",\"args\":{\"result\":%" PRId64, result);
    add_object(reader, task, ",", "");
    NIDOI_TRACE_ADD(reader, "}");
    nidoi_line_end(reader);
}

/* ---- Running ---- */

static void run_begin(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task,
                      int64_t when)
{
    nidoi_trace_loop_hide(reader);
    reader->running = task;
    reader->running_name = task->named_by;
    nidoi_trace_state_begin(task, NIDOI_TRACE_RUNNING, when);
}

/* The arrow of its wake ends where the slice begins, so it is written after that. */
void nidoi_trace_run_end(struct nidoi_trace_reader *reader)
{
    struct nidoi_trace_task *task = reader->running;

    nidoi_line_span(reader, NIDOI_TRACK_LOOP, task->since, reader->now);
    NIDOI_TRACE_ADD(reader, ",\"cat\":\"run\",\"name\":\"");
    nidoi_line_label(reader, task, reader->running_name);
    NIDOI_TRACE_ADD(reader, "\"}");
    nidoi_trace_state_end(reader, task);
    nidoi_trace_arrow_end(reader, task, task->since);
    nidoi_trace_state_begin(task, NIDOI_TRACE_UNKNOWN, reader->now);
    reader->running = NULL;
    reader->stopped = reader->now;
}

void nidoi_trace_arrow_end(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task,
                           int64_t when)
{
    if (task->arrow)
        nidoi_line_arrow(reader, 'f', nidoi_track_task(task, NIDOI_TRACK_STATE), when,
                         task->arrow - 1, "wake");
    task->arrow = 0;
}

void nidoi_trace_read_run(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                          struct nidoi_trace_task *task)
{
    if (reader->running) nidoi_trace_run_end(reader); /* it began the trace */
    if (!task->named || !task->function) {
        task->function = event->object;
        nidoi_track_name_task(reader, task);
    }
    nidoi_trace_state_end(reader, task);
    run_begin(reader, task, reader->now);
}

/* A task stops: which began to run before the oldest event, if none is known to run. */
static void stop(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task)
{
    if (!task->named) nidoi_track_name_task(reader, task);
    if (reader->running != task) {
        if (reader->running) nidoi_trace_run_end(reader);
        nidoi_trace_state_end(reader, task);
        run_begin(reader, task, reader->stopped);
    }
    nidoi_trace_run_end(reader);
}

void nidoi_trace_read_park(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task)
{
    stop(reader, task);
    task->parked_by = reader->at + 1;
    nidoi_trace_state_begin(task, NIDOI_TRACE_PARKED, reader->now);
}

/* By the task with this id, or the loop. */
static void made_ready(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task,
                       uint64_t by)
{
    struct nidoi_trace_task *waker = nidoi_trace_find(reader, by);

    nidoi_trace_state_begin(task, NIDOI_TRACE_READY, reader->now);
    if (by && !waker) return;
    if (!waker) nidoi_trace_loop_show(reader);
    task->arrow = reader->at + 1;
    nidoi_line_arrow(reader, 's',
                     waker ? nidoi_track_task(waker, NIDOI_TRACK_STATE) : NIDOI_TRACK_LOOP,
                     reader->now, reader->at, "wake");
}

void nidoi_trace_read_yield(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task)
{
    stop(reader, task);
    nidoi_trace_state_begin(task, NIDOI_TRACE_READY, reader->now);
}

void nidoi_trace_read_end(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                          struct nidoi_trace_task *task)
{
    stop(reader, task);
    task->state = NIDOI_TRACE_OVER;
    nidoi_line_instant(reader, nidoi_track_task(task, NIDOI_TRACK_STATE), "run", "end");
    NIDOI_TRACE_ADD(reader, ",\"args\":{\"result\":%d}", (int)event->object);
    nidoi_line_end(reader);
}

void nidoi_trace_read_wake(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                           struct nidoi_trace_task *task)
{
    if (task->state == NIDOI_TRACE_UNKNOWN)
        nidoi_trace_state_begin(task, NIDOI_TRACE_WAITED,
                                task->since ? task->since : reader->begin);
    if (!task->named) nidoi_track_name_task(reader, task);
    wait_end(reader, task, (int64_t)event->other);
    made_ready(reader, task, event->object);
}

void nidoi_trace_read_spawn(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                            struct nidoi_trace_task *task)
{
    task->function = event->other;
    if (nidoi_trace_cell(reader, reader->at + 1)->part.kind == NIDOI_EVENT_TEXT &&
        reader->at + 1 < reader->events->written)
        task->named_by = reader->at + 1;
    nidoi_track_name_task(reader, task);
    made_ready(reader, task, event->object);
}

void nidoi_trace_read_name(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task)
{
    task->named_by = reader->at + 1;
    nidoi_track_name_task(reader, task);
}
