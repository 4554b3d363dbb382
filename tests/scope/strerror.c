/* SPDX-License-Identifier: MIT */
/* Every errno of the system has its name and words. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "nido_test.h"

/* Both C libraries for Linux say so in words of their own when they do not know a number. */
static bool is_known(int number)
{
    const char *text = strerror(number);

    return strncmp(text, "Unknown error", 13) != 0 && strcmp(text, "No error information") != 0;
}

NIDO_TEST(strerror, every_errno_of_the_system_has_a_name_and_words)
{
    int known = 0;

    for (int number = 1; number < 4096; number++) {
        const char *text = nido_strerror(-number), *end = strstr(text, ": ");

        if (!is_known(number)) continue;
        known++;
        cr_expect(text[0] == 'E' && end && end[2], "%d: %s", number, text);
        cr_expect(eq(ptr, (void *)nido_strerror(number), (void *)text), "either sign");
    }
    cr_expect(ge(int, known, 80));
}

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 32)
NIDO_TEST(strerror, the_names_are_those_of_the_system)
{
    for (int number = 1; number < 4096; number++) {
        const char *name = strerrorname_np(number), *text = nido_strerror(-number);

        if (!name || number == EOPNOTSUPP) continue; /* which has two */
        cr_expect(zero(int, strncmp(text, name, strlen(name))), "%s: %s", name, text);
        cr_expect(eq(chr, text[strlen(name)], ':'), "%s: %s", name, text);
    }
}
#endif

NIDO_TEST(strerror, a_number_that_is_no_errno_is_told)
{
    cr_expect(eq(str, (char *)nido_strerror(-4711), "unknown error 4711"));
    cr_expect(eq(str, (char *)nido_strerror(INT_MIN), "unknown error 2147483648"));
    cr_expect(eq(str, (char *)nido_strerror(0), "OK"));
}

/* The number does not tell who refused: the words must not say that it was nido. */
NIDO_TEST(strerror, a_code_that_nido_shares_with_the_system_has_words_for_both)
{
    cr_expect(ne(ptr, (void *)strstr(nido_strerror(-EPERM), "not permitted"), NULL));
    cr_expect(ne(ptr, (void *)strstr(nido_strerror(-EXDEV), "file system"), NULL));
    cr_expect(ne(ptr, (void *)strstr(nido_strerror(-ESRCH), "process"), NULL));
}

/* `return -1` without a thought is the same number. */
NIDO_TEST(strerror, a_bare_minus_1_is_not_blamed_on_a_rule_of_nido)
{
    cr_expect(ne(ptr, (void *)strstr(nido_strerror(-1), "a bare -1"), NULL));
    cr_expect(eq(ptr, (void *)strstr(nido_strerror(-1), "not a task"), NULL));
}
