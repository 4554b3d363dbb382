/* SPDX-License-Identifier: MIT */
/* debug/trace_lines.h: the lines of a trace's JSON: slices, arrows and the names of tracks. */
#ifndef NIDOI_TRACE_LINES_H
#define NIDOI_TRACE_LINES_H

#include "coro/runtime/loop.h"
#include "coro/task/trace.h"
#include "debug/trace_nests.h"
#include "debug/trace_out.h"
#include "debug/trace_tasks.h"

/* Numbers of tracks: the loop, its tasks (three each: what it does, its scopes, its marks), workers. */
enum { NIDOI_TRACK_LOOP = 1, NIDOI_TRACK_TASKS = 16, NIDOI_TRACK_WORKERS = 1 << 30 };
enum { NIDOI_TRACK_STATE, NIDOI_TRACK_SCOPES, NIDOI_TRACK_MARKS, NIDOI_TRACK_EACH };

struct nidoi_trace_reader {
    const struct nidoi_loop *loop;
    const struct nidoi_events *events;
    struct nidoi_event_scale scale;
    struct nidoi_trace_out out;
    struct nidoi_trace_tasks tasks;
    struct nidoi_trace_opens opens;
    struct nidoi_trace_task *running; /* NULL: the loop */
    uint64_t running_name;            /* its `named_by` when it went on */
    uint64_t job;                     /* the cell of the last event of a job's beginning, */
    int64_t job_begun;                /* and when that was */
    uint64_t at;                      /* the present cell */
    int64_t begin, end, now;          /* of the trace, and of the present event */
    int64_t latest;                   /* of the events read so far */
    int64_t stopped;                  /* since when the loop runs, or sleeps */
    bool loop_shown;                  /* it gets a slice */
    bool asleep;
    bool is_over;     /* all events are read: what ends now is still open */
    uint64_t workers; /* a bit each: its track has a name */
};

#define NIDOI_TRACE_ADD(reader, ...) nidoi_trace_out_add(&(reader)->out, __VA_ARGS__)

static inline const union nidoi_cell *nidoi_trace_cell(const struct nidoi_trace_reader *reader,
                                                       uint64_t at)
{
    return &reader->events->cells[at & reader->events->mask];
}

/* The entry of a task; NULL: it is the loop, or there is no room for more tasks. */
static inline struct nidoi_trace_task *nidoi_trace_find(struct nidoi_trace_reader *reader,
                                                        uint64_t id)
{
    return id ? nidoi_trace_tasks_get(&reader->tasks, id) : NULL;
}

/* ---- Texts ---- */

struct nidoi_trace_text {
    char text[NIDOI_EVENT_TEXT_MOST + 1];
};

/* The nth text of the event in this cell; "" if it has fewer. Returns out->text. */
const char *nidoi_trace_text_of(const struct nidoi_trace_reader *reader, uint64_t at, int nth,
                                struct nidoi_trace_text *out);

/* ---- Tracks ---- */

static inline uint32_t nidoi_track_task(const struct nidoi_trace_task *task, int which)
{
    return NIDOI_TRACK_TASKS + NIDOI_TRACK_EACH * task->number + (uint32_t)which;
}

uint32_t nidoi_track_worker(struct nidoi_trace_reader *reader, uint64_t worker);

/* `what`: "thread_name", "process_name". */
void nidoi_track_name(struct nidoi_trace_reader *reader, uint32_t track, const char *what,
                      const char *name);

/* A task's tracks; again when it gets another name. */
void nidoi_track_name_task(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task);

/* ---- Lines: begun, with what is added to them, and ended ---- */

void nidoi_line_begin(struct nidoi_trace_reader *reader, char kind, uint32_t track, int64_t when);
/* Of a whole slice. */
void nidoi_line_span(struct nidoi_trace_reader *reader, uint32_t track, int64_t from, int64_t to);
void nidoi_line_text(struct nidoi_trace_reader *reader, const char *key, const char *text);
/* "#3 conn"; named_by: the cell of the event that named it, and 1; 0: none. */
void nidoi_line_label(struct nidoi_trace_reader *reader, const struct nidoi_trace_task *task,
                      uint64_t named_by);
void nidoi_line_end(struct nidoi_trace_reader *reader);

/* Begin the line of a slice's beginning ('B') or end ('E'), which has the same category and name; or of an instant. */
void nidoi_line_slice(struct nidoi_trace_reader *reader, char end, uint32_t track, int64_t when,
                      const char *category, const char *name);
void nidoi_line_instant(struct nidoi_trace_reader *reader, uint32_t track, const char *category,
                        const char *name);

/* ---- Whole lines ---- */

/* One end ('s', 'f') of an arrow between two slices, by the number of the event that it stands for. */
void nidoi_line_arrow(struct nidoi_trace_reader *reader, char end, uint32_t track, int64_t when,
                      uint64_t event, const char *name);

#endif
