/* SPDX-License-Identifier: MIT */
/* Every allocation and every system call of a start fails once, every allocation of a busy run too:
 * nothing leaks, and the codes are those that the headers name. */
#include <string.h>

#include "base/mem.h"
#include "faults.h"
#include "group_help.h"

/* ---- Counting blocks, so that every build sees a leak ---- */

static struct nidoi_mem below;
static long blocks;

static void *counted_alloc(size_t size)
{
    void *memory = below.alloc(size);

    blocks += memory != NULL;
    return memory;
}

static void *counted_resize(void *old, size_t size)
{
    void *memory = below.resize(old, size);

    blocks += !old && memory;
    return memory;
}

static void counted_release(void *memory)
{
    blocks -= memory != NULL;
    below.release(memory);
}

static void begin(void)
{
    faults_begin();
    below = nidoi_mem;
    nidoi_mem = (struct nidoi_mem){counted_alloc, counted_resize, counted_release};
    blocks = 0;
}

static void end(const char *what, unsigned nth)
{
    faults_end();
    cr_expect(zero(i64, blocks), "memory is left when %s %u fails", what, nth);
}

/* ---- The start ---- */

/* S7 */
NIDO_TEST(sweep, a_start_survives_the_failure_of_every_allocation)
{
    bool reached = true;

    for (unsigned nth = 1; reached; nth++) {
        int rc;

        begin();
        faults_fail(FAULT_memory, nth, 0);
        rc = nido_test_run(give, result(7));
        reached = faults_count(FAULT_memory) >= nth;
        end("allocation", nth);
        cr_expect(eq(int, rc, reached ? -ENOMEM : 7), "allocation %u", nth);
        if (nth == 1) cr_expect(reached, "a start needs memory");
    }
}

static const enum fault openings[] = {BACKEND_OPENINGS};
enum { OPENINGS = sizeof openings / sizeof *openings };

static unsigned long opened(enum fault failed)
{
    unsigned long count = 0;

    for (size_t i = 0; i < OPENINGS; i++) {
        count += faults_count(openings[i]);
        if (openings[i] == failed) count--;
    }
    return count;
}

/* One start in which the nth call of a kind fails. False: there is no such call. */
static bool start_without(enum fault kind, unsigned nth, int code, int expected)
{
    bool reached;
    int rc;

    faults_fail(kind, nth, code);
    rc = nido_test_run(give, result(7));
    reached = faults_count(kind) >= nth;
    cr_expect(eq(int, rc, reached ? expected : 7), "call %u of kind %d", nth, (int)kind);
    cr_expect(eq(ulong, faults_count(FAULT_unmap),
                 faults_count(FAULT_map) - (reached && kind == FAULT_map)));
    cr_expect(eq(ulong, faults_count(FAULT_close), opened(reached ? kind : FAULT_KINDS)));
    return reached;
}

static void start_without_each(enum fault kind, int code)
{
    bool reached = true;

    for (unsigned nth = 1; reached; nth++) {
        begin();
        reached = start_without(kind, nth, code, code);
        end("system call", nth);
        if (nth == 1) cr_expect(reached, "kind %d is never called", (int)kind);
    }
}

/* S7, and S2: what was opened is closed. */
NIDO_TEST(sweep, a_start_survives_the_failure_of_every_system_call)
{
    for (size_t i = 0; i < OPENINGS; i++) {
        start_without_each(openings[i], -EMFILE);
        start_without_each(openings[i], -ENFILE);
    }
    start_without_each(FAULT_backend_change, -ENOSPC);
    start_without_each(FAULT_backend_change, -ENOMEM);
    start_without_each(FAULT_map, -ENOMEM);
    start_without_each(FAULT_guard, -ENOMEM);
}

NIDO_TEST(sweep, without_guard_advice_pages_are_protected)
{
    bool reached = true;

    for (unsigned nth = 1; reached; nth++) {
        begin();
        faults_fail(FAULT_guard, FAULT_ALWAYS, -EINVAL);
        reached = start_without(FAULT_protect_none, nth, -ENOMEM, -EAGAIN);
        cr_expect(eq(ulong, faults_count(FAULT_guard), 1), "asked once");
        end("mprotect", nth);
    }
}

/* ---- Spawning ---- */

static int count_run(void *runs)
{
    ++*(int *)runs;
    return 0;
}

/* Spawns until it fails; at most n times. */
static int spawn_many(nido_group *group, int *runs, int n, int *spawned)
{
    int err = 0;

    for (*spawned = 0; *spawned < n && !err; *spawned += !err)
        err = nido_spawn(group, count_run, runs);
    return err;
}

