/* SPDX-License-Identifier: MIT */
#include "debug/trace_json.h"

#include <stdio.h>
#include <unistd.h>

#include "coro/runtime/tracing.h"
#include "debug/trace_runs.h"
#include "debug/trace_scopes.h"
#include "nido/version.h"

enum { BUFFER = 4096, SHARE_OF_OPENS = 4 };

static void read_task_event(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                            struct nidoi_trace_task *task)
{
    switch (event->kind) {
    case NIDOI_EVENT_SPAWN:
        nidoi_trace_read_spawn(reader, event, task);
        break;
    case NIDOI_EVENT_NAME:
        nidoi_trace_read_name(reader, task);
        break;
    case NIDOI_EVENT_RUN:
        nidoi_trace_read_run(reader, event, task);
        break;
    case NIDOI_EVENT_PARK:
        nidoi_trace_read_park(reader, task);
        break;
    case NIDOI_EVENT_YIELD:
        nidoi_trace_read_yield(reader, task);
        break;
    case NIDOI_EVENT_END:
        nidoi_trace_read_end(reader, event, task);
        break;
    case NIDOI_EVENT_WAKE:
        nidoi_trace_read_wake(reader, event, task);
        break;
    case NIDOI_EVENT_OPEN:
        nidoi_trace_read_open(reader, event, task);
        break;
    case NIDOI_EVENT_CLOSE:
        nidoi_trace_read_close(reader, task);
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
        nidoi_trace_read_sleep(reader);
        break;
    case NIDOI_EVENT_AWAKE:
        nidoi_trace_read_awake(reader);
        break;
    case NIDOI_EVENT_JOB:
        nidoi_trace_read_job(reader);
        break;
    case NIDOI_EVENT_JOB_END:
        nidoi_trace_read_job_end(reader);
        break;
    case NIDOI_EVENT_CANCEL:
        if (task || !nidoi_event_task(event)) nidoi_trace_read_cancel(reader, event, task);
        break;
    case NIDOI_EVENT_MARK:
    case NIDOI_EVENT_BEGIN:
    case NIDOI_EVENT_FINISH:
        if (task || !nidoi_event_task(event)) nidoi_trace_read_user(reader, event, task);
        break;
    default:
        if (task) read_task_event(reader, event, task);
    }
}

static void count_event(struct nidoi_trace_reader *reader, const struct nidoi_event *event)
{
    struct nidoi_trace_task *task = nidoi_trace_find(reader, nidoi_event_task(event));

    if (task) nidoi_trace_count_nested(task, event);
}

static void each_task(struct nidoi_trace_reader *reader,
                      void (*call)(struct nidoi_trace_reader *reader,
                                   struct nidoi_trace_task *task))
{
    for (size_t i = 0; i < reader->tasks.size; i++)
        if (reader->tasks.table[i].id) call(reader, &reader->tasks.table[i]);
}

/* It has been parked all the time, or since before the oldest event. */
static void show_wait(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task)
{
    int64_t since = task->live->waiter->since;

    nidoi_track_name_task(reader, task);
    if (since < reader->begin) since = reader->begin;
    nidoi_trace_state_begin(task, NIDOI_TRACE_PARKED, since < reader->end ? since : reader->end);
}

static void task_end(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task)
{
    bool live = task->live && nidoi_tracing_is_on(reader->loop);

    reader->now = reader->end;
    if (live && task->state == NIDOI_TRACE_UNKNOWN && task->live->waiter) show_wait(reader, task);
    nidoi_trace_state_end(reader, task);
    nidoi_trace_arrow_end(reader, task, reader->end);
    nidoi_trace_nests_end(reader, task);
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
    reader->now = reader->begin;
    each_task(reader, nidoi_trace_nests_begin);
    each_event(reader, first, read_event);
    reader->now = reader->end;
    reader->is_over = true;
    if (reader->running) nidoi_trace_run_end(reader);
    if (reader->asleep) nidoi_trace_read_awake(reader);
    nidoi_trace_loop_hide(reader);
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
    nidoi_trace_opens_init(&reader.opens, memory + BUFFER, size / SHARE_OF_OPENS);
    nidoi_trace_tasks_init(&reader.tasks, memory + BUFFER + size / SHARE_OF_OPENS,
                           size - size / SHARE_OF_OPENS - BUFFER);
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
