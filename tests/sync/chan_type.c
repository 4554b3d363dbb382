/* SPDX-License-Identifier: MIT */
/* NIDO_CHAN_TYPE: channels whose items have a type. */
#include "inside_help.h"
#include "nido/sugar.h"

struct point {
    double x, y;
};

NIDO_CHAN_TYPE(points, struct point);
NIDO_CHAN_TYPE(names, const char *);

static int send_point(void *chan)
{
    return points_send(chan, (struct point){3, 4});
}

INSIDE(chan_type, typed_calls_are_those_of_the_channel)
{
    struct point point = {0, 0};
    nido_chan *chan = NULL;
    nido_group group;

    cr_expect(eq(int, points_new(1, NULL, NULL, &chan), 0));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, send_point, chan);
    cr_expect(eq(int, points_recv(chan, &point), 0));
    cr_expect(eq(dbl, point.x, 3));
    cr_expect(eq(int, points_try_recv(chan, &point), -EAGAIN));
    cr_expect(eq(int, points_try_send(chan, (struct point){5, 6}), 0));
    cr_expect(eq(int, points_try_send(chan, point), -EAGAIN));
    cr_expect(eq(int, points_recv(chan, &point), 0));
    cr_expect(eq(dbl, point.y, 6));
    cr_expect(eq(int, nido_chan_reserve(chan), 0));
    cr_expect(eq(int, points_commit(chan, (struct point){7, 8}), 0));
    cr_expect(eq(int, points_try_recv(chan, &point), 0));
    cr_expect(eq(dbl, point.x, 7));
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    nido_chan_free(chan);
}

INSIDE(chan_type, a_channel_of_another_size_is_refused)
{
    const char *name = "ada";
    nido_chan *chan;

    points_new(1, NULL, NULL, &chan);
    cr_expect(eq(int, names_send(chan, name), -EINVAL));
    cr_expect(eq(int, names_try_send(chan, name), -EINVAL));
    cr_expect(eq(int, names_commit(chan, name), -EINVAL));
    cr_expect(eq(int, names_recv(chan, &name), -EINVAL));
    cr_expect(eq(int, names_try_recv(chan, &name), -EINVAL));
    cr_expect(eq(str, (char *)name, "ada"));
    nido_chan_free(chan);
}
