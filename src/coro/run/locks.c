/* SPDX-License-Identifier: MIT */
#include "coro/run/locks.h"

#include <dlfcn.h>
#include <string.h>

#include "base/debug_words.h"
#include "base/held_lock.h"
#include "base/place.h"
#include "coro/group/waits.h"
#include "debug/late.h"
#include "debug/task.h"

enum { REPORT = 4096, MOST_PLACES = 64 };

static nido_locks_held_fn *locks_held; /* atomic; NULL: libnido_locks.so is not here */
static void *reported[MOST_PLACES];    /* atomic: places of locks that were reported */

#define ADD(to, ...) nidoi_text_add((to)->text, (to)->size, &(to)->used, __VA_ARGS__)

static bool is_new_place(void *place)
{
    for (int i = 0; i < MOST_PLACES; i++) {
        void *none = NULL;

        if (__atomic_compare_exchange_n(&reported[i], &none, place, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return true;
        if (none == place) return false;
    }
    return false;
}

static const char *way_of_leaving(const struct nidoi_task *task)
{
    if (task->state == NIDOI_PARKED) return "waits";
    return task->state == NIDOI_DONE ? "has ended" : "has yielded";
}

static void lock_tell(struct nidoi_task *task, const struct nido_held_lock *lock)
{
    char room[REPORT];
    struct nidoi_text text = {room, sizeof room, 0};
    struct nidoi_place spawned, locked;

    ADD(&text,
        "nido: LOCK: task #%llu \"%s\", spawned at %s, %s and holds a %s of pthread, locked at "
        "%s\n",
        (unsigned long long)task->id, task->name ? task->name : "",
        nidoi_place(&spawned, task->spawned_at), way_of_leaving(task), lock->kind,
        nidoi_place(&locked, lock->place));
    if (task->state != NIDOI_DONE) nidoi_late_add_state(&text, task);
    ADD(&text, "hint: a task that wants it stops this thread, with the task that could unlock it; "
               "unlock it "
               "before calls that may wait, or use nido_mutex\n");
    nidoi_loop_report(nidoi_loop_of(task->sched), room);
}

static void locks_look(struct nidoi_task *task)
{
    int count;
    struct nido_held_lock *held = locks_held(&count);

    for (int i = 0; i < count; i++) {
        if (held[i].told_of) continue;
        held[i].told_of = task;
        if (is_new_place(held[i].place)) lock_tell(task, &held[i]);
    }
}

static bool find_locks(void)
{
    nido_locks_held_fn *found = NULL;
    void *symbol = dlsym(RTLD_DEFAULT, "nido_locks_held");

    memcpy(&found, &symbol, sizeof found);
    __atomic_store_n(&locks_held, found, __ATOMIC_RELAXED);
    return found != NULL;
}

void nidoi_locks_watch(struct nidoi_loop *loop)
{
    struct nido_held_lock *held;
    int count;

    if (!nidoi_debug_asks("locks") || !find_locks()) return;
    held = locks_held(&count);
    for (int i = 0; i < count; i++) held[i].told_of = loop; /* of the thread, around the run */
    loop->probe.left = locks_look;
    nidoi_probe_set(&loop->sched, &loop->probe);
}
