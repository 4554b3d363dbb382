/* SPDX-License-Identifier: MIT */
/* A select that has to wait gives each of its arms its turn, as one that need not wait does. */
#include "inside_help.h"

enum { ROUNDS = 3000, MOST = 5 };

struct scene {
    void *object;
    void (*make)(nido_arm *arm, void *object, int number);
    void (*serve)(void *object);
    int n;
    unsigned flags;
    int done[MOST];
};

/* Nothing is ready when the select begins: it parks, and then the object is served once. */
static int choose(void *arg)
{
    struct scene *scene = arg;
    nido_arm arms[MOST];
    int index;

    for (int i = 0; i < scene->n; i++) scene->make(&arms[i], scene->object, i);
    index = nido_select(arms, (size_t)scene->n, scene->flags);
    cr_assert(ge(int, index, 0));
    scene->done[index]++;
    return 0;
}

static void play(struct scene *scene)
{
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        nido_task task = begin_kept(&group, choose, scene);

        cr_expect(zero(int, nido_yield()));
        if (scene->serve) scene->serve(scene->object);
        cr_expect(zero(int, nido_join(task, NULL)));
        cr_expect(zero(int, nido_task_forget(task)));
    }
    cr_expect(zero(int, nido_group_close(&group, 0)));
}

static void expect_equal_turns(struct scene *scene)
{
    for (scene->n = 2; scene->n <= MOST; scene->n++) {
        for (int i = 0; i < MOST; i++) scene->done[i] = 0;
        play(scene);
        for (int i = 0; i < scene->n; i++) {
            cr_expect(ge(int, scene->done[i], ROUNDS / scene->n * 8 / 10), "arm %d of %d", i,
                      scene->n);
            cr_expect(le(int, scene->done[i], ROUNDS / scene->n * 12 / 10), "arm %d of %d", i,
                      scene->n);
        }
    }
}

static int item;

static void make_send(nido_arm *arm, void *chan, int number)
{
    (void)number;
    nido_arm_send(arm, chan, &item);
}

static void receive(void *chan)
{
    int got;

    cr_expect(zero(int, nido_chan_recv(chan, &got)));
}

INSIDE(select_fair, equal_senders_are_served_equally_often_after_a_wait)
{
    struct scene scene = {.make = make_send, .serve = receive};
    nido_chan *chan;

    cr_assert(zero(int, nido_chan_new(sizeof(int), 0, NULL, NULL, &chan)));
    scene.object = chan;
    expect_equal_turns(&scene);
    nido_chan_free(chan);
}

static void make_recv(nido_arm *arm, void *chan, int number)
{
    static int got[MOST];

    nido_arm_recv(arm, chan, &got[number]);
}

static void send_one(void *chan)
{
    cr_expect(zero(int, nido_chan_send(chan, &item)));
}

INSIDE(select_fair, equal_receivers_are_served_equally_often_after_a_wait)
{
    struct scene scene = {.make = make_recv, .serve = send_one};
    nido_chan *chan;

    cr_assert(zero(int, nido_chan_new(sizeof(int), 1, NULL, NULL, &chan)));
    scene.object = chan;
    expect_equal_turns(&scene);
    nido_chan_free(chan);
}

static void make_acquire(nido_arm *arm, void *sem, int number)
{
    (void)number;
    nido_arm_sem(arm, sem);
}

static void release(void *sem)
{
    cr_expect(zero(int, nido_sem_release(sem)));
}

INSIDE(select_fair, equal_permits_are_taken_equally_often_after_a_wait)
{
    struct scene scene = {.make = make_acquire, .serve = release};
    nido_sem sem;

    cr_assert(zero(int, nido_sem_init(&sem, 0, 1, NULL)));
    scene.object = &sem;
    expect_equal_turns(&scene);
}

static void make_instant(nido_arm *arm, void *unused, int number)
{
    (void)unused;
    (void)number;
    nido_arm_timer(arm, nido_after(NIDO_MS(1)));
}

INSIDE(select_fair, equal_instants_come_equally_often)
{
    struct scene scene = {.make = make_instant};

    expect_equal_turns(&scene);
}

INSIDE(select_fair, with_the_priority_flag_the_first_listed_is_first_in_line_too)
{
    struct scene scene = {.make = make_acquire, .serve = release, .n = 3, .flags = NIDO_PRIORITY};
    nido_sem sem;

    cr_assert(zero(int, nido_sem_init(&sem, 0, 1, NULL)));
    scene.object = &sem;
    play(&scene);
    cr_expect(eq(int, scene.done[0], ROUNDS));
}

/* Three arms that are ready at once: none is drawn more often because three is no power of two. */
INSIDE(select_fair, without_a_wait_each_arm_has_the_same_chance_whatever_their_number)
{
    struct scene scene = {.make = make_acquire};
    nido_sem sem;

    cr_assert(zero(int, nido_sem_init(&sem, MOST * MOST * ROUNDS, MOST * MOST * ROUNDS, NULL)));
    scene.object = &sem;
    expect_equal_turns(&scene);
}

static int note_turns(void *arg)
{
    struct scene *scene = arg;
    nido_sem sem;

    cr_assert(zero(int, nido_sem_init(&sem, 0, 1, NULL)));
    scene->object = &sem;
    play(scene);
    return 0;
}

NIDO_TEST(select_fair, the_same_seed_lines_up_in_the_same_order)
{
    struct scene first = {.make = make_acquire, .serve = release, .n = 3}, again = first;
    nido_options options = nido_test_virtual();

    options.seed = 4711;
    cr_expect(zero(int, nido_run(note_turns, &first, &options)));
    cr_expect(zero(int, nido_run(note_turns, &again, &options)));
    for (int i = 0; i < 3; i++) cr_expect(eq(int, first.done[i], again.done[i]));
}
