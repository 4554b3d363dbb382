#include "debug/trace_runs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "coro/task/waiter.h"

/* ---- The loop ---- */

/* Something happened in the loop itself: it has a slice between two tasks. */
void nidoi_trace_loop_show(struct nidoi_trace_reader *reader)
{
    if (reader->loop_shown || reader->running) return;
    reader->loop_shown = true;
    nidoi_line_slice(reader, NIDOI_TRACK_LOOP, reader->stopped, "loop");
    nidoi_line_end(reader);
}

void nidoi_trace_loop_hide(struct nidoi_trace_reader *reader)
{
    if (reader->loop_shown) nidoi_line_slice_end(reader, NIDOI_TRACK_LOOP, reader->now);
    reader->loop_shown = false;
}

void nidoi_trace_read_sleep(struct nidoi_trace_reader *reader)
{
    nidoi_trace_loop_show(reader);
    reader->asleep = true;
    nidoi_line_slice(reader, NIDOI_TRACK_LOOP, reader->now, "sleeps");
    nidoi_line_end(reader);
}

/* It may have fallen asleep before the oldest event. */
void nidoi_trace_read_awake(struct nidoi_trace_reader *reader)
{
    nidoi_trace_loop_show(reader);
    if (!reader->asleep) {
        nidoi_line_slice(reader, NIDOI_TRACK_LOOP, reader->stopped, "sleeps");
        nidoi_line_end(reader);
    }
    reader->asleep = false;
    nidoi_line_slice_end(reader, NIDOI_TRACK_LOOP, reader->now);
}

/* ---- Running ---- */

/* The slice of what the task did until now, whose beginning may be older than the oldest event. */
void nidoi_trace_state_end(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task)
{
    uint32_t track = nidoi_track_task(task, NIDOI_TRACK_STATE);

    if (task->state == NIDOI_TRACE_UNKNOWN || task->state == NIDOI_TRACE_OVER) return;
    nidoi_line_slice_end(reader, track, reader->now);
}

static void run_begin(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task,
                      int64_t when)
{
    nidoi_trace_loop_hide(reader);
    nidoi_line_begin(reader, 'B', NIDOI_TRACK_LOOP, when);
    NIDOI_TRACE_ADD(reader, ",\"cat\":\"run\",\"name\":\"");
    nidoi_line_label(reader, task);
    NIDOI_TRACE_ADD(reader, "\"}");
    nidoi_line_slice(reader, nidoi_track_task(task, NIDOI_TRACK_STATE), when, "runs");
    NIDOI_TRACE_ADD(reader, ",\"cat\":\"run\"");
    nidoi_line_end(reader);
    if (task->arrow)
        nidoi_line_arrow(reader, 'f', nidoi_track_task(task, NIDOI_TRACK_STATE), task->arrow - 1,
                         "wake");
    task->arrow = 0;
    task->state = NIDOI_TRACE_RUNNING;
    reader->running = task;
}

