/* SPDX-License-Identifier: MIT */
/* plain.c: hello.c without nido, its floor: what the kernel, the linker and libc take. */
#include <stdio.h>

static int greet(const char *name)
{
    return printf("hello, %s\n", name);
}

int main(void)
{
    return greet("nido") < 0;
}
