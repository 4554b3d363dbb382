/* SPDX-License-Identifier: MIT */
/* What a resolver and a network could answer: a hosts file of any bytes, and lists of addresses of
 * which each is refused, or answers, at once or later, or never. The first is held against a reader
 * of its own, the second against RFC 8305 written down once more. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/sys.h"
#include "input.h"
#include "net/hosts.h"
#include "nido.h"

/* ---- The hosts file ---- */

enum { MOST_BYTES = 600, WORDS = MOST_BYTES };

/* One line: its first word is the address, each other a name. A zero ends what C reads of it. */
static bool line_has(const char *line, size_t n, const char *name, bool *six)
{
    size_t at = 0, words = 0;
    bool found = false;

    *six = false;
    while (at < n && (line[at] == ' ' || line[at] == '\t')) at++;
    for (size_t begin = at; at <= n && line[begin] != '#'; at++) {
        bool ends = at == n || line[at] == '#' || !line[at] || line[at] == ' ' ||
                    line[at] == '\t' || (words && line[at] == '\r');

        if (!ends) continue;
        if (!words)
            *six = memchr(line + begin, ':', at - begin) != NULL;
        else if (at - begin == strlen(name) && strncasecmp(line + begin, name, at - begin) == 0)
            found = true;
        words += !words || at > begin;
        begin = at + 1;
        if (at == n || line[at] == '#' || !line[at]) break;
    }
    return found;
}

static enum nidoi_hosts_result search_plainly(const char *text, size_t n, const char *name,
                                              int family)
{
    enum nidoi_hosts_result result = NIDOI_HOSTS_NONE;

    for (size_t at = 0; at < n;) {
        const char *end = memchr(text + at, '\n', n - at);
        size_t length = end ? (size_t)(end - text) - at : n - at;
        bool six;

        if (line_has(text + at, length, name, &six)) {
            if (family == AF_UNSPEC || family == (six ? AF_INET6 : AF_INET))
                return NIDOI_HOSTS_FOUND;
            result = NIDOI_HOSTS_OTHER_FAMILY;
        }
        at += length + 1;
    }
    return result;
}

static void search_hosts(struct input *input)
{
    static const int families[] = {AF_UNSPEC, AF_INET, AF_INET6};
    static const char *const names[] = {"a", "host", "a.b", "localhost"};
    int family = families[draw(input) % 3], fd = memfd_create("hosts", MFD_CLOEXEC);
    const char *name = names[draw(input) % 4];
    char path[64], text[MOST_BYTES + 1];
    size_t n = input->left;

    memcpy(text, input->bytes, n);
    text[n] = 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    expect("a file", write(fd, text, n), (int64_t)n);
    nidoi_hosts_path = path;
    expect("a search", nidoi_hosts_search(name, family), search_plainly(text, n, name, family));
    close(fd);
}

/* ---- Lists of addresses ---- */

enum { LIST = 70, TRIED = 64, PAUSE_MS = 5, FOREVER = 255 };

/* Answers after so many pauses. */
struct place {
    union {
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } address;
    unsigned pauses;
    int answer; /* 0, or the error */
    bool stream;
    unsigned asked;
    int64_t began;
};

static struct network {
    struct place places[LIST];
    struct addrinfo list[LIST];
    int count;
    int64_t stagger, start;
    int order[LIST], tried; /* as they were asked first */
} network;

static int (*real_socket)(int domain, int type, int protocol);

static int socket_drawn(int domain, int type, int protocol)
{
    expect("a family", domain == AF_INET || domain == AF_INET6, 1);
    return real_socket(AF_UNIX, type, protocol);
}

/* The port says which. Until it answers it is like a Unix socket with a full queue. */
static int connect_drawn(int fd, const struct sockaddr *address, socklen_t length)
{
    const struct sockaddr_in *in = (const void *)address;
    struct place *place = &network.places[ntohs(in->sin_port)];

    (void)fd;
    expect("the length of an address", length,
           address->sa_family == AF_INET ? sizeof *in : sizeof(struct sockaddr_in6));
    if (!place->asked++) {
        network.order[network.tried++] = (int)(place - network.places);
        place->began = nido_now();
    }
    if (place->pauses == FOREVER || place->asked <= place->pauses) return -EAGAIN;
    return place->answer;
}

static int option_drawn(int fd, int level, int name, int value)
{
    (void)fd, (void)level, (void)name, (void)value;
    return 0;
}

static int addresses_drawn(int fd, struct sockaddr_storage *own, struct sockaddr_storage *peer)
{
    (void)fd, (void)own, (void)peer;
    return -ENOTCONN;
}

/* ---- RFC 8305 ---- */

/* The order: the family of the first, then families in turn, of streams alone. */
static int order_plainly(int *order)
{
    int family = network.list[0].ai_family, at[2] = {0, 0}, n = 0;

    for (int turn = 0, missed = 0; missed < 2 && n < TRIED; turn ^= 1) {
        int i = at[turn];

        while (i < network.count &&
               ((network.list[i].ai_family == family) != (turn == 0) || !network.places[i].stream))
            i++;
        at[turn] = i < network.count ? i + 1 : i;
        missed = i < network.count ? 0 : missed + 1;
        if (i < network.count) order[n++] = i;
    }
    return n;
}

