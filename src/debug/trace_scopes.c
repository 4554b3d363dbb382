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

void nidoi_trace_read_open(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
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

void nidoi_trace_read_close(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task)
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

void nidoi_trace_read_cancel(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                             const struct nidoi_trace_task *author)
{
    struct nidoi_trace_task *target = nidoi_trace_find(reader, event->object);
    struct nidoi_trace_text reason;

    if (!author) nidoi_trace_loop_show(reader);
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

void nidoi_trace_read_user(struct nidoi_trace_reader *reader, const struct nidoi_event *event,
                           struct nidoi_trace_task *task)
{
    uint32_t track = task ? nidoi_track_task(task, NIDOI_TRACK_MARKS) : NIDOI_TRACK_LOOP;
    const char *name;
    struct nidoi_trace_text text;

    if (!task) nidoi_trace_loop_show(reader);
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
void nidoi_trace_read_job(struct nidoi_trace_reader *reader, const struct nidoi_event *event)
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

void nidoi_trace_read_job_end(struct nidoi_trace_reader *reader, const struct nidoi_event *event)
{
    nidoi_line_slice_end(reader, nidoi_track_worker(reader, event->other), reader->now);
}
