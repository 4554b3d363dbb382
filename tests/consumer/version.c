/* SPDX-License-Identifier: MIT */
/* The versions of the headers and of the library, each as text and as a number. */
#include <nido/version.h>
#include <stdio.h>

int main(void)
{
    printf("%s %d\n%s %d\n", NIDO_VERSION, NIDO_VERSION_NUMBER, nido_version(),
           nido_version_number());
    return 0;
}
