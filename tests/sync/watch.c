/* SPDX-License-Identifier: MIT */
/* Watches: the latest value, and each change of it at most once. */
#include <pthread.h>
#include <string.h>

#include "inside_help.h"

struct reader {
    nido_watch *watch;
    uint64_t seen;
    int value, rc;
    nido_task task;
};

static int waits(void *arg)
{
    struct reader *self = arg;

    self->rc = nido_watch_wait(self->watch, &self->value, &self->seen);
    return 0;
}

static void begin_reader(nido_group *group, nido_watch *watch, struct reader *reader, uint64_t seen)
{
    *reader = (struct reader){.watch = watch, .seen = seen, .value = -1, .rc = 1};
    reader->task = begin_kept(group, waits, reader);
    nido_yield();
}

static void set(nido_watch *watch, int value)
{
    cr_expect(eq(int, nido_watch_set(watch, &value), 0));
}

static void expect_wait(nido_watch *watch, uint64_t *seen, int value)
{
    int got = -1;

    cr_expect(eq(int, nido_watch_wait(watch, &got, seen), 0));
    cr_expect(eq(int, got, value));
}

/* S242 */
INSIDE(watch, a_reader_that_is_late_sees_the_last_value_and_one_change)
{
    int value = 5, got = -1;
    uint64_t seen = 0, first;
    struct reader reader;
    nido_watch watch;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_watch_init(&watch, &value, sizeof value, NULL), 0));
    expect_wait(&watch, &seen, 5);
    first = seen;
    begin_reader(&group, &watch, &reader, seen);
    for (int i = 1; i <= 100; i++) set(&watch, i);
    expect_wait(&watch, &seen, 100); /* one that did not wait */
    nido_yield();
    cr_expect(eq(int, reader.value, 100));
    cr_expect(eq(u64, reader.seen, first + 100));
    begin_reader(&group, &watch, &reader, seen);
    cr_expect(eq(int, reader.rc, 1), "there was one change");
    cr_expect(eq(int, nido_watch_get(&watch, &got, NULL), 0));
    cr_expect(eq(int, got, 100));
    set(&watch, 101);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, reader.value, 101));
    cr_expect(eq(int, nido_watch_deinit(&watch), 0));
}

INSIDE(watch, everybody_who_waits_is_told)
{
    int value = 0;
    struct reader readers[4];
    nido_watch watch;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    nido_watch_init(&watch, &value, sizeof value, NULL);
    for (int i = 0; i < 4; i++) begin_reader(&group, &watch, &readers[i], 1);
    set(&watch, 7);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    for (int i = 0; i < 4; i++) cr_expect(eq(int, readers[i].value, 7));
    nido_watch_deinit(&watch);
}

INSIDE(watch, a_cancel_before_the_change_sees_nothing_and_after_it_comes_too_late)
{
    int value = 0;
    struct reader early, late;
    nido_watch watch;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    nido_watch_init(&watch, &value, sizeof value, NULL);
    begin_reader(&group, &watch, &early, 1);
    begin_reader(&group, &watch, &late, 1);
    nido_task_cancel(early.task, 0, NULL);
    set(&watch, 1);
    nido_task_cancel(late.task, 0, NULL);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, early.rc, -ECANCELED));
    cr_expect(eq(int, early.value, -1));
    cr_expect(eq(u64, early.seen, 1));
    cr_expect(eq(int, late.rc, 0));
    cr_expect(eq(int, late.value, 1));
    nido_watch_deinit(&watch);
}

INSIDE(watch, after_the_close_there_is_the_last_value_and_no_change)
{
    int value = 0, got = -1;
    uint64_t seen = 0;
    struct reader parked;
    nido_watch watch;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    nido_watch_init(&watch, &value, sizeof value, NULL);
    set(&watch, 3);
    begin_reader(&group, &watch, &parked, 2);
    for (int i = 0; i < 2; i++) cr_expect(eq(int, nido_watch_close(&watch), 0));
    cr_expect(eq(int, nido_watch_set(&watch, &got), -EPIPE));
    expect_wait(&watch, &seen, 3);
    cr_expect(eq(int, nido_watch_wait(&watch, &got, &seen), -EPIPE));
    cr_expect(eq(int, nido_watch_get(&watch, &got, &seen), 0));
    cr_expect(eq(int, got, 3));
    cr_expect(eq(u64, seen, 2));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, parked.rc, -EPIPE));
    nido_watch_deinit(&watch);
}

