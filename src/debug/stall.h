/* SPDX-License-Identifier: MIT */
/* debug/stall.h: a loop that does not get on, because the function that it runs does not come back: what
 * that does, looked at from another thread. */
#ifndef NIDOI_DEBUG_STALL_H
#define NIDOI_DEBUG_STALL_H

#include "base/thread_look.h"
#include "coro/runtime/loop.h"
#include "debug/task.h"

enum { NIDOI_STALL_FRAMES = 24 };

struct nidoi_stall_look {
    int64_t held_ns;
    bool is_known;          /* which of the two: */
    bool is_loop;           /* a function that the loop called */
    struct nidoi_task task; /* a copy of the running task */
    char name[64];          /* and of its name */
    char values[160];       /* and of those in force for it that are shown: ", request=42f1" */
    const struct nidoi_task *current;
    uint32_t ready; /* tasks */
    struct nidoi_thread_look thread;
    void *frames[NIDOI_STALL_FRAMES]; /* return addresses, the innermost first */
    int frame_count;
};

/* Fills in which task it is, and what the thread does; its frames only where it is blocked. `read` is the
 * loop's last reading of its clock. False: it has got on meanwhile. */
bool nidoi_stall_see(const struct nidoi_loop *loop, const struct nidoi_thread *thread, int64_t read,
                     struct nidoi_stall_look *out);

/* "task #57 "thumbnailer", spawned at server(+0x1302), request=42f1". */
void nidoi_stall_add_who(struct nidoi_text *text, const struct nidoi_stall_look *look);

/* The whole report. */
void nidoi_stall_add(struct nidoi_text *text, const struct nidoi_stall_look *look);

/* "230 ms", "1.73 s". */
void nidoi_stall_add_time(struct nidoi_text *text, int64_t ns);

#endif
