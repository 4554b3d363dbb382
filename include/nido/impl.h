/* SPDX-License-Identifier: MIT */
/* nido/impl.h: the links that public structs embed. Nothing here is for users. */
#ifndef NIDO_IMPL_H
#define NIDO_IMPL_H

#include "nido/types.h"

struct nidoi_task;
struct nidoi_test_hooks;
struct nidoi_waiter;
struct nidoi_failures;

struct nidoi_link {
    struct nidoi_link *next, *prev;
};

/* The queue that every sync object waits on: a ring of nodes, first come first served. */
struct nidoi_waitq {
    struct nidoi_link nodes;
};

/* What every sync object begins with. */
struct nidoi_sync {
    struct nidoi_waitq waiters; /* zeros: empty, and no call has used it yet */
    uint64_t thread;  /* atomic: number of the thread whose run used it first; 0: none yet */
    const char *name; /* for reports, or NULL */
};

/* A place in such a queue. In a queue it belongs to a waiter that has not been claimed. */
struct nidoi_node {
    struct nidoi_link link;
    struct nidoi_waiter *waiter;
    void *item; /* what is handed over is copied from or to here, as the object says */
    int32_t n;  /* how many are wanted, or another small thing the object wants to know */
};

enum nidoi_direction { NIDOI_READING = 0, NIDOI_WRITING = 1, NIDOI_NEITHER = 2 };

/* One wait for a descriptor; linked exactly as long as it waits. */
struct nidoi_watch {
    struct nidoi_link link;
    /* result: 0, try now; -EBADF, the descriptor was closed. May only wake and unlink. */
    void (*fire)(struct nidoi_watch *watch, int result);
    uint64_t ticket; /* its turn in the line; 0: a new one, at the end */
    int fd;
    enum nidoi_direction direction;
    bool shared; /* one of many that each want one item (accept, datagrams): an edge fires the first
                    only */
    uint8_t also; /* NEITHER waits for a hang-up or an error, and for these kinds of reports */
};

/* Something that a task holds and that must know when the task ends. */
struct nidoi_held {
    struct nidoi_link link; /* linked exactly while it is held */
    void (*orphaned)(struct nidoi_held *held);
};

/* A receiver of certain signals; linked while it is open. */
struct nidoi_receiver {
    struct nidoi_link link;
    uint64_t set; /* 1 << (number - 1) */
    bool root;    /* of a run itself: gets nothing while the program has a receiver */
    void (*arrived)(struct nidoi_receiver *receiver, int number);
};

/* An object that must look at its queue again because a waiter has left it. */
struct nidoi_recheck {
    struct nidoi_link link;
    void (*look)(struct nidoi_recheck *recheck);
};

/* Parts of static initialisers. */
#define NIDOI_SYNC_INIT(name)     \
    {                             \
        {{NULL, NULL}}, 0, (name) \
    }
#define NIDOI_HELD_INIT    \
    {                      \
        {NULL, NULL}, NULL \
    }
#define NIDOI_RECHECK_INIT \
    {                      \
        {NULL, NULL}, NULL \
    }
#define NIDOI_SPARE_INIT \
    {                    \
        0, 0             \
    }

/* (value), in a constant expression that does not compile if the condition does not hold. */
#define NIDOI_CHECKED(value, condition) ((value) + 0 * sizeof(char[(condition) ? 1 : -1]))

#ifdef __cplusplus
extern "C" {
#endif

/* What the test kit (nido/test.h) is built on. Cannot fail. Not a cancellation point. */
NIDO_API const struct nidoi_test_hooks *nido_test_hooks(void);

#ifdef __cplusplus
}
#endif

#endif
