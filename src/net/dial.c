/* net/dial.c: connecting to the first of several addresses that answers (RFC 8305, "Happy
 * Eyeballs"): attempts start one after the other, each with a head start over the next, families
 * alternating; addresses may still be on their way while the first attempts run.
 *
 * A race group holds the attempts: the first success closes the rest. The look-ups of a name are tasks
 * of a group around it, whose end abandons what is still being looked up. */
#include <stdio.h>

#include "base/options.h"
#include "io/fd.h"
#include "net/address.h"
#include "net/connect.h"
#include "net/names.h"
#include "nido/error.h"
#include "nido/event.h"
#include "nido/fd.h"
#include "nido/group.h"
#include "nido/net.h"
#include "nido/time.h"

enum { MOST_ADDRESSES = 64 };
#define STAGGER          NIDO_MS(250) /* section 5, "Connection Attempt Delay" */
#define RESOLUTION_DELAY NIDO_MS(50)  /* section 3 */

/* The addresses of the preferred family, and the others. */
struct line {
    const struct addrinfo *next;
    bool pending; /* more may come */
};

struct race {
    struct line lines[2];
    int family; /* of the first line */
    int turn;   /* whose address comes next */
    int tried;
    int64_t stagger;
    nido_event failed; /* set whenever an attempt has failed: the next may start */
    nido_event found;  /* set whenever a look-up has ended */
};

struct attempt {
    struct race *race;
    const struct addrinfo *address;
};

/* ---- Attempts ---- */

static int attempt(void *arg)
{
    const struct attempt *me = arg;
    int fd = nidoi_connect_address(me->address->ai_addr, me->address->ai_addrlen);

    if (fd < 0) nido_event_set(&me->race->failed);
    return fd;
}

static void close_late(void *ctx, void *arg, int fd)
{
    (void)ctx, (void)arg;
    nido_close(fd);
}

/* The next address from here that is a stream's and belongs to this line. */
static const struct addrinfo *belonging(const struct race *race, int line,
                                        const struct addrinfo *from)
{
    while (from && ((from->ai_family == race->family) != (line == 0) ||
                    (from->ai_socktype && from->ai_socktype != SOCK_STREAM)))
        from = from->ai_next;
    return from;
}

static const struct addrinfo *take(struct race *race, int line)
{
    const struct addrinfo *address = belonging(race, line, race->lines[line].next);

    race->lines[line].next = address ? address->ai_next : NULL;
    return address;
}

/* Families alternate as long as both have addresses (section 4). NULL: there is none now. */
static const struct addrinfo *next_address(struct race *race)
{
    const struct addrinfo *address = NULL;

    if (race->tried == MOST_ADDRESSES) return NULL;
    for (int tries = 0; tries < 2 && !address; tries++, race->turn ^= 1)
        address = take(race, race->turn);
    return address;
}

static bool more_may_come(const struct race *race)
{
    return race->tried < MOST_ADDRESSES && (race->lines[0].pending || race->lines[1].pending);
}

static bool more_to_try(const struct race *race)
{
    if (more_may_come(race)) return true;
    return race->tried < MOST_ADDRESSES &&
           (belonging(race, 0, race->lines[0].next) || belonging(race, 1, race->lines[1].next));
}

/* Until the event is set or the time is up. */
static int await(nido_event *event, int64_t ns)
{
    nido_scope scope;
    int rc;

    nido_timeout_open(&scope, ns);
    rc = nido_scope_close(&scope, nido_event_wait(event));
    return rc == -ETIMEDOUT ? 0 : rc;
}

static int await_addresses(struct race *race, int64_t ns)
{
    nido_event_reset(&race->found);
    return await(&race->found, ns);
}

static int try_address(nido_group *attempts, struct race *race, const struct addrinfo *address)
{
    struct attempt me = {race, address};
    int rc;

    race->tried++;
    nido_event_reset(&race->failed);
    rc = nido_spawn_copy(attempts, attempt, &me, sizeof me);
    return rc || !more_to_try(race) ? rc : await(&race->failed, race->stagger);
}

static int try_all(nido_group *attempts, struct race *race)
{
    int rc = 0;

    while (!rc) {
        const struct addrinfo *address = next_address(race);

        if (address)
            rc = try_address(attempts, race, address);
        else if (more_may_come(race))
            rc = await_addresses(race, NIDO_NEVER);
        else
            break;
    }
    return rc;
}

/* `name`: what the error of several failures calls them. */
static int run_race(struct race *race, const char *name)
{
    nido_group_options options = {
        .size = sizeof options, .policy = NIDO_RACE, .name = name, .drop = close_late};
    nido_group attempts;

    nido_group_open_with(&attempts, &options);
    return nido_group_close(&attempts, try_all(&attempts, race));
}

