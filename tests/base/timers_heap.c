/* SPDX-License-Identifier: MIT */
/* base/timers.h alone: its three laws, and a random run beside a plain sorted array. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/timers.h"
#include "faults.h"
#include "nido_test.h"
#include "seeded.h"

enum { MANY = 300 };

static void begin(struct nidoi_timers *timers, size_t n)
{
    nidoi_timers_init(timers);
    cr_assert(eq(int, nidoi_timers_reserve(timers, n), 0));
}

/* Takes the earliest out and says which of `all` it was; -1 if there is none. */
static int pop(struct nidoi_timers *timers, const struct nidoi_timer *all)
{
    struct nidoi_timer *top = nidoi_timers_top(timers);

    if (!top) return -1;
    nidoi_timers_remove(timers, top);
    return (int)(top - all);
}

NIDO_TEST(timers_heap, an_empty_heap_has_no_top)
{
    struct nidoi_timers timers;

    nidoi_timers_init(&timers);
    cr_expect(eq(ptr, nidoi_timers_top(&timers), NULL));
    cr_expect(nidoi_timers_check(&timers));
    nidoi_timers_deinit(&timers);
}

NIDO_TEST(timers_heap, instants_come_out_in_order)
{
    static const int64_t when[] = {5, 1, INT64_MAX, 3, INT64_MIN, 4, 2};
    static const int order[] = {4, 1, 6, 3, 5, 0, 2};
    struct nidoi_timers timers;
    struct nidoi_timer all[7] = {0};

    begin(&timers, 7);
    for (int i = 0; i < 7; i++) nidoi_timers_set(&timers, &all[i], when[i]);
    for (int i = 0; i < 7; i++) cr_expect(eq(int, pop(&timers, all), order[i]));
    cr_expect(eq(int, pop(&timers, all), -1));
    nidoi_timers_deinit(&timers);
}

NIDO_TEST(timers_heap, all_that_are_due_are_taken_in_order_and_no_others)
{
    static const int64_t when[] = {5, 1, 9, 3, 3, 6, 2};
    static const int order[] = {1, 6, 3, 4, 0};
    struct nidoi_timers timers;
    struct nidoi_timer all[7] = {0}, *due;

    begin(&timers, 7);
    for (int i = 0; i < 7; i++) nidoi_timers_set(&timers, &all[i], when[i]);
    cr_expect(eq(ptr, nidoi_timers_take(&timers, 0, 9), NULL));
    due = nidoi_timers_take(&timers, 5, 9);
    for (int i = 0; i < 5; i++, due = due->next) {
        cr_assert(ne(ptr, due, NULL));
        cr_expect(eq(int, (int)(due - all), order[i]));
        cr_expect(not(nidoi_timer_is_set(due)));
    }
    cr_expect(eq(ptr, due, NULL));
    cr_expect(eq(int, pop(&timers, all), 5));
    cr_expect(eq(int, pop(&timers, all), 2));
    nidoi_timers_deinit(&timers);
}

NIDO_TEST(timers_heap, equal_instants_come_out_in_the_order_in_which_they_were_set)
{
    struct nidoi_timers timers;
    struct nidoi_timer all[MANY] = {0};

    begin(&timers, MANY);
    for (int i = 0; i < MANY; i++) nidoi_timers_set(&timers, &all[i], 7);
    for (int i = 0; i < MANY; i++) cr_expect(eq(int, pop(&timers, all), i));
    nidoi_timers_deinit(&timers);
}

NIDO_TEST(timers_heap, what_is_due_is_taken_piece_by_piece)
{
    struct nidoi_timers timers;
    struct nidoi_timer all[MANY] = {0};
    int taken = 0;

    begin(&timers, MANY);
    for (int i = 0; i < MANY; i++) nidoi_timers_set(&timers, &all[i], i / 2);
    while (timers.count > MANY / 2) {
        struct nidoi_timer *first = nidoi_timers_take(&timers, MANY / 4 - 1, 40);
        int piece = 0;

        for (; first; first = first->next, piece++) cr_expect(eq(int, (int)(first - all), taken++));
        cr_expect(le(int, piece, 40));
    }
    cr_expect(eq(int, taken, MANY / 2));
    cr_expect(eq(ptr, nidoi_timers_take(&timers, MANY / 4 - 1, 40), NULL));
    nidoi_timers_deinit(&timers);
}

NIDO_TEST(timers_heap, setting_a_timer_again_puts_it_behind_its_equals)
{
    struct nidoi_timers timers;
    struct nidoi_timer all[3] = {0};

    begin(&timers, 3);
    for (int i = 0; i < 3; i++) nidoi_timers_set(&timers, &all[i], 7);
    nidoi_timers_set(&timers, &all[0], 7);
    cr_expect(eq(int, pop(&timers, all), 1));
    cr_expect(eq(int, pop(&timers, all), 2));
    cr_expect(eq(int, pop(&timers, all), 0));
    nidoi_timers_deinit(&timers);
}

