/* SPDX-License-Identifier: MIT */
#include "base/debug_words.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static bool asks(const char *environment, const char *word)
{
    setenv("NIDO_DEBUG", environment, 1);
    return nidoi_debug_asks(word);
}

Test(debug_words, a_word_counts_when_it_stands_alone_or_in_a_list)
{
    cr_expect(asks("dump", "dump"));
    cr_expect(asks("strict,dump", "dump"));
    cr_expect(asks("dump, strict", "strict"));
    cr_expect(asks(",, dump", "dump"));
}

Test(debug_words, a_part_of_a_word_and_a_longer_word_are_other_words)
{
    cr_expect_not(asks("dumps", "dump"));
    cr_expect_not(asks("dum", "dump"));
    cr_expect_not(asks("nodump", "dump"));
    cr_expect_not(asks("", "dump"));
}

Test(debug_words, one_and_all_mean_every_word_but_what_is_expensive)
{
    cr_expect(asks("1", "dump"));
    cr_expect(asks("all", "stall"));
    cr_expect(asks("1", "measure"));
    cr_expect_not(asks("1", "strict"));
    cr_expect_not(asks("all", "cpu"));
    cr_expect(asks("1,strict", "strict"));
    cr_expect_not(asks("11", "dump"));
}

Test(debug_words, without_the_variable_nothing_is_asked_for)
{
    unsetenv("NIDO_DEBUG");
    cr_expect_not(nidoi_debug_asks("dump"));
    cr_expect_not(nidoi_debug_asks("1"));
}

static const char *unknown(const char *environment, size_t *length)
{
    setenv("NIDO_DEBUG", environment, 1);
    return nidoi_debug_unknown(length);
}

Test(debug_words, a_word_that_nothing_goes_by_is_found)
{
    size_t length = 0;

    cr_expect_not(unknown("", &length));
    cr_expect_not(unknown("1, strict", &length));
    cr_expect_not(
        unknown("cancel,cpu,dump locks measure,overflow,stacks,stall,trace,users,all", &length));
    cr_assert(unknown("dump,stal", &length));
    cr_expect_eq(length, 4);
    cr_assert(unknown("DUMP", &length));
    cr_assert(unknown("dump:stacks", &length));
    cr_expect_eq(length, 11);
}
