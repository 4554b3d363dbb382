#include "debug/trace_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/place.h"
#include "coro/runtime/tracing.h"
#include "coro/task/waiter.h"
#include "debug/trace_lines.h"
#include "nido/time.h"
#include "nido/version.h"

enum { BUFFER = 4096 };

/* ---- The loop ---- */

/* Something happened in the loop itself: it has a slice between two tasks. */
static void loop_show(struct nidoi_trace_reader *reader)
{
    if (reader->loop_shown || reader->running) return;
    reader->loop_shown = true;
    nidoi_line_slice(reader, NIDOI_TRACK_LOOP, reader->stopped, "loop");
    nidoi_line_end(reader);
}

static void loop_hide(struct nidoi_trace_reader *reader)
{
    if (reader->loop_shown) nidoi_line_slice_end(reader, NIDOI_TRACK_LOOP, reader->now);
    reader->loop_shown = false;
}

static void read_sleep(struct nidoi_trace_reader *reader)
{
    loop_show(reader);
    reader->asleep = true;
    nidoi_line_slice(reader, NIDOI_TRACK_LOOP, reader->now, "sleeps");
    nidoi_line_end(reader);
}

/* It may have fallen asleep before the oldest event. */
static void read_awake(struct nidoi_trace_reader *reader)
{
    loop_show(reader);
    if (!reader->asleep) {
        nidoi_line_slice(reader, NIDOI_TRACK_LOOP, reader->stopped, "sleeps");
        nidoi_line_end(reader);
    }
    reader->asleep = false;
    nidoi_line_slice_end(reader, NIDOI_TRACK_LOOP, reader->now);
}

/* ---- Running ---- */

/* The slice of what the task did until now, whose beginning may be older than the oldest event. */
static void state_end(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task)
{
    uint32_t track = nidoi_track_task(task, NIDOI_TRACK_STATE);

    if (task->state == NIDOI_TRACE_UNKNOWN || task->state == NIDOI_TRACE_OVER) return;
    nidoi_line_slice_end(reader, track, reader->now);
}

