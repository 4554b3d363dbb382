/* SPDX-License-Identifier: MIT */
/* What breaks a rule: answered where it can be, the end of the program where nothing safe can
 * follow. */
#include "abort_help.h"
#include "group_help.h"

static int close_groups_in_the_wrong_order(void *unused)
{
    nido_group outer, inner;

    (void)unused;
    nido_set_name("muddler");
    nido_group_open(&outer, NIDO_FAIL_FAST, "outer");
    nido_group_open(&inner, NIDO_FAIL_FAST, "inner");
    return nido_group_close(&outer, 0);
}

static int close_scopes_in_the_wrong_order(void *unused)
{
    nido_scope outer, inner;

    (void)unused;
    nido_scope_open(&outer);
    nido_deadline_open(&inner, NIDO_NEVER);
    return nido_scope_close(&outer, 0);
}

static int close_a_group_around_a_scope(void *unused)
{
    nido_scope inner;
    nido_group outer;

    (void)unused;
    nido_group_open(&outer, NIDO_FAIL_FAST, NULL);
    nido_shield_open(&inner, NIDO_NEVER);
    return nido_group_close(&outer, 0);
}

/* How often `word` stands in the text. */
static int count(const char *text, const char *word)
{
    int n = 0;

    while ((text = strstr(text, word)) != NULL) n++, text++;
    return n;
}

/* S44: the places are addresses in this program, until a debugger or addr2line names their lines.
 */
NIDO_TEST(misuse, closing_in_the_wrong_order_ends_the_program_and_names_both_places)
{
    static nido_fn *const crimes[] = {close_groups_in_the_wrong_order,
                                      close_scopes_in_the_wrong_order,
                                      close_a_group_around_a_scope};

    for (size_t i = 0; i < sizeof crimes / sizeof *crimes; i++) {
        char *said = last_words(crimes[i]), *end = strchr(said, '\n');

        cr_expect(ne(ptr, strstr(said, "reverse order"), NULL), "%s", said);
        if (end) *end = '\0';
        cr_expect(eq(int, count(said, "opened"), 2), "%s", said);
        cr_expect(eq(int, count(said, "+0x"), 2), "%s", said);
        free(said);
    }
}

NIDO_TEST(misuse, the_last_words_list_the_tasks)
{
    EXPECT_LAST_WORDS(close_groups_in_the_wrong_order, "muddler");
}

/* Their memory is static, so that what is left open lies in no dead frame. */
static nido_group left_group;
static nido_scope left_scope;

static int leave_a_group_open(void *unused)
{
    (void)unused;
    nido_set_name("forgetful");
    nido_group_open(&left_group, NIDO_FAIL_FAST, NULL);
    return 0;
}

static int leave_a_scope_open(void *unused)
{
    (void)unused;
    nido_set_name("forgetful");
    nido_scope_open(&left_scope);
    return 0;
}

static int child_leaves_a_group_open(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, leave_a_group_open, NULL)));
    return nido_group_close(&group, 0);
}

NIDO_TEST(misuse, returning_with_something_open_ends_the_program)
{
    EXPECT_LAST_WORDS(leave_a_group_open, "forgetful", "without closing", "opened at", "+0x");
    EXPECT_LAST_WORDS(leave_a_scope_open, "forgetful", "without closing", "opened at", "+0x");
    EXPECT_LAST_WORDS(child_leaves_a_group_open, "forgetful", "spawned at", "without closing");
}

/* A function that forgets to close; kept apart, so that its frame is truly gone. */
static __attribute__((noinline)) void forget(void)
{
    nido_scope scope;

    nido_scope_open(&scope);
    __asm__ volatile("" : : "r"(&scope) : "memory");
}

static int open_after_forgetting(void *unused)
{
    nido_scope scope;

    (void)unused;
    forget();
    nido_scope_open(&scope);
    return nido_scope_close(&scope, 0);
}

static int spawn_after_forgetting(void *group)
{
    forget();
    return nido_spawn(group, give, NULL);
}

static int spawn_after_forgetting_inside(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    return nido_group_close(&group, spawn_after_forgetting(&group));
}

