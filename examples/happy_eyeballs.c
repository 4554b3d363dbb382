/* SPDX-License-Identifier: MIT */
/* happy_eyeballs: connect to the first of several addresses that answers.
 *
 * nido_dial_any does it in one call. The same by hand shows what a race is: every attempt is a task
 * that gets a head start over the next, the first result >= 0 wins, the other attempts are
 * cancelled and awaited, and what a loser had won in the same moment is given to `drop`.
 *
 *     ./example_happy_eyeballs any     PORT ADDRESS...
 *     ./example_happy_eyeballs by-hand PORT ADDRESS...
 *     ./example_happy_eyeballs by-hand 8080 ::1 127.0.0.1
 */
#define _DEFAULT_SOURCE /* getaddrinfo, NI_MAXHOST */
#include <errno.h>
#include <netdb.h>
#include <nido.h>
#include <nido/sugar.h>
#include <stdio.h>
#include <string.h>

#define HEAD_START NIDO_MS(250)

struct attempt_args {
    const struct addrinfo *address;
    nido_event *failed;
};

/* Address as text, for people. */
static const char *text(const struct sockaddr *address, socklen_t length, char out[NI_MAXHOST])
{
    int err = getnameinfo(address, length, out, NI_MAXHOST, NULL, 0, NI_NUMERICHOST);
    return err ? gai_strerror(err) : out;
}

/* Its result is the connected socket. */
static int attempt(void *arg)
{
    struct attempt_args *me = arg;
    const struct addrinfo *to = me->address;
    char host[NI_MAXHOST];
    int fd = nido_socket(to->ai_family, to->ai_socktype, to->ai_protocol);
    int rc = fd < 0 ? fd : nido_connect(fd, to->ai_addr, to->ai_addrlen);
    if (rc >= 0) return fd;
    if (fd >= 0) nido_close(fd);
    printf("%s: %s\n", text(to->ai_addr, to->ai_addrlen, host), nido_strerror(rc));
    nido_event_set(me->failed); /* no need to wait for the end of the head start */
    return nido_fail(rc, "%s", text(to->ai_addr, to->ai_addrlen, host));
}

static void close_loser(void *ctx, void *arg, int fd)
{
    (void)ctx;
    (void)arg;
    nido_close(fd);
}

/* Waits until the attempt has failed or has had its head start. */
static int head_start(nido_event *failed)
{
    nido_scope start;
    nido_timeout_open(&start, HEAD_START);
    int rc = nido_scope_close(&start, nido_event_wait(failed));
    nido_event_reset(failed);
    return rc == -ETIMEDOUT ? 0 : rc; /* -ECANCELED: another attempt has won */
}

static int dial_by_hand(const struct addrinfo *list)
{
    nido_group race;
    nido_group_options options;
    nido_event failed;
    int rc = 0;
    nido_group_options_init(&options);
    options.policy = NIDO_RACE;
    options.name = "attempts";
    options.drop = close_loser;
    nido_event_init(&failed, "failed");
    nido_group_open_with(&race, &options);
    for (const struct addrinfo *to = list; to && rc == 0; to = to->ai_next) {
        rc = NIDO_SPAWN(&race, attempt, .address = to, .failed = &failed);
        if (rc == 0) rc = head_start(&failed);
    }
    rc = nido_group_close(&race, rc); /* the winner's socket, or the failure that came first */
    nido_event_deinit(&failed);
    return rc;
}

/* Chains the addresses to one list. They are numeric: no name server is waited for, and getaddrinfo
 * gives a list of one for each. */
static int parse(const char *port, char **hosts, struct addrinfo **out)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    for (; *hosts; hosts++, out = &(*out)->ai_next) {
        int err = getaddrinfo(*hosts, port, &hints, out);
        if (err) return nido_fail(-EINVAL, "%s port %s: %s", *hosts, port, gai_strerror(err));
    }
    return 0;
}

static int app(void *arg)
{
    char **argv = arg;
    struct addrinfo *list = NULL;
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    char host[NI_MAXHOST];
    int rc = parse(argv[2], argv + 3, &list);
    bool by_hand = strcmp(argv[1], "by-hand") == 0;
    if (rc == 0) rc = by_hand ? dial_by_hand(list) : nido_dial_any(list, NULL);
    if (list) freeaddrinfo(list);
    if (rc < 0) return rc;
    NIDO_SCOPED_FD fd = rc;
    if (getpeername(fd, (struct sockaddr *)&peer, &length) < 0) return -errno;
    printf("%s: connected\n", text((struct sockaddr *)&peer, length, host));
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 4 || (strcmp(argv[1], "any") != 0 && strcmp(argv[1], "by-hand") != 0)) {
        fprintf(stderr, "usage: %s any|by-hand PORT ADDRESS...\n", argv[0]);
        return 2;
    }
    int rc = nido_run(app, argv, NULL); /* if all failed, prints the error tree with each of them */
    if (rc < 0) fprintf(stderr, "%s: %s\n", argv[0], nido_strerror(rc));
    return nido_exit_status(rc);
}
