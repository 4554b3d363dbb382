/* SPDX-License-Identifier: MIT */
#include "sync_help.h"

/* A borrower: the limiter and its token, which outlives the task. */
struct borrower {
    nido_limiter *limiter;
    nido_limiter_token token;
};

static int acquire(void *arg)
{
    struct borrower *borrower = arg;

    return nido_limiter_acquire(borrower->limiter, &borrower->token);
}

static int try_acquire(void *arg)
{
    struct borrower *borrower = arg;

    return nido_limiter_try_acquire(borrower->limiter, &borrower->token);
}

static int release(void *arg)
{
    struct borrower *borrower = arg;

    return nido_limiter_release(borrower->limiter, &borrower->token);
}

static int grow(void *arg)
{
    struct borrower *borrower = arg;

    return nido_limiter_resize(borrower->limiter, 9);
}

enum { MANY = 4 };

/* A limiter and the tasks that borrow from it, in order. */
struct scene {
    nido_limiter limiter;
    struct borrower borrowers[MANY];
    struct holder holders[MANY];
};

static void scene_make(nido_group *group, struct scene *scene, uint32_t capacity, int n)
{
    *scene = (struct scene){0};
    cr_expect(eq(int, nido_limiter_init(&scene->limiter, capacity, "desks"), 0));
    for (int i = 0; i < n; i++) {
        scene->borrowers[i].limiter = &scene->limiter;
        holder_make(group, &scene->holders[i], &scene->borrowers[i], acquire, release);
    }
}

SYNC_TEST(limiter, so_many_at_once_in_the_order_of_asking)
{
    struct scene scene;

    scene_make(group, &scene, 2, 4);
    cr_expect(eq(int, scene.holders[0].rc, 0));
    cr_expect(eq(int, scene.holders[1].rc, 0));
    cr_expect(eq(int, scene.holders[2].rc, WAITING));
    holder_go(&scene.holders[1]);
    cr_expect(eq(int, scene.holders[1].gave, 0));
    cr_expect(eq(int, scene.holders[2].rc, 0));
    cr_expect(eq(int, scene.holders[3].rc, WAITING));
    cr_expect(eq(int, nido_limiter_deinit(&scene.limiter), -EBUSY));
    holder_go(&scene.holders[0]);
    cr_expect(eq(int, scene.holders[3].rc, 0));
    holder_go(&scene.holders[2]);
    holder_go(&scene.holders[3]);
    cr_expect(eq(int, nido_limiter_deinit(&scene.limiter), 0));
}

/* S202 */
SYNC_TEST(limiter, shrunk_below_its_use_it_lends_when_enough_came_back)
{
    struct scene scene;

    scene_make(group, &scene, 2, 3);
    cr_expect(eq(int, nido_limiter_resize(&scene.limiter, 1), 0));
    holder_go(&scene.holders[0]);
    cr_expect(eq(int, scene.holders[2].rc, WAITING));
    holder_go(&scene.holders[1]);
    cr_expect(eq(int, scene.holders[2].rc, 0));
    holder_go(&scene.holders[2]);
}

/* S203 */
SYNC_TEST(limiter, grown_it_lends_at_once)
{
    struct scene scene;

    scene_make(group, &scene, 1, 3);
    cr_expect(eq(int, scene.holders[1].rc, WAITING));
    cr_expect(eq(int, nido_limiter_resize(&scene.limiter, 3), 0));
    let_run();
    cr_expect(eq(int, scene.holders[1].rc, 0));
    cr_expect(eq(int, scene.holders[2].rc, 0));
    for (int i = 0; i < 3; i++) holder_go(&scene.holders[i]);
}

SYNC_TEST(limiter, a_task_borrows_once)
{
    nido_limiter limiter, other;
    nido_limiter_token first = {0}, second = {0};

    nido_limiter_init(&limiter, 3, "desks");
    nido_limiter_init(&other, 3, "chairs");
    cr_expect(eq(int, nido_limiter_acquire(&limiter, &first), 0));
    cr_expect(eq(int, nido_limiter_acquire(&limiter, &second), -EDEADLK));
    cr_expect(ne(ptr,
                 strstr(nido_error_text(nido_error_last()), "the task has a permit of limiter \""),
                 NULL));
    cr_expect(eq(int, nido_limiter_try_acquire(&limiter, &second), -EDEADLK));
    cr_expect(eq(int, nido_limiter_acquire(&other, &first), -EBUSY));
    cr_expect(eq(int, nido_limiter_acquire(&other, &second), 0));
    cr_expect(eq(int, nido_limiter_release(&other, &first), -EPERM));
    cr_expect(eq(int, nido_limiter_release(&other, &second), 0));
    cr_expect(eq(int, nido_limiter_release(&other, &second), -EPERM));
    cr_expect(eq(int, nido_limiter_release(&limiter, &first), 0));
    cr_expect(eq(int, nido_limiter_deinit(&limiter), 0));
}

SYNC_TEST(limiter, only_the_borrower_gives_back)
{
    struct scene scene;

    scene_make(group, &scene, 1, 1);
    cr_expect(eq(int, release(&scene.borrowers[0]), -EPERM));
    holder_go(&scene.holders[0]);
    cr_expect(eq(int, scene.holders[0].gave, 0));
}

SYNC_TEST(limiter, a_borrower_that_ends_gives_back)
{
    struct scene scene;

    scene_make(group, &scene, 1, 2);
    scene.holders[0].give = NULL;
    holder_go(&scene.holders[0]);
    cr_expect(eq(int, scene.holders[1].rc, 0));
    holder_go(&scene.holders[1]);
    cr_expect(eq(int, nido_limiter_deinit(&scene.limiter), 0));
}

