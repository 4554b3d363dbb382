/* SPDX-License-Identifier: MIT */
/* sick/full_channel: one slow receiver makes all senders slow.
 *
 * A log writes one line in 100 ms, twenty connections send it two lines each before they answer, and so they answer at
 * the speed of the log. The dump (Ctrl-\ of a run with NIDO_DEBUG=dump; this program asks by itself) shows them all
 * parked at one channel. The cure: what may be lost is tried (nido_chan_try_send) and counted.
 *
 *     ./sick_full_channel          ./sick_full_channel cured
 */
#include <errno.h>
#include <nido.h>
#include <stdbool.h>
#include <stdio.h>

static bool cured;

enum { CONNECTIONS = 20 };

static nido_chan *lines;
static int lost;

static int log_lines(void *unused)
{
    int line, rc;
    (void)unused;
    nido_set_name("log");
    while ((rc = nido_chan_recv(lines, &line)) == 0) {
        rc = nido_sleep(NIDO_MS(100)); /* a slow disk */
        if (rc < 0) return rc;
    }
    return rc == -EPIPE ? 0 : rc;
}

static int log_line(int line)
{
    if (!cured) return nido_chan_send(lines, &line); /* the fault */
    if (nido_chan_try_send(lines, &line) == -EAGAIN) lost++;
    return nido_check();
}

static int conn(void *unused)
{
    (void)unused;
    nido_set_name("conn");
    int rc = log_line(1);
    if (rc == 0) rc = log_line(2);
    return rc;
}

/* What a person at the terminal does. */
static int look(void *unused)
{
    (void)unused;
    nido_set_name("look");
    int rc = nido_sleep(NIDO_MS(250));
    if (rc == 0) nido_dump(stderr);
    return rc;
}

static int serve(void *unused)
{
    nido_group conns;
    nido_spawn_options service;
    int rc;
    nido_spawn_options_init(&service);
    service.service = true;
    nido_group_open(&conns, NIDO_FAIL_FAST, "conns");
    rc = nido_spawn_with(&conns, look, unused, &service, NULL);
    for (int i = 0; i < CONNECTIONS && rc == 0; i++) rc = nido_spawn(&conns, conn, unused);
    rc = nido_group_close(&conns, rc);
    if (lost) printf("%d lines were lost\n", lost);
    nido_chan_close_send(lines);
    return rc;
}

static int app(void *unused)
{
    nido_group tasks;
    int rc = nido_chan_new(sizeof(int), 4, NULL, NULL, &lines);
    if (rc < 0) return rc;
    nido_chan_set_name(lines, "lines");
    nido_group_open(&tasks, NIDO_FAIL_FAST, "tasks");
    rc = nido_spawn(&tasks, log_lines, unused);
    if (rc == 0) rc = nido_spawn(&tasks, serve, unused);
    rc = nido_group_close(&tasks, rc);
    nido_chan_free(lines);
    return rc;
}

int main(int argc, char **argv)
{
    (void)argv;
    cured = argc > 1;
    int rc = nido_run(app, NULL, NULL);
    if (rc < 0) fprintf(stderr, "full_channel: %s\n", nido_strerror(rc));
    return nido_exit_status(rc);
}
