/* SPDX-License-Identifier: MIT */
/* https_server: the files of a folder, and what another server gives, over TLS.
 *
 * Shows nido::tls under nido_serve: the handshake is in the task of the connection, the handler sees
 * a stream like any other, and SIGTERM drains. Files are read by workers, with ranges of bytes; what
 * begins with PREFIX is passed on to another server, first the request and then the answer.
 *
 *     ./app_https_server PORT CERTIFICATE KEY FOLDER [PREFIX HOST PORT]
 *     ./app_https_server 8443 chain.pem key.pem public /api/ 127.0.0.1 8080
 */
#define _XOPEN_SOURCE 700
#include <errno.h>
#include <fcntl.h>
#include <nido.h>
#include <nido/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { LONGEST_HEAD = 8192 };

struct server {
    nido_tls *tls;
    const char *port, *folder;
    const char *prefix, *host, *upstream; /* NULL: nothing is passed on */
};

struct request {
    char *method, *path; /* in `head` */
    bool keeps_alive, is_chunked;
    uint64_t body; /* bytes */
    char range[64];
    size_t length;
    char head[LONGEST_HEAD]; /* the lines, a 0 after each */
};

/* ---- Requests ---- */

static const char *value_of(const char *line, const char *name)
{
    size_t length = strlen(name);
    if (strncasecmp(line, name, length) != 0 || line[length] != ':') return NULL;
    return line + length + 1 + strspn(line + length + 1, " \t");
}

static void note_header(struct request *it, const char *line)
{
    const char *value;
    if ((value = value_of(line, "Connection"))) it->keeps_alive = strcasecmp(value, "close") != 0;
    if ((value = value_of(line, "Content-Length"))) it->body = strtoull(value, NULL, 10);
    if ((value = value_of(line, "Transfer-Encoding"))) it->is_chunked = true;
    if ((value = value_of(line, "Range"))) snprintf(it->range, sizeof it->range, "%s", value);
}

/* The lines up to the empty one. 1; 0: the end; -EPROTO, -EMSGSIZE. */
static int read_head(nido_stream *client, struct request *it)
{
    char *line, *version;
    size_t length;
    int rc;
    memset(it, 0, offsetof(struct request, head));
    while ((rc = nido_stream_line(client, &line, &length)) > 0 && length > 0) {
        if (length >= LONGEST_HEAD - it->length) return -EMSGSIZE;
        if (it->length > 0) note_header(it, line);
        memcpy(it->head + it->length, line, length + 1);
        it->length += length + 1;
        if (it->length == length + 1) it->keeps_alive = strstr(line, " HTTP/1.1") != NULL;
    }
    if (rc <= 0) return rc;
    it->method = it->head;
    it->path = strchr(it->head, ' ');
    version = it->path ? strrchr(it->path + 1, ' ') : NULL;
    if (!version) return -EPROTO;
    *it->path++ = 0;
    *version = 0;
    return it->is_chunked ? -EPROTO : 1;
}

/* ---- Answers ---- */

static int answer_head(nido_stream *client, struct request *it, const char *status, uint64_t length,
                       const char *more)
{
    if (nido_stream_stopping(client)) it->keeps_alive = false;
    int rc = nido_stream_printf(client, "HTTP/1.1 %s\r\nContent-Length: %llu\r\n%s%s\r\n", status,
                                (unsigned long long)length,
                                it->keeps_alive ? "" : "Connection: close\r\n", more);
    return rc < 0 ? rc : 0;
}

static int answer_status(nido_stream *client, struct request *it, const char *status)
{
    int rc = answer_head(client, it, status, strlen(status) + 1, "Content-Type: text/plain\r\n");
    if (rc == 0 && strcmp(it->method, "HEAD") != 0) rc = nido_stream_printf(client, "%s\n", status);
    return rc < 0 ? rc : 0;
}

