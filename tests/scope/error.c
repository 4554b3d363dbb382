/* SPDX-License-Identifier: MIT */
/* Error objects: what they say, how they travel from a task to whoever closes its group, who is
 * told at the end. */
#include <string.h>

#include "coro/scope/error.h"
#include "group_help.h"

static int fail_named(void *unused)
{
    (void)unused;
    nido_set_name("reader");
    return nido_fail(-EIO, "disk %d", 3);
}

/* Is it an address in this function? Only small ones are asked about. */
static bool within(const void *place, int (*function)(void *))
{
    return (uintptr_t)place - (uintptr_t)function < 1024;
}

static __attribute__((noinline)) void read_the_error(nido_task task)
{
    const nido_error *error = nido_error_last();

    cr_expect(eq(int, nido_error_code(error), -EIO));
    cr_expect(eq(str, (char *)nido_error_text(error), "disk 3"));
    cr_expect(eq(str, (char *)nido_error_task_name(error), "reader"));
    cr_expect(eq(ulong, nido_error_task_id(error), task.id));
    cr_expect(eq(i64, nido_error_when(error), NIDO_SEC(2)));
}

static __attribute__((noinline)) void read_the_places(int (*spawner)(void *))
{
    const nido_error *error = nido_error_last();

    cr_expect(within(nido_error_spawn_place(error), spawner), "the spawn");
    cr_expect(within(nido_error_fail_place(error), fail_named), "the nido_fail");
}

static int spawn_a_failure(void *unused)
{
    nido_task task = {0};
    nido_group group;
    int rc;

    (void)unused;
    nido_sleep(NIDO_SEC(1));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    rc = nido_spawn_with(&group, fail_named, NULL, NULL, &task);
    rc = nido_group_close(&group, rc);
    read_the_error(task);
    read_the_places(spawn_a_failure);
    return rc == -EIO ? 0 : rc;
}

/* S65 */
NIDO_TEST(error, it_says_who_failed_how_and_where)
{
    cr_expect(zero(int, nido_test_run(spawn_a_failure, NULL)));
}

static int fail_bare(void *unused)
{
    const nido_error *error;
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, give, result(-EIO))));
    cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
    error = nido_error_last();
    cr_expect(eq(int, nido_error_code(error), -EIO));
    cr_expect(eq(str, (char *)nido_error_text(error), ""));
    cr_expect(zero(ptr, nido_error_fail_place(error)));
    cr_expect(ne(ptr, nido_error_spawn_place(error), NULL));
    cr_expect(zero(ptr, (void *)nido_error_cause(error)));
    cr_expect(zero(sz, nido_error_suppressed_count(error)));
    cr_expect(zero(ulong, nido_error_unlisted(error)));
    return 0;
}

/* S74 */
NIDO_TEST(error, one_failure_is_itself_even_without_words)
{
    cr_expect(zero(int, nido_test_run(fail_bare, NULL)));
}

static int fail_body_after_child(void *unused)
{
    const nido_error *error;
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, give, result(-EPERM))));
    cr_expect(eq(int, nido_yield(), -ECANCELED));
    cr_expect(eq(int, nido_group_close(&group, nido_fail(-EIO, "the body")), -EPERM));
    error = nido_error_last();
    cr_expect(eq(int, nido_error_code(error), -EPERM));
    cr_expect(eq(int, nido_error_code(nido_error_cause(error)), -EPERM));
    cr_expect(eq(sz, nido_error_suppressed_count(error), 1));
    cr_expect(eq(str, (char *)nido_error_text(nido_error_suppressed(error, 0)), "the body"));
    cr_expect(zero(ptr, (void *)nido_error_suppressed(error, 1)));
    return 0;
}

/* S19 */
NIDO_TEST(error, the_body_that_fails_second_is_suppressed)
{
    cr_expect(zero(int, nido_test_run(fail_body_after_child, NULL)));
}

static int two_in_a_batch(void *unused)
{
    const nido_error *error;
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, give, result(-EIO))));
    cr_expect(zero(int, nido_spawn(&group, give, result(-EPERM))));
    cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
    error = nido_error_last();
    cr_expect(eq(sz, nido_error_suppressed_count(error), 1));
    cr_expect(eq(int, nido_error_code(nido_error_suppressed(error, 0)), -EPERM));
    return 0;
}

/* S20 */
NIDO_TEST(error, of_two_failures_in_one_batch_the_first_counts)
{
    cr_expect(zero(int, nido_test_run(two_in_a_batch, NULL)));
}

static void do_not_expect(void *told, const nido_error *error)
{
    (void)error;
    ++*(int *)told;
}

static int handle_and_go_on(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, give, result(-EIO))));
    cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
    nido_fail(-EPERM, "handled");
    return 0;
}

