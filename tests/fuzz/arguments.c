/* SPDX-License-Identifier: MIT */
/* What users hand in as text or as a struct of options: addresses, services, sizes, flags, error
 * texts. The first byte says which; the rest is the argument. Sockets are made, but the calls that
 * would bind or connect them only note the address: it must be the one that was meant. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "base/options.h"
#include "base/sys.h"
#include "input.h"
#include "nido.h"

enum { MOST_BYTES = 512, SMALL = 1 << 20 };

static struct sockaddr_storage noted;
static socklen_t noted_length;

/* ---- The system, as far as it is asked ---- */

static int note(int fd, const struct sockaddr *address, socklen_t length)
{
    (void)fd;
    expect("the length of an address", length <= sizeof noted, 1);
    memcpy(&noted, address, noted_length = length);
    return 0;
}

static int take_option(int fd, int level, int name, int value)
{
    (void)fd, (void)level, (void)name, (void)value;
    return 0;
}

static int take_backlog(int fd, int backlog)
{
    (void)fd;
    expect("a backlog", backlog > 0, 1);
    return 0;
}

/* No name is known, whoever asks. */
static int find_nobody(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **out, int *why)
{
    (void)host, (void)service, (void)hints;
    *out = NULL;
    *why = EAI_NONAME;
    return -ENOENT;
}

static int (*real_socket)(int domain, int type, int protocol);

static int make_socket(int domain, int type, int protocol)
{
    expect("a family", domain == AF_UNIX || domain == AF_INET || domain == AF_INET6, 1);
    return real_socket(AF_UNIX, type, protocol);
}

static void take_over(void)
{
    if (real_socket) return;
    real_socket = nidoi_sys.socket;
    nidoi_sys.socket = make_socket;
    nidoi_sys.bind = nidoi_sys.connect = note;
    nidoi_sys.setsockopt = take_option;
    nidoi_sys.listen = take_backlog;
    nidoi_sys.getaddrinfo = find_nobody;
}

/* ---- Addresses ---- */

struct text {
    char bytes[MOST_BYTES + 1];
    size_t length;
};

enum { NOTHING = -1, NAME = -2 };

/* A number that is no port is nothing at all. */
static int port_of(const char *service)
{
    size_t n = strspn(service, "0123456789");
    int port = 0;

    for (const char *c = service; *c; c++)
        if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z')) return NAME;
    if (!n || n > 5 || service[n]) return NOTHING;
    for (size_t i = 0; i < n; i++) port = 10 * port + (service[i] - '0');
    return port <= UINT16_MAX ? port : NOTHING;
}

static void expect_unix(const char *path, int got)
{
    const struct sockaddr_un *address = (const void *)&noted;
    bool fits = *path && strlen(path) < sizeof address->sun_path;

    expect("a Unix path", got >= 0, fits);
    if (got < 0) return;
    expect("the family", noted.ss_family, AF_UNIX);
    expect("the path", strcmp(address->sun_path, path), 0);
}

/* Written as inet_pton(3) wants it, an address must be taken, and for what it says. */
static void expect_numeric(const char *host, int port, int got)
{
    struct in6_addr six;
    struct in_addr four;
    const struct sockaddr_in *in = (const void *)&noted;
    const struct sockaddr_in6 *in6 = (const void *)&noted;

    if (port == NOTHING) expect("what is no port", got, -EINVAL);
    if (port == NAME) expect("a service that nobody knows", got < 0, 1);
    if (port < 0) return;
    if (inet_pton(AF_INET, host, &four) == 1) {
        expect("an address", got >= 0 && noted.ss_family == AF_INET, 1);
        expect("the number", memcmp(&in->sin_addr, &four, sizeof four), 0);
    } else if (inet_pton(AF_INET6, host, &six) == 1) {
        expect("an address", got >= 0 && noted.ss_family == AF_INET6, 1);
        expect("the number", memcmp(&in6->sin6_addr, &six, sizeof six), 0);
    }
    if (got >= 0) expect("the port", ntohs(in->sin_port), port); /* at one place in both families */
}

static int print_last(void)
{
    char printed[4096];
    FILE *file = fmemopen(printed, sizeof printed, "w");

    if (!file) return -ENOMEM;
    nido_error_print(nido_error_last(), file);
    fclose(file);
    return 0;
}

static int address(void *arg)
{
    struct text *text = arg;
    const char *host = text->bytes + 1, *service = host + strlen(host);
    bool listens = text->bytes[0] & 1;
    int got;

    if (service < text->bytes + text->length) service++;
    memset(&noted, 0, sizeof noted);
    got = listens ? nido_listen(host, service, NULL) : nido_dial(host, service, NULL);
    if (strncmp(host, "unix:", 5) == 0)
        expect_unix(host + 5, got);
    else
        expect_numeric(host, port_of(service), got);
    if (got >= 0) return nido_close(got);
    expect("words for it", strlen(nido_error_text(nido_error_last())) > 0, 1);
    return print_last();
}

/* ---- Options ---- */

struct numbers {
    uint64_t of[6];
};

