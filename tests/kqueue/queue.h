/* SPDX-License-Identifier: MIT */
/* queue.h: what a queue of the double consists of, see kqueue.c. */
#ifndef QUEUE_H
#define QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/event.h>

enum { MODES = EV_ONESHOT | EV_CLEAR | EV_DISPATCH };

/* What the sets say in place of a number. */
enum { WRITES = -1, USERS = -2, PROCESS = -3 };

struct note {
    bool used;
    bool enabled;
    bool entered;   /* numbers: in the epoll set */
    bool triggered; /* user events: pending */
    unsigned modes; /* MODES */
    void *udata;
};

struct number {
    struct note reading, writing;
};

struct user {
    struct user *next;
    uintptr_t ident;
    struct note note;
};

struct queue {
    struct queue *next;
    int fd;
    int writes;
    int wakeup;
    int process; /* says when the one that is watched has ended; 0: none is */
    void *process_udata;
    uintptr_t pid;
    struct number *numbers;
    size_t number_count;
    struct user *users;
};

/* The queue of that number, or NULL. All calls here are made with the lock held. */
struct queue *queue_find(int kq);

/* Makes one change. 0, or an errno. */
int queue_change(struct queue *queue, const struct kevent *change);

/* Brings the epoll set in line with a note. 0, or an errno. */
int queue_settle(struct queue *queue, int fd, int filter, struct note *note);

/* Takes up to `room` pending events; how many. */
int queue_report(struct queue *queue, struct kevent *out, int room);

#endif