static int wait_after_forgetting(void *unused)
{
    (void)unused;
    forget();
    return nido_sleep(1);
}

/* The next frame covers the forgotten scope and writes over it. */
static __attribute__((noinline)) int covered(char byte, int (*next)(void))
{
    char buf[4096];

    memset(buf, byte, sizeof buf);
    __asm__ volatile("" : : "r"(buf) : "memory");
    return next();
}

static int sleep_once(void)
{
    return nido_sleep(1);
}

static int ask_why(void)
{
    nido_cause cause;

    nido_cancel_cause(&cause);
    return 0;
}

#define COVERED(next, byte)                           \
    static int next##_covered_by_##byte(void *unused) \
    {                                                 \
        (void)unused;                                 \
        forget();                                     \
        return covered((char)(byte), next);           \
    }
COVERED(sleep_once, 0)
COVERED(nido_yield, 0)
COVERED(nido_check, 0)
COVERED(ask_why, 0)
COVERED(sleep_once, 0x41)
COVERED(nido_yield, 0x41)
COVERED(nido_check, 0x41)
COVERED(ask_why, 0x41)
COVERED(sleep_once, 0xff)

static int open_again_without_closing(void *unused)
{
    (void)unused;
    for (int i = 0; i < 2; i++) {
        nido_scope scope;

        nido_scope_open(&scope);
        __asm__ volatile("" : : "r"(&scope) : "memory");
    }
    return 0;
}

static int open_both_again_without_closing(void *unused)
{
    static nido_scope outer, inner;

    (void)unused;
    for (int i = 0; i < 2; i++) {
        nido_scope_open(&outer);
        nido_scope_open(&inner);
    }
    return 0;
}

/* Ordinary variables, every compiler and level, and every call that waits: tests/frames. */
NIDO_TEST(misuse, what_lies_in_a_dead_frame_is_found_at_the_next_call_that_may_wait)
{
    EXPECT_LAST_WORDS(open_after_forgetting, "never closed", "has returned");
    EXPECT_LAST_WORDS(spawn_after_forgetting_inside, "never closed", "has returned");
    EXPECT_LAST_WORDS(wait_after_forgetting, "never closed", "has returned", "opened at", "+0x");
}

NIDO_TEST(misuse, what_has_been_written_over_in_a_dead_frame_is_found_too)
{
    EXPECT_LAST_WORDS(sleep_once_covered_by_0, "never closed", "opened at", "+0x");
    EXPECT_LAST_WORDS(nido_yield_covered_by_0, "never closed", "opened at", "+0x");
    EXPECT_LAST_WORDS(nido_check_covered_by_0, "never closed", "opened at", "+0x");
    EXPECT_LAST_WORDS(ask_why_covered_by_0, "never closed", "opened at", "+0x");
    EXPECT_LAST_WORDS(sleep_once_covered_by_0x41, "never closed", "opened at", "+0x");
    /* At the yield or, if that reads nothing of it, at the end of the task. */
    EXPECT_LAST_WORDS(nido_yield_covered_by_0x41, "clos", "opened at", "+0x");
    EXPECT_LAST_WORDS(nido_check_covered_by_0x41, "never closed", "opened at", "+0x");
    EXPECT_LAST_WORDS(ask_why_covered_by_0x41, "never closed", "opened at", "+0x");
    EXPECT_LAST_WORDS(sleep_once_covered_by_0xff, "never closed", "opened at", "+0x");
}

NIDO_TEST(misuse, memory_that_holds_an_open_scope_is_not_opened_again)
{
    EXPECT_LAST_WORDS(open_again_without_closing, "never closed", "opened at", "+0x");
    EXPECT_LAST_WORDS(open_both_again_without_closing, "never closed", "in its memory");
}

static int close_it(void *group)
{
    return nido_group_close(group, 0);
}