/* The path below the folder, with %41 and its like read; false: it is none, or leads out of it. */
static bool file_of(const char *folder, const char *path, char *out, size_t room)
{
    size_t n = (size_t)snprintf(out, room, "%s", folder);
    unsigned code;
    for (; *path && *path != '?' && n + 1 < room; path++) {
        bool is_code = *path == '%' && sscanf(path + 1, "%2x", &code) == 1 && code != 0;
        out[n++] = is_code ? (char)code : *path;
        if (is_code) path += 2;
    }
    if (n + sizeof "index.html" >= room) return false;
    out[n] = 0;
    if (out[n - 1] == '/') strcpy(out + n, "index.html");
    return out[strlen(folder)] == '/' && !strstr(out + strlen(folder), "/..");
}

/* "bytes=2-5", "bytes=2-", "bytes=-5". 1; 0: none, or another kind; -ERANGE. */
static int range_of(const char *range, uint64_t size, uint64_t *first, uint64_t *last)
{
    unsigned long long a, b;
    if (strchr(range, ',')) return 0;
    if (sscanf(range, "bytes=-%llu", &b) == 1) {
        *first = b < size ? size - b : 0;
        *last = size - 1;
        return b > 0 && size > 0 ? 1 : -ERANGE;
    }
    int n = sscanf(range, "bytes=%llu-%llu", &a, &b);
    if (n < 1 || (n == 2 && b < a)) return 0;
    *first = a;
    *last = n == 2 && b < size ? b : size - 1;
    return a < size ? 1 : -ERANGE;
}

static int answer_open_file(nido_stream *client, struct request *it, int fd)
{
    char more[160];
    struct stat file;
    uint64_t size, first = 0, last;
    int rc = nido_fstat(fd, &file);
    if (rc < 0) return rc;
    if (!S_ISREG(file.st_mode)) return answer_status(client, it, "404 Not Found");
    size = (uint64_t)file.st_size;
    last = size - 1;
    rc = range_of(it->range, size, &first, &last);
    if (rc < 0) return answer_status(client, it, "416 Range Not Satisfiable");
    snprintf(more, sizeof more, "Accept-Ranges: bytes\r\n");
    if (rc > 0)
        snprintf(more, sizeof more, "Content-Range: bytes %llu-%llu/%llu\r\n",
                 (unsigned long long)first, (unsigned long long)last, (unsigned long long)size);
    rc = answer_head(client, it, rc > 0 ? "206 Partial Content" : "200 OK", last - first + 1, more);
    if (rc < 0 || strcmp(it->method, "HEAD") == 0) return rc;
    return nido_stream_copy_file(client, fd, (int64_t)first, last - first + 1, NULL);
}

static int answer_file(nido_stream *client, struct request *it, const char *folder)
{
    char path[2048];
    if (strcmp(it->method, "GET") != 0 && strcmp(it->method, "HEAD") != 0)
        return answer_status(client, it, "405 Method Not Allowed");
    int fd = file_of(folder, it->path, path, sizeof path) ? nido_open(path, O_RDONLY, 0) : -ENOENT;
    if (fd == -ECANCELED) return fd;
    if (fd < 0) return answer_status(client, it, "404 Not Found");
    int rc = answer_open_file(client, it, fd);
    nido_close(fd);
    return rc;
}

/* ---- Passing on ---- */

static int send_upstream(nido_stream *upstream, nido_stream *client, const struct request *it)
{
    int rc = nido_stream_printf(upstream, "%s %s HTTP/1.1\r\nConnection: close\r\n", it->method,
                                it->path);
    const char *line = it->path + strlen(it->path) + 1;
    line += strlen(line) + 1; /* behind the version */
    for (; line < it->head + it->length && rc >= 0; line += strlen(line) + 1)
        if (!value_of(line, "Connection")) rc = nido_stream_printf(upstream, "%s\r\n", line);
    if (rc >= 0) rc = nido_stream_printf(upstream, "\r\n");
    if (rc >= 0 && it->body > 0) rc = nido_stream_copy(upstream, client, it->body, NULL);
    return rc < 0 ? rc : nido_stream_flush(upstream);
}

