/* SPDX-License-Identifier: MIT */
/* nido/select.h: waiting for the first of several things.
 *
 *     nido_arm arms[2];
 *     nido_arm_recv(&arms[0], jobs, &job);
 *     nido_arm_timer(&arms[1], nido_after(NIDO_SEC(1)));
 *     switch (nido_select(arms, 2, 0)) {
 *     case 0: ... arms[0].status is 0 and `job` is ours, or -EPIPE ...
 *     case 1: ... a second has passed ...
 *     default: ... cancelled: nothing was done ...
 *
 * Exactly one arm is done, or none if the result is an error: an item is moved, a place reserved or
 * a permit taken for that arm alone, and only its memory is written. */
#ifndef NIDO_SELECT_H
#define NIDO_SELECT_H

#include "nido/impl.h"

#ifdef __cplusplus
extern "C" {
#endif

struct nido_broadcast_reader;
struct nido_chan;
struct nido_event;
struct nido_latch;
struct nido_limiter;
struct nido_limiter_token;
struct nido_mutex;
struct nido_rwlock;
struct nido_sem;
struct nido_watch;
struct nidoi_arm_kind;

/* One thing to wait for, in the caller's memory. Made by one of the constructors below; may be used
 * in any number of selects, one at a time. */
typedef struct nido_arm {
    int status; /* when it was done: what the call alone would have returned */
    int result; /* of nido_arm_join: the task's; of nido_arm_group: what nido_group_wait returns */
    /* The rest is private. */
    const struct nidoi_arm_kind *kind;
    void *object;
    struct nidoi_node node;
    union {
        nido_task task;
        int64_t when;
        uint64_t *seen;
        struct nidoi_watch watch;
    } of;
    uint32_t generation; /* of the watched descriptor's number */
    uint32_t spare;
} nido_arm;

enum nido_select_flags {
    NIDO_POLL = 1,    /* do not wait */
    NIDO_PRIORITY = 2 /* of several arms that can be done, the first listed */
};

/* Does one of the arms, and waits until one can be done. Of several that can be done at once, one
 * is drawn at random (nido_options.seed); with NIDO_PRIORITY it is the first listed. An arm whose
 * call would fail (a closed channel, a stale handle, another runtime's object) counts as done, with
 * that status. The same object may occur in several arms; a select never exchanges an item with
 * itself. Cancellation point. The index of the arm that was done; or an error, and none was done:
 * -ECANCELED; -EAGAIN: under NIDO_POLL none could be done at once; -EINVAL: n is 0 or above
 * INT_MAX, or an unknown flag. */
NIDO_API int nido_select(nido_arm *arms, size_t n, unsigned flags);

/* Does one of the arms if one can be done at once, whatever the scope says: it never waits, also in a
 * scope that is cancelled, and lets no other task run. Arms as in nido_select; `flags`: 0 or
 * NIDO_PRIORITY. Not a cancellation point. The index of the arm that was done; or an error, and none
 * was done: -EAGAIN: none could be done at once; -EINVAL: n is 0 or above INT_MAX, or another flag;
 * -EPERM: not in a task. */
NIDO_API int nido_try_select(nido_arm *arms, size_t n, unsigned flags);

/* Constructors. Each names the call that the arm will make; the arm's status is what that call
 * would return. What an arm points to must last while the arm is used. None can fail, none is a
 * cancellation point. */

/* Sends *item: nido_chan_send. Cannot fail. Not a cancellation point. */
NIDO_API void nido_arm_send(nido_arm *arm, struct nido_chan *chan, const void *item);
/* Receives into *item: nido_chan_recv. Cannot fail. Not a cancellation point. */
NIDO_API void nido_arm_recv(nido_arm *arm, struct nido_chan *chan, void *item);
/* Reserves a place: nido_chan_reserve. Cannot fail. Not a cancellation point. */
NIDO_API void nido_arm_reserve(nido_arm *arm, struct nido_chan *chan);
/* Waits until it is set: nido_event_wait. Cannot fail. Not a cancellation point. */
NIDO_API void nido_arm_event(nido_arm *arm, struct nido_event *event);
/* Takes one permit: nido_sem_acquire. Cannot fail. Not a cancellation point. */
NIDO_API void nido_arm_sem(nido_arm *arm, struct nido_sem *sem);
/* Waits for the end of a task: nido_join, the result in arm->result. (Tasks that join each other
 * are not detected here; joining the caller itself is -EDEADLK.) Cannot fail. Not a cancellation
 * point. */
NIDO_API void nido_arm_join(nido_arm *arm, nido_task task);
/* Waits until the instant `when`: status 0. Cannot fail. Not a cancellation point. */
NIDO_API void nido_arm_timer(nido_arm *arm, int64_t when);
/* Waits for `ns` nanoseconds from now, the call of this constructor: status 0. NIDO_NEVER: for ever.
 * Cannot fail. Not a cancellation point. */
NIDO_API void nido_arm_timeout(nido_arm *arm, int64_t ns);
/* Waits until the group is idle: nido_group_wait, status 0 and what that call would return in
 * arm->result; or as its own failure -EPERM, -EBADF; -EBUSY: another arm waits for the group. Cannot
 * fail. Not a cancellation point. */
NIDO_API void nido_arm_group(nido_arm *arm, nido_group *group);
/* Waits until the count is 0: nido_latch_wait. Cannot fail. Not a cancellation point. */
NIDO_API void nido_arm_latch(nido_arm *arm, struct nido_latch *latch);
/* The next item into *item: nido_broadcast_recv. -EBUSY: the reader is in another arm. Cannot fail.
 * Not a cancellation point. */
NIDO_API void nido_arm_broadcast(nido_arm *arm, struct nido_broadcast_reader *reader, void *item);
/* A version newer than *seen into *out: nido_watch_wait. Cannot fail. Not a cancellation point. */
NIDO_API void nido_arm_watch(nido_arm *arm, struct nido_watch *watch, void *out, uint64_t *seen);
/* Takes the lock: nido_mutex_lock, status 0 or -EOWNERDEAD. (For locks and limiters: rings of waits
 * are not looked for; -EDEADLK: the caller has it already.) Cannot fail. Not a cancellation point. */
NIDO_API void nido_arm_mutex(nido_arm *arm, struct nido_mutex *mutex);
/* Enters as a reader: nido_rwlock_read_lock. Cannot fail. Not a cancellation point. */
NIDO_API void nido_arm_rwlock_read(nido_arm *arm, struct nido_rwlock *lock);
/* Enters as the writer: nido_rwlock_write_lock. Cannot fail. Not a cancellation point. */
NIDO_API void nido_arm_rwlock_write(nido_arm *arm, struct nido_rwlock *lock);
/* Borrows a permit: nido_limiter_acquire. Cannot fail. Not a cancellation point. */
NIDO_API void nido_arm_limiter(nido_arm *arm, struct nido_limiter *limiter,
                               struct nido_limiter_token *token);
/* An arm that is off: it is never done. A select in which all are off waits for its cancel. Cannot
 * fail. Not a cancellation point. */
NIDO_API void nido_arm_off(nido_arm *arm);
/* Waits until a descriptor can be read (NIDO_IN) or written (NIDO_OUT) or is broken: nido_wait_fd,
 * for one of the two only, else -EINVAL. It neither reads nor writes. Cannot fail. Not a
 * cancellation point. */
NIDO_API void nido_arm_fd(nido_arm *arm, int fd, unsigned event);

#ifdef __cplusplus
}
#endif

#endif
