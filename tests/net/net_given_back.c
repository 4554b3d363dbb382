/* SPDX-License-Identifier: MIT */
/* What the C library has allocated for an answer is given back, by each call that asks for addresses:
 * nido's own allocations are counted everywhere, these are not. (The sanitizers see them too.) */
#include <malloc.h>
#include <netdb.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/sys.h"
#include "io_help.h"

#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)

enum { CALLS = 200, LEAST = 24 }; /* no answer is smaller than so many bytes */

static int dial_number(void)
{
    return nido_dial("127.0.0.1", "1", NULL);
}

static int dial_name(void)
{
    return nido_dial("localhost", "1", NULL);
}

static int listen_number(void)
{
    return nido_listen("127.0.0.1", "0", NULL);
}

static int listen_name(void)
{
    return nido_listen("localhost", "0", NULL);
}

static int look_up(const char *host, const char *service)
{
    struct addrinfo *found;
    int err = nido_getaddrinfo(host, service, NULL, &found);

    if (!err) freeaddrinfo(found);
    return err;
}

static int look_up_number(void)
{
    return look_up("127.0.0.1", "80");
}

static int look_up_service(void)
{
    return look_up("127.0.0.1", "http");
}

static int look_up_name(void)
{
    return look_up("localhost", "80");
}

static struct nidoi_sys real;

static int resolve_slowly(const char *host, const char *service, const struct addrinfo *hints,
                          struct addrinfo **out, int *why)
{
    usleep(500);
    return real.getaddrinfo(host, service, hints, out, why);
}

/* The answer comes after the deadline. */
static int leave_look_up(void)
{
    nido_scope scope;
    int rc;

    nidoi_sys.getaddrinfo = resolve_slowly;
    nido_deadline_open(&scope, nido_after(NIDO_US(200)));
    rc = look_up("localhost", "80");
    rc = nido_scope_close(&scope, rc);
    nido_sleep(NIDO_US(500));
    return rc;
}

static const struct asking {
    const char *name;
    int (*call)(void);
} askings[] = {
    {"dial a number", dial_number},         {"dial a name", dial_name},
    {"listen at a number", listen_number},  {"listen at a name", listen_name},
    {"look up a number", look_up_number},   {"look up a name", look_up_name},
    {"look up a service", look_up_service}, {"leave a look-up", leave_look_up},
};

static void ask_often(const struct asking *asking)
{
    for (int i = 0; i < CALLS; i++) {
        int fd = asking->call();

        if (fd > 0) nido_close(fd);
    }
    nido_sleep(NIDO_MS(20)); /* look-ups that were left end */
}

static int ask_all(void *unused)
{
    (void)unused;
    real = nidoi_sys;
    for (size_t i = 0; i < sizeof askings / sizeof *askings; i++) {
        size_t before, after;

        ask_often(&askings[i]);
        before = mallinfo2().uordblks;
        ask_often(&askings[i]);
        after = mallinfo2().uordblks;
        cr_expect(lt(sz, after, before + CALLS * LEAST), "%s: from %zu bytes to %zu",
                  askings[i].name, before, after);
        nidoi_sys = real;
    }
    return 0;
}

NIDO_TEST(net_given_back, what_was_found_is_given_back)
{
    cr_expect(eq(int, nido_run(ask_all, NULL, NULL), 0));
}
#endif
