/* SPDX-License-Identifier: MIT */
/* A semaphore: so many may do it at once, and a large task takes more permits than a small one. No
 * task overtakes another: small requests do not starve a large one. */
#include <nido.h>
#include <stdio.h>

struct job {
    nido_sem *memory;
    const char *name;
    uint32_t megabytes;
};

static int work(void *arg)
{
    const struct job *job = arg;
    int rc = nido_sem_acquire_n(job->memory, job->megabytes);
    if (rc < 0) return rc; /* cancelled: no permit was taken */
    printf("%s begins, %u MB left\n", job->name, nido_sem_count(job->memory));
    rc = nido_sleep(NIDO_MS(10) * job->megabytes);
    nido_sem_release_n(job->memory, job->megabytes);
    return rc;
}

static int app(void *unused)
{
    nido_sem memory;
    struct job jobs[] = {{&memory, "small", 2}, {&memory, "large", 8}, {&memory, "late", 2}};
    nido_group group;
    (void)unused;
    int rc = nido_sem_init(&memory, 8, 8, "memory");
    if (rc < 0) return rc;
    nido_group_open(&group, NIDO_FAIL_FAST, "jobs");
    for (int i = 0; i < 3 && rc == 0; i++) rc = nido_spawn(&group, work, &jobs[i]);
    rc = nido_group_close(&group, rc);
    nido_sem_deinit(&memory);
    return rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, &NIDO_OPTIONS(.clock = NIDO_CLOCK_VIRTUAL)));
}
/* prints:
 * small begins, 6 MB left
 * large begins, 0 MB left
 * late begins, 6 MB left
 */
