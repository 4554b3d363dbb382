/* SPDX-License-Identifier: MIT */
/* coro/task/sched.h: tasks and the ready queue; the machinery of parking and waking.
 *
 * 1. A task is READY exactly while it is in the ready queue, RUNNING exactly while it is `current`.
 * 2. task->waiter is set exactly while the task is PARKED and unclaimed. What clears it decides
 * what the wait returns; there is no other way to wake (nidoi_wake).
 * 3. A node in a wait queue belongs to an unclaimed waiter: a claim of the waiter first takes its
 * nodes out.
 * 4. The ready queue is strictly first in, first out, and waking never allocates: room for every
 * live task is reserved when it is spawned.
 * 5. A parking task jumps straight to the next ready one; the loop's own context gets a turn when
 * nothing is ready or the batch is used up.
 *
 * This floor knows neither scopes nor the kernel. Tasks park through nidoi_park (coro/scope/scope.h)
 * alone, which calls nidoi_sched_suspend (coro/task/switch.h). */
#ifndef NIDOI_SCHED_H
#define NIDOI_SCHED_H

#include "base/list.h"
#include "base/timers.h"
#include "coro/stack/context.h"
#include "coro/stack/exceptions.h"
#include "coro/stack/stack.h"
#include "nido/scope.h"
#include "nido/types.h"

struct nidoi_probe;
struct nidoi_sched;
struct nidoi_slot;
struct nidoi_start;
struct nidoi_trace;
struct nidoi_local_value;
struct nidoi_measure;
struct nidoi_times;

/*  nidoi_sched_start    its turn           nidoi_park
 *  ------------> READY ---------> RUNNING -----------> PARKED
 *                  ^  ^-- yield --'  |                    |
 *                  |                 | nidoi_switch_leave |
 *                  |                 v                    |
 *                  |               DONE                   |
 *                  '------------ nidoi_wake --------------'     */
enum nidoi_state {
    NIDOI_NEW = 0,
    NIDOI_READY = 1,
    NIDOI_RUNNING = 2,
    NIDOI_PARKED = 3,
    NIDOI_DONE = 4,
    NIDOI_PARKED_TOLD = 5 /* PARKED in a run that is traced (coro/task/trace.h) or measured
                             (coro/task/measure.h): its wake is noted */
};

/* What a cancel made of a wait. */
enum nidoi_undo {
    NIDOI_NOTED,    /* it goes on, and is woken later by what it waits for */
    NIDOI_WITHDRAWN /* it is enlisted nowhere any more; the cancel wakes it with -ECANCELED */
};

/* What a task waits for: constant, one for each kind of wait. */
struct nidoi_wait_kind {
    const char *name; /* "sleep", "event", "join": what a report says */
    /* Takes the wait back for a cancel. NULL: the wait is not cancellable. May only unlink and
     * wake. */
    enum nidoi_undo (*undo)(struct nidoi_waiter *waiter);
    /* The task that would have to act first, for cycles and reports; NULL if there is none or many.
     * The function is for what owner_at cannot say. */
    struct nidoi_task *(*owner)(const struct nidoi_waiter *waiter);
    /* It was claimed by way of `node`: take its other nodes out of their queues. NULL: there are
     * none. May only unlink and nidoi_recheck_run. */
    void (*claimed)(struct nidoi_waiter *waiter, struct nidoi_node *node);
    /* The task's alarm has passed while it waited here: claim it. NULL: it wakes with 0. */
    void (*timed_out)(struct nidoi_waiter *waiter);
    /* What the user called the object; NULL if it has no name. For what name_at cannot say. */
    const char *(*named)(const struct nidoi_waiter *waiter);
    /* The same two as data, which also a reader in another process understands: how far from `object`
     * the pointer lies. 0: nowhere. */
    uint16_t name_at, owner_at;
    bool is_fd; /* `object` is a descriptor's number */
    bool
        by_thread; /* what ends it is the act of another thread, which may come at any time or never */
};

/* One sleep. Lives on the sleeper's stack. */
struct nidoi_waiter {
    struct nidoi_task *task;
    const struct nidoi_wait_kind *kind;
    void *object;   /* what it waits for, as the kind says */
    intptr_t value; /* what it was woken with */
    int64_t since;  /* when it parked */
};

/* A waiter and its one place: what all objects with a queue put on the stack. */
struct nidoi_queued {
    struct nidoi_waiter waiter;
    struct nidoi_node node;
};

