/* SPDX-License-Identifier: MIT */
/* nido/lowlevel.h: the queue of waiting tasks that objects to wait for are made of.
 *
 * For objects that nido does not have, and for adapters. They get the guarantees of its own
 * objects: a cancel ends a wait and takes nothing from it, a deadlock report says what each task
 * waits for and whose it is, an arm of nido_select waits as a task does, and an object belongs to
 * one thread's run. nido_latch is made of this header alone; examples/phaser.c is a larger object.
 *
 *     struct gate {
 *         nido_waitq queue; // first, so that a pointer to it is one to the gate
 *         bool open;
 *     };
 *
 *     static int gate_attempt(nido_waitq *queue, void *item)
 *     {
 *         return ((struct gate *)queue)->open ? 0 : -EAGAIN;
 *     }
 *
 *     static const nido_wait_kind gate_kind = {.name = "gate", .attempt = gate_attempt};
 *
 *     int gate_pass(struct gate *gate) { return nido_waitq_wait(&gate->queue, NULL); }
 *
 *     int gate_open(struct gate *gate)
 *     {
 *         int err = nido_waitq_use(&gate->queue, false);
 *         if (err) return err;
 *         gate->open = true;
 *         return nido_waitq_wake_all(&gate->queue, 0);
 *     }
 *
 * Three rules keep the guarantees:
 *
 * 1. An attempt does all and returns what the call returns, or it does nothing and returns -EAGAIN.
 * 2. What a wake grants, it grants before it wakes: the task that wakes changes the object, not
 *    the one that is woken. A cancel that comes after the wake finds a task that has what it
 *    waited for.
 * 3. Nothing is granted to a task that has left the queue. If a task that leaves held up those
 *    behind it, `left` looks at the queue again. */
#ifndef NIDO_LOWLEVEL_H
#define NIDO_LOWLEVEL_H

#include "nido/impl.h"

#ifdef __cplusplus
extern "C" {
#endif

struct nido_arm;

typedef struct nido_waitq nido_waitq;

/* What the waits in a queue are: constant, one for each kind of object, and lasts as long as
 * these. `item` is what a wait gave to nido_waitq_wait or nido_arm_waitq. The functions must not
 * park: calls that might are refused with -EDEADLK in them. */
typedef struct nido_wait_kind {
    const char *name; /* "phaser": what a report says */
    /* Does what the wait is for if it need not wait, on the task that asks. -EAGAIN: it has to
     * wait, and nothing has changed; everything else is the result of the wait. */
    int (*attempt)(nido_waitq *queue, void *item);
    /* A wait has left the queue and was not woken: it was cancelled, or another arm of its select
     * is done. Wakes those that may go on now. Called on any task, or between two. NULL: nothing
     * is to do. */
    void (*left)(nido_waitq *queue);
    /* The task that would have to act before a wait can end, for reports; a wait that would close
     * a ring of such waits is refused. Changes nothing. All zeros: there is none, or not one
     * alone. NULL: the same. */
    nido_task (*owner)(const nido_waitq *queue);
    void *spare[4]; /* zeros */
} nido_wait_kind;

/* A queue, first come first served, in the caller's memory; fields are private. It must stay at
 * its address until every wait in it has returned. */
struct nido_waitq {
    struct nidoi_sync sync;
    struct nidoi_recheck recheck;
    const nido_wait_kind *kind;
    uint64_t spare[2];
};

/* An empty queue, as nido_waitq_init makes it, for what is initialised before main. */
#define NIDO_WAITQ_INIT(kind, name)                                         \
    {                                                                       \
        NIDOI_SYNC_INIT(name), NIDOI_RECHECK_INIT, (kind), NIDOI_SPARE_INIT \
    }

/* Makes an empty queue; `name` (the user's, for reports) outlives it, or is NULL. Cannot fail: a kind
 * without a name or an attempt ends the program with a sentence, and so does a queue that is used
 * without this. Not a cancellation point. */
NIDO_API void nido_waitq_init(nido_waitq *queue, const nido_wait_kind *kind, const char *name);

/* Ends its life. Not a cancellation point. 0; -EBUSY: tasks wait; nothing is done. */
NIDO_API int nido_waitq_deinit(const nido_waitq *queue);

/* May this thread use the object now? It belongs to the thread whose run uses it first. What every
 * call of an object begins with that does not wait. `in_use`: the object may not be used without a
 * run for a reason of its own, such as a task that holds it. Not a cancellation point. 0; -EXDEV:
 * another thread's; -EPERM: tasks wait or it is in use, and this thread has no runtime. */
NIDO_API int nido_waitq_use(nido_waitq *queue, bool in_use);

/* Attempts, and waits in the queue if that has to be: what a call of an object is that waits.
 * Cancellation point. What the attempt returned, if not -EAGAIN; what it was woken with, also if
 * it is cancelled before it runs; woken with -EAGAIN it starts again, at the end of the queue.
 * -ECANCELED: it has left the queue; -EXDEV: another thread's; -EDEADLK: the owner waits for this
 * task; the error that it keeps tells the ring. */
NIDO_API int nido_waitq_wait(nido_waitq *queue, void *item);

/* Wakes the first wait in the queue: it returns `value`; -ECANCELED, which only a cancel may say, ends
 * the program with a sentence. Not a cancellation point. 1; 0: there is none; -EXDEV; -EPERM: tasks wait and this thread has no
 * runtime. */
NIDO_API int nido_waitq_wake(nido_waitq *queue, int value);

/* Wakes all that wait now; they run in the order in which they came. Not a cancellation point. How
 * many they are; -EXDEV; -EPERM: tasks wait and this thread has no runtime. */
NIDO_API int nido_waitq_wake_all(nido_waitq *queue, int value);

/* Does no task wait? Cannot fail. Not a cancellation point. */
NIDO_API bool nido_waitq_empty(const nido_waitq *queue);

/* The item of the first wait, which says what that wants; NULL: none waits, or it gave
 * NULL. Cannot fail. Not a cancellation point. */
NIDO_API void *nido_waitq_first(const nido_waitq *queue);

/* An arm of nido_select (nido/select.h) that does what nido_waitq_wait does; `item` lasts while
 * the arm is used. (Rings of waits are not looked for.) Cannot fail. Not a cancellation point. */
NIDO_API void nido_arm_waitq(struct nido_arm *arm, nido_waitq *queue, void *item);

#ifdef __cplusplus
}
#endif

#endif
