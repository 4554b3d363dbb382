/* SPDX-License-Identifier: MIT */
/* base/list.h: rings of links. */
#include "base/list.h"

#include <signal.h>

#include "nido_test.h"

static struct nidoi_link head;
static struct nidoi_link links[6];

/* A fresh list of links[first .. end). */
static void fill(struct nidoi_link *list, int first, int end)
{
    nidoi_list_init(list);
    for (int i = first; i < end; i++) nidoi_list_append(list, &links[i]);
}

/* Walks both ways: the links in `list` are exactly links[order[i]]. */
static bool holds(const struct nidoi_link *list, const int *order, int n)
{
    const struct nidoi_link *forth = list, *back = list;

    for (int i = 0; i < n; i++) {
        forth = forth->next;
        back = back->prev;
        if (forth != &links[order[i]] || back != &links[order[n - 1 - i]]) return false;
    }
    return forth->next == list && back->prev == list;
}

#define HOLDS(list, ...) \
    holds(list, (const int[]){__VA_ARGS__}, sizeof(int[]){__VA_ARGS__} / sizeof(int))

NIDO_TEST(list, an_empty_list_pops_nothing)
{
    nidoi_list_init(&head);
    cr_expect(nidoi_list_empty(&head));
    cr_expect(eq(ptr, nidoi_list_pop(&head), NULL));
    cr_expect(nidoi_list_empty(&head));
}

NIDO_TEST(list, what_was_appended_first_is_popped_first)
{
    fill(&head, 0, 3);
    cr_expect(HOLDS(&head, 0, 1, 2));
    for (int i = 0; i < 3; i++) cr_expect(eq(ptr, nidoi_list_pop(&head), &links[i]));
    cr_expect(nidoi_list_empty(&head));
}

NIDO_TEST(list, what_was_pushed_last_is_popped_first)
{
    nidoi_list_init(&head);
    for (int i = 0; i < 3; i++) nidoi_list_push(&head, &links[i]);
    cr_expect(HOLDS(&head, 2, 1, 0));
}

NIDO_TEST(list, a_link_goes_exactly_before_the_one_named)
{
    fill(&head, 0, 2);
    nidoi_list_insert_before(&links[1], &links[2]);
    cr_expect(HOLDS(&head, 0, 2, 1));
}

NIDO_TEST(list, removing_joins_the_neighbours_and_clears_the_link)
{
    fill(&head, 0, 4);
    nidoi_list_remove(&links[1]);
    cr_expect(HOLDS(&head, 0, 2, 3));
    nidoi_list_remove(&links[3]);
    nidoi_list_remove(&links[0]);
    cr_expect(HOLDS(&head, 2));
    cr_expect(nidoi_linked(&links[2]) && !nidoi_linked(&links[1]));
    nidoi_list_append(&head, &links[1]);
    cr_expect(HOLDS(&head, 2, 1));
}

NIDO_TEST(list, a_popped_link_is_in_no_list)
{
    fill(&head, 0, 1);
    cr_expect(nidoi_linked(&links[0]));
    nidoi_list_pop(&head);
    cr_expect(not(nidoi_linked(&links[0])));
}

NIDO_TEST(list, splicing_appends_in_order_and_empties_the_source)
{
    struct nidoi_link more;

    fill(&head, 0, 2);
    fill(&more, 2, 5);
    nidoi_list_splice(&head, &more);
    cr_expect(HOLDS(&head, 0, 1, 2, 3, 4));
    cr_expect(nidoi_list_empty(&more));
}

NIDO_TEST(list, splicing_into_or_from_an_empty_list_is_fine)
{
    struct nidoi_link more;

    fill(&head, 0, 2);
    nidoi_list_init(&more);
    nidoi_list_splice(&more, &head);
    cr_expect(HOLDS(&more, 0, 1));
    cr_expect(nidoi_list_empty(&head));
    nidoi_list_splice(&more, &head);
    cr_expect(HOLDS(&more, 0, 1));
}

Test(list, a_link_cannot_be_in_two_lists, .signal = SIGABRT)
{
    struct nidoi_link more;

    fill(&head, 0, 1);
    nidoi_list_init(&more);
    nidoi_list_append(&more, &links[0]);
}