static void race_init(struct race *race, int family, const nido_dial_options *options)
{
    *race = (struct race){.family = family};
    race->stagger = options->stagger_ns ? options->stagger_ns : STAGGER;
    nido_event_init(&race->failed, "failed attempt");
    nido_event_init(&race->found, "addresses");
}

int nido_dial_any(const struct addrinfo *list, const nido_dial_options *options)
{
    nido_dial_options room;
    struct nidoi_loop *loop;
    struct race race;
    int err = nidoi_io_enter(&loop);

    if (err) return err;
    options = NIDOI_OPTIONS(options, &room);
    if (!list || !options || options->stagger_ns < 0) return -EINVAL;
    race_init(&race, list->ai_family, options);
    race.lines[0].next = race.lines[1].next = list;
    return more_to_try(&race) ? run_race(&race, "dial") : -EINVAL;
}

/* ---- By name ---- */

struct search {
    struct race *race;
    int line;
    const char *host, *service;
    struct nidoi_lookup lookup;
};

/* One family's look-up; its failure is not the group's. */
static int search(void *arg)
{
    struct search *me = arg;
    const struct addrinfo hints = {.ai_family = me->line == 0 ? AF_INET6 : AF_INET,
                                   .ai_socktype = SOCK_STREAM};
    int err = nidoi_lookup(me->host, me->service, &hints, &me->lookup);

    me->race->lines[me->line] = (struct line){.next = me->lookup.found};
    nido_event_set(&me->race->found);
    return err == -ECANCELED ? err : 0;
}

/* The other family waits a little for the preferred one. */
static int await_preferred(struct race *race)
{
    int rc = 0;

    while (!rc && race->lines[0].pending && race->lines[1].pending)
        rc = await_addresses(race, NIDO_NEVER);
    if (!rc && race->lines[0].pending && race->lines[1].next)
        rc = await_addresses(race, RESOLUTION_DELAY);
    return rc;
}

/* Nobody could be asked, or not now: the name may well exist. */
static bool is_temporary(int err)
{
    return err && err != -ENOENT;
}

static int nothing_found(const struct search searches[2])
{
    /* Most names have no IPv6 address; what went wrong otherwise says more. That there is no such name
     * is true only if both families say so. */
    const struct search *telling = searches[1].lookup.err ? &searches[1] : &searches[0];

    if (is_temporary(searches[0].lookup.err) && !is_temporary(telling->lookup.err))
        telling = &searches[0];

    if (!telling->lookup.err)
        return nido_fail(-ENOENT, "look-up of %s port %s: no address that a socket can connect to",
                         telling->host, telling->service);
    return nidoi_lookup_explained(&telling->lookup, telling->host, telling->service);
}

static int race_while_searching(nido_group *group, struct search searches[2])
{
    struct race *race = searches[0].race;
    char name[32];
    int rc = 0;

    snprintf(name, sizeof name, "dial %s", searches[0].host);
    for (int line = 0; line < 2 && !rc; line++) {
        race->lines[line].pending = true;
        rc = nido_spawn(group, search, &searches[line]);
    }
    if (!rc) rc = await_preferred(race);
    if (!rc) rc = run_race(race, name);
    nido_group_cancel(group, 0, "dialled"); /* what is still looked up is not needed */
    return rc;
}

static int dial_by_name(const char *host, const char *service, const nido_dial_options *options)
{
    struct race race;
    struct search searches[2] = {{&race, 0, host, service, {0}}, {&race, 1, host, service, {0}}};
    nido_group group;
    int rc;

    race_init(&race, AF_INET6, options);
    nido_group_open(&group, NIDO_WAIT_ALL, "look-ups");
    rc = race_while_searching(&group, searches);
    nido_group_close(&group, 0); /* its own cancel, or one from outside that comes too late */
    for (int i = 0; i < 2; i++)
        if (searches[i].lookup.found) freeaddrinfo(searches[i].lookup.found);
    return !race.tried && !rc ? nothing_found(searches) : rc;
}

int nido_dial(const char *host, const char *service, const nido_dial_options *options)
{
    nido_dial_options room;
    struct nidoi_loop *loop;
    struct nidoi_address address;
    int err = nidoi_io_enter(&loop);

    if (err) return err;
    options = NIDOI_OPTIONS(options, &room);
    if (!options || options->stagger_ns < 0) return -EINVAL;
    err = host ? nidoi_address_parse(host, service, 0, &address) : -EINVAL;
    if (!err) return nidoi_connect_address((const void *)&address.bytes, address.length);
    if (!host || nidoi_address_is_path(host) || !nidoi_address_is_service(service))
        return nido_fail(err, "dial %s port %s: no such address", host ? host : "(none)",
                         service ? service : "(none)");
    return dial_by_name(host, service, options);
}
