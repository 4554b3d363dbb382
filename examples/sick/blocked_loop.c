/* SPDX-License-Identifier: MIT */
/* sick/blocked_loop: one task computes, and all others stand still.
 *
 * A hash of 200 million rounds holds the loop: the ticker next to it misses its times. With NIDO_DEBUG=stall a watchdog
 * names the task while it happens. The cure: a long computation is a job of a worker (nido_offload), or gives way with
 * nido_yield now and then.
 *
 *     NIDO_DEBUG=stall ./sick_blocked_loop         NIDO_DEBUG=stall ./sick_blocked_loop cured
 */
#include <nido.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

static bool cured;

enum { ROUNDS = 200 * 1000 * 1000 };

static ssize_t hash_rounds(void *out)
{
    uint32_t hash = 2166136261u; /* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
    for (int i = 0; i < ROUNDS; i++) hash = (hash ^ (uint32_t)i) * 16777619u;
    *(uint32_t *)out = hash;
    return 0;
}

static int hash_file(void *unused)
{
    uint32_t hash;
    (void)unused;
    nido_set_name("hash");
    ssize_t rc = cured ? nido_offload(hash_rounds, &hash) : hash_rounds(&hash); /* the fault */
    if (rc == 0) printf("hash %08x\n", hash);
    return (int)rc;
}

static int tick(void *unused)
{
    (void)unused;
    nido_set_name("ticker");
    for (;;) {
        int rc = nido_sleep(NIDO_MS(10));
        if (rc < 0) return rc;
    }
}

static int app(void *unused)
{
    nido_group tasks;
    nido_spawn_options service;
    nido_spawn_options_init(&service);
    service.service = true;
    nido_group_open(&tasks, NIDO_FAIL_FAST, "tasks");
    int rc = nido_spawn_with(&tasks, tick, unused, &service, NULL);
    if (rc == 0) rc = nido_spawn(&tasks, hash_file, unused);
    return nido_group_close(&tasks, rc);
}

int main(int argc, char **argv)
{
    (void)argv;
    cured = argc > 1;
    int rc = nido_run(app, NULL, NULL);
    if (rc < 0) fprintf(stderr, "blocked_loop: %s\n", nido_strerror(rc));
    return nido_exit_status(rc);
}
