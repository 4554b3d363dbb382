/* SPDX-License-Identifier: MIT */
/* sick/dead_resolver: a name server that does not answer holds what dials.
 *
 * The C library asks for seconds, on a worker thread, and cannot be told to stop. The dump (Ctrl-\ of a run with
 * NIDO_DEBUG=dump; this program asks by itself) shows a task that waits for the name. The cure: a deadline around the
 * dial; the question goes on without the task. Here getaddrinfo is a function that takes its time, so that no real name
 * server is needed.
 *
 *     ./sick_dead_resolver         ./sick_dead_resolver cured
 */
#define _POSIX_C_SOURCE 200809L

#include <netdb.h>
#include <nido.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

static bool cured;

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    (void)host, (void)service, (void)hints, (void)out;
    nanosleep(&(struct timespec){.tv_nsec = 900 * 1000 * 1000}, NULL);
    return EAI_AGAIN;
}

static int dial(void *unused)
{
    (void)unused;
    int fd = nido_dial("db.example", "5432", NULL);
    return fd < 0 ? fd : nido_close(fd);
}

static int query(void *unused)
{
    nido_set_name("query");
    return cured ? nido_with_timeout(NIDO_MS(200), dial, unused) : dial(unused); /* the fault */
}

/* What a person at the terminal does. */
static int look(void *unused)
{
    (void)unused;
    nido_set_name("look");
    int rc = nido_sleep(NIDO_MS(500));
    if (rc == 0) nido_dump(stderr);
    return rc;
}

static int app(void *unused)
{
    nido_group tasks;
    nido_spawn_options service;
    nido_spawn_options_init(&service);
    service.service = true;
    nido_group_open(&tasks, NIDO_FAIL_FAST, "tasks");
    int rc = nido_spawn(&tasks, query, unused);
    if (rc == 0) rc = nido_spawn_with(&tasks, look, unused, &service, NULL);
    return nido_group_close(&tasks, rc);
}

int main(int argc, char **argv)
{
    (void)argv;
    cured = argc > 1;
    int rc = nido_run(app, NULL, NULL);
    if (rc < 0) fprintf(stderr, "dead_resolver: %s\n", nido_strerror(rc));
    return nido_exit_status(rc);
}
