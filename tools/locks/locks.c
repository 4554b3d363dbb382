/* SPDX-License-Identifier: MIT */
/* libnido_locks.so: which mutexes and read-write locks of pthread each thread holds, and where it has locked
 * them. It stands in front of the C library's functions: preloaded (LD_PRELOAD), or linked before it. Without a
 * libnido that asks, and in other programs, it only counts. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/held_lock.h"

#define SHOWN __attribute__((visibility("default")))

enum { MOST = 64 }; /* of one thread; others are not seen */

static _Thread_local struct nido_held_lock held[MOST];
static _Thread_local int held_count;

static void note_locked(const void *lock, const char *kind, void *place)
{
    if (held_count < MOST) held[held_count++] = (struct nido_held_lock){lock, kind, place, NULL};
}

/* The latest first: a recursive mutex is held more than once. */
static void note_unlocked(const void *lock)
{
    int i = held_count;

    while (i > 0 && held[i - 1].lock != lock) i--;
    if (!i) return;
    memmove(&held[i - 1], &held[i], (size_t)(held_count - i) * sizeof *held);
    held_count--;
}

SHOWN nido_locks_held_fn nido_locks_held;

struct nido_held_lock *nido_locks_held(int *count)
{
    *count = held_count;
    return held;
}

/* ---- In front of the C library ----
 *
 * The next function of that name is looked up at its first call. The loader may lock something meanwhile:
 * there is one thread then, and nothing to wait for. */

typedef int lock_fn(void *lock);
typedef int timed_fn(void *lock, const struct timespec *end);
typedef int clock_fn(void *lock, clockid_t clock, const struct timespec *end);

static void *find(void **known, const char *name)
{
    static _Thread_local int finding;

    if (*known || finding) return *known;
    finding = 1;
    *known = dlsym(RTLD_NEXT, name);
    finding = 0;
    return *known;
}

static int noted(int err, const void *lock, const char *kind, void *place)
{
    if (err == 0 || err == EOWNERDEAD) note_locked(lock, kind, place);
    return err;
}

#define NEXT(type, name)              \
    static void *known;               \
    void *found = find(&known, name); \
    type *next;                       \
    if (!found) return 0;             \
    memcpy(&next, &found, sizeof next)

#define PLACE __builtin_return_address(0)

#define LOCKS(name, type, kind)                      \
    SHOWN int name(type *lock)                       \
    {                                                \
        NEXT(lock_fn, #name);                        \
        return noted(next(lock), lock, kind, PLACE); \
    }

#define LOCKS_UNTIL(name, type, kind)                                        \
    SHOWN int name(type *restrict lock, const struct timespec *restrict end) \
    {                                                                        \
        NEXT(timed_fn, #name);                                               \
        return noted(next(lock, end), lock, kind, PLACE);                    \
    }

#define LOCKS_UNTIL_OF(name, type, kind)                                                      \
    SHOWN int name(type *restrict lock, clockid_t clock, const struct timespec *restrict end) \
    {                                                                                         \
        NEXT(clock_fn, #name);                                                                \
        return noted(next(lock, clock, end), lock, kind, PLACE);                              \
    }

#define UNLOCKS(name, type)    \
    SHOWN int name(type *lock) \
    {                          \
        NEXT(lock_fn, #name);  \
        note_unlocked(lock);   \
        return next(lock);     \
    }

LOCKS(pthread_mutex_lock, pthread_mutex_t, "mutex")
LOCKS(pthread_mutex_trylock, pthread_mutex_t, "mutex")
LOCKS_UNTIL(pthread_mutex_timedlock, pthread_mutex_t, "mutex")
UNLOCKS(pthread_mutex_unlock, pthread_mutex_t)

LOCKS(pthread_rwlock_rdlock, pthread_rwlock_t, "read-write lock")
LOCKS(pthread_rwlock_tryrdlock, pthread_rwlock_t, "read-write lock")
LOCKS_UNTIL(pthread_rwlock_timedrdlock, pthread_rwlock_t, "read-write lock")
LOCKS(pthread_rwlock_wrlock, pthread_rwlock_t, "read-write lock")
LOCKS(pthread_rwlock_trywrlock, pthread_rwlock_t, "read-write lock")
LOCKS_UNTIL(pthread_rwlock_timedwrlock, pthread_rwlock_t, "read-write lock")
UNLOCKS(pthread_rwlock_unlock, pthread_rwlock_t)

#ifdef __GLIBC_PREREQ
#if __GLIBC_PREREQ(2, 30)
LOCKS_UNTIL_OF(pthread_mutex_clocklock, pthread_mutex_t, "mutex")
LOCKS_UNTIL_OF(pthread_rwlock_clockrdlock, pthread_rwlock_t, "read-write lock")
LOCKS_UNTIL_OF(pthread_rwlock_clockwrlock, pthread_rwlock_t, "read-write lock")
#endif
#endif
