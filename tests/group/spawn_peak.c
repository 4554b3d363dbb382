/* SPDX-License-Identifier: MIT */
/* What many tasks leave behind when they have ended. */
#include "faults.h"
#include "group_help.h"
#include "inside_help.h"

static int nothing(void *unused)
{
    (void)unused;
    return 0;
}

enum { PEAK = 10000, STAY = 1000 };

/* S349: each second a part of the stacks that nobody wanted. */
INSIDE(spawn_peak, the_memory_of_ten_thousand_that_ended_goes_back)
{
    nido_group group;

    faults_begin();
    nido_group_open(&group, NIDO_FAIL_FAST, "peak");
    for (int i = 0; i < PEAK; i++) cr_expect(zero(int, nido_spawn(&group, nothing, NULL)));
    cr_expect(zero(int, nido_group_close(&group, 0)));
    cr_expect(zero(ulong, faults_count(FAULT_release_pages)), "warm stacks may be wanted again");
    for (int i = 0; i < 400; i++) cr_expect(zero(int, nido_sleep(NIDO_SEC(1))));
    cr_expect(ge(ulong, faults_count(FAULT_release_pages), PEAK - STAY));
    faults_end();
}
