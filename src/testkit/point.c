/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "nido.h"
#include "testkit/kit.h"

/* A NIDO_TEST_IS_POINT or _IS_NO_POINT that has begun; in a list of this thread, for all its tasks,
 * the innermost first. */
struct point {
    struct point *below;
    uint64_t task;
    uint64_t entered; /* the count of entries at its beginning */
    nido_scope scope;
};

static _Thread_local struct point *points;

void nido_test_point_begin(void)
{
    struct point *point = nidoi_kit_memory(NULL, sizeof *point);

    nidoi_watch_begin(NULL, NULL);
    *point = (struct point){.below = points, .task = nido_self().id};
    points = point;
    nido_scope_open(&point->scope);
    nido_scope_cancel(&point->scope, 0, "is this a cancellation point?");
    point->entered = nidoi_observed.entered;
}

static struct point *point_find(void)
{
    struct point **at = &points;

    while (*at && (*at)->task != nido_self().id) at = &(*at)->below;
    if (!*at) abort(); /* the macros always begin before they end */
    return *at;
}

static void point_unlink(struct point *point)
{
    struct point **at = &points;

    while (*at != point) at = &(*at)->below;
    *at = point->below;
    free(point);
}

bool nido_test_point_end(intptr_t result, bool expected, const char *expr, const char *file,
                         int line)
{
    struct point *point = point_find();
    bool entered = nidoi_observed.entered != point->entered;
    bool fine = expected ? entered && result == -ECANCELED : !entered;

    nido_scope_close(&point->scope, 0);
    point_unlink(point);
    nidoi_watch_end(NULL);
    if (!fine)
        fprintf(stderr, "%s:%d: %s is %s cancellation point: it was %s and gave %lld\n", file, line,
                expr, expected ? "no" : "a", entered ? "entered" : "not entered",
                (long long)result);
    return fine;
}
