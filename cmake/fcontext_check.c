/* SPDX-License-Identifier: MIT */
/* The round trip that the folded fcontext functions have to pass before nido is built: a context is
 * made, jumped into and left again; a function is run on top of it; data arrives; and the registers
 * that a callee must preserve are what they were. Compiled with optimisation, so that values live
 * across a jump are kept in those registers. Prints how many bytes of registers lie on a stack that was left,
 * which versions of Boost differ in. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct transfer {
    void *context;
    void *data;
};

struct transfer nidoi_fctx_jump(void *to, void *data);
struct transfer nidoi_fctx_ontop(void *to, void *data, struct transfer (*fn)(struct transfer));
void *nidoi_fctx_make(void *top, size_t size, void (*fn)(struct transfer));

enum { STACK_SIZE = 65536 };

static int kept = 1;

/* The compiler knows nothing about these values and must have all of them in registers here. */
#define OPAQUE(a, b, c, d, e) __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e))

static struct transfer jump_and_compare(void *to, void *data, uintptr_t seed)
{
    uintptr_t a = seed, b = seed, c = seed, d = seed, e = seed;
    OPAQUE(a, b, c, d, e);
    struct transfer back = nidoi_fctx_jump(to, data);
    OPAQUE(a, b, c, d, e);
    if ((a ^ seed) | (b ^ seed) | (c ^ seed) | (d ^ seed) | (e ^ seed)) kept = 0;
    return back;
}

static void echo(struct transfer from)
{
    for (;;) from = jump_and_compare(from.context, from.data, (uintptr_t)0x5a5a5a5a);
}

static struct transfer replace(struct transfer from)
{
    *(int *)from.data += 1;
    return from;
}

int main(void)
{
    int first = 1, second = 2;
    char *stack = malloc(STACK_SIZE);
    if (!stack) return 2;
    void *context = nidoi_fctx_make(stack + STACK_SIZE, STACK_SIZE, echo);
    struct transfer back = jump_and_compare(context, &first, (uintptr_t)0x12345678);
    if (back.data != &first) return 3;
    back = jump_and_compare(back.context, &second, (uintptr_t)0x9abcdef0);
    if (back.data != &second) return 4;
    back = nidoi_fctx_ontop(back.context, &first, replace);
    if (back.data != &first || first != 2) return 5;
    printf("%d", (int)(stack + STACK_SIZE -
                       (char *)nidoi_fctx_make(stack + STACK_SIZE, STACK_SIZE, echo)));
    free(stack);
    return kept ? 0 : 6;
}
