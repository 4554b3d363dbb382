/* SPDX-License-Identifier: MIT */
/* model.h: what nido promises about scopes, groups and the things that tasks wait for, written down
 * as plainly as it can be: trees that are walked, lines that are searched. It knows the public
 * interface's numbers and nothing of nido's code.
 *
 * Whoever drives it (program.c) tells it of each call just before the call is made, in the order in
 * which nido's one thread makes them; the model says what must come out, or that the task must wait
 * and, later, how that wait has ended. The order in which tasks run is nido's affair. */
#ifndef FUZZ_MODEL_H
#define FUZZ_MODEL_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "nido/group.h"
#include "nido/time.h"

enum {
    TASKS = 16,
    DEPTH = 5, /* scopes open in one task */
    CHANS = 2,
    EVENTS = 2,
    MUTEXES = 2,
    CONDS = 1,
    PERMITS = 3,
    KEPT = 2, /* items of the broadcast */
    ARMS = 3,
    ROOM = 4 /* the most a channel buffers */
};

enum kind {
    SLEEP,
    SEND,
    RECV,
    RESERVE,
    EVENT,
    ACQUIRE,
    LOCK,
    RELOCK, /* a condition's wait on its way back: no cancel ends it */
    NOTICE,
    JOIN,
    PLACE,
    CLOSE, /* of a group: no cancel ends it */
    START, /* the same */
    READ,  /* of a descriptor: who wakes it is the kernel's affair */
    ENTER_READING,
    ENTER_WRITING,
    BORROW, /* of the limiter */
    MEET,   /* at the barrier */
    LISTEN, /* to the broadcast */
    CHANGE  /* of the watched value */
};

struct task;

struct scope {
    struct scope *parent, *inner;
    struct task *task;
    bool open, shield, cancelled;
    int code;
    int64_t deadline, when;
};

struct line {
    struct {
        struct task *task;
        int arm;
    } places[TASKS * ARMS];
    int count;
};

enum state { OPEN, CLOSING, RELEASING, CLOSED };

struct group {
    struct scope scope;
    bool is_group; /* else a plain scope */
    enum nido_policy policy;
    enum state state;
    int limit, live, services, starts, reserved;
    int failure, value, winner; /* number of the winner; 0 (the root's) is none */
    bool disowned, seen;
    struct line places;
    struct group *target; /* of a pending start: where the task will belong */
    bool decided;         /* it has said that it is ready */
};

/* What a task does or waits for: a choice of arms, of which one is done. */
struct op {
    struct {
        enum kind kind;
        int object; /* its number; of ACQUIRE: how many permits */
    } arms[ARMS];
    int n;
    bool chosen; /* a select: waits for several, so rings are not looked for */
    bool waiting;
    int index, status; /* of the arm that was done; index -1: none was */
    unsigned end;      /* its number among all ends of waits */
    int64_t alarm;     /* NIDO_NEVER: none */
    int ringer;        /* which arm that is */
    uint32_t sent, got;
    struct group *group; /* of PLACE, CLOSE and START (the hidden one) */
};

struct task {
    int number;
    bool live, service, kept, ended, gone; /* gone: no handle means it any more */
    bool served;                           /* a service or below one */
    int result;
    unsigned joined; /* order within its group */
    struct scope base;
    struct group levels[DEPTH];
    int depth;
    struct group *group;
    bool starting, started;
    struct op op;
    struct line joiners;
};

struct chan {
    struct line senders, receivers;
    uint32_t items[ROOM];
    int capacity, count, reserved;
    bool send_open, recv_open;
};

struct mutex {
    struct line waiters;
    struct task *owner;
    bool broken;
};

struct model {
    int64_t now, grace;
    struct task tasks[TASKS];
    int count; /* tasks so far */
    unsigned joins, ends;
    struct chan chans[CHANS];
    struct {
        struct line waiters;
        bool set;
    } events[EVENTS];
    struct mutex mutexes[MUTEXES];
    struct {
        struct line waiters;
        int mutex;
    } conds[CONDS];
    struct line borrowers;
    int permits;
    struct {
        struct line waiters;
        struct task *writer;
        int readers;
    } rwlock;
    struct {
        struct line waiters;
        int places, borrowed;
        bool has[TASKS];
    } limiter;
    struct {
        struct line waiters;
        int size;
        bool breaks, aborted;
    } barrier;
    struct {
        struct line waiters;
        uint32_t items[KEPT];
        unsigned sent, next[TASKS];
        bool closed;
    } broadcast;
    struct {
        struct line waiters;
        uint32_t value;
        unsigned version, seen[TASKS];
        bool closed;
    } watch;
    int drops; /* successes that did not win */
};

