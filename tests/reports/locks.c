/* SPDX-License-Identifier: MIT */
/* Locks of pthread that are held while a task waits: each in a process of its own, for checks/reports, which compares
 * what it prints. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "nido.h"

/* Shown by name. */
#define SHOWN __attribute__((noinline, visibility("default")))

SHOWN int saves(void *unused);
SHOWN int reads(void *unused);
SHOWN int yields(void *unused);
SHOWN int ends(void *unused);
SHOWN int spawns(void *fn);

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER,
                       third = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;

int saves(void *unused)
{
    int rc = 0;

    (void)unused;
    for (int i = 0; i < 3 && !rc; i++) {
        pthread_mutex_lock(&mutex);
        rc = nido_sleep(NIDO_MS(1));
        pthread_mutex_unlock(&mutex);
    }
    return rc;
}

int reads(void *unused)
{
    int rc;

    (void)unused;
    pthread_rwlock_rdlock(&rwlock);
    rc = nido_sleep(NIDO_MS(1));
    pthread_rwlock_unlock(&rwlock);
    return rc;
}

int yields(void *unused)
{
    int rc;

    (void)unused;
    if (pthread_mutex_trylock(&mutex)) return -1;
    rc = nido_yield();
    pthread_mutex_unlock(&mutex);
    return rc;
}

int ends(void *unused)
{
    (void)unused;
    return pthread_mutex_lock(&mutex);
}

static int behaves(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&other);
    pthread_mutex_lock(&third);
    pthread_mutex_unlock(&other);
    pthread_mutex_unlock(&third);
    return nido_sleep(NIDO_MS(1));
}

int spawns(void *fn)
{
    nido_spawn_options options;
    nido_group group;
    int rc;

    nido_spawn_options_init(&options);
    options.name = "writer";
    nido_group_open(&group, NIDO_FAIL_FAST, "writers");
    rc = nido_spawn_with(&group, *(nido_fn **)fn, NULL, &options, NULL);
    if (!rc) rc = nido_spawn(&group, behaves, NULL);
    return nido_group_close(&group, rc);
}

static int run(nido_fn *fn)
{
    return nido_run(spawns, &fn, NULL);
}

static int run_with_a_lock(void)
{
    int rc;

    pthread_mutex_lock(&other);
    rc = nido_run(reads, NULL, NULL);
    pthread_mutex_unlock(&other);
    return rc;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    setvbuf(stdout, NULL, _IONBF, 0);
    if (!strcmp(what, "saves")) return run(saves);
    if (!strcmp(what, "reads")) return run(reads);
    if (!strcmp(what, "yields")) return run(yields);
    if (!strcmp(what, "ends")) return run(ends);
    if (!strcmp(what, "behaves")) return run(behaves);
    if (!strcmp(what, "around")) return run_with_a_lock();
    return 2;
}
