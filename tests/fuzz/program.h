/* SPDX-License-Identifier: MIT */
/* program.h: a byte string run as a program of tasks.
 *
 * Four bytes of settings, then instructions of three bytes each: what, and two arguments. A task is a
 * place in that string at which it begins to read; it goes home after STEPS instructions at the
 * latest, so every string is a program that ends. Everything it does is told to the model first.
 *
 * What the program must not do, because nothing could end it (and a program that did it would be
 * wrong): wait for its children, or for a lock a second time, while it holds a lock; use locks or
 * nido_start in a service, whose end waits for those who wait for it. */
#ifndef FUZZ_PROGRAM_H
#define FUZZ_PROGRAM_H

#include "model.h"
#include "nido.h"

enum { STEPS = 16, TICK = 1000000 };

struct pipe {
    int ends[2]; /* -1: closed */
    int births;
    int bytes, first; /* how many are in it, the number of the oldest */
    struct task *reader;
    bool whole; /* the reader takes bytes out as they come, and tells only at the end */
};

extern struct world {
    const uint8_t *code;
    size_t length;
    bool watched; /* a deadline ends everything: waits that the model cannot see are allowed */
    nido_group groups[TASKS][DEPTH];
    nido_scope scopes[TASKS][DEPTH];
    nido_task handles[TASKS];
    size_t starts[TASKS]; /* where each task begins */
    int held[TASKS];      /* permits */
    int places[TASKS][CHANS];
    nido_chan *chans[CHANS];
    nido_event events[EVENTS];
    nido_mutex mutexes[MUTEXES];
    nido_cond conds[CONDS];
    nido_sem sem;
    nido_rwlock rwlock;
    int reading[TASKS]; /* how often each task has entered as a reader */
    nido_limiter limiter;
    nido_limiter_token tokens[TASKS];
    nido_barrier barrier;
    nido_broadcast broadcast;
    uint32_t kept[KEPT];
    nido_broadcast_reader readers[TASKS];
    nido_watch watch;
    uint32_t watched_value;
    uint64_t seen[TASKS];
    struct pipe pipe;
    uint32_t items; /* made so far */
    uint64_t sent, received, dropped;
    int drops, instants;
    bool deadlocked;
} world;

/* An instruction: its result becomes the task's own. */
typedef int act(struct task *task, unsigned a, unsigned b);

/* Prints what does not hold, with the last instructions, and aborts. */
void expect(const char *what, int64_t got, int64_t wanted);

/* The task's call has returned `status`. */
void expect_end(const struct task *task, const char *what, int status);

/* Lets the model catch up with the clock and with closers that have run. */
void catch_up(void);
/* Before each call of a task. True: it is a cancellation point that will be refused. */
bool refused(struct task *task);

/* An instant `ticks` from now that no other is equal to. */
int64_t after(unsigned ticks);
int run_task(void *arg);

/* 0 or a negated errno that a cancel may have. */
int code_of(unsigned b);
void new_item(struct task *task);
void count_item(uint32_t got, uint32_t wanted);
int locks_of(const struct task *task);
void unlock_all(struct task *task);

act act_scope, act_shield, act_group, act_close, act_cancel, act_move, act_spawn, act_spawn_wait,
    act_start, act_started, act_join, act_try_join, act_task_cancel, act_forget, act_sleep,
    act_yield, act_post;
act act_send, act_recv, act_reserve, act_commit, act_try, act_chan_close, act_event, act_event_set,
    act_acquire, act_release, act_lock, act_unlock, act_wait, act_notify, act_select, act_read,
    act_write, act_pipe;
act act_enter, act_leave, act_borrow, act_give_back, act_resize, act_meet, act_barrier,
    act_broadcast, act_listen, act_set, act_watch;
act act_socket, act_socket_send, act_socket_recv, act_file, act_job, act_child, act_weather;

/* ---- Shared by the instructions ---- */

/* What the call that comes next will do; `kind` and `object` are its only arm. The second is for
 * calls that do not wait. */
void predict(struct task *task, enum kind kind, int object);
void predict_try(struct task *task, enum kind kind, int object);
/* The call has returned `status`; that. */
int compare(struct task *task, const char *what, int status);
void make_meeting_places(unsigned barrier);
void expect_meeting_places_over(void);
void leave_meeting_places(struct task *task);

/* The sockets, the file, the weather. */
void make_outside(void);
void expect_outside_over(void);

/* Closes the innermost scope or group with rc. */
int close_level(struct task *task, int rc);
void give_back(struct task *task);

#endif
