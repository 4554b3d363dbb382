#include "sync/sync.h"

#include <stdio.h>

const char *nidoi_sync_name(const struct nidoi_waiter *waiter)
{
    return ((const struct nidoi_sync *)waiter->object)->name;
}

void nidoi_sync_bereaved(const char *what, const struct nidoi_sync *sync)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    const struct nidoi_task *dead = loop->sched.current;
    char text[256];

    snprintf(text, sizeof text,
             "nido: task #%llu \"%s\" has ended and left %s %p \"%s\" locked: whoever gets it next "
             "is told so by -EOWNERDEAD\n",
             (unsigned long long)dead->id, dead->name ? dead->name : "", what, (const void *)sync,
             sync->name ? sync->name : "");
    nidoi_loop_report(loop, text);
}