static int pass_on(nido_stream *client, struct request *it, const struct server *server)
{
    nido_stream upstream;
    int rc = nido_stream_open(&upstream, nido_dial(server->host, server->upstream, NULL),
                              &NIDO_STREAM_OPTIONS(.name = "upstream", .read_ns = NIDO_SEC(60)));
    it->keeps_alive = false; /* the end of the answer is the end of the connection */
    if (rc == -ECANCELED) return rc;
    if (rc < 0) return answer_status(client, it, "502 Bad Gateway");
    rc = send_upstream(&upstream, client, it);
    if (rc == 0) rc = nido_stream_copy(client, &upstream, NIDO_STREAM_ALL, NULL);
    nido_stream_close(&upstream);
    return rc;
}

/* ---- The server ---- */

/* 1; 0: it was the last one. */
static int answer(nido_stream *client, const struct server *server)
{
    struct request it;
    int rc = read_head(client, &it);
    if (rc == -EPROTO || rc == -EMSGSIZE) {
        it.keeps_alive = false;
        it.method = "";
        return answer_status(client, &it, "400 Bad Request");
    }
    if (rc <= 0) return rc;
    if (server->prefix && strncmp(it.path, server->prefix, strlen(server->prefix)) == 0)
        rc = pass_on(client, &it, server);
    else
        rc = answer_file(client, &it, server->folder);
    if (it.body > 0) it.keeps_alive = false; /* nobody has read it */
    return rc < 0 ? rc : it.keeps_alive;
}

static int serve_client(nido_stream *client, void *ctx)
{
    int rc;
    while ((rc = nido_stream_wait(client)) > 0 && (rc = answer(client, ctx)) > 0) continue;
    if (rc == 0) rc = nido_stream_shutdown(client);
    return rc == -ETIMEDOUT ? 0 : rc; /* it was silent for too long */
}

static int open_tls(nido_stream *client, int fd, const nido_stream_options *options, void *ctx)
{
    const struct server *server = ctx;
    return nido_tls_accept(client, server->tls, fd, options);
}

static int app(void *arg)
{
    struct server *server = arg;
    int fd = nido_listen("127.0.0.1", server->port, NULL);
    if (fd < 0) return fd; /* nido_listen has kept a text that says which port and why */
    int bound = nido_local_port(fd);
    if (bound < 0) return nido_close(fd), bound;
    printf("listening on port %d\n", bound);
    return nido_serve(
        fd, serve_client, server,
        &NIDO_SERVE_OPTIONS(.open = open_tls, .limit = 10000,
                            .stream = &NIDO_STREAM_OPTIONS(.longest = LONGEST_HEAD,
                                                           .idle_ns = NIDO_SEC(60),
                                                           .read_ns = NIDO_SEC(30),
                                                           .write_ns = NIDO_SEC(30))));
}

static int start(void *arg)
{
    char **argv = arg;
    struct server server = {.port = argv[1], .folder = argv[4]};
    if (argv[5]) server.prefix = argv[5], server.host = argv[6], server.upstream = argv[7];
    int rc = nido_tls_new(&NIDO_TLS_OPTIONS(.certificate = argv[2], .key = argv[3],
                                            .alpn = (const char *[]){"http/1.1", NULL}),
                          &server.tls);
    if (rc < 0) return rc;
    rc = app(&server);
    nido_tls_free(server.tls);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc != 5 && argc != 8) {
        fprintf(stderr, "usage: %s PORT CERTIFICATE KEY FOLDER [PREFIX HOST PORT]\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* The port is to be seen at once, through a pipe too. */
    int rc = nido_run(start, argv, NULL);
    if (rc > 0) printf("stopped: %d connections were cut\n", rc);
    return nido_exit_status(rc);
}