struct nidoi_task {
    /* What a switch touches: one cache line, up to the flags of `base`. */
    struct nidoi_context context;
    struct nidoi_waiter *waiter;
    nido_scope *scope; /* innermost open one; never NULL */
    struct nidoi_sched *sched;
    uint8_t state;    /* enum nidoi_state */
    uint16_t refused; /* calls refused in a row, as far as they are counted */
    uint32_t deepest; /* bytes of stack below this record, at most, seen at a park */
    int64_t alarm;    /* when a sleep ends; NIDO_NEVER */
    nido_scope base;  /* the outermost of its own scopes: the task's life */

    struct nidoi_slot *slot;     /* with its timer; NULL: no task (the loop's own context) */
    struct nidoi_task *next_due; /* while deadlines fire */
    struct nidoi_link sibling;   /* among its group's children */
    nido_group *group;           /* NULL: the root */

    nido_fn *fn;
    void *arg;
    uint64_t id;
    void *spawned_at;
    void *opened_at; /* where `scope` was opened: the frame that held a forgotten one is gone */
    const char *name;
    nido_error *error;                /* one reference, or NULL */
    struct nidoi_local_value *locals; /* latest set first */
    struct nidoi_link held;           /* struct nidoi_held: what it holds */
    struct nidoi_start *start;        /* set until nido_started */
    struct nidoi_stack *stack;
    bool service;
    bool started;  /* has called nido_started */
    bool late;     /* its going on after a cancel was reported */
    bool returned; /* its function has, with a failure */
    char name_text[32];

    /* Of a measured run alone (coro/task/measure.h). */
    int64_t ready_since;
    uint64_t cpu_ns;
    struct nidoi_times *times; /* of its name */
};

struct nidoi_sched {
    struct nidoi_task *current; /* `loop` while no task runs */
    int64_t now;                /* the runtime's reading of the clock */
    int budget;                 /* calls left before the running task is made to yield */
    int batch;                  /* switches left before the loop gets a turn */
    int *err;                   /* where errno lies on this thread */
    struct nidoi_task **ready;  /* a ring of mask + 1 places */
    uint32_t mask, head, tail;
    uint32_t no_parking; /* depth of callbacks that must not park */
    bool rechecking;
    bool cxx;                            /* the program has a C++ run time */
    struct nidoi_exceptions *exceptions; /* this thread's; NULL without one */
    struct nidoi_link recheck;           /* struct nidoi_recheck */
    struct nidoi_probe *probe;           /* coro/task/probe.h; NULL: nothing asks for one */
    struct nidoi_trace *trace;           /* coro/task/trace.h; NULL: not traced */
    struct nidoi_measure *measure;       /* coro/task/measure.h; NULL: not measured */
    uint64_t resumes;                    /* ever, counted after each batch */
    int allowance;                       /* the budget of a task that comes back from a callback */
    struct nidoi_task loop;
};

enum { NIDOI_BUDGET = 128 };

/* This thread's, or NULL. */
extern _Thread_local struct nidoi_sched *nidoi_sched_self;

int nidoi_sched_init(struct nidoi_sched *sched);
void nidoi_sched_deinit(struct nidoi_sched *sched);

/* Room for n live tasks. 0 or -ENOMEM. */
int nidoi_sched_reserve(struct nidoi_sched *sched, size_t n);

static inline uint32_t nidoi_sched_ready(const struct nidoi_sched *sched)
{
    return sched->tail - sched->head;
}

/* The one function that changes a state. */
static inline void nidoi_task_become(struct nidoi_task *task, enum nidoi_state from,
                                     enum nidoi_state to)
{
    nidoi_assert(task->state == from);
    task->state = (uint8_t)to;
}

static inline void nidoi_sched_enqueue(struct nidoi_sched *sched, struct nidoi_task *task)
{
    sched->ready[sched->tail++ & sched->mask] = task;
}

/* Lays a task out at the top of a stack, `extra` bytes of payload below it (*payload, 16-aligned);
 * its context will begin at `entry`. */
static inline struct nidoi_task *nidoi_task_init(struct nidoi_sched *sched,
                                                 struct nidoi_stack *stack,
                                                 nidoi_context_entry *entry, size_t extra,
                                                 void **payload)
{
    uintptr_t top = ((uintptr_t)stack - sizeof(struct nidoi_task)) & ~(uintptr_t)63;
    struct nidoi_task *task = (void *)top;

    *payload = (void *)((top - extra) & ~(uintptr_t)15);
    task->waiter = NULL;
    task->sched = sched;
    task->deepest = 0;
    task->state = NIDOI_NEW;
    task->refused = 0;
    task->alarm = INT64_MAX;
    task->sibling.next = NULL;
    task->error = NULL;
    task->locals = NULL;
    nidoi_list_init(&task->held);
    task->name = NULL;
    task->stack = stack;
    task->service = task->started = task->late = task->returned = false;
    nidoi_context_make(&task->context, stack->bottom, *payload, entry);
    return task;
}

