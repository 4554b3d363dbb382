/* SPDX-License-Identifier: MIT */
/* inside_glib: a nido runtime as a source of GLib's main loop.
 *
 * Shows nido_rt_new and its steps as a GSource: GLib asks before it sleeps how long it may, watches
 * one descriptor, and dispatches a step when either has news. A GTK program takes nido in the same
 * way.
 *
 *     ./example_inside_glib 3
 */
#include <glib.h>
#include <nido.h>
#include <stdio.h>
#include <stdlib.h>

struct source {
    GSource base; /* first */
    nido_rt *rt;
    gpointer tag; /* of the descriptor */
    GMainLoop *loop;
};

static gboolean prepare(GSource *base, gint *milliseconds)
{
    int64_t ns = nido_rt_timeout(((struct source *)base)->rt);
    *milliseconds = ns == NIDO_NEVER ? -1 : (gint)((ns + 999999) / 1000000);
    return ns == 0;
}

static gboolean check(GSource *base)
{
    struct source *source = (struct source *)base;
    return g_source_query_unix_fd(base, source->tag) || nido_rt_timeout(source->rt) == 0;
}

static gboolean dispatch(GSource *base, GSourceFunc callback, gpointer data)
{
    struct source *source = (struct source *)base;
    (void)callback, (void)data;
    if (nido_rt_step(source->rt) == 1) return G_SOURCE_CONTINUE;
    g_main_loop_quit(source->loop);
    return G_SOURCE_REMOVE;
}

static GSourceFuncs functions = {.prepare = prepare, .check = check, .dispatch = dispatch};

/* ---- What the two do for each other ---- */

static nido_event tick;

static gboolean ring(gpointer data)
{
    (void)data;
    nido_event_set(&tick);
    return G_SOURCE_CONTINUE;
}

static int listen_to_bells(void *arg)
{
    int rings = *(const int *)arg;
    for (int i = 1; i <= rings; i++) {
        int rc = nido_event_wait(&tick);
        if (rc < 0) return rc;
        nido_event_reset(&tick);
        nido_sleep(NIDO_MS(1));
        printf("ring %d\n", i);
    }
    return 0;
}

int main(int argc, char **argv)
{
    int rings = argc == 2 ? atoi(argv[1]) : 0, rc;
    if (argc != 2) {
        fprintf(stderr, "usage: %s RINGS\n", argv[0]);
        return 2;
    }
    struct source *source = (struct source *)g_source_new(&functions, sizeof *source);
    nido_event_init(&tick, "tick");
    rc = nido_rt_new(NULL, &source->rt);
    if (rc == 0) rc = nido_rt_start(source->rt, listen_to_bells, &rings);
    if (rc < 0) {
        fprintf(stderr, "%s: %s\n", argv[0], nido_strerror(rc));
        return 1;
    }
    source->loop = g_main_loop_new(NULL, FALSE);
    source->tag = g_source_add_unix_fd(&source->base, nido_rt_fd(source->rt), G_IO_IN);
    g_source_attach(&source->base, NULL);
    guint ringer = g_timeout_add(1, ring, NULL);
    g_main_loop_run(source->loop);
    g_source_remove(ringer);
    g_main_loop_unref(source->loop);
    nido_rt_result(source->rt, &rc);
    nido_rt_free(source->rt);
    g_source_unref(&source->base);
    return nido_exit_status(rc);
}
