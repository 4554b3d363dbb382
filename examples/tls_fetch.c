/* SPDX-License-Identifier: MIT */
/* tls_fetch: a page over HTTPS.
 *
 * Shows nido::tls as a client: one call dials, verifies the server and opens a stream; one deadline
 * holds for all of it.
 *
 *     ./example_tls_fetch HOST PORT PATH TIMEOUT_MS [ROOTS]
 *     ./example_tls_fetch example.org 443 / 5000
 */
#include <nido.h>
#include <nido/tls.h>
#include <stdio.h>
#include <stdlib.h>

static int ask(nido_stream *site, const char *host, const char *path)
{
    char buf[16384];
    ssize_t n;
    int rc = nido_stream_printf(site, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
                                path, host);
    if (rc < 0) return rc;
    while ((n = nido_stream_read(site, buf, sizeof buf)) > 0) /* sends the request first */
        fwrite(buf, 1, (size_t)n, stdout);
    return (int)n; /* -EPIPE: the answer may have been cut short */
}

static int fetch(nido_tls *tls, char **argv)
{
    nido_stream site;
    nido_scope limit;
    nido_timeout_open(&limit, NIDO_MS(strtol(argv[4], NULL, 10)));
    int rc = nido_tls_dial(&site, tls, argv[1], argv[2], NULL);
    if (rc == 0) {
        fprintf(stderr, "%s by %s\n", argv[1], nido_tls_version(&site));
        rc = ask(&site, argv[1], argv[3]);
        nido_stream_close(&site);
    }
    return nido_scope_close(&limit, rc);
}

static int app(void *arg)
{
    static const char *const protocols[] = {"http/1.1", NULL};
    char **argv = arg;
    nido_tls_options options;
    nido_tls *tls;
    nido_tls_options_init(&options);
    options.alpn = protocols;
    options.ca = argv[5]; /* NULL: the system's */
    int rc = nido_tls_new(&options, &tls);
    if (rc < 0) return rc;
    rc = fetch(tls, argv);
    nido_tls_free(tls);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc < 5 || argc > 6) {
        fprintf(stderr, "usage: %s HOST PORT PATH TIMEOUT_MS [ROOTS]\n", argv[0]);
        return 2;
    }
    return nido_exit_status(nido_run(app, argv, NULL)); /* prints the error of the root task */
}
