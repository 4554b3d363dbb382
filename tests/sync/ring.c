/* SPDX-License-Identifier: MIT */
/* A wait that would close a ring is refused in words that name every lock and every owner in it. */
#include <string.h>

#include "sync_help.h"

/* Takes one lock, lets the others do so too, and wants the next. */
struct owner {
    const char *name;
    int (*lock)(void *object), (*unlock)(void *object);
    void *own, *wanted;
    int rc;
    char text[256];
};

static int want(void *arg)
{
    struct owner *owner = arg;

    nido_set_name("%s", owner->name);
    cr_expect(zero(int, owner->lock(owner->own)));
    nido_yield();
    owner->rc = owner->lock(owner->wanted);
    if (owner->rc)
        snprintf(owner->text, sizeof owner->text, "%s", nido_error_text(nido_error_last()));
    else
        owner->unlock(owner->wanted);
    owner->unlock(owner->own);
    return 0;
}

static void let_want(nido_group *group, struct owner *owners, int n)
{
    for (int i = 0; i < n; i++) cr_expect(zero(int, nido_spawn(group, want, &owners[i])));
    let_run();
    for (int i = 0; i < n - 1; i++) cr_expect(zero(int, owners[i].rc));
    cr_expect(eq(int, owners[n - 1].rc, -EDEADLK));
}

static void expect_named(const char *text, const char *const names[], int n)
{
    for (int i = 0; i < n; i++)
        cr_expect(ne(ptr, (void *)strstr(text, names[i]), NULL), "%s in: %s", names[i], text);
}

static int lock(void *mutex)
{
    return nido_mutex_lock(mutex);
}

static int unlock(void *mutex)
{
    return nido_mutex_unlock(mutex);
}

static int write_lock(void *rwlock)
{
    return nido_rwlock_write_lock(rwlock);
}

static int write_unlock(void *rwlock)
{
    return nido_rwlock_write_unlock(rwlock);
}

SYNC_TEST(ring, of_two_mutexes_both_and_both_owners_are_named)
{
    static const char *const names[] = {"\"left\"", "\"right\"", "\"Anna\"", "\"Bert\""};
    nido_mutex left, right;
    struct owner owners[] = {{"Anna", lock, unlock, &left, &right, 1, ""},
                             {"Bert", lock, unlock, &right, &left, 1, ""}};

    nido_mutex_init(&left, "left");
    nido_mutex_init(&right, "right");
    let_want(group, owners, 2);
    expect_named(owners[1].text, names, 4);
}

SYNC_TEST(ring, of_three_write_locks_all_are_named)
{
    static const char *const names[] = {"\"a\"",    "\"b\"",    "\"c\"",
                                        "\"Anna\"", "\"Bert\"", "\"Carl\""};
    nido_rwlock a, b, c;
    struct owner owners[] = {{"Anna", write_lock, write_unlock, &a, &b, 1, ""},
                             {"Bert", write_lock, write_unlock, &b, &c, 1, ""},
                             {"Carl", write_lock, write_unlock, &c, &a, 1, ""}};

    nido_rwlock_init(&a, "a");
    nido_rwlock_init(&b, "b");
    nido_rwlock_init(&c, "c");
    let_want(group, owners, 3);
    expect_named(owners[2].text, names, 6);
}

static int lock_what_the_closer_has(void *arg)
{
    struct owner *owner = arg;

    nido_set_name("child");
    owner->rc = nido_mutex_lock(owner->wanted);
    snprintf(owner->text, sizeof owner->text, "%s", nido_error_text(nido_error_last()));
    return 0;
}

SYNC_TEST(ring, through_the_close_of_a_group_it_is_named_with_the_group)
{
    static const char *const names[] = {"\"family\"", "\"child\"", "\"held\""};
    nido_mutex held;
    nido_group family;
    struct owner child = {.wanted = &held};

    (void)group;
    nido_mutex_init(&held, "held");
    cr_expect(zero(int, nido_mutex_lock(&held)));
    nido_group_open(&family, NIDO_FAIL_FAST, "family");
    cr_expect(zero(int, nido_spawn(&family, lock_what_the_closer_has, &child)));
    cr_expect(zero(int, nido_group_close(&family, 0)));
    cr_expect(eq(int, child.rc, -EDEADLK));
    expect_named(child.text, names, 3);
    cr_expect(zero(int, nido_mutex_unlock(&held)));
}

static int join(void *task)
{
    return nido_join(*(nido_task *)task, NULL);
}

SYNC_TEST(ring, of_joins_names_the_tasks)
{
    struct call call;
    nido_task self = nido_self();
    char id[32];

    call_make(group, &call, join, &self);
    cr_expect(eq(int, nido_join(call.task, NULL), -EDEADLK));
    snprintf(id, sizeof id, "end of task #%llu", (unsigned long long)call.task.id);
    cr_expect(ne(ptr, (void *)strstr(nido_error_text(nido_error_last()), id), NULL));
    call_cancel(&call);
    let_run(); /* it writes into `call` at its end */
}
