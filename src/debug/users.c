/* SPDX-License-Identifier: MIT */
#include "debug/users.h"

#include <stdio.h>
#include <string.h>

#include "base/debug_words.h"
#include "base/mem.h"

enum {
    OBJECTS = 1024, /* a power of two */
    LARGEST = 160   /* bytes of an object before the number of its thread */
};

struct object {
    const uint64_t *thread;
    struct nidoi_user users[NIDOI_USERS_KEPT];
};

struct nidoi_users {
    struct object objects[OBJECTS];
};

void nidoi_users_open(struct nidoi_loop *loop)
{
    if (!nidoi_debug_asks("users")) return;
    loop->users = nidoi_mem_zeroed(sizeof *loop->users);
    if (loop->users) loop->thread |= NIDOI_LOOP_NOTES_USERS;
}

void nidoi_users_close(struct nidoi_loop *loop)
{
    loop->thread &= ~NIDOI_LOOP_NOTES_USERS;
    nidoi_mem.release(loop->users);
    loop->users = NULL;
}

static struct object *object_place(struct nidoi_users *users, const uint64_t *thread)
{
    uint64_t hash = (uint64_t)(uintptr_t)thread * UINT64_C(0x9e3779b97f4a7c15);

    return &users->objects[hash >> 54];
}

/* The first place becomes free for this task: its own moves there, or the oldest is forgotten. */
static void object_make_first(struct object *object, uint64_t id)
{
    int at = 0;

    while (at < NIDOI_USERS_KEPT - 1 && object->users[at].id != id) at++;
    memmove(&object->users[1], &object->users[0], (size_t)at * sizeof *object->users);
}

void nidoi_users_note(const struct nidoi_loop *loop, const uint64_t *thread)
{
    const struct nidoi_task *task = loop->sched.current;
    struct object *object = object_place(loop->users, thread);

    if (!task->id) return; /* a function that the loop calls */
    if (object->thread != thread) *object = (struct object){.thread = thread};
    object_make_first(object, task->id);
    object->users[0] = (struct nidoi_user){.id = task->id, .when = loop->sched.now};
    snprintf(object->users[0].name, sizeof object->users[0].name, "%s",
             task->name ? task->name : "");
}

const struct nidoi_user *nidoi_users_of(const struct nidoi_loop *loop, const void *object)
{
    for (uintptr_t at = (uintptr_t)object; loop->users && at < (uintptr_t)object + LARGEST;
         at += sizeof(uint64_t)) {
        const struct object *found = object_place(loop->users, (const uint64_t *)at);

        if (found->thread == (const uint64_t *)at) return found->users;
    }
    return NULL;
}
