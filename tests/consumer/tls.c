/* SPDX-License-Identifier: MIT */
/* A user of nido::tls. */
#include <nido.h>
#include <nido/tls.h>
#include <stdio.h>

int main(void)
{
    nido_tls *tls = NULL;
    int rc = nido_tls_new(NULL, &tls);

    if (rc) return 1;
    nido_tls_free(tls);
    rc = nido_tls_new(&NIDO_TLS_OPTIONS(.certificate = "/nowhere"), &tls);
    printf("tls %d\n", rc);
    return 0;
}
