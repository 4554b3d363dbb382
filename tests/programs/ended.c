/* SPDX-License-Identifier: MIT */
/* S359: for builds with AddressSanitizer, whose options ask for uses of frames that have returned: a task reads what lay
 * on the stack of one that has ended. With "sound" tasks give each other pointers to their stacks as long as they
 * live. */
#include <nido.h>
#include <string.h>

enum { TASKS = 200, ROUNDS = 5 };

static volatile int *left;

static int leaves_it(void *unused)
{
    volatile int local[16] = {1};

    (void)unused;
    left = local;
    return nido_yield();
}

static int reads_it(void *unused)
{
    (void)unused;
    return left[0];
}

static int use_after_the_end(void *unused)
{
    nido_group group;
    int rc;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, "one after the other");
    rc = nido_spawn(&group, leaves_it, NULL);
    rc = nido_group_close(&group, rc);
    nido_group_open(&group, NIDO_FAIL_FAST, "too late");
    rc = nido_spawn(&group, reads_it, NULL);
    return nido_group_close(&group, rc);
}

struct parcel {
    nido_event arrived;
    int rounds;
};

static int add_to_it(void *parcel)
{
    struct parcel *mine = parcel;

    for (int i = 0; i < ROUNDS; i++) {
        mine->rounds++;
        nido_yield();
    }
    return nido_event_set(&mine->arrived);
}

static int lend_and_wait(void *unused)
{
    struct parcel parcel = {.rounds = 0};
    nido_group group;
    int rc;

    (void)unused;
    nido_event_init(&parcel.arrived, NULL);
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    rc = nido_spawn(&group, add_to_it, &parcel);
    if (!rc) rc = nido_event_wait(&parcel.arrived);
    rc = nido_group_close(&group, rc);
    return rc < 0 || parcel.rounds == ROUNDS ? rc : -1;
}

static int use_while_alive(void *unused)
{
    nido_group group;
    int rc = 0;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, "lenders");
    for (int i = 0; i < TASKS && !rc; i++) rc = nido_spawn(&group, lend_and_wait, NULL);
    return nido_group_close(&group, rc);
}

int main(int argc, char **argv)
{
    bool sound = argc > 1 && !strcmp(argv[1], "sound");

    return nido_exit_status(nido_run(sound ? use_while_alive : use_after_the_end, NULL, NULL));
}
