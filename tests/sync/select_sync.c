/* SPDX-License-Identifier: MIT */
/* Select over semaphores, reservations, events and the ends of tasks. */
#include "chan_help.h"

/* ---- Semaphores ---- */

static int acquires_two(void *sem)
{
    return nido_sem_acquire_n(sem, 2);
}

static int selects_two_permits(void *arg)
{
    nido_arm *arms = arg;

    return nido_select(arms, 2, 0);
}

INSIDE(select_sync, one_permit_is_taken_by_one_arm)
{
    nido_sem sems[2];
    nido_arm arms[2];

    for (int i = 0; i < 2; i++) {
        nido_sem_init(&sems[i], 1, 2, NULL);
        nido_arm_sem(&arms[i], &sems[i]);
    }
    for (int i = 1; i >= 0; i--) {
        int index = nido_select(arms, 2, 0);

        cr_assert(ge(int, index, 0));
        cr_expect(eq(int, arms[index].status, 0));
        cr_expect(eq(u32, nido_sem_count(&sems[0]) + nido_sem_count(&sems[1]), (uint32_t)i));
    }
    cr_expect(eq(int, nido_select(arms, 2, NIDO_POLL), -EAGAIN));
    nido_sem_close(&sems[1]);
    cr_expect(eq(int, nido_select(arms, 2, 0), 1));
    cr_expect(eq(int, arms[1].status, -ESHUTDOWN));
}

/* A select that leaves the head of a line lets those behind it in; both of its arms are out by then. */
INSIDE(select_sync, leaving_a_semaphores_line_lets_the_next_ones_in)
{
    nido_sem wide, other;
    nido_task behind, chooser;
    nido_arm arms[2];
    nido_group group;

    nido_sem_init(&wide, 0, 4, NULL);
    nido_sem_init(&other, 0, 4, NULL);
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    for (int cancelled = 0; cancelled < 2; cancelled++) {
        for (int i = 0; i < 2; i++) nido_arm_sem(&arms[i], i ? &other : &wide);
        arms[0].node.n = 3; /* more than there will be */
        chooser = begin_kept(&group, selects_two_permits, arms);
        nido_yield();
        behind = begin_kept(&group, acquires_two, &wide);
        nido_yield();
        cr_expect(eq(int, nido_sem_release_n(&wide, 2), 0));
        nido_yield();
        cr_expect(eq(int, nido_try_join(behind, NULL), -EAGAIN), "nobody overtakes");
        if (cancelled)
            nido_task_cancel(chooser, 0, NULL);
        else
            nido_sem_release(&other);
        cr_expect(eq(int, nido_join(behind, NULL), 0));
        cr_expect(eq(int, nido_join(chooser, &arms[1].result), 0));
        cr_expect(eq(int, arms[1].result, cancelled ? 0 : 1));
        cr_expect(eq(u32, nido_sem_count(&wide), 0));
        cr_expect(eq(u32, nido_sem_count(&other), 0));
    }
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
}

INSIDE(select_sync, two_arms_of_one_semaphore_take_one_permit)
{
    nido_sem sem;
    nido_task chooser;
    nido_arm arms[2];
    nido_group group;

    nido_sem_init(&sem, 0, 4, NULL);
    for (int i = 0; i < 2; i++) nido_arm_sem(&arms[i], &sem);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    chooser = begin_kept(&group, selects_two_permits, arms);
    nido_yield();
    cr_expect(eq(int, nido_sem_release_n(&sem, 2), 0));
    cr_expect(eq(int, nido_join(chooser, NULL), 0));
    cr_expect(eq(u32, nido_sem_count(&sem), 1));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
}

struct three {
    nido_arm arms[3];
    int index;
};

static int selects_one_of_three(void *arg)
{
    struct three *self = arg;

    self->index = nido_select(self->arms, 3, NIDO_PRIORITY); /* they line up in this order */
    return 0;
}