/* A spawn that fails with `expected` because a kind of call always does; then it works again. */
static void spawn_without(enum fault kind, int code, int expected)
{
    int runs = 0, spawned, more;
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    faults_fail(kind, FAULT_ALWAYS, code);
    cr_expect(eq(int, spawn_many(&group, &runs, 1000, &spawned), expected));
    if (expected == -EAGAIN)
        cr_expect(ne(ptr, strstr(nido_error_text(nido_error_last()), "vm.max_map_count"), NULL));
    faults_forget(kind);
    cr_expect(zero(int, spawn_many(&group, &runs, 100, &more)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(eq(int, runs, spawned + more), "who was refused never runs");
}

static int spawn_under_faults(void *unused)
{
    (void)unused;
    spawn_without(FAULT_memory, 0, -ENOMEM);
    spawn_without(FAULT_map, -ENOMEM, -ENOMEM);
    faults_fail(FAULT_guard, FAULT_ALWAYS, -EINVAL);
    spawn_without(FAULT_protect_none, -ENOMEM, -EAGAIN);
    return 0;
}

NIDO_TEST(sweep, a_spawn_that_fails_leaves_no_trace)
{
    begin();
    cr_expect(zero(int, nido_test_run(spawn_under_faults, NULL)));
    end("a spawn", 0);
}

static int small_calls_without_memory(void *unused)
{
    static const nido_local key;
    nido_rt *rt = nido_rt_self();
    int calls = 0;

    (void)unused;
    faults_fail(FAULT_memory, FAULT_ALWAYS, 0);
    cr_expect(eq(int, nido_local_set(&key, &calls), -ENOMEM));
    cr_expect(zero(ptr, nido_local_get(&key)));
    cr_expect(eq(int, nido_post(rt, count_run, &calls), -ENOMEM));
    cr_expect(eq(int, nido_rt_shutdown(rt, "now"), -ENOMEM));
    faults_forget(FAULT_memory);
    nido_rt_release(rt);
    cr_expect(zero(int, nido_sleep(1)));
    return calls;
}

NIDO_TEST(sweep, calls_that_need_memory_say_so_and_do_nothing)
{
    begin();
    cr_expect(zero(int, nido_test_run(small_calls_without_memory, NULL)));
    end("a small call", 0);
}

/* ---- Errors ---- */

static int fail_in_words(void *code)
{
    return nido_fail((int)(intptr_t)code, "the words of %d", (int)(intptr_t)code);
}

/* Three failures while the nth allocation fails: it counts from when the children were spawned. */
static int fail_without_memory(void *nth)
{
    nido_group group;

    nido_group_open(&group, NIDO_WAIT_ALL, "poor");
    cr_expect(zero(int, nido_spawn(&group, fail_in_words, result(-EIO))));
    cr_expect(zero(int, nido_spawn(&group, fail_in_words, result(-EPERM))));
    cr_expect(zero(int, nido_spawn(&group, give, result(-ENOENT))));
    faults_fail(FAULT_memory, *(unsigned *)nth, 0);
    cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
    cr_expect(eq(int, nido_error_code(nido_error_last()), -EIO), "allocation %u", *(unsigned *)nth);
    faults_forget(FAULT_memory);
    return 0;
}

/* S70 */
NIDO_TEST(sweep, the_code_of_a_failure_needs_no_memory)
{
    for (unsigned nth = FAULT_ALWAYS; nth < 20; nth++) {
        begin();
        cr_expect(zero(int, nido_test_run(fail_without_memory, &nth)));
        end("an error's allocation", nth);
    }
}

/* ---- A busy run ---- */

static const nido_local key = {0};

static int become_ready(void *unused)
{
    int err = nido_local_set(&key, &blocks);

    (void)unused;
    if (!err) err = nido_started(1);
    return err ? err : nido_sleep(1);
}

static void ignore_loser(void *ctx, void *arg, int result)
{
    (void)ctx, (void)arg, (void)result;
}

static int race(void *unused)
{
    nido_group_options options;
    nido_group group;
    int rc;

    (void)unused;
    nido_group_options_init(&options);
    options.policy = NIDO_RACE;
    options.drop = ignore_loser;
    nido_group_open_with(&group, &options);
    rc = nido_spawn(&group, fail_in_words, result(-EPERM));
    if (!rc) rc = nido_spawn(&group, give, result(1));
    if (!rc) rc = nido_spawn(&group, give, result(2));
    return nido_group_close(&group, rc);
}

static int fail_together(void *unused)
{
    nido_group group;
    int rc;

    (void)unused;
    nido_group_open(&group, NIDO_WAIT_ALL, "inner");
    rc = nido_spawn(&group, fail_in_words, result(-EIO));
    if (!rc) rc = nido_spawn(&group, fail_in_words, result(-EPERM));
    return nido_group_close(&group, rc);
}

static int be_busy(void *unused)
{
    nido_task task;
    nido_group group;
    int rc, runs = 0, spawned;

    (void)unused;
    nido_group_open(&group, NIDO_WAIT_ALL, "outer");
    rc = spawn_many(&group, &runs, 100, &spawned);
    if (!rc) rc = nido_spawn_with(&group, race, NULL, NULL, &task);
    if (!rc) rc = nido_join(task, NULL);
    if (!rc) rc = nido_start(&group, become_ready, NULL, NULL);
    if (!rc) rc = nido_spawn(&group, fail_together, NULL);
    rc = nido_group_close(&group, rc);
    cr_expect(eq(int, runs, spawned));
    cr_expect(eq(int, nido_error_code(nido_error_last()), rc));
    return rc;
}

static void keep_code(void *code, const nido_error *error)
{
    *(int *)code = nido_error_code(error);
}

NIDO_TEST(sweep, a_busy_run_survives_the_failure_of_every_allocation)
{
    bool reached = true;

    for (unsigned nth = 1; reached; nth++) {
        int code = 0, rc;
        nido_options options = nido_test_virtual();

        options.on_error = keep_code;
        options.ctx = &code;
        begin();
        faults_fail(FAULT_memory, nth, 0);
        rc = nido_run(be_busy, NULL, &options);
        reached = faults_count(FAULT_memory) >= nth;
        end("allocation", nth);
        if (!reached || rc != -ENOMEM) cr_expect(eq(int, rc, -EIO), "allocation %u", nth);
        if (code) cr_expect(eq(int, code, rc), "allocation %u", nth);
    }
}
