/* SPDX-License-Identifier: MIT */
/* The -EPROTO that a stray -ECANCELED becomes, and what lies behind it. */
#include <stdio.h>
#include <string.h>

#include "inside_help.h"

static int make_it_up(void *unused)
{
    (void)unused;
    return nido_fail(-ECANCELED, "I feel cancelled");
}

static int make_it_up_silently(void *unused)
{
    (void)unused;
    return -ECANCELED;
}

static void expect_behind(const char *text)
{
    const nido_error *error = nido_error_last(), *behind = nido_error_find(error, -ECANCELED);

    cr_expect(eq(int, nido_error_code(error), -EPROTO));
    cr_assert(ne(ptr, (void *)behind, NULL));
    cr_expect(eq(ptr, (void *)behind, (void *)nido_error_cause(error)));
    cr_expect(eq(int, nido_error_code(behind), -ECANCELED));
    cr_expect(eq(str, (char *)nido_error_text(behind), (char *)text));
    cr_expect(zero(sz, nido_error_suppressed_count(error)));
}

INSIDE(error_stray, a_childs_is_found_behind_it)
{
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, make_it_up, NULL);
    cr_expect(eq(int, nido_group_close(&group, 0), -EPROTO));
    expect_behind("I feel cancelled");
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, make_it_up_silently, NULL);
    cr_expect(eq(int, nido_group_close(&group, 0), -EPROTO));
    expect_behind("");
}

INSIDE(error_stray, a_bodys_is_found_behind_it)
{
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    cr_expect(eq(int, nido_group_close(&group, make_it_up(NULL)), -EPROTO));
    expect_behind("I feel cancelled");
}

INSIDE(error_stray, a_scopes_is_found_behind_it)
{
    nido_scope scope;

    nido_scope_open(&scope);
    cr_expect(eq(int, nido_scope_close(&scope, make_it_up(NULL)), -EPROTO));
    expect_behind("I feel cancelled");
}

INSIDE(error_stray, among_several_failures_it_is_found_too)
{
    nido_group group;

    nido_group_open(&group, NIDO_WAIT_ALL, "several");
    begin(&group, make_it_up, NULL);
    begin(&group, make_it_up, NULL);
    cr_expect(eq(int, nido_group_close(&group, 0), -EPROTO));
    cr_expect(eq(sz, nido_error_suppressed_count(nido_error_last()), 1));
    cr_expect(eq(str, (char *)nido_error_text(nido_error_find(nido_error_last(), -ECANCELED)),
                 "I feel cancelled"));
}

static nido_error *of_the_root;

static void keep_error(void *ctx, const nido_error *error)
{
    (void)ctx;
    of_the_root = nido_error_retain(error);
}

NIDO_TEST(error_stray, the_roots_is_found_behind_it_and_printed_below)
{
    nido_options options = nido_test_virtual();
    char *text = NULL;
    size_t size;
    FILE *file;

    options.on_error = keep_error;
    cr_expect(eq(int, nido_run(make_it_up, NULL, &options), -EPROTO));
    cr_expect(eq(int, nido_error_code(nido_error_find(of_the_root, -ECANCELED)), -ECANCELED));
    file = open_memstream(&text, &size);
    nido_error_print(of_the_root, file);
    fclose(file);
    cr_expect(ne(ptr, strstr(text, "\n  behind it: I feel cancelled (ECANCELED"), NULL), "%s",
              text);
    cr_expect(eq(ptr, strstr(text, "failures"), NULL), "%s", text);
    free(text);
    nido_error_release(of_the_root);
}
