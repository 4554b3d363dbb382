/* SPDX-License-Identifier: MIT */
/* base/list.h: a ring of links with a head that holds no element.
 *
 * A link that is in no list has next == NULL, so that nidoi_linked can tell; removing sets it so
 * again. An empty head points to itself. */
#ifndef NIDOI_LIST_H
#define NIDOI_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/assert.h"
#include "nido/impl.h"

#define nidoi_container(pointer, type, member) \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void nidoi_list_init(struct nidoi_link *head)
{
    head->next = head->prev = head;
}

static inline bool nidoi_list_empty(const struct nidoi_link *head)
{
    return head->next == head;
}

static inline bool nidoi_linked(const struct nidoi_link *link)
{
    return link->next != NULL;
}

static inline void nidoi_list_insert_before(struct nidoi_link *where, struct nidoi_link *link)
{
    nidoi_assert(!nidoi_linked(link));
    link->next = where;
    link->prev = where->prev;
    where->prev->next = link;
    where->prev = link;
}

static inline void nidoi_list_append(struct nidoi_link *head, struct nidoi_link *link)
{
    nidoi_list_insert_before(head, link);
}

static inline void nidoi_list_push(struct nidoi_link *head, struct nidoi_link *link)
{
    nidoi_list_insert_before(head->next, link);
}

static inline void nidoi_list_remove(struct nidoi_link *link)
{
    /* The analyser does not know that a ring is closed. */
    link->prev->next = link->next; /* NOLINT(clang-analyzer-core.NullDereference) */
    link->next->prev = link->prev;
    link->next = link->prev = NULL;
}

/* The first link, removed; NULL if there is none. */
static inline struct nidoi_link *nidoi_list_pop(struct nidoi_link *head)
{
    struct nidoi_link *link = head->next;

    if (link == head) return NULL;
    nidoi_list_remove(link);
    return link;
}

/* Moves all of `from` to the end of `to`, keeping the order. */
static inline void nidoi_list_splice(struct nidoi_link *to, struct nidoi_link *from)
{
    if (nidoi_list_empty(from)) return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    nidoi_list_init(from);
}

#endif
