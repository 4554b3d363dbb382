/* SPDX-License-Identifier: MIT */
/* sick/starved_task: tasks wait for permits that only they could give back.
 *
 * A semaphore lets four uploads run. Each of them, while it runs, takes a second permit for its thumbnail: four permits
 * are held by four tasks that wait for a fifth. The cure: a task that holds a permit does not wait for another one of the
 * same semaphore; thumbnails get one of their own. (nido_limiter, whose permits have owners, refuses the second wish with
 * -EDEADLK.)
 *
 *     ./sick_starved_task          ./sick_starved_task cured
 */
#include <nido.h>
#include <stdbool.h>
#include <stdio.h>

static bool cured;

static nido_sem uploads, thumbnails;

static int make_thumbnail(void)
{
    nido_sem *permits = cured ? &thumbnails : &uploads; /* the fault */
    int rc = nido_sem_acquire(permits);
    if (rc < 0) return rc;
    rc = nido_sleep(NIDO_MS(1));
    nido_sem_release(permits);
    return rc;
}

static int upload(void *unused)
{
    (void)unused;
    nido_set_name("upload");
    int rc = nido_sem_acquire(&uploads);
    if (rc < 0) return rc;
    rc = nido_yield(); /* the others begin too */
    if (rc == 0) rc = make_thumbnail();
    nido_sem_release(&uploads);
    return rc;
}

static int app(void *unused)
{
    nido_group tasks;
    int rc = nido_sem_init(&uploads, 4, 4, "uploads");
    if (rc == 0) rc = nido_sem_init(&thumbnails, 2, 2, "thumbnails");
    if (rc < 0) return rc;
    nido_group_open(&tasks, NIDO_FAIL_FAST, "tasks");
    for (int i = 0; i < 6 && rc == 0; i++) rc = nido_spawn(&tasks, upload, unused);
    return nido_group_close(&tasks, rc);
}

int main(int argc, char **argv)
{
    (void)argv;
    cured = argc > 1;
    int rc = nido_run(app, NULL, NULL);
    if (rc < 0) fprintf(stderr, "starved_task: %s\n", nido_strerror(rc));
    return nido_exit_status(rc);
}
