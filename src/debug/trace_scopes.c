/* SPDX-License-Identifier: MIT */
#include "debug/trace_scopes.h"

#include <inttypes.h>

#include "base/place.h"
#include "debug/trace_runs.h"
#include "nido/time.h"

/* ---- Scopes, cancels, marks, jobs ---- */

static void add_deadline(struct nidoi_trace_reader *reader, int64_t deadline)
{
    int64_t left = deadline - reader->now;

    if (deadline != NIDO_NEVER)
        NIDOI_TRACE_ADD(reader, ",\"deadline in\":\"%s%" PRId64 ".%09d s\"", left < 0 ? "-" : "",
                        (left < 0 ? -left : left) / NIDO_SEC(1),
                        (int)((left < 0 ? -left : left) % NIDO_SEC(1)));
}

/* Begins the line of the beginning ('B') or end ('E') of the slice that began with the event of this cell. */
static void scope_line(struct nidoi_trace_reader *reader, char end, uint32_t track, uint64_t cell)
{
    const struct nidoi_event *event = &nidoi_trace_cell(reader, cell)->event;
    struct nidoi_trace_text name;

    nidoi_line_begin(reader, end, track, reader->now);
    NIDOI_TRACE_ADD(reader, ",\"cat\":\"scope\",\"name\":\"%s",
                    event->number & NIDOI_EVENT_GROUP      ? "group "
                    : event->number & NIDOI_EVENT_SHIELD   ? "shield"
                    : event->number & NIDOI_EVENT_VALUE    ? "value "
                    : (int64_t)event->object == NIDO_NEVER ? "scope"
                                                           : "deadline");
    nidoi_trace_out_quote(&reader->out, nidoi_trace_text_of(reader, cell, 0, &name));
    NIDOI_TRACE_ADD(reader, "\"");
}

static void mark_line(struct nidoi_trace_reader *reader, char end, uint32_t track, uint64_t cell)
{
    struct nidoi_trace_text text;

    nidoi_line_slice(reader, end, track, reader->now, "mark",
                     nidoi_trace_text_of(reader, cell, 0, &text));
}

static void before_line(struct nidoi_trace_reader *reader, char end, uint32_t track)
{
    nidoi_line_slice(reader, end, track, reader->now, "before", "since before the trace");
}

static void nest_end_one(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task,
                         int which)
{
    struct nidoi_trace_nest *nest = which == NIDOI_TRACK_SCOPES ? &task->scopes : &task->marks;
    uint32_t track = nidoi_track_task(task, which);
    uint64_t cell;
    enum nidoi_trace_popped popped = nidoi_trace_pop(&reader->opens, nest, &cell);

    if (popped == NIDOI_TRACE_POPPED_UNSEEN) return;
    if (popped == NIDOI_TRACE_POPPED_BEFORE)
        before_line(reader, 'E', track);
    else if (which == NIDOI_TRACK_SCOPES)
        scope_line(reader, 'E', track, cell);
    else
        mark_line(reader, 'E', track, cell);
    if (reader->is_over) NIDOI_TRACE_ADD(reader, ",\"args\":{\"still\":\"open\"}");
    nidoi_line_end(reader);
}

/* ---- What is open at the beginning and at the end of the trace ---- */

static void nest_count(struct nidoi_trace_nest *nest, int change)
{
    nest->depth += change;
    if (nest->depth < nest->lowest) nest->lowest = nest->depth;
}

void nidoi_trace_count_nested(struct nidoi_trace_task *task, const struct nidoi_event *event)
{
    if (event->kind == NIDOI_EVENT_OPEN) nest_count(&task->scopes, 1);
    if (event->kind == NIDOI_EVENT_CLOSE) nest_count(&task->scopes, -1);
    if (event->kind == NIDOI_EVENT_BEGIN) nest_count(&task->marks, 1);
    if (event->kind == NIDOI_EVENT_FINISH) nest_count(&task->marks, -1);
}

static void nest_begin(struct nidoi_trace_reader *reader, uint32_t track,
                       struct nidoi_trace_nest *nest)
{
    for (int32_t i = nest->lowest; i < 0; i++) {
        before_line(reader, 'B', track);
        nidoi_line_end(reader);
    }
    *nest = (struct nidoi_trace_nest){.depth = -nest->lowest};
}

void nidoi_trace_nests_begin(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task)
{
    if (task->scopes.lowest < 0 || task->marks.lowest < 0) nidoi_track_name_task(reader, task);
    nest_begin(reader, nidoi_track_task(task, NIDOI_TRACK_SCOPES), &task->scopes);
    nest_begin(reader, nidoi_track_task(task, NIDOI_TRACK_MARKS), &task->marks);
}