SYNC_TEST(limiter, try_does_not_wait)
{
    struct borrower borrower = {0};
    struct scene scene;

    scene_make(group, &scene, 1, 1);
    borrower.limiter = &scene.limiter;
    cr_expect(eq(int, try_acquire(&borrower), -EAGAIN));
    holder_go(&scene.holders[0]);
    cr_expect(eq(int, try_acquire(&borrower), 0));
    cr_expect(eq(int, release(&borrower), 0));
}

SYNC_TEST(limiter, a_cancelled_waiter_borrows_nothing_and_leaves_no_hole)
{
    struct scene scene;
    struct borrower gone = {.limiter = &scene.limiter};
    struct call call;

    scene_make(group, &scene, 1, 1);
    call_make(group, &call, acquire, &gone);
    scene.borrowers[1].limiter = &scene.limiter;
    holder_make(group, &scene.holders[1], &scene.borrowers[1], acquire, release);
    nido_event_set(&scene.holders[0].go);
    call_cancel(&call);
    let_run();
    cr_expect(eq(int, call.rc, -ECANCELED));
    cr_expect(eq(int, release(&gone), -EPERM));
    cr_expect(eq(int, scene.holders[1].rc, 0));
    holder_go(&scene.holders[1]);
}

SYNC_TEST(limiter, a_place_given_before_the_cancel_is_kept)
{
    struct scene scene;

    scene_make(group, &scene, 1, 2);
    nido_limiter_resize(&scene.limiter, 2);
    holder_cancel(&scene.holders[1]);
    let_run();
    cr_expect(eq(int, scene.holders[1].rc, 0));
    cr_expect(eq(int, scene.holders[1].next, -ECANCELED));
    holder_go(&scene.holders[1]);
    cr_expect(eq(int, scene.holders[1].gave, 0));
    holder_go(&scene.holders[0]);
}

SYNC_TEST(limiter, a_call_refused_at_its_entry_borrows_nothing)
{
    nido_limiter limiter;
    struct borrower borrower = {.limiter = &limiter};
    struct call call;

    nido_limiter_init(&limiter, 1, "desks");
    call_spawn(group, &call, acquire, &borrower);
    call_cancel(&call);
    let_run();
    cr_expect(eq(int, call.rc, -ECANCELED));
    cr_expect(eq(int, nido_limiter_deinit(&limiter), 0));
}

SYNC_TEST(limiter, paused_it_lends_nothing_until_it_has_places)
{
    nido_limiter limiter;
    struct borrower borrowers[2] = {{.limiter = &limiter}, {.limiter = &limiter}};
    struct call calls[2];

    cr_expect(eq(int, nido_limiter_init(&limiter, 0, "desks"), 0));
    for (int i = 0; i < 2; i++) call_make(group, &calls[i], acquire, &borrowers[i]);
    cr_expect(eq(int, calls[0].rc, WAITING));
    cr_expect(eq(int, nido_limiter_resize(&limiter, 1), 0));
    let_run();
    cr_expect(eq(int, calls[0].rc, 0));
    cr_expect(eq(int, calls[1].rc, 0), "the first borrower has ended");
    cr_expect(eq(int, nido_limiter_resize(&limiter, 0), 0));
    cr_expect(eq(int, nido_limiter_try_acquire(&limiter, &(nido_limiter_token){0}), -EAGAIN));
    cr_expect(eq(int, nido_limiter_deinit(&limiter), 0));
}

SYNC_TEST(limiter, another_thread_may_not_touch_one_in_use)
{
    struct scene scene;
    struct borrower stranger = {.limiter = &scene.limiter};

    scene_make(group, &scene, 1, 1);
    cr_expect(eq(int, in_other_runtime(acquire, &stranger), -EXDEV));
    cr_expect(eq(int, in_other_runtime(try_acquire, &stranger), -EXDEV));
    cr_expect(eq(int, in_other_runtime(release, &scene.borrowers[0]), -EXDEV));
    cr_expect(eq(int, in_other_runtime(grow, &stranger), -EXDEV));
    cr_expect(eq(int, on_plain_thread(acquire, &stranger), -EPERM));
    cr_expect(eq(int, on_plain_thread(try_acquire, &stranger), -EPERM));
    cr_expect(eq(int, on_plain_thread(release, &scene.borrowers[0]), -EPERM));
    cr_expect(eq(int, on_plain_thread(grow, &stranger), -EPERM));
    holder_go(&scene.holders[0]);
    cr_expect(eq(int, on_plain_thread(release, &scene.borrowers[0]), -EPERM));
}

static int wait_for_itself(void *limiter)
{
    nido_limiter_token token = {0};
    struct borrower borrower = {.limiter = limiter};
    nido_group group;
    struct call call;
    int rc;

    nido_limiter_acquire(limiter, &token);
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    call_spawn(&group, &call, acquire, &borrower);
    rc = nido_group_close(&group, 0);
    cr_expect(eq(int, call.rc, -ECANCELED));
    nido_limiter_release(limiter, &token);
    return rc;
}

NIDO_TEST(limiter, a_deadlock_names_it)
{
    char report[4096];
    nido_limiter limiter;

    nido_limiter_init(&limiter, 1, "desks");
    cr_expect(eq(int, run_for_report(wait_for_itself, &limiter, report), -EDEADLK));
    cr_expect(strstr(report, "waits for limiter \"desks\"") != NULL, "%s", report);
}
