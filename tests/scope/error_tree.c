/* SPDX-License-Identifier: MIT */
/* The errors of groups with several failures: listed, printed, searched. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "group_help.h"

static int fail_in_pairs(void *depth)
{
    nido_group group;

    if (!depth) return nido_fail(-ENOENT, "leaf");
    nido_group_open(&group, NIDO_WAIT_ALL, (intptr_t)depth == 2 ? "outer" : "inner");
    cr_expect(zero(int, nido_spawn(&group, give, result(-EIO))));
    cr_expect(zero(int, nido_spawn(&group, fail_in_pairs, result((int)(intptr_t)depth - 1))));
    return nido_group_close(&group, 0);
}

static int print_a_tree(void *unused)
{
    static const char *const order[] = {"group \"outer\": 2 failures", "  1. EIO",
                                        "  2. group \"inner\": 2 failures", "    1. EIO",
                                        "    2. leaf (ENOENT"};
    char *text = NULL, *at;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    (void)unused;
    cr_expect(eq(int, fail_in_pairs(result(2)), -EIO));
    nido_error_print(nido_error_last(), file);
    fclose(file);
    at = text;
    for (size_t i = 0; at && i < sizeof order / sizeof *order; i++) {
        at = strstr(at, order[i]);
        cr_expect(ne(ptr, at, NULL), "%s is missing in\n%s", order[i], text);
    }
    free(text);
    return 0;
}

/* S68 */
NIDO_TEST(error_tree, nested_failures_are_printed_as_a_tree_in_order_of_completion)
{
    cr_expect(zero(int, nido_test_run(print_a_tree, NULL)));
}

static int find_in_a_tree(void *unused)
{
    const nido_error *error;

    (void)unused;
    cr_expect(eq(int, fail_in_pairs(result(2)), -EIO));
    error = nido_error_last();
    cr_expect(eq(ptr, (void *)nido_error_find(error, -EIO), (void *)error));
    cr_expect(eq(str, (char *)nido_error_text(nido_error_find(error, -ENOENT)), "leaf"));
    cr_expect(zero(ptr, (void *)nido_error_find(error, -EPERM)));
    cr_expect(zero(ptr, (void *)nido_error_find(NULL, -EIO)));
    return 0;
}

/* S73 */
NIDO_TEST(error_tree, find_looks_into_suppressed_grandchildren)
{
    cr_expect(zero(int, nido_test_run(find_in_a_tree, NULL)));
}

static int a_hundred_failures(void *unused)
{
    const nido_error *error;
    nido_group group;

    (void)unused;
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    for (int i = 0; i < 100; i++) cr_expect(zero(int, nido_spawn(&group, give, result(-EIO))));
    cr_expect(eq(int, nido_group_close(&group, 0), -EIO));
    error = nido_error_last();
    cr_expect(eq(sz, nido_error_suppressed_count(error), 63));
    cr_expect(eq(ulong, nido_error_unlisted(error), 36));
    return 0;
}

NIDO_TEST(error_tree, sixty_four_are_listed_and_the_rest_counted)
{
    cr_expect(zero(int, nido_test_run(a_hundred_failures, NULL)));
}
