/* SPDX-License-Identifier: MIT */
#include "debug/trace_lines.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/place.h"

const char *nidoi_trace_text_of(const struct nidoi_trace_reader *reader, uint64_t at, int nth,
                                struct nidoi_trace_text *out)
{
    size_t used = 0;

    for (int seen = -1; ++at < reader->events->written;) {
        const union nidoi_cell *cell = nidoi_trace_cell(reader, at);

        if (cell->part.kind == NIDOI_EVENT_TEXT && ++seen > nth) break;
        if (cell->part.kind != NIDOI_EVENT_TEXT && cell->part.kind != NIDOI_EVENT_TEXT_MORE) break;
        if (seen < nth) continue;
        memcpy(out->text + used, cell->part.text, NIDOI_EVENT_TEXT_PART);
        used += strnlen(out->text + used, NIDOI_EVENT_TEXT_PART);
    }
    out->text[used] = '\0';
    return out->text;
}

/* ---- Parts of a line ---- */

static void add_time(struct nidoi_trace_reader *reader, const char *key, int64_t ns)
{
    if (ns < 0) ns = 0;
    NIDOI_TRACE_ADD(reader, ",\"%s\":%" PRId64 ".%03d", key, ns / 1000, (int)(ns % 1000));
}

void nidoi_line_begin(struct nidoi_trace_reader *reader, char kind, uint32_t track, int64_t when)
{
    NIDOI_TRACE_ADD(reader, ",\n{\"ph\":\"%c\",\"pid\":%u,\"tid\":%u", kind, reader->loop->number,
                    track);
    add_time(reader, "ts", when);
}

/* Some viewers add both in floating point and then see it end after the next one's beginning: so a slice of the real
 * clock ends a nanosecond early. */
void nidoi_line_span(struct nidoi_trace_reader *reader, uint32_t track, int64_t from, int64_t to)
{
    int64_t gap = to > from && !reader->loop->clock.is_virtual;

    nidoi_line_begin(reader, 'X', track, from);
    add_time(reader, "dur", to - from - gap);
}

void nidoi_line_text(struct nidoi_trace_reader *reader, const char *key, const char *text)
{
    NIDOI_TRACE_ADD(reader, ",\"%s\":\"", key);
    nidoi_trace_out_quote(&reader->out, text);
    NIDOI_TRACE_ADD(reader, "\"");
}

void nidoi_line_end(struct nidoi_trace_reader *reader)
{
    NIDOI_TRACE_ADD(reader, "}");
}

void nidoi_line_slice(struct nidoi_trace_reader *reader, char end, uint32_t track, int64_t when,
                      const char *category, const char *name)
{
    nidoi_line_begin(reader, end, track, when);
    nidoi_line_text(reader, "cat", category);
    nidoi_line_text(reader, "name", name);
}

void nidoi_line_instant(struct nidoi_trace_reader *reader, uint32_t track, const char *category,
                        const char *name)
{
    nidoi_line_slice(reader, 'i', track, reader->now, category, name);
    NIDOI_TRACE_ADD(reader, ",\"s\":\"t\"");
}

void nidoi_line_arrow(struct nidoi_trace_reader *reader, char kind, uint32_t track, int64_t when,
                      uint64_t event, const char *name)
{
    nidoi_line_begin(reader, kind, track, when);
    NIDOI_TRACE_ADD(reader, ",\"id\":%" PRIu64 ",\"cat\":\"%s\",\"name\":\"%s\"%s", event, name,
                    name, kind == 'f' ? ",\"bp\":\"e\"" : "");
    nidoi_line_end(reader);
}

/* ---- Tracks and their names ---- */

/* "#3 conn": by its name, else by its function. */
void nidoi_line_label(struct nidoi_trace_reader *reader, const struct nidoi_trace_task *task,
                      uint64_t named_by)
{
    struct nidoi_place place;
    const char *name = task->live ? task->live->name : NULL;
    struct nidoi_trace_text text;

    if (named_by) name = nidoi_trace_text_of(reader, named_by - 1, 0, &text);
    if (!name && task->function) name = nidoi_place(&place, (void *)(uintptr_t)task->function);
    NIDOI_TRACE_ADD(reader, "#%" PRIu64 " ", task->id);
    nidoi_trace_out_quote(&reader->out, name);
}

static void track_begin(struct nidoi_trace_reader *reader, uint32_t track, const char *what)
{
    NIDOI_TRACE_ADD(reader,
                    ",\n{\"ph\":\"M\",\"pid\":%u,\"tid\":%u,\"name\":\"%s\",\"args\":{\"name\":\"",
                    reader->loop->number, track, what);
}

static void track_end(struct nidoi_trace_reader *reader)
{
    NIDOI_TRACE_ADD(reader, "\"}}");
}

void nidoi_track_name(struct nidoi_trace_reader *reader, uint32_t track, const char *what,
                      const char *name)
{
    track_begin(reader, track, what);
    nidoi_trace_out_quote(&reader->out, name);
    track_end(reader);
}

/* All three, for the viewer leaves out what is empty; again when the task gets another name. */
void nidoi_track_name_task(struct nidoi_trace_reader *reader, struct nidoi_trace_task *task)
{
    static const char *const parts[NIDOI_TRACK_EACH] = {"", " scopes", " marks"};

    task->named = true;
    for (int which = 0; which < NIDOI_TRACK_EACH; which++) {
        track_begin(reader, nidoi_track_task(task, which), "thread_name");
        nidoi_line_label(reader, task, task->named_by);
        NIDOI_TRACE_ADD(reader, "%s", parts[which]);
        track_end(reader);
    }
}

uint32_t nidoi_track_worker(struct nidoi_trace_reader *reader, uint64_t worker)
{
    uint32_t track = NIDOI_TRACK_WORKERS + (uint32_t)worker;
    uint64_t bit = worker < 64 ? UINT64_C(1) << worker : 0;
    char name[32];

    snprintf(name, sizeof name, "worker %u", (unsigned)worker);
    if (!(reader->workers & bit)) nidoi_track_name(reader, track, "thread_name", name);
    reader->workers |= bit;
    return track;
}