struct outcome {
    int rc;   /* 0: connected */
    bool tie; /* two things at one instant: either may be first */
    int64_t began[LIST];
    int started;
};

static int64_t end_of(const struct outcome *outcome, const int *order, int i)
{
    const struct place *place = &network.places[order[i]];

    if (place->pauses == FOREVER) return NIDO_NEVER;
    return outcome->began[i] + place->pauses * NIDO_MS(PAUSE_MS);
}

/* Attempt by attempt: the next begins when one fails, or when the head start is over. */
static struct outcome race_plainly(const int *order, int n)
{
    struct outcome outcome = {.rc = -ETIMEDOUT};
    bool over[LIST] = {false};
    int64_t next = 0;
    int failure = 0;

    for (;;) {
        int first = -1, same = 0;
        int64_t when = outcome.started < n ? next : NIDO_NEVER;

        for (int i = 0; i < outcome.started; i++) {
            int64_t end = over[i] ? NIDO_NEVER : end_of(&outcome, order, i);

            if (end == NIDO_NEVER || end > when) continue;
            same += end == when;
            if (end < when || first < 0) first = i;
            when = end;
        }
        if (when == NIDO_NEVER) break;
        outcome.tie |= same > 0;
        if (first < 0) {
            outcome.began[outcome.started++] = when;
            next = when + network.stagger;
            continue;
        }
        over[first] = true;
        outcome.rc = network.places[order[first]].answer;
        if (!outcome.rc) return outcome;
        if (!failure) failure = outcome.rc;
        next = when;
    }
    /* What never answers is ended by the deadline. */
    for (int i = 0; i < n; i++)
        if (!over[i]) failure = -ETIMEDOUT;
    outcome.rc = failure;
    return outcome;
}

static int dial_list(void *unused)
{
    nido_dial_options options;
    nido_scope scope;
    int fd;

    (void)unused;
    nido_dial_options_init(&options);
    options.stagger_ns = network.stagger;
    network.start = nido_now();
    nido_timeout_open(&scope, NIDO_SEC(5));
    fd = nido_scope_close(&scope, nido_dial_any(network.list, &options));
    if (fd >= 0) expect("its close", nido_close(fd), 0);
    return fd >= 0 ? 0 : fd;
}

static void compare_dial(int rc)
{
    int order[LIST], n = order_plainly(order);
    struct outcome outcome = race_plainly(order, n);

    if (n == 0) expect("a list without a stream", rc, -EINVAL);
    for (int i = 0; i < network.tried; i++) expect("the order", network.order[i], order[i]);
    if (n == 0 || outcome.tie) return;
    expect("a dial", rc, outcome.rc);
    expect("attempts", network.tried, outcome.started);
    for (int i = 0; i < network.tried; i++)
        expect("the instant of an attempt", network.places[order[i]].began - network.start,
               outcome.began[i]);
}

static void draw_place(struct input *input, int i)
{
    static const int answers[] = {0, -ECONNREFUSED, -ENETUNREACH, -EHOSTUNREACH};
    unsigned how = draw(input);
    struct place *place = &network.places[i];
    struct addrinfo *info = &network.list[i];

    *place = (struct place){.pauses = (how & 144) == 16 ? FOREVER : draw(input) % 40};
    if (how & 32) place->pauses = 0;
    place->answer = answers[how / 4 % 4];
    place->stream = how / 64 % 4 != 3;
    *info = (struct addrinfo){.ai_family = how & 1 ? AF_INET : AF_INET6,
                              .ai_socktype = !place->stream ? SOCK_DGRAM
                                             : how & 2      ? SOCK_STREAM
                                                            : 0,
                              .ai_addr = (void *)&place->address,
                              .ai_addrlen =
                                  how & 1 ? sizeof place->address.in : sizeof place->address.in6};
    if (i) network.list[i - 1].ai_next = info;
    info->ai_addr->sa_family = (sa_family_t)info->ai_family;
    place->address.in.sin_port = htons((uint16_t)i); /* at one place in both families */
}

static void dial_drawn(struct input *input)
{
    memset(&network, 0, sizeof network);
    network.stagger = NIDO_MS(1 + draw(input) % 64) + 1; /* no multiple of the pause */
    while (input->left > 1 && network.count < LIST) draw_place(input, network.count++);
    if (network.count) compare_dial(in_a_run(dial_list, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};

    if (size < 4 || size > MOST_BYTES) return 0;
    if (!real_socket) {
        real_socket = nidoi_sys.socket;
        nidoi_sys.socket = socket_drawn;
        nidoi_sys.connect = connect_drawn;
        nidoi_sys.setsockopt = option_drawn;
        nidoi_sys.addresses = addresses_drawn;
    }
    if (draw(&input) & 1)
        search_hosts(&input);
    else
        dial_drawn(&input);
    return 0;
}