void nidoi_trace_run_end(struct nidoi_trace_reader *reader)
{
    nidoi_line_slice_end(reader, NIDOI_TRACK_LOOP, reader->now);
    nidoi_line_slice_end(reader, nidoi_track_task(reader->running, NIDOI_TRACK_STATE), reader->now);
    reader->running->state = NIDOI_TRACE_UNKNOWN;
    reader->running = NULL;
    reader->stopped = reader->now;
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

void nidoi_trace_wait_begin(struct nidoi_trace_reader *reader, uint32_t track, int64_t when,
                            const char *kind, const char *name)
{
    nidoi_line_begin(reader, 'B', track, when);
    NIDOI_TRACE_ADD(reader, ",\"cat\":\"wait\",\"name\":\"");
    nidoi_trace_out_quote(&reader->out, kind);
    if (name && name[0]) {
        NIDOI_TRACE_ADD(reader, " ");
        nidoi_trace_out_quote(&reader->out, name);
    }
    NIDOI_TRACE_ADD(reader, "\"");
}

void nidoi_trace_read_park(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                           struct nidoi_trace_task *task)
{
    const struct nidoi_wait_kind *kind = (const void *)(uintptr_t)event->other;
    bool copied = event->number & NIDOI_EVENT_KIND_COPIED;
    struct nidoi_trace_text own, name;
    char number[16];

    stop(reader, task);
    nidoi_trace_text_of(reader, reader->at, copied, &name);
    if (event->number & NIDOI_EVENT_FD) {
        snprintf(number, sizeof number, "%d", (int)event->object);
        memcpy(name.text, number, sizeof number);
    }
    nidoi_trace_wait_begin(reader, nidoi_track_task(task, NIDOI_TRACK_STATE), reader->now,
                           copied ? nidoi_trace_text_of(reader, reader->at, 0, &own) : kind->name,
                           name.text);
    if (!(event->number & NIDOI_EVENT_FD) && event->object)
        NIDOI_TRACE_ADD(reader, ",\"args\":{\"object\":\"0x%" PRIx64 "\"}", event->object);
    nidoi_line_end(reader);
    task->state = NIDOI_TRACE_PARKED;
}

static void ready_begin(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task,
                        uint64_t by)
{
    struct nidoi_trace_task *waker = nidoi_trace_find(reader, by);

    nidoi_line_slice(reader, nidoi_track_task(task, NIDOI_TRACK_STATE), reader->now, "ready");
    NIDOI_TRACE_ADD(reader, ",\"cat\":\"ready\"");
    nidoi_line_end(reader);
    task->state = NIDOI_TRACE_READY;
    if (by && !waker) return;
    if (!waker) nidoi_trace_loop_show(reader);
    task->arrow = reader->at + 1;
    nidoi_line_arrow(reader, 's',
                     waker ? nidoi_track_task(waker, NIDOI_TRACK_STATE) : NIDOI_TRACK_LOOP,
                     reader->at, "wake");
}

void nidoi_trace_read_yield(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task)
{
    stop(reader, task);
    nidoi_line_slice(reader, nidoi_track_task(task, NIDOI_TRACK_STATE), reader->now, "ready");
    NIDOI_TRACE_ADD(reader, ",\"cat\":\"ready\"");
    nidoi_line_end(reader);
    task->state = NIDOI_TRACE_READY;
}

void nidoi_trace_read_end(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                          struct nidoi_trace_task *task)
{
    stop(reader, task);
    task->state = NIDOI_TRACE_OVER;
    nidoi_line_instant(reader, nidoi_track_task(task, NIDOI_TRACK_STATE), "end");
    NIDOI_TRACE_ADD(reader, ",\"args\":{\"result\":%d}", (int)event->object);
    nidoi_line_end(reader);
}

void nidoi_trace_read_wake(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                           struct nidoi_trace_task *task)
{
    uint32_t track = nidoi_track_task(task, NIDOI_TRACK_STATE);

    if (task->state == NIDOI_TRACE_UNKNOWN) {
        nidoi_trace_wait_begin(reader, track, task->named ? reader->now : reader->begin, "waits",
                               NULL);
        nidoi_line_end(reader);
    }
    if (!task->named) nidoi_track_name_task(reader, task);
    nidoi_line_begin(reader, 'E', track, reader->now);
    NIDOI_TRACE_ADD(reader, ",\"args\":{\"result\":%" PRId64 "}", (int64_t)event->other);
    nidoi_line_end(reader);
    ready_begin(reader, task, event->object);
}

void nidoi_trace_read_spawn(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                            struct nidoi_trace_task *task)
{
    task->function = event->other;
    if (nidoi_trace_cell(reader, reader->at + 1)->part.kind == NIDOI_EVENT_TEXT &&
        reader->at + 1 < reader->events->written)
        task->named_by = reader->at + 1;
    nidoi_track_name_task(reader, task);
    ready_begin(reader, task, event->object);
}

void nidoi_trace_read_name(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task)
{
    task->named_by = reader->at + 1;
    nidoi_track_name_task(reader, task);
}
