/* SPDX-License-Identifier: MIT */
/* coro/group/body.h: a group while its body runs: the wait for its children.
 *
 * Only the opener waits, so there is one wait at a time: group->closer is its waiter, group->idler
 * the node that is claimed when the group is idle. Both are set exactly while it waits. */
#ifndef NIDOI_BODY_H
#define NIDOI_BODY_H

#include "coro/group/group.h"

/* May the running task wait for the children now? 0, or what the call answers. */
int nidoi_body_may_wait(const struct nidoi_loop *loop, const nido_group *group);

/* `node` waits from now on until the group is idle, which it is not; no longer. */
void nidoi_body_enlist(nido_group *group, struct nidoi_node *node);
void nidoi_body_withdraw(nido_group *group);

/* What the wait answers: 0, or the first failure so far, whose error the running task keeps. */
int nidoi_body_outcome(struct nidoi_loop *loop, nido_group *group);

/* Is `task` a child of the group, started for it, or below one that is? */
bool nidoi_body_needs(const nido_group *group, const struct nidoi_task *task);

#endif