void nidoi_trace_nests_end(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task)
{
    while (task->scopes.depth > 0) nest_end_one(reader, task, NIDOI_TRACK_SCOPES);
    while (task->marks.depth > 0) nest_end_one(reader, task, NIDOI_TRACK_MARKS);
}

/* ---- Events ---- */

void nidoi_trace_read_open(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                           struct nidoi_trace_task *task)
{
    struct nidoi_place place;

    if (!nidoi_trace_push(&reader->opens, &task->scopes, reader->at)) return;
    scope_line(reader, 'B', nidoi_track_task(task, NIDOI_TRACK_SCOPES), reader->at);
    NIDOI_TRACE_ADD(reader, ",\"args\":{\"opened at\":\"");
    nidoi_trace_out_quote(&reader->out, nidoi_place(&place, (void *)(uintptr_t)event->other));
    NIDOI_TRACE_ADD(reader, "\"");
    add_deadline(reader, (int64_t)event->object);
    NIDOI_TRACE_ADD(reader, "}");
    nidoi_line_end(reader);
}

void nidoi_trace_read_close(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task)
{
    nest_end_one(reader, task, NIDOI_TRACK_SCOPES);
}

static const char *cause_name(unsigned kind)
{
    static const char *const names[] = {"cancel",  "cancel",   "deadline", "failure", "race",
                                        "release", "shutdown", "signal",   "deadlock"};

    return kind < sizeof names / sizeof *names ? names[kind] : "cancel";
}

void nidoi_trace_read_cancel(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                             const struct nidoi_trace_task *author)
{
    struct nidoi_trace_task *target = nidoi_trace_find(reader, event->object);
    struct nidoi_trace_text reason;

    if (!author) nidoi_trace_loop_show(reader);
    nidoi_line_instant(reader,
                       author ? nidoi_track_task(author, NIDOI_TRACK_STATE) : NIDOI_TRACK_LOOP,
                       "cancel", cause_name(event->number));
    NIDOI_TRACE_ADD(reader, ",\"args\":{\"scope of\":\"#%" PRIu64 "\",\"code\":%d,\"reason\":\"",
                    event->object, (int)(int32_t)event->other);
    nidoi_trace_out_quote(&reader->out, nidoi_trace_text_of(reader, reader->at, 0, &reason));
    NIDOI_TRACE_ADD(reader, "\"}");
    nidoi_line_end(reader);
    if (!target || target->scopes.depth <= (int64_t)target->scopes.unseen) return;
    nidoi_line_arrow(reader, 's',
                     author ? nidoi_track_task(author, NIDOI_TRACK_STATE) : NIDOI_TRACK_LOOP,
                     reader->now, reader->at, "cancel");
    nidoi_line_arrow(reader, 'f', nidoi_track_task(target, NIDOI_TRACK_SCOPES), reader->now,
                     reader->at, "cancel");
}

void nidoi_trace_read_user(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                           struct nidoi_trace_task *task)
{
    uint32_t track = task ? nidoi_track_task(task, NIDOI_TRACK_MARKS) : NIDOI_TRACK_LOOP;

    if (!task) nidoi_trace_loop_show(reader);
    if (event->kind == NIDOI_EVENT_MARK || !task) {
        mark_line(reader, 'i', track, reader->at);
        NIDOI_TRACE_ADD(reader, ",\"s\":\"t\"");
    } else if (event->kind == NIDOI_EVENT_FINISH) {
        nest_end_one(reader, task, NIDOI_TRACK_MARKS);
        return;
    } else if (nidoi_trace_push(&reader->opens, &task->marks, reader->at)) {
        mark_line(reader, 'B', track, reader->at);
    } else {
        return;
    }
    nidoi_line_end(reader);
}

/* Both of its events are noted together, when it is over. */
void nidoi_trace_read_job(struct nidoi_trace_reader *reader)
{
    reader->job = reader->at;
    reader->job_begun = reader->now;
}

void nidoi_trace_read_job_end(struct nidoi_trace_reader *reader)
{
    const struct nidoi_event *event = &nidoi_trace_cell(reader, reader->job)->event;
    uint32_t track = nidoi_track_worker(reader, event->other);
    struct nidoi_place place;
    struct nidoi_trace_text text;

    nidoi_trace_text_of(reader, reader->job, 0, &text);
    nidoi_line_span(reader, track, reader->job_begun, reader->now);
    nidoi_line_text(reader, "cat", "job");
    nidoi_line_text(reader, "name",
                    text.text[0] ? text.text
                                 : nidoi_place(&place, (void *)(uintptr_t)event->object));
    NIDOI_TRACE_ADD(reader, ",\"args\":{\"for\":\"#%" PRIu64 "\"}", nidoi_event_task(event));
    nidoi_line_end(reader);
}