NIDO_TEST(timers_heap, a_timer_is_set_from_its_setting_to_its_removal)
{
    struct nidoi_timers timers;
    struct nidoi_timer timer = {0};

    begin(&timers, 1);
    cr_expect(not(nidoi_timer_is_set(&timer)));
    nidoi_timers_set(&timers, &timer, 7);
    cr_expect(nidoi_timer_is_set(&timer));
    nidoi_timers_remove(&timers, &timer);
    cr_expect(not(nidoi_timer_is_set(&timer)));
    nidoi_timers_remove(&timers, &timer);
    cr_expect(eq(sz, timers.count, 0));
    nidoi_timers_deinit(&timers);
}

NIDO_TEST(timers_heap, setting_never_allocates_what_was_reserved)
{
    struct nidoi_timers timers;
    struct nidoi_timer all[MANY] = {0};

    begin(&timers, MANY);
    faults_begin();
    faults_fail(FAULT_memory, FAULT_ALWAYS, 0);
    for (int i = 0; i < MANY; i++) nidoi_timers_set(&timers, &all[i], MANY - i);
    faults_end();
    cr_expect(eq(int, pop(&timers, all), MANY - 1));
    nidoi_timers_deinit(&timers);
}

NIDO_TEST(timers_heap, a_reserve_without_memory_changes_nothing)
{
    struct nidoi_timers timers;
    struct nidoi_timer all[2] = {0};

    begin(&timers, 2);
    nidoi_timers_set(&timers, &all[0], 2);
    nidoi_timers_set(&timers, &all[1], 1);
    faults_begin();
    faults_fail(FAULT_memory, FAULT_ALWAYS, 0);
    cr_expect(eq(int, nidoi_timers_reserve(&timers, 100000), -ENOMEM));
    faults_end();
    cr_expect(eq(int, pop(&timers, all), 1));
    cr_expect(eq(int, pop(&timers, all), 0));
    nidoi_timers_deinit(&timers);
}

Test(timers_heap, setting_more_than_was_reserved_aborts, .signal = SIGABRT)
{
    struct nidoi_timers timers;
    struct nidoi_timer all[1000] = {0};

    begin(&timers, 1);
    for (int i = 0; i < 1000; i++) nidoi_timers_set(&timers, &all[i], i);
}

/* ---- Beside a model ---- */

/* The numbers of the timers that are set, sorted by instant, equals by the order of setting. */
struct model {
    int64_t when[MANY];
    int number[MANY];
    int count;
};

static void model_remove(struct model *model, int number)
{
    for (int i = 0; i < model->count; i++) {
        if (model->number[i] != number) continue;
        model->count--;
        memmove(&model->when[i], &model->when[i + 1], (MANY - i - 1) * sizeof model->when[0]);
        memmove(&model->number[i], &model->number[i + 1], (MANY - i - 1) * sizeof(int));
        return;
    }
}

static void model_set(struct model *model, int number, int64_t when)
{
    int at;

    model_remove(model, number);
    for (at = model->count++; at > 0 && model->when[at - 1] > when; at--) {
        model->when[at] = model->when[at - 1];
        model->number[at] = model->number[at - 1];
    }
    model->when[at] = when;
    model->number[at] = number;
}

static bool agree(const struct nidoi_timers *timers, const struct nidoi_timer *all,
                  const struct model *model)
{
    const struct nidoi_timer *top = nidoi_timers_top(timers);

    if (timers->count != (size_t)model->count || !nidoi_timers_check(timers)) return false;
    if (!top) return model->count == 0;
    return top == &all[model->number[0]] && top->when == model->when[0];
}

/* One random change on both sides; few different instants, so that there are many equals. */
static void change(struct nidoi_timers *timers, struct nidoi_timer *all, struct model *model,
                   struct seeded *seeded)
{
    int number = (int)seeded_below(seeded, MANY);
    int64_t when = (int64_t)seeded_below(seeded, 40) - 20;

    switch (seeded_below(seeded, 4)) {
    case 0:
        nidoi_timers_remove(timers, &all[number]);
        model_remove(model, number);
        break;
    case 1:
        model_remove(model, pop(timers, all));
        break;
    default:
        nidoi_timers_set(timers, &all[number], when);
        model_set(model, number, when);
    }
}

NIDO_TEST(timers_heap, random_changes_agree_with_a_sorted_array)
{
    for (unsigned seed = 1; seed <= 20; seed++) {
        struct seeded seeded = {seed};
        struct nidoi_timers timers;
        struct nidoi_timer all[MANY] = {0};
        struct model model = {.count = 0};
        int step = 0;

        begin(&timers, MANY);
        do change(&timers, all, &model, &seeded);
        while (agree(&timers, all, &model) && ++step < 5000);
        cr_expect(eq(int, step, 5000), "seed %u", seed);
        nidoi_timers_deinit(&timers);
    }
}