static int let_another_close(void *unused)
{
    struct plan child = {.ns = NIDO_SEC(1)};
    nido_group around, group;

    (void)unused;
    nido_group_open(&around, NIDO_WAIT_ALL, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_spawn(&group, follow, &child)));
    cr_expect(zero(int, nido_spawn(&around, close_it, &group)));
    cr_expect(zero(int, nido_yield()));
    cr_expect(eq(sz, nido_group_live(&group), 1));
    cr_expect(zero(int, nido_spawn(&group, give, NULL)), "the group goes on");
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(int, child.met));
    return nido_group_close(&around, 0);
}

/* S46 */
NIDO_TEST(misuse, only_the_opener_closes_a_group)
{
    nido_options options = nido_test_virtual();

    cr_expect(eq(int, nido_run(let_another_close, NULL, &options), -EPERM));
}

static int close_scope(void *scope)
{
    return nido_scope_close(scope, 0);
}

static int let_another_close_a_scope(void *unused)
{
    nido_group group;
    nido_scope scope;

    (void)unused;
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    nido_scope_open(&scope);
    cr_expect(zero(int, nido_spawn(&group, close_scope, &scope)));
    cr_expect(zero(int, nido_yield()));
    cr_expect(eq(int, nido_scope_close(&scope, 4), 4));
    return nido_group_close(&group, 0);
}

NIDO_TEST(misuse, only_the_opener_closes_a_scope)
{
    cr_expect(eq(int, nido_test_run(let_another_close_a_scope, NULL), -EPERM));
}

static int close_twice(void *unused)
{
    nido_group group;
    nido_scope scope;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_group_close(&group, 1), 1));
    cr_expect(eq(int, nido_group_close(&group, 1), -EBADF));
    nido_scope_open(&scope);
    cr_expect(eq(int, nido_scope_close(&scope, 1), 1));
    cr_expect(eq(int, nido_scope_close(&scope, 1), -EBADF));
    return 0;
}

NIDO_TEST(misuse, closing_twice_harms_nothing)
{
    cr_expect(zero(int, nido_test_run(close_twice, NULL)));
}

static int from_the_loop(void *group)
{
    nido_group own;
    struct plan child = {0};

    cr_expect(eq(int, nido_group_close(group, 0), -EPERM));
    nido_group_open(&own, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_group_close(&own, 0), -EPERM));
    cr_expect(eq(int, nido_spawn_wait(group, follow, &child), -EDEADLK));
    cr_expect(eq(int, nido_start(group, follow, &child, NULL), -EDEADLK));
    cr_expect(eq(int, nido_sleep(1), -EDEADLK));
    cr_expect(eq(int, nido_join(nido_self(), NULL), -EDEADLK));
    cr_expect(eq(int, nido_run(give, NULL, NULL), -EBUSY));
    cr_expect(eq(int, nido_fail(-EIO, "no task"), -EIO));
    cr_expect(zero(ulong, nido_self().id));
    return 0;
}

static int post_and_yield(void *unused)
{
    nido_rt *rt = nido_rt_self();
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(zero(int, nido_post(rt, from_the_loop, &group)));
    nido_rt_release(rt);
    cr_expect(zero(int, nido_sleep(1)));
    return nido_group_close(&group, 0);
}

NIDO_TEST(misuse, a_posted_function_is_no_task)
{
    cr_expect(zero(int, nido_test_run(post_and_yield, NULL)));
}

/* A destructor that opens a group of its own and would have to wait for its child. */
static void wait_in_a_destructor(void *out)
{
    nido_group group;
    int err;

    nido_group_open(&group, NIDO_FAIL_FAST, "too late");
    err = nido_spawn(&group, give, NULL);
    cr_expect(eq(int, err, -EDEADLK));
    *(int *)out = nido_group_close(&group, err);
}

static int with_a_waiting_destructor(void *out)
{
    static const nido_local key = {.destroy = wait_in_a_destructor};

    return nido_local_set(&key, out);
}

NIDO_TEST(misuse, a_group_cannot_be_opened_where_nothing_may_park)
{
    int closed = 1;

    cr_expect(zero(int, nido_test_run(with_a_waiting_destructor, &closed)));
    cr_expect(eq(int, closed, -EDEADLK));
}