static int nothing(void *unused)
{
    (void)unused;
    return 0;
}

/* Most numbers are small, so that some are right. */
static size_t stack_size(uint64_t n)
{
    return n & 1 ? (size_t)n : (size_t)(n % SMALL);
}

/* As much of options as their size says, if that makes sense. */
static bool seen(void *out, const void *options, size_t size, size_t given)
{
    memset(out, 0, size);
    memcpy(out, options, given < size ? given : size);
    return given >= sizeof given && given <= NIDOI_OPTIONS_MOST && given % sizeof given == 0;
}

static void run_options(const struct numbers *n)
{
    union {
        nido_options options;
        char room[NIDOI_OPTIONS_MOST];
    } of = {{0}};
    nido_options options;
    bool sound;

    nido_options_init(&options);
    if (n->of[0] & 2) options.size = (size_t)n->of[0];
    options.flags = (uint32_t)n->of[1] & (n->of[0] & 4 ? UINT32_MAX : 3);
    options.clock = (enum nido_clock)(n->of[2] % 4);
    options.stack_size = stack_size(n->of[3]);
    options.grace_ns = (int64_t)n->of[4];
    options.spin_ns = (int64_t)(n->of[5] & UINT64_C(0x8000000000000fff));
    of.options = options;
    sound = seen(&options, &of, sizeof options, of.options.size) &&
            options.flags < 2 * NIDO_RUN_CPU_TIME && /* the last one */
            options.clock <= NIDO_CLOCK_MANUAL && options.stack_size <= (size_t)1 << 30 &&
            options.grace_ns >= 0 && options.spin_ns >= 0 && options.stall_ns >= 0 &&
            options.late_ns >= 0 && options.deadlock_ns >= 0;
    if (options.stack_size > SMALL && sound) return; /* sound, but not worth its memory */
    expect("a run with options", nido_run(nothing, NULL, &of.options), sound ? 0 : -EINVAL);
}

static int group_options(void *arg)
{
    const struct numbers *n = arg;
    union {
        nido_group_options options;
        char room[NIDOI_OPTIONS_MOST];
    } of = {{0}};
    nido_group_options options;
    nido_group group;
    bool sound;

    nido_group_options_init(&options);
    if (n->of[0] & 2) options.size = (size_t)n->of[0];
    options.policy = (enum nido_policy)(n->of[1] % 4);
    options.limit = (uint32_t)n->of[2];
    options.stack_size = stack_size(n->of[3]);
    options.deadline = (int64_t)n->of[4];
    of.options = options;
    sound = seen(&options, &of, sizeof options, of.options.size) && options.policy <= NIDO_RACE &&
            options.stack_size <= (size_t)1 << 30 && options.deadline >= 0;
    nido_group_open_with(&group, &of.options);
    expect("a group with options", nido_group_close(&group, 0), sound ? 0 : -EINVAL);
    return 0;
}

static int chan_sizes(void *arg)
{
    const struct numbers *n = arg;
    size_t item = (size_t)n->of[0], capacity = (size_t)n->of[1], total;
    bool overflows = __builtin_mul_overflow(item, capacity, &total);
    nido_chan *chan;
    int got;

    if (!overflows && total > SMALL) return 0;
    got = nido_chan_new(item, capacity, NULL, NULL, &chan);
    expect("a channel", got, overflows ? -EINVAL : 0);
    return got ? 0 : nido_chan_free(chan);
}

/* ---- Errors ---- */

static int error_text(void *arg)
{
    const struct text *text = arg;
    int code = -1 - (text->bytes[0] & 127);
    size_t most = text->length - 1 < 255 ? strnlen(text->bytes + 1, 255) : 255;

    expect("a code", nido_fail(code, "%s", text->bytes + 1), code);
    expect("the code", nido_error_code(nido_error_last()), code);
    expect("the text", strncmp(nido_error_text(nido_error_last()), text->bytes + 1, most), 0);
    expect("its length", strlen(nido_error_text(nido_error_last())) <= 255, 1);
    expect("the name of a code", nido_strerror(code) && nido_strerror(-code), 1);
    nido_set_name("%s", text->bytes + 1);
    expect("a name", strlen(nido_task_name(nido_self())) <= 31, 1);
    return print_last();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text text = {.length = size - 1};
    struct numbers numbers = {0};

    if (size < 2 || size > MOST_BYTES) return 0;
    take_over();
    memcpy(text.bytes, data + 1, size - 1);
    memcpy(&numbers, data + 1, size - 1 < sizeof numbers ? size - 1 : sizeof numbers);
    switch (data[0] % 6) {
    case 0:
        run_options(&numbers);
        return 0;
    case 1:
        expect("groups", in_a_run(group_options, &numbers), 0);
        return 0;
    case 2:
        expect("channels", in_a_run(chan_sizes, &numbers), 0);
        return 0;
    case 3:
        expect("errors", in_a_run(error_text, &text), 0);
        return 0;
    default:
        expect("addresses", in_a_run(address, &text), 0);
        return 0;
    }
}
