/* SPDX-License-Identifier: MIT */
/* What a task holds: seen by whoever waits for the task, and missed when the task ends. */
#include <alloca.h>
#include <string.h>

#include "abort_help.h"
#include "inside_help.h"
#include "nido_test.h"

static nido_mutex lock;

static int lock_and_unlock(void *unused)
{
    (void)unused;
    cr_expect(eq(int, nido_mutex_lock(&lock), 0));
    return nido_mutex_unlock(&lock);
}

/* The owner of a lock joins a task that waits for the lock. */
INSIDE(held, a_join_of_who_waits_for_our_lock_is_a_deadlock)
{
    nido_group group;
    nido_task other;

    nido_mutex_init(&lock, "lock");
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_mutex_lock(&lock), 0));
    cr_expect(eq(int, nido_spawn_with(&group, lock_and_unlock, NULL, NULL, &other), 0));
    cr_expect(eq(int, nido_yield(), 0));
    cr_expect(eq(int, nido_join(other, NULL), -EDEADLK));
    cr_expect(eq(int, nido_mutex_unlock(&lock), 0));
    cr_expect(eq(int, nido_join(other, NULL), 0), "now it can end");
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, nido_mutex_deinit(&lock), 0));
}

static nido_limiter limiter;

/* Where ASan detects uses after return it would be first. */
static __attribute__((noinline, no_sanitize_address)) int borrow_for_good(void)
{
    nido_limiter_token *token = alloca(sizeof *token);

    memset(token, 0, sizeof *token);
    return nido_limiter_acquire(&limiter, token);
}

static int return_with_a_token(void *unused)
{
    (void)unused;
    nido_limiter_init(&limiter, 1, "limiter");
    nido_set_name("forgetful");
    return borrow_for_good();
}

/* Nothing in a dead frame can be trusted, so it ends the program. */
NIDO_TEST(held, a_token_on_the_stack_of_a_task_that_returned_ends_the_program)
{
    EXPECT_LAST_WORDS(return_with_a_token, "forgetful", "has returned while it held",
                      "on its own stack");
}