static int child_that_handles(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, handle_and_go_on, NULL)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(ptr, (void *)nido_error_last()));
    return handle_and_go_on(NULL);
}

/* S67 */
NIDO_TEST(error, a_handled_one_is_reported_nowhere)
{
    int told = 0;
    nido_options options = nido_test_virtual();

    options.on_error = do_not_expect;
    options.ctx = &told;
    cr_expect(zero(int, nido_run(child_that_handles, NULL, &options)));
    cr_expect(zero(int, told));
}

static int fail_otherwise(void *unused)
{
    (void)unused;
    nido_fail(-EPERM, "an old story");
    return -EIO;
}

static int stale_words(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, fail_otherwise, NULL)));
    cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
    cr_expect(eq(str, (char *)nido_error_text(nido_error_last()), ""));
    return 0;
}

NIDO_TEST(error, words_for_another_code_are_not_attached)
{
    cr_expect(zero(int, nido_test_run(stale_words, NULL)));
}

static int keep_after_the_group(void *unused)
{
    nido_group group;
    nido_error *kept;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, fail_named, NULL)));
    cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
    kept = nido_error_retain(nido_error_last());
    memset(&group, 0xa5, sizeof group);
    nido_fail(-EPERM, "something newer");
    cr_expect(eq(str, (char *)nido_error_text(kept), "disk 3"));
    cr_expect(eq(str, (char *)nido_error_task_name(kept), "reader"));
    nido_error_release(kept);
    return 0;
}

/* S71 */
NIDO_TEST(error, a_retained_one_outlives_group_and_task)
{
    cr_expect(zero(int, nido_test_run(keep_after_the_group, NULL)));
}

/* ---- Who is told ---- */

struct told {
    int count, code, parked;
    char text[32];
};

static void tell(void *ctx, const nido_error *error)
{
    struct told *told = ctx;

    told->count++;
    told->code = nido_error_code(error);
    told->parked = nido_yield();
    snprintf(told->text, sizeof told->text, "%s", nido_error_text(error));
}

static int fail_in_a_group(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, fail_named, NULL)));
    return nido_group_close(&group, 0);
}

/* S77: there are no detached tasks; what nobody has read arrives at the root. */
NIDO_TEST(error, the_roots_failure_is_told_once)
{
    struct told told = {0};
    nido_options options = nido_test_virtual();

    options.on_error = tell;
    options.ctx = &told;
    cr_expect(eq(int, nido_run(fail_in_a_group, NULL, &options), -EIO));
    cr_expect(eq(int, told.count, 1));
    cr_expect(eq(int, told.code, -EIO));
    cr_expect(eq(str, told.text, "disk 3"));
    cr_expect(eq(int, told.parked, -EDEADLK));
    cr_expect(zero(int, nido_run(child_that_handles, NULL, &options)));
    cr_expect(eq(int, told.count, 1));
}

static int fail_without_words(void *unused)
{
    (void)unused;
    return -EIO;
}

NIDO_TEST(error, a_root_that_fails_without_words_is_told_too)
{
    struct told told = {0};
    nido_options options = nido_test_virtual();

    options.on_error = tell;
    options.ctx = &told;
    cr_expect(eq(int, nido_run(fail_without_words, NULL, &options), -EIO));
    cr_expect(eq(int, told.count, 1));
    cr_expect(eq(int, told.code, -EIO));
    cr_expect(eq(str, told.text, ""));
}

static int see_the_cause(void *out)
{
    cr_expect(eq(int, nido_sleep(NIDO_SEC(5)), -ECANCELED));
    nido_cancel_cause(out);
    return -ECANCELED;
}

static int ask_for_the_cause(void *unused)
{
    nido_cause cause = {0};
    nido_task task;
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, see_the_cause, &cause)));
    cr_expect(zero(int, nido_spawn_with(&group, fail_named, NULL, NULL, &task)));
    cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
    cr_expect(eq(int, cause.kind, NIDO_CAUSE_FAILURE));
    cr_expect(eq(int, cause.code, -EIO));
    cr_expect(eq(ulong, cause.task, task.id));
    cr_expect(eq(str, cause.task_name, "reader"));
    cr_expect(eq(i64, cause.when, NIDO_SEC(1)));
    cr_expect(ne(ptr, (void *)cause.reason, NULL));
    return 0;
}

/* S76 */
NIDO_TEST(error, the_cause_of_a_cancel_names_the_child_that_failed)
{
    cr_expect(zero(int, nido_test_run(ask_for_the_cause, NULL)));
}

/* ---- Small things ---- */