INSIDE(watch, who_was_told_before_the_end_has_the_last_value_though_the_watch_is_gone)
{
    int value = 0;
    struct reader told, parked;
    nido_watch watch;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    nido_watch_init(&watch, &value, sizeof value, NULL);
    begin_reader(&group, &watch, &told, 1);
    set(&watch, 1);
    begin_reader(&group, &watch, &parked, 2);
    cr_expect(eq(int, told.value, 1));
    begin_reader(&group, &watch, &told, 2);
    set(&watch, 2);
    set(&watch, 3);
    cr_expect(eq(int, nido_watch_deinit(&watch), 0));
    memset(&watch, 0xee, sizeof watch);
    value = -7;
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, told.value, 3));
    cr_expect(eq(u64, told.seen, 4));
    cr_expect(eq(int, parked.value, 3));
}

static int use_elsewhere(void *watch)
{
    uint64_t seen = 0;
    int item = 0;

    cr_expect(eq(int, nido_watch_set(watch, &item), -EXDEV));
    cr_expect(eq(int, nido_watch_get(watch, &item, &seen), -EXDEV));
    cr_expect(eq(int, nido_watch_wait(watch, &item, &seen), -EXDEV));
    cr_expect(eq(int, nido_watch_close(watch), -EXDEV));
    cr_expect(eq(int, nido_watch_deinit(watch), -EXDEV));
    return 0;
}

static void *meddle(void *watch)
{
    uint64_t seen = 0;
    int item = 0;

    cr_expect(eq(int, nido_watch_set(watch, &item), -EPERM));
    cr_expect(eq(int, nido_watch_wait(watch, &item, &seen), -EPERM));
    cr_expect(eq(int, nido_test_run(use_elsewhere, watch), 0));
    return NULL;
}

INSIDE(watch, one_that_is_waited_for_belongs_to_its_thread)
{
    int value = 0;
    struct reader reader;
    nido_watch watch;
    pthread_t thread;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    nido_watch_init(&watch, &value, sizeof value, NULL);
    begin_reader(&group, &watch, &reader, 1);
    cr_expect(eq(int, pthread_create(&thread, NULL, meddle, &watch), 0));
    pthread_join(thread, NULL);
    set(&watch, 1);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, reader.value, 1));
    nido_watch_deinit(&watch);
}

NIDO_TEST(watch, without_waiters_it_needs_no_runtime)
{
    int value = 1, got = 0;
    nido_watch watch;

    cr_expect(eq(int, nido_watch_init(&watch, NULL, 4, NULL), -EINVAL));
    cr_expect(eq(int, nido_watch_init(&watch, &value, 0, NULL), -EINVAL));
    cr_expect(eq(int, nido_watch_init(&watch, &value, sizeof value, "setting"), 0));
    set(&watch, 2);
    cr_expect(eq(int, nido_watch_get(&watch, &got, NULL), 0));
    cr_expect(eq(int, got, 2));
    cr_expect(eq(int, nido_watch_deinit(&watch), 0));
}

static void keep(void *ctx, const char *text)
{
    strncat(ctx, text, 4095);
}

static int waits_in_vain(void *unused)
{
    uint64_t seen = 1;
    nido_watch watch;
    int value = 0;

    (void)unused;
    nido_watch_init(&watch, &value, sizeof value, "setting");
    return nido_watch_wait(&watch, &value, &seen);
}

NIDO_TEST(watch, the_deadlock_report_names_it)
{
    char text[4096] = "";
    nido_options options = nido_test_virtual();

    options.on_report = keep;
    options.ctx = text;
    cr_expect(eq(int, nido_run(waits_in_vain, NULL, &options), -EDEADLK));
    cr_expect(ne(ptr, strstr(text, "waits for a change of watch \"setting\""), NULL), "%s", text);
}
