/* SPDX-License-Identifier: MIT */
/* talk HOST PORT ROOTS TIMES [CERTIFICATE]: a client for tests/tls/peers.py. Connects so many times, one
 * after the other; each time sends the lines of its standard input up to one that is "." and prints
 * those that come, until the peer ends. */
#include <nido.h>
#include <nido/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static nido_stream input, peer;

static int send_lines(void *unused)
{
    size_t length;
    char *line;
    int rc;

    (void)unused;
    while ((rc = nido_stream_line(&input, &line, &length)) > 0 && strcmp(line, ".") != 0) {
        rc = nido_stream_printf(&peer, "%s\n", line);
        if (rc > 0) rc = nido_stream_flush(&peer);
        if (rc < 0) return rc;
    }
    return rc < 0 ? rc : nido_stream_shutdown(&peer);
}

static int print_lines(void *unused)
{
    size_t length;
    char *line;
    int rc;

    (void)unused;
    while ((rc = nido_stream_line(&peer, &line, &length)) > 0) printf("%s\n", line);
    return rc;
}

static int talk_once(nido_tls *tls, char **argv)
{
    const char *alpn;
    nido_group group;
    int rc = nido_tls_dial(&peer, tls, argv[1], argv[2], NULL);

    if (rc) return rc;
    alpn = nido_tls_alpn(&peer);
    printf("%s %s %s\n", nido_tls_version(&peer), nido_tls_resumed(&peer) ? "resumed" : "new",
           alpn ? alpn : "-");
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    rc = nido_spawn(&group, send_lines, NULL);
    if (!rc) rc = nido_spawn(&group, print_lines, NULL);
    rc = nido_group_close(&group, rc);
    nido_stream_close(&peer);
    return rc;
}

static int app(void *arg)
{
    static const char *const protocols[] = {"talk", "http/1.1", NULL};
    char **argv = arg;
    nido_tls *tls;
    int rc = nido_tls_new(
        &NIDO_TLS_OPTIONS(.ca = argv[3], .certificate = argv[5], .alpn = protocols), &tls);

    if (!rc) rc = nido_stream_open(&input, 0, &NIDO_STREAM_OPTIONS(.keep_open = true));
    for (int i = 0; i < atoi(argv[4]) && !rc; i++) rc = talk_once(tls, argv);
    nido_tls_free(tls);
    nido_stream_close(&input);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc < 5) return 2;
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    return nido_exit_status(nido_run(app, argv, NULL));
}