INSIDE(select_sync, leaving_a_line_does_not_let_the_same_select_in_again)
{
    struct three self;
    nido_sem sem;
    nido_event event;
    nido_group group;

    nido_sem_init(&sem, 0, 4, NULL);
    nido_event_init(&event, NULL);
    nido_arm_sem(&self.arms[0], &sem);
    nido_arm_sem(&self.arms[1], &sem);
    nido_arm_event(&self.arms[2], &event);
    self.arms[0].node.n = 3;
    self.arms[1].node.n = 2; /* enough for this one, but it stands behind the other */
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, selects_one_of_three, &self);
    nido_yield();
    cr_expect(eq(int, nido_sem_release_n(&sem, 2), 0));
    cr_expect(eq(int, nido_event_set(&event), 0));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, self.index, 2));
    cr_expect(eq(u32, nido_sem_count(&sem), 2));
}

/* ---- Reservations and events ---- */

INSIDE(select_sync, a_reserve_arm_holds_a_place)
{
    nido_chan *chan = new_chan(1), *direct = new_chan(0);
    int item = 6, got;
    nido_arm arms[2];

    nido_arm_reserve(&arms[0], chan);
    nido_arm_recv(&arms[1], direct, &got);
    cr_expect(eq(int, nido_select(arms, 2, 0), 0));
    cr_expect(eq(int, nido_select(arms, 2, NIDO_POLL), -EAGAIN));
    expect_try_send(chan, 1, -EAGAIN);
    cr_expect(eq(int, nido_chan_commit(chan, &item), 0));
    expect_recv(chan, 6);
    nido_arm_reserve(&arms[0], direct);
    cr_expect(eq(int, nido_select(arms, 2, 0), 0));
    cr_expect(eq(int, arms[0].status, -EINVAL));
    nido_chan_free(chan);
    nido_chan_free(direct);
}

static int set_soon(void *event)
{
    nido_sleep(10);
    return nido_event_set(event);
}

INSIDE(select_sync, an_event_that_is_or_becomes_set)
{
    nido_event events[2];
    nido_group group;
    nido_arm arms[2];

    for (int i = 0; i < 2; i++) {
        nido_event_init(&events[i], NULL);
        nido_arm_event(&arms[i], &events[i]);
    }
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_select(arms, 2, NIDO_POLL), -EAGAIN));
    begin(&group, set_soon, &events[1]);
    for (int i = 0; i < 3; i++) {
        cr_expect(eq(int, nido_select(arms, 2, 0), 1), "a set event stays so");
        cr_expect(eq(int, arms[1].status, 0));
    }
    cr_expect(eq(int, nido_event_deinit(&events[0]), 0), "nobody waits there any more");
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
}

/* ---- Tasks ---- */

static int ends_with(void *rc)
{
    nido_sleep(10);
    return (int)(intptr_t)rc;
}

INSIDE(select_sync, the_end_of_a_task_and_its_result)
{
    nido_task slow, quick;
    nido_group group;
    nido_arm arms[2];

    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    quick = begin_kept(&group, ends_with, (void *)5);
    nido_sleep(5);
    slow = begin_kept(&group, ends_with, (void *)(intptr_t)-EIO);
    nido_arm_join(&arms[0], slow);
    nido_arm_join(&arms[1], quick);
    cr_expect(eq(int, nido_select(arms, 2, 0), 1));
    cr_expect(eq(int, arms[1].status, 0));
    cr_expect(eq(int, arms[1].result, 5));
    cr_expect(eq(int, arms[0].result, 0), "only the winner's memory is written");
    cr_expect(eq(int, nido_select(arms, 1, 0), 0));
    cr_expect(eq(int, arms[0].status, 0));
    cr_expect(eq(int, arms[0].result, -EIO));
    cr_expect(eq(int, nido_select(arms + 1, 1, 0), 0), "it has ended already");
    cr_expect(eq(int, arms[1].result, 5));
    cr_expect(eq(int, nido_task_forget(quick), 0));
    cr_expect(eq(int, nido_select(arms + 1, 1, 0), 0));
    cr_expect(eq(int, arms[1].status, -ESRCH));
    nido_arm_join(&arms[0], nido_self());
    cr_expect(eq(int, nido_select(arms, 1, 0), 0));
    cr_expect(eq(int, arms[0].status, -EDEADLK));
    cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
}