static NIDO_PRINTF(2, 3) int fail_by_list(int code, const char *format, ...)
{
    va_list args;
    int rc;

    va_start(args, format);
    rc = nido_vfail(code, format, args);
    va_end(args);
    return rc;
}

static int keep_and_drop(void *unused)
{
    char longer[400];

    (void)unused;
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    cr_expect(zero(ptr, (void *)nido_error_last()));
    cr_expect(eq(int, nido_fail_text(-EIO, longer), -EIO));
    cr_expect(eq(int, (int)strlen(nido_error_text(nido_error_last())), 255));
    cr_expect(eq(int, nido_fail_text(-EPERM, "%s is not a format"), -EPERM));
    cr_expect(eq(str, (char *)nido_error_text(nido_error_last()), "%s is not a format"));
    cr_expect(eq(int, fail_by_list(-EIO, "%s %d", "list", 7), -EIO));
    cr_expect(eq(str, (char *)nido_error_text(nido_error_last()), "list 7"));
    cr_expect(zero(int, nido_fail(0, NULL)));
    cr_expect(zero(ptr, (void *)nido_error_last()));
    return 0;
}

NIDO_TEST(error, a_task_keeps_one_and_code_0_drops_it)
{
    cr_expect(zero(int, nido_test_run(keep_and_drop, NULL)));
}

static int fail_with_detail(void *unused)
{
    (void)unused;
    nido_fail(-EIO, "a worker died");
    nidoi_error_detail(nidoi_sched_self->current, "first\n\033last\0", 12);
    nidoi_error_detail(nidoi_sched_self->current, "another", 7); /* it has one */
    return -EIO;
}

/* The children's errors are gone, what was said lives on in the group's. */
static int fail_together(void *text)
{
    FILE *file = fmemopen(text, 1024, "w");
    nido_group group;

    nido_group_open(&group, NIDO_WAIT_ALL, "pair");
    cr_expect(zero(int, nido_spawn(&group, fail_with_detail, NULL)));
    cr_expect(zero(int, nido_spawn(&group, fail_named, NULL)));
    cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
    cr_expect(eq(str, (char *)nido_error_detail(nido_error_last()), "first\n\033last?"));
    nido_error_print(nido_error_last(), file);
    fclose(file);
    nidoi_error_detail(nidoi_sched_self->current, "", 0);
    return 0;
}

NIDO_TEST(error, a_detail_travels_with_it_and_is_printed_line_by_line)
{
    char text[1024] = "";

    cr_expect(zero(int, nido_test_run(fail_together, text)));
    cr_expect(ne(ptr, strstr(text, "\n    | first\n    | ?last?\n"), NULL), "%s", text);
}

NIDO_TEST(error, outside_a_task_only_the_code_is_returned)
{
    cr_expect(eq(int, nido_fail(-EIO, "%d", 1), -EIO));
    cr_expect(eq(int, nido_fail_text(-EIO, "text"), -EIO));
    cr_expect(eq(int, fail_by_list(-EIO, "%d", 1), -EIO));
    cr_expect(zero(ptr, (void *)nido_error_last()));
}

NIDO_TEST(error, no_error_says_nothing)
{
    cr_expect(zero(int, nido_error_code(NULL)));
    cr_expect(eq(str, (char *)nido_error_text(NULL), ""));
    cr_expect(eq(str, (char *)nido_error_detail(NULL), ""));
    cr_expect(zero(ulong, nido_error_task_id(NULL)));
    cr_expect(eq(str, (char *)nido_error_task_name(NULL), ""));
    cr_expect(zero(ptr, nido_error_spawn_place(NULL)));
    cr_expect(zero(ptr, nido_error_fail_place(NULL)));
    cr_expect(zero(ptr, (void *)nido_error_cause(NULL)));
    cr_expect(zero(sz, nido_error_suppressed_count(NULL)));
    cr_expect(zero(ptr, (void *)nido_error_suppressed(NULL, 0)));
    cr_expect(zero(ulong, nido_error_unlisted(NULL)));
    cr_expect(zero(ptr, (void *)nido_error_retain(NULL)));
    nido_error_release(NULL);
    nido_error_print(NULL, stderr);
}

NIDO_TEST(error, strerror_names_codes_of_either_sign)
{
    cr_expect(zero(int, strncmp(nido_strerror(-ECANCELED), "ECANCELED: ", 11)));
    cr_expect(eq(ptr, (void *)nido_strerror(ECANCELED), (void *)nido_strerror(-ECANCELED)));
    cr_expect(ne(ptr, (void *)nido_strerror(0), NULL));
    cr_expect(ne(ptr, (void *)nido_strerror(-123456), NULL));
    cr_expect(ne(ptr, (void *)nido_strerror(INT32_MIN), NULL));
}