extern struct model model;

/* ---- Scopes (model_scope.c) ---- */

struct scope *innermost(struct task *task);
int64_t due(const struct scope *scope); /* INT64_MIN: cancelled */
bool is_cancelled(const struct scope *scope);
bool encloses(const struct scope *outer, struct task *task);
struct group *push(struct task *task, int64_t deadline, bool shield);
int close_scope(struct task *task, int rc);
void pop(struct task *task);
/* The first of the tasks below a group's scope that joined it after that, NULL if none. */
struct task *next_child(const struct scope *scope, unsigned joined);
/* Every deadline that has passed, of this scope and those around it, strikes. */
void expire(struct scope *scope);
/* True: the next cancellation point is refused. Lets deadlines that have passed strike. */
bool struck(struct task *task);
/* Ends the waits of all who are cancelled in this scope or below. */
void call_home_below(struct scope *scope);
int cancel_scope(struct scope *scope, int code);
int move_scope(struct scope *scope, int64_t deadline);
int verdict(struct scope *scope, int rc);
/* The clock has moved on: everything whose time has come happens. */
void advance(int64_t now);

/* ---- Waiting (model_sync.c) ---- */

void op_begin(struct task *task);
void op_arm(struct task *task, enum kind kind, int object);
/* What an arm would do at once: a status, or -EAGAIN. */
int op_ready(struct task *task, int arm);
/* Does an arm that is ready. */
void op_do(struct task *task, int arm);
void op_wait(struct task *task);
void op_enlist(struct task *task, int arm); /* one arm of it */
/* Ends it: out of all lines; that may let others go on. arm -1: none was done. */
void op_finish(struct task *task, int arm, int status);
/* A cancel has come: ends the wait, if it may. */
void op_call_home(struct task *task);
void line_join(struct line *line, struct task *task, int arm);
void line_finish_all(struct line *line, int status);

void chan_close(struct chan *chan, bool send, bool recv);
int chan_commit(struct chan *chan, uint32_t item);
void chan_unreserve(struct chan *chan);
void sem_release(int n);
void mutex_unlock(struct mutex *mutex);
int mutex_state(const struct mutex *mutex);
void cond_wait(int cond, struct task *task, int mutex);
void cond_notify(int cond);
bool waits_for(struct task *owner, struct task *me);

/* ---- Meeting (model_meet.c): rwlock, limiter, barrier, broadcast, watch ---- */

struct line *meet_line(enum kind kind);
int meet_ready(struct task *task, enum kind kind);
/* What is ready with `status` is done; what the task itself has got. */
void meet_do(struct task *task, enum kind kind, int status);
/* Who waits and can go on does. */
void meet_settle(void);
/* A wait has been called home. */
void meet_withdrawn(enum kind kind);
void rwlock_leave(struct task *task);
void limiter_give_back(struct task *task);
void limiter_resize(int places);
void barrier_abort(void);
void broadcast_send(uint32_t item);
void broadcast_close(void);
void watch_set(uint32_t value);
void watch_close(void);

/* ---- Groups (model_group.c) ---- */

struct group *open_group(struct task *task, enum nido_policy policy, int limit, int64_t deadline);
int admissible(const struct group *group, struct task *caller);
bool is_full(const struct group *group);
struct task *new_task(void);
/* It begins to live; `group` NULL: the root. */
void join_group(struct task *task, struct group *group, bool service);
void begin_close(struct task *task, int rc);
/* The closer has run and told its services to go. */
void release_services(struct task *closer);
int end_close(struct task *task, int rc);
void group_changed(struct group *group);
/* The task returns rc; its scopes are closed. What a join of it gives. */
int end_task(struct task *task, int rc);
void begin_start(struct task *starter, struct group *target, struct task *task);
int say_started(struct task *task);
int end_start(struct task *task);

#endif
