/* SPDX-License-Identifier: MIT */
#include <nido.h>
#include <stdio.h>

static int app(void *unused)
{
    (void)unused;
    return nido_sleep(NIDO_MS(1));
}

int main(void)
{
    int rc = nido_run(app, NULL, NULL);

    printf("nido %s: %s\n", nido_version(), nido_strerror(rc));
    return nido_exit_status(rc);
}
