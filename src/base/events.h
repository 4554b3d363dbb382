/* SPDX-License-Identifier: MIT */
/* base/events.h: the last things that happened, in a ring of cells whose oldest is written over.
 *
 * 1. A cell has 32 bytes, and its last one says what it is. An event that carries text is followed by cells
 * that hold a copy of it: no pointer to a name is kept.
 * 2. One thread writes. Nothing is allocated after the start, and a reader needs no memory of its own: as
 * many bytes as the cells have lie behind them for it. Memory that was never written costs nothing.
 * 3. A time is what nidoi_events_now says: ticks of the processor or nanoseconds of the run's clock, which
 * nidoi_events_ns turns into nanoseconds of the clock. */
#ifndef NIDOI_EVENTS_H
#define NIDOI_EVENTS_H

#include <stddef.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/ticks.h"

enum nidoi_event_kind {
    NIDOI_EVENT_NONE = 0,
    NIDOI_EVENT_TEXT,      /* a text of the event before */
    NIDOI_EVENT_TEXT_MORE, /* and what did not fit there */
    NIDOI_EVENT_SPAWN,     /* task; object: its parent's id; other: its function; text: its name */
    NIDOI_EVENT_NAME,      /* task; text */
    NIDOI_EVENT_RUN,       /* task goes on; object: its function */
    NIDOI_EVENT_PARK,      /* task; object: what it waits for; other: the kind; number:
                           enum nidoi_event_park; text: the object's name */
    NIDOI_EVENT_YIELD,     /* task stops, and is ready */
    NIDOI_EVENT_END,       /* task; object: its result */
    NIDOI_EVENT_WAKE, /* task becomes ready; object: the id of the task that wakes it, or 0; other: what its
                           wait returns */
    NIDOI_EVENT_OPEN,  /* task opens a scope; object: its deadline; other: where; number: flags of
                           enum nidoi_event_scope; text: a group's name, or "key=value" */
    NIDOI_EVENT_CLOSE, /* and closes it */
    NIDOI_EVENT_CANCEL, /* task, or 0, cancels; object: the scope's task; other: code and kind; text: why */
    NIDOI_EVENT_JOB, /* task's job was begun by worker `other`; object: its function; text: its name */
    NIDOI_EVENT_JOB_END,
    NIDOI_EVENT_SLEEP, /* the loop sleeps in the kernel */
    NIDOI_EVENT_AWAKE,
    NIDOI_EVENT_MARK, /* task; text */
    NIDOI_EVENT_BEGIN,
    NIDOI_EVENT_FINISH
};

enum nidoi_event_park {
    NIDOI_EVENT_FD = 1, /* `object` is a descriptor */
    NIDOI_EVENT_KIND_COPIED =
        2 /* `other` means nothing; the kind's name is the first of two texts */
};
enum nidoi_event_scope { NIDOI_EVENT_GROUP = 1, NIDOI_EVENT_SHIELD = 2, NIDOI_EVENT_VALUE = 4 };

struct nidoi_event {
    int64_t when;
    uint64_t object, other;
    uint32_t task_low;
    uint16_t task_high;
    uint8_t number;
    uint8_t kind;
};

enum { NIDOI_EVENT_TEXT_PART = 31, NIDOI_EVENT_TEXT_MOST = 2 * NIDOI_EVENT_TEXT_PART };

union nidoi_cell {
    struct nidoi_event event;
    struct {
        char text[NIDOI_EVENT_TEXT_PART];
        uint8_t kind;
    } part;
};

struct nidoi_events {
    union nidoi_cell *cells;
    uint64_t written; /* cells, ever */
    uint64_t mask;
    const struct nidoi_clock *clock;
    bool ticks;
    int64_t first_ticks, first_ns; /* one instant, at the start */
    int64_t ended;                 /* when nothing was noted any more */
    int64_t window_ns;             /* what is older is not told; 0: all is */
};

/* Room for about `size` bytes of events. 0, -ENOMEM. */
int nidoi_events_init(struct nidoi_events *events, size_t size, const struct nidoi_clock *clock);
void nidoi_events_deinit(struct nidoi_events *events);

/* The reader's memory, as large as the cells; its content is arbitrary. */
void *nidoi_events_scratch(const struct nidoi_events *events, size_t *size);

/* Turns times into nanoseconds: made once for each reading. */
struct nidoi_event_scale {
    int64_t first_ticks, first_ns;
    double ns; /* of a tick */
};
struct nidoi_event_scale nidoi_events_scale(const struct nidoi_events *events);
int64_t nidoi_events_ns(const struct nidoi_event_scale *scale, int64_t when);

static inline uint64_t nidoi_event_task(const struct nidoi_event *event)
{
    return event->task_low | (uint64_t)event->task_high << 32;
}

/* ---- Writing ---- */

static inline int64_t nidoi_events_now(const struct nidoi_events *events)
{
    return events->ticks ? nidoi_ticks() : nidoi_clock_read(events->clock);
}

static inline struct nidoi_event *nidoi_events_add(struct nidoi_events *events,
                                                   enum nidoi_event_kind kind, int64_t when,
                                                   uint64_t task)
{
    struct nidoi_event *event = &events->cells[events->written++ & events->mask].event;

    event->when = when;
    event->task_low = (uint32_t)task;
    event->task_high = (uint16_t)(task >> 32);
    event->number = 0;
    event->kind = (uint8_t)kind;
    return event;
}

/* A copy of a text for the latest event. What is too long is cut. */
static inline void nidoi_events_text(struct nidoi_events *events, const char *text)
{
    size_t left = strnlen(text, NIDOI_EVENT_TEXT_MOST);
    enum nidoi_event_kind kind = NIDOI_EVENT_TEXT;

    do {
        union nidoi_cell *cell = &events->cells[events->written++ & events->mask];
        size_t part = left < NIDOI_EVENT_TEXT_PART ? left : NIDOI_EVENT_TEXT_PART;

        if (part) memcpy(cell->part.text, text, part);
        memset(cell->part.text + part, 0, NIDOI_EVENT_TEXT_PART - part);
        cell->part.kind = (uint8_t)kind;
        kind = NIDOI_EVENT_TEXT_MORE;
        text += part;
        left -= part;
    } while (left);
}

#endif