static void run_begin(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task,
                      int64_t when)
{
    loop_hide(reader);
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

static void run_end(struct nidoi_trace_reader *reader)
{
    nidoi_line_slice_end(reader, NIDOI_TRACK_LOOP, reader->now);
    nidoi_line_slice_end(reader, nidoi_track_task(reader->running, NIDOI_TRACK_STATE), reader->now);
    reader->running->state = NIDOI_TRACE_UNKNOWN;
    reader->running = NULL;
    reader->stopped = reader->now;
}

static void read_run(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                     struct nidoi_trace_task *task)
{
    if (reader->running) run_end(reader); /* it began the trace */
    if (!task->named || !task->function) {
        task->function = event->object;
        nidoi_track_name_task(reader, task);
    }
    state_end(reader, task);
    run_begin(reader, task, reader->now);
}

/* A task stops: which began to run before the oldest event, if none is known to run. */
static void stop(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task)
{
    if (!task->named) nidoi_track_name_task(reader, task);
    if (reader->running != task) {
        if (reader->running) run_end(reader);
        state_end(reader, task);
        run_begin(reader, task, reader->stopped);
    }
    run_end(reader);
}

static void wait_begin(struct nidoi_trace_reader *reader, uint32_t track, int64_t when,
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

static void read_park(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
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
    wait_begin(reader, nidoi_track_task(task, NIDOI_TRACK_STATE), reader->now,
               copied ? nidoi_trace_text_of(reader, reader->at, 0, &own) : kind->name, name.text);
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
    if (!waker) loop_show(reader);
    task->arrow = reader->at + 1;
    nidoi_line_arrow(reader, 's',
                     waker ? nidoi_track_task(waker, NIDOI_TRACK_STATE) : NIDOI_TRACK_LOOP,
                     reader->at, "wake");
}

static void read_yield(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task)
{
    stop(reader, task);
    nidoi_line_slice(reader, nidoi_track_task(task, NIDOI_TRACK_STATE), reader->now, "ready");
    NIDOI_TRACE_ADD(reader, ",\"cat\":\"ready\"");
    nidoi_line_end(reader);
    task->state = NIDOI_TRACE_READY;
}

static void read_end(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                     struct nidoi_trace_task *task)
{
    stop(reader, task);
    task->state = NIDOI_TRACE_OVER;
    nidoi_line_instant(reader, nidoi_track_task(task, NIDOI_TRACK_STATE), "end");
    NIDOI_TRACE_ADD(reader, ",\"args\":{\"result\":%d}", (int)event->object);
    nidoi_line_end(reader);
}

static void read_wake(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                      struct nidoi_trace_task *task)
{
    uint32_t track = nidoi_track_task(task, NIDOI_TRACK_STATE);

    if (task->state == NIDOI_TRACE_UNKNOWN) {
        wait_begin(reader, track, task->named ? reader->now : reader->begin, "waits", NULL);
        nidoi_line_end(reader);
    }
    if (!task->named) nidoi_track_name_task(reader, task);
    nidoi_line_begin(reader, 'E', track, reader->now);
    NIDOI_TRACE_ADD(reader, ",\"args\":{\"result\":%" PRId64 "}", (int64_t)event->other);
    nidoi_line_end(reader);
    ready_begin(reader, task, event->object);
}

static void read_spawn(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                       struct nidoi_trace_task *task)
{
    task->function = event->other;
    if (nidoi_trace_cell(reader, reader->at + 1)->part.kind == NIDOI_EVENT_TEXT &&
        reader->at + 1 < reader->events->written)
        task->named_by = reader->at + 1;
    nidoi_track_name_task(reader, task);
    ready_begin(reader, task, event->object);
}

static void read_name(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task)
{
    task->named_by = reader->at + 1;
    nidoi_track_name_task(reader, task);
}

/* ---- Scopes, cancels, marks, jobs ---- */

static void add_deadline(struct nidoi_trace_reader *reader, int64_t deadline)
{
    int64_t left = deadline - reader->now;

    if (deadline != NIDO_NEVER)
        NIDOI_TRACE_ADD(reader, ",\"deadline in\":\"%s%" PRId64 ".%09d s\"", left < 0 ? "-" : "",
                        (left < 0 ? -left : left) / NIDO_SEC(1),
                        (int)((left < 0 ? -left : left) % NIDO_SEC(1)));
}

static void read_open(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                      struct nidoi_trace_task *task)
{
    struct nidoi_place place;
    struct nidoi_trace_text name;

    nidoi_line_begin(reader, 'B', nidoi_track_task(task, NIDOI_TRACK_SCOPES), reader->now);
    NIDOI_TRACE_ADD(reader, ",\"cat\":\"scope\",\"name\":\"%s",
                    event->number & NIDOI_EVENT_GROUP      ? "group "
                    : event->number & NIDOI_EVENT_SHIELD   ? "shield"
                    : (int64_t)event->object == NIDO_NEVER ? "scope"
                                                           : "deadline");
    nidoi_trace_out_quote(&reader->out, nidoi_trace_text_of(reader, reader->at, 0, &name));
    NIDOI_TRACE_ADD(reader, "\",\"args\":{\"opened at\":\"");
    nidoi_trace_out_quote(&reader->out, nidoi_place(&place, (void *)(uintptr_t)event->other));
    NIDOI_TRACE_ADD(reader, "\"");
    add_deadline(reader, (int64_t)event->object);
    NIDOI_TRACE_ADD(reader, "}");
    nidoi_line_end(reader);
    task->scopes.depth++;
}

static void read_close(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task)
{
    task->scopes.depth--;
    nidoi_line_slice_end(reader, nidoi_track_task(task, NIDOI_TRACK_SCOPES), reader->now);
}

static const char *cause_name(unsigned kind)
{
    static const char *const names[] = {"cancel",  "cancel",   "deadline", "failure", "race",
                                        "release", "shutdown", "signal",   "deadlock"};

    return kind < sizeof names / sizeof *names ? names[kind] : "cancel";
}

static void read_cancel(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                        const struct nidoi_trace_task *author)
{
    struct nidoi_trace_task *target = nidoi_trace_find(reader, event->object);
    struct nidoi_trace_text reason;

    if (!author) loop_show(reader);
    nidoi_line_instant(reader,
                       author ? nidoi_track_task(author, NIDOI_TRACK_STATE) : NIDOI_TRACK_LOOP,
                       cause_name(event->number));
    NIDOI_TRACE_ADD(reader,
                    ",\"cat\":\"cancel\",\"args\":{\"scope of\":\"#%" PRIu64
                    "\",\"code\":%d,\"reason\":\"",
                    event->object, (int)(int32_t)event->other);
    nidoi_trace_out_quote(&reader->out, nidoi_trace_text_of(reader, reader->at, 0, &reason));
    NIDOI_TRACE_ADD(reader, "\"}");
    nidoi_line_end(reader);
    if (!target || target->scopes.depth <= 0) return;
    nidoi_line_arrow(reader, 's',
                     author ? nidoi_track_task(author, NIDOI_TRACK_STATE) : NIDOI_TRACK_LOOP,
                     reader->at, "cancel");
    nidoi_line_arrow(reader, 'f', nidoi_track_task(target, NIDOI_TRACK_SCOPES), reader->at,
                     "cancel");
}

static void read_user(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                      struct nidoi_trace_task *task)
{
    uint32_t track = task ? nidoi_track_task(task, NIDOI_TRACK_MARKS) : NIDOI_TRACK_LOOP;
    const char *name;
    struct nidoi_trace_text text;

    if (!task) loop_show(reader);
    name = nidoi_trace_text_of(reader, reader->at, 0, &text);
    if (event->kind == NIDOI_EVENT_MARK || !task) {
        nidoi_line_instant(reader, track, name);
        nidoi_line_end(reader);
    } else if (event->kind == NIDOI_EVENT_BEGIN) {
        nidoi_line_slice(reader, track, reader->now, name);
        nidoi_line_end(reader);
        task->marks.depth++;
    } else {
        nidoi_line_slice_end(reader, track, reader->now);
        task->marks.depth--;
    }
}

/* Both of its events are noted together, when it is over. */
static void read_job(struct nidoi_trace_reader *reader, const struct nidoi_event *event)
{
    uint32_t track = nidoi_track_worker(reader, event->other);
    struct nidoi_place place;
    struct nidoi_trace_text text;

    nidoi_trace_text_of(reader, reader->at, 0, &text);
    nidoi_line_slice(reader, track, reader->now,
                     text.text[0] ? text.text
                                  : nidoi_place(&place, (void *)(uintptr_t)event->object));
    NIDOI_TRACE_ADD(reader, ",\"args\":{\"for\":\"#%" PRIu64 "\"}", nidoi_event_task(event));
    nidoi_line_end(reader);
}

static void read_job_end(struct nidoi_trace_reader *reader, const struct nidoi_event *event)
{
    nidoi_line_slice_end(reader, nidoi_track_worker(reader, event->other), reader->now);
}

/* ---- All of it ---- */

static void read_task_event(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                            struct nidoi_trace_task *task)
{
    switch (event->kind) {
    case NIDOI_EVENT_SPAWN:
        read_spawn(reader, event, task);
        break;
    case NIDOI_EVENT_NAME:
        read_name(reader, task);
        break;
    case NIDOI_EVENT_RUN:
        read_run(reader, event, task);
        break;
    case NIDOI_EVENT_PARK:
        read_park(reader, event, task);
        break;
    case NIDOI_EVENT_YIELD:
        read_yield(reader, task);
        break;
    case NIDOI_EVENT_END:
        read_end(reader, event, task);
        break;
    case NIDOI_EVENT_WAKE:
        read_wake(reader, event, task);
        break;
    case NIDOI_EVENT_OPEN:
        read_open(reader, event, task);
        break;
    case NIDOI_EVENT_CLOSE:
        read_close(reader, task);
        break;
    default:
        break;
    }
}

static bool is_of_job(const struct nidoi_event *event)
{
    return event->kind == NIDOI_EVENT_JOB || event->kind == NIDOI_EVENT_JOB_END;
}

/* Jobs are noted late, all else in its order; the ticks of two processors may differ a little. */
static int64_t event_time(struct nidoi_trace_reader *reader, const struct nidoi_event *event)
{
    int64_t ns = nidoi_events_ns(&reader->scale, event->when);

    if (is_of_job(event)) return ns;
    if (ns > reader->latest) reader->latest = ns;
    return reader->latest;
}

static void read_event(struct nidoi_trace_reader *reader, const struct nidoi_event *event)
{
    struct nidoi_trace_task *task = nidoi_trace_find(reader, nidoi_event_task(event));

    reader->now = event_time(reader, event);
    switch (event->kind) {
    case NIDOI_EVENT_SLEEP:
        read_sleep(reader);
        break;
    case NIDOI_EVENT_AWAKE:
        read_awake(reader);
        break;
    case NIDOI_EVENT_JOB:
        read_job(reader, event);
        break;
    case NIDOI_EVENT_JOB_END:
        read_job_end(reader, event);
        break;
    case NIDOI_EVENT_CANCEL:
        if (task || !nidoi_event_task(event)) read_cancel(reader, event, task);
        break;
    case NIDOI_EVENT_MARK:
    case NIDOI_EVENT_BEGIN:
    case NIDOI_EVENT_FINISH:
        if (task || !nidoi_event_task(event)) read_user(reader, event, task);
        break;
    default:
        if (task) read_task_event(reader, event, task);
    }
}

/* Before the events: what is open at the first of them. */
static void nest_count(struct nidoi_trace_nest *nest, int change)
{
    nest->depth += change;
    if (nest->depth < nest->lowest) nest->lowest = nest->depth;
}

static void count_event(struct nidoi_trace_reader *reader, const struct nidoi_event *event)
{
    struct nidoi_trace_task *task = nidoi_trace_find(reader, nidoi_event_task(event));

    if (!task) return;
    if (event->kind == NIDOI_EVENT_OPEN) nest_count(&task->scopes, 1);
    if (event->kind == NIDOI_EVENT_CLOSE) nest_count(&task->scopes, -1);
    if (event->kind == NIDOI_EVENT_BEGIN) nest_count(&task->marks, 1);
    if (event->kind == NIDOI_EVENT_FINISH) nest_count(&task->marks, -1);
}

static void nest_begin(struct nidoi_trace_reader *reader, uint32_t track,
                       struct nidoi_trace_nest *nest)
{
    for (int32_t i = nest->lowest; i < 0; i++) {
        nidoi_line_slice(reader, track, reader->begin, "since before the trace");
        nidoi_line_end(reader);
    }
    *nest = (struct nidoi_trace_nest){-nest->lowest, 0};
}

static void nest_end(struct nidoi_trace_reader *reader, uint32_t track,
                     const struct nidoi_trace_nest *nest)
{
    for (int32_t i = 0; i < nest->depth; i++) {
        nidoi_line_begin(reader, 'E', track, reader->end);
        NIDOI_TRACE_ADD(reader, ",\"args\":{\"still\":\"open\"}");
        nidoi_line_end(reader);
    }
}

static void each_task(struct nidoi_trace_reader *reader,
                      void (*call)(struct nidoi_trace_reader *reader,
                                   struct nidoi_trace_task *task))
{
    for (size_t i = 0; i < reader->tasks.size; i++)
        if (reader->tasks.table[i].id) call(reader, &reader->tasks.table[i]);
}

static void task_begin(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task)
{
    if (task->scopes.lowest < 0 || task->marks.lowest < 0) nidoi_track_name_task(reader, task);
    nest_begin(reader, nidoi_track_task(task, NIDOI_TRACK_SCOPES), &task->scopes);
    nest_begin(reader, nidoi_track_task(task, NIDOI_TRACK_MARKS), &task->marks);
}

/* It has been parked all the time, or since before the oldest event. */
static void show_wait(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task)
{
    const struct nidoi_waiter *waiter = task->live->waiter;
    int64_t since = waiter->since;

    nidoi_track_name_task(reader, task);
    if (since < reader->begin) since = reader->begin;
    wait_begin(reader, nidoi_track_task(task, NIDOI_TRACK_STATE),
               since < reader->end ? since : reader->end, waiter->kind->name,
               nidoi_waiter_name(waiter));
    nidoi_line_end(reader);
    task->state = NIDOI_TRACE_PARKED;
}

static void task_end(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task)
{
    bool live = task->live && nidoi_tracing_is_on(reader->loop);

    reader->now = reader->end;
    if (live && task->state == NIDOI_TRACE_UNKNOWN && task->live->waiter) show_wait(reader, task);
    if (task->arrow)
        nidoi_line_arrow(reader, 'f', nidoi_track_task(task, NIDOI_TRACK_STATE), task->arrow - 1,
                         "wake");
    state_end(reader, task);
    nest_end(reader, nidoi_track_task(task, NIDOI_TRACK_SCOPES), &task->scopes);
    nest_end(reader, nidoi_track_task(task, NIDOI_TRACK_MARKS), &task->marks);
}

/* The tasks that live: those of which the oldest events are gone too have a name. */
static void find_live(struct nidoi_trace_reader *reader)
{
    const struct nidoi_loop *loop = reader->loop;

    for (uint32_t i = 1; i <= loop->slots.made; i++) {
        const struct nidoi_task *live = nidoi_slots_get(&loop->slots, i)->task;
        struct nidoi_trace_task *task = live ? nidoi_trace_find(reader, live->id) : NULL;

        if (task) task->live = live;
    }
}

static bool is_event(const union nidoi_cell *cell)
{
    return cell->part.kind != NIDOI_EVENT_TEXT && cell->part.kind != NIDOI_EVENT_TEXT_MORE;
}

/* The oldest event that is told: the ring's, or the window's; jobs are noted late. */
static uint64_t first_event(const struct nidoi_trace_reader *reader)
{
    const struct nidoi_events *events = reader->events;
    uint64_t cells = events->mask + 1, at = events->written > cells ? events->written - cells : 0;
    int64_t since = events->window_ns ? reader->end - events->window_ns : INT64_MIN;

    while (at < events->written) {
        const union nidoi_cell *cell = nidoi_trace_cell(reader, at);
        bool told = is_event(cell) && !is_of_job(&cell->event);

        if (told && nidoi_events_ns(&reader->scale, cell->event.when) >= since) break;
        at++;
    }
    return at;
}

static void each_event(struct nidoi_trace_reader *reader, uint64_t from,
                       void (*call)(struct nidoi_trace_reader *reader,
                                    const struct nidoi_event *event))
{
    for (reader->at = from; reader->at < reader->events->written; reader->at++)
        if (is_event(nidoi_trace_cell(reader, reader->at)))
            call(reader, &nidoi_trace_cell(reader, reader->at)->event);
}

static void write_head(struct nidoi_trace_reader *reader)
{
    char name[64];

    NIDOI_TRACE_ADD(reader,
                    "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"nido\":\"%s\",\"clock\":\"%s\"},"
                    "\"traceEvents\":[\n{\"ph\":\"M\",\"pid\":%u,\"name\":\"process_labels\","
                    "\"args\":{\"labels\":\"nido\"}}",
                    NIDO_VERSION, reader->loop->clock.is_virtual ? "virtual" : "CLOCK_MONOTONIC",
                    reader->loop->number);
    snprintf(name, sizeof name, "runtime %u of process %ld", reader->loop->number, (long)getpid());
    nidoi_track_name(reader, NIDOI_TRACK_LOOP, "process_name", name);
    nidoi_track_name(reader, NIDOI_TRACK_LOOP, "thread_name", "loop");
}

static void write_events(struct nidoi_trace_reader *reader, uint64_t first)
{
    each_event(reader, first, count_event);
    each_task(reader, task_begin);
    each_event(reader, first, read_event);
    reader->now = reader->end;
    if (reader->running) run_end(reader);
    if (reader->asleep) read_awake(reader);
    loop_hide(reader);
    each_task(reader, task_end);
    NIDOI_TRACE_ADD(reader, "\n]}\n");
}

int nidoi_trace_json(struct nidoi_loop *loop, int fd)
{
    const struct nidoi_events *events = &loop->trace->events;
    struct nidoi_trace_reader reader = {.loop = loop, .events = events};
    size_t size;
    char *memory = nidoi_events_scratch(events, &size);
    uint64_t first;

    reader.scale = nidoi_events_scale(events);
    reader.out = (struct nidoi_trace_out){.fd = fd, .buffer = memory, .size = BUFFER};
    nidoi_trace_tasks_init(&reader.tasks, memory + BUFFER, size - BUFFER);
    reader.end = nidoi_events_ns(&reader.scale, nidoi_tracing_is_on(loop) ? nidoi_events_now(events)
                                                                          : events->ended);
    first = first_event(&reader);
    reader.begin =
        first < events->written
            ? nidoi_events_ns(&reader.scale, nidoi_trace_cell(&reader, first)->event.when)
            : reader.end;
    reader.latest = reader.stopped = reader.begin;
    find_live(&reader);
    write_head(&reader);
    write_events(&reader, first);
    return nidoi_trace_out_end(&reader.out);
}
