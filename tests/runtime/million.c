/* SPDX-License-Identifier: MIT */
/* Tasks in great numbers: what the kernel allows is the only limit. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/sys.h"
#include "faults.h"
#include "nido_test.h"

static nido_event gate;
static uint64_t arrived, left;

static int pass_the_gate(void *unused)
{
    int rc;

    (void)unused;
    arrived++;
    rc = nido_event_wait(&gate);
    left++;
    return rc;
}

/* Lines of /proc/self/maps. */
static int mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    int n = 0;

    for (int c; (c = getc(maps)) != EOF;) n += c == '\n';
    fclose(maps);
    return n;
}

/* Does this kernel have guard pages that cost no mapping? */
static bool has_guard_advice(void)
{
    void *page;
    int err;

    cr_assert(eq(int, nidoi_sys.map(nidoi_sys_page(), &page), 0));
    err = nidoi_sys.guard(&(struct iovec){page, nidoi_sys_page()}, 1);
    nidoi_sys.unmap(page, nidoi_sys_page());
    return err == 0;
}

/* Parks `many` tasks at the gate, looks at the mappings, lets them go. */
static int park_many(void *arg)
{
    uint64_t many = *(const uint64_t *)arg;
    int rc = 0, before = mappings();
    nido_group group;

    nido_event_init(&gate, "gate");
    nido_group_open(&group, NIDO_FAIL_FAST, "many");
    for (uint64_t i = 0; i < many && !rc; i++) rc = nido_spawn(&group, pass_the_gate, NULL);
    cr_expect(eq(int, rc, 0));
    while (arrived < many && !rc) rc = nido_yield();
    cr_expect(eq(u64, left, 0), "all are parked");
    if (sizeof(void *) == 8) cr_expect(lt(int, mappings() - before, 1000));
    nido_event_set(&gate);
    return nido_group_close(&group, rc);
}

static void run_many(uint64_t many)
{
    cr_expect(eq(int, nido_test_run(park_many, &many), 0));
    cr_expect(eq(u64, left, many));
}

/* S64 */
NIDO_TEST(million, forty_thousand_guarded_tasks_are_parked_at_once)
{
    if (!has_guard_advice()) cr_skip_test("this kernel has no guard advice");
    run_many(40000);
}

#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/* A parked task is a page of stack and some bytes of page table; twice that for comfort. */
NIDO_TEST(million, a_million_guarded_tasks_are_parked_at_once)
{
    if (!has_guard_advice()) cr_skip_test("this kernel has no guard advice");
    if (sysconf(_SC_AVPHYS_PAGES) < 2 * 1000000L)
        cr_skip_test("this machine has too little memory");
    run_many(1000000);
}
#endif

/* ---- Where the kernel has no guard advice ---- */

enum { IN_SLAB = 64, FIT = 100 }; /* slabs that fit before the limit of mappings is met */

static int spawn_past_the_limit(void *unused)
{
    const nido_error *error;
    nido_group group;
    uint64_t spawned = 1; /* the root */
    int rc;

    (void)unused;
    nido_event_init(&gate, "gate");
    nido_group_open(&group, NIDO_FAIL_FAST, "past the limit");
    while ((rc = nido_spawn(&group, pass_the_gate, NULL)) == 0) spawned++;
    error = nido_error_last();
    cr_expect(eq(int, rc, -EAGAIN));
    cr_expect(eq(u64, spawned, FIT * IN_SLAB));
    cr_expect(eq(int, nido_error_code(error), -EAGAIN));
    cr_expect(ne(ptr, strstr(nido_error_text(error), "vm.max_map_count"), NULL));
    cr_expect(eq(ulong, faults_count(FAULT_map) - faults_count(FAULT_unmap), FIT));
    faults_forget(FAULT_protect_none);
    cr_expect(eq(int, nido_spawn(&group, pass_the_gate, NULL), 0), "a refusal is not for ever");
    nido_event_set(&gate);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(u64, left, spawned));
    return 0;
}

/* S64 */
NIDO_TEST(million, without_guard_advice_the_limit_of_mappings_is_told_by_name)
{
    faults_begin();
    faults_fail(FAULT_guard, FAULT_ALWAYS, -EINVAL);
    faults_fail(FAULT_protect_none, FIT * IN_SLAB + 1, -ENOMEM);
    cr_expect(eq(int, nido_test_run(spawn_past_the_limit, NULL), 0));
    cr_expect(eq(ulong, faults_count(FAULT_map), faults_count(FAULT_unmap)));
    faults_end();
}

static int spawn_without_memory(void *unused)
{
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, "no memory");
    for (int i = 1; i < IN_SLAB; i++)
        cr_expect(eq(int, nido_spawn(&group, pass_the_gate, NULL), 0));
    faults_fail(FAULT_map, 1, -ENOMEM);
    cr_expect(eq(int, nido_spawn(&group, pass_the_gate, NULL), -ENOMEM));
    cr_expect(eq(int, nido_spawn(&group, pass_the_gate, NULL), 0));
    nido_event_set(&gate);
    return nido_group_close(&group, 0);
}

NIDO_TEST(million, without_address_space_a_spawn_fails_and_the_next_may_succeed)
{
    nido_event_init(&gate, "gate");
    faults_begin();
    cr_expect(eq(int, nido_test_run(spawn_without_memory, NULL), 0));
    cr_expect(eq(u64, left, IN_SLAB));
    faults_end();
}