/* The running task stands deeper than ever before, or, on memory of the program, ends: dies with a sentence if it has left its stack, or has
 * written below it. */
NIDOI_RARE void nidoi_task_check_stack(const struct nidoi_task *task, size_t depth);

/* A laid-out task becomes ready, last in the queue. */
static inline void nidoi_sched_start(struct nidoi_task *task)
{
    nidoi_assert(nidoi_sched_ready(task->sched) <= task->sched->mask);
    nidoi_task_become(task, NIDOI_NEW, NIDOI_READY);
    nidoi_sched_enqueue(task->sched, task);
}

/* Notes the wake of a task that is PARKED_TOLD, which it makes PARKED. */
NIDOI_RARE void nidoi_wake_told(struct nidoi_task *task, intptr_t value);

/* Claims a waiter: its wait returns `value`. */
static inline void nidoi_wake(struct nidoi_waiter *waiter, intptr_t value)
{
    struct nidoi_task *task = waiter->task;

    nidoi_assert(task->waiter == waiter);
    task->waiter = NULL;
    waiter->value = value;
    if (__builtin_expect(task->state != NIDOI_PARKED, 0)) nidoi_wake_told(task, value);
    nidoi_task_become(task, NIDOI_PARKED, NIDOI_READY);
    nidoi_sched_enqueue(task->sched, task);
}

static inline bool nidoi_on_task(const struct nidoi_sched *sched)
{
    return sched->current != &sched->loop;
}

/* Around a callback that must not park: its calls are then refused with -EDEADLK. */
static inline void nidoi_no_parking_begin(struct nidoi_sched *sched)
{
    sched->no_parking++;
    sched->budget = 1; /* sends every entry down its slow path, which looks */
}

/* The user's code has come back in a forked child: ends it with a sentence. */
_Noreturn NIDOI_RARE void nidoi_returned_in_child(const char *what);

static inline void nidoi_no_parking_end(struct nidoi_sched *sched)
{
    if (__builtin_expect(nidoi_sched_self != sched, 0))
        nidoi_returned_in_child("a function that the loop called");
    sched->no_parking--;
    sched->budget = sched->no_parking || !nidoi_on_task(sched) ? 1 : sched->allowance;
}

/* ---- Wait queues ---- */

static inline void nidoi_waitq_init(struct nidoi_waitq *queue)
{
    nidoi_list_init(&queue->nodes);
}

static inline bool nidoi_waitq_empty(const struct nidoi_waitq *queue)
{
    return nidoi_list_empty(&queue->nodes);
}

/* Prepares the running task's place at the end of a queue. */
static inline void nidoi_waitq_enlist(struct nidoi_waitq *queue, struct nidoi_queued *queued)
{
    queued->node = (struct nidoi_node){.waiter = &queued->waiter};
    nidoi_list_append(&queue->nodes, &queued->node.link);
}

/* An undo for waiters inside a struct nidoi_queued. */
enum nidoi_undo nidoi_waitq_undo(struct nidoi_waiter *waiter);

static inline struct nidoi_node *nidoi_waitq_first(const struct nidoi_waitq *queue)
{
    struct nidoi_link *link = queue->nodes.next;

    return link == &queue->nodes ? NULL : nidoi_container(link, struct nidoi_node, link);
}

/* Claims the waiter of a node that is in a queue: takes the node out (and the waiter's others),
 * wakes with value. */
void nidoi_claim(struct nidoi_node *node, intptr_t value);

/* Claims the first waiter. False: there was none. */
static inline bool nidoi_waitq_wake(struct nidoi_waitq *queue, intptr_t value)
{
    struct nidoi_node *node = nidoi_waitq_first(queue);

    if (node) nidoi_claim(node, value);
    return node != NULL;
}

/* The queue of an object has changed: it looks at it again, at once or, if this happens while
 * another object looks, right after that. So a withdrawal that grants to a waiter whose
 * withdrawal grants again is a loop, not a recursion. */
void nidoi_recheck_run(struct nidoi_sched *sched, struct nidoi_recheck *recheck);

/* The running task holds something until it is let go; if the task ends first, held->orphaned is
 * called. */
static inline void nidoi_held_add(struct nidoi_task *task, struct nidoi_held *held)
{
    nidoi_list_push(&task->held, &held->link);
}

static inline void nidoi_held_remove(struct nidoi_held *held)
{
    nidoi_list_remove(&held->link);
}

#endif
