/* SPDX-License-Identifier: MIT */
/* net/dial.c: connecting to the first of several addresses that answers (RFC 8305, "Happy
 * Eyeballs"): attempts start one after the other, each with a head start over the next, families
 * alternating; the first attempts may start before all addresses are known.
 *
 * The attempts are tasks of a race group: the first success cancels the rest. The look-ups of a
 * name are tasks of a group around it, whose end abandons a look-up that still runs. */
#include <stdio.h>

#include "coro/scope/options.h"
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
struct address_list {
    const struct addrinfo *next;
    bool pending; /* a look-up may still add to it */
};

struct race {
    struct address_list lists[2];
    int family; /* of the first list */
    int turn;   /* the list that the next address is taken from */
    int tried;  /* attempts started */
    int failed_attempts;
    int64_t stagger;
    const nido_dial_options *options;
    nido_event failed; /* set whenever an attempt has failed: the next may start */
    nido_event found;  /* set whenever a look-up has ended */
};

struct dial_attempt {
    struct race *race;
    const struct addrinfo *address;
};

/* ---- Attempts ---- */

static int dial_attempt(void *arg)
{
    const struct dial_attempt *me = arg;
    int fd =
        nidoi_connect_address(me->address->ai_addr, me->address->ai_addrlen, me->race->options);

    if (fd == -ECANCELED) return fd;
    if (fd < 0) me->race->failed_attempts++;
    if (fd < 0) nido_event_set(&me->race->failed);
    return fd;
}

static void close_late(void *ctx, void *arg, int fd)
{
    (void)ctx, (void)arg;
    nido_close(fd);
}

/* The next address from here that is a stream's and belongs to this list. */
static const struct addrinfo *list_next(const struct race *race, int list,
                                        const struct addrinfo *from)
{
    int only = race->options->family;

    while (from &&
           ((from->ai_family == race->family) != (list == 0) || (only && from->ai_family != only) ||
            (from->ai_socktype && from->ai_socktype != SOCK_STREAM)))
        from = from->ai_next;
    return from;
}

static const struct addrinfo *list_take(struct race *race, int list)
{
    const struct addrinfo *address = list_next(race, list, race->lists[list].next);

    race->lists[list].next = address ? address->ai_next : NULL;
    return address;
}

/* Families alternate as long as both have addresses (section 4). NULL: there is none yet, or no
 * more. */
static const struct addrinfo *race_next_address(struct race *race)
{
    const struct addrinfo *address = NULL;

    if (race->tried == MOST_ADDRESSES) return NULL;
    for (int tries = 0; tries < 2 && !address; tries++, race->turn ^= 1)
        address = list_take(race, race->turn);
    return address;
}

static bool race_expects_addresses(const struct race *race)
{
    return race->tried < MOST_ADDRESSES && (race->lists[0].pending || race->lists[1].pending);
}

static bool race_has_more(const struct race *race)
{
    if (race_expects_addresses(race)) return true;
    return race->tried < MOST_ADDRESSES &&
           (list_next(race, 0, race->lists[0].next) || list_next(race, 1, race->lists[1].next));
}

/* Waits until the event is set or the time is up. */
static int await_event(nido_event *event, int64_t ns)
{
    nido_scope scope;
    int rc;

    nido_timeout_open(&scope, ns);
    rc = nido_scope_close(&scope, nido_event_wait(event));
    return rc == -ETIMEDOUT ? 0 : rc;
}

static int race_await_addresses(struct race *race, int64_t ns)
{
    nido_event_reset(&race->found);
    return await_event(&race->found, ns);
}

static int race_try_address(nido_group *attempts, struct race *race, const struct addrinfo *address)
{
    struct dial_attempt me = {race, address};
    int rc;

    race->tried++;
    nido_event_reset(&race->failed);
    rc = nido_spawn_copy(attempts, dial_attempt, &me, sizeof me);
    return rc || !race_has_more(race) ? rc : await_event(&race->failed, race->stagger);
}

static int race_try_all(nido_group *attempts, struct race *race)
{
    int rc = 0;

    while (!rc) {
        const struct addrinfo *address = race_next_address(race);

        if (address)
            rc = race_try_address(attempts, race, address);
        else if (race_expects_addresses(race))
            rc = race_await_addresses(race, NIDO_NEVER);
        else
            break;
    }
    return rc;
}

/* The group gives the first failure also if a cancel has ended the other attempts. But a dial has
 * failed only when every attempt has. */
static bool race_was_cut_short(const struct race *race)
{
    return nido_cancelled() && (race->failed_attempts < race->tried || race_has_more(race));
}

/* `name`: the name of the attempts in an error that lists several failures. */
static int run_race(struct race *race, const char *name)
{
    nido_group_options options = {
        .size = sizeof options, .policy = NIDO_RACE, .name = name, .drop = close_late};
    nido_group attempts;
    int rc;

    nido_group_open_with(&attempts, &options);
    rc = nido_group_close(&attempts, race_try_all(&attempts, race));
    return rc < 0 && race_was_cut_short(race) ? -ECANCELED : rc;
}

static void race_init(struct race *race, int family, const nido_dial_options *options)
{
    *race = (struct race){.family = family, .options = options};
    race->stagger = options->stagger_ns ? options->stagger_ns : STAGGER;
    nido_event_init(&race->failed, "failed attempt");
    nido_event_init(&race->found, "addresses");
}

static bool dial_options_are_good(const nido_dial_options *options)
{
    return options && options->stagger_ns >= 0 && nidoi_address_is_family(options->family);
}

int nido_dial_any(const struct addrinfo *list, const nido_dial_options *options)
{
    nido_dial_options room;
    struct nidoi_loop *loop;
    struct race race;
    int err = nidoi_io_enter(&loop);

    if (err) return err;
    options = NIDOI_OPTIONS(nido_dial_options, options, &room);
    if (!list || !dial_options_are_good(options)) return -EINVAL;
    race_init(&race, list->ai_family, options);
    race.lists[0].next = race.lists[1].next = list;
    return race_has_more(&race) ? run_race(&race, "dial") : -EINVAL;
}

/* ---- By name ---- */

struct family_search {
    struct race *race;
    int list;
    const char *host, *service;
    struct nidoi_lookup lookup;
};

static const int search_families[] = {AF_INET6, AF_INET};

static bool race_wants_family(const struct race *race, int family)
{
    return !race->options->family || race->options->family == family;
}

/* One family's look-up. Its failure does not fail the group. */
static int search_family(void *arg)
{
    struct family_search *me = arg;
    const struct addrinfo hints = {.ai_family = search_families[me->list],
                                   .ai_socktype = SOCK_STREAM};
    int err = nidoi_lookup(me->host, me->service, &hints, &me->lookup);

    me->race->lists[me->list] = (struct address_list){.next = me->lookup.found};
    nido_event_set(&me->race->found);
    return err == -ECANCELED ? err : 0;
}

/* If the other family's addresses come first, they wait a little for the preferred ones. */
static int race_await_preferred(struct race *race)
{
    int rc = 0;

    while (!rc && race->lists[0].pending && race->lists[1].pending)
        rc = race_await_addresses(race, NIDO_NEVER);
    if (!rc && race->lists[0].pending && race->lists[1].next)
        rc = race_await_addresses(race, RESOLUTION_DELAY);
    return rc;
}

/* No name server could be asked, so the name may exist. */
static bool is_temporary(int err)
{
    return err && err != -ENOENT;
}

static int fail_nothing_found(const struct family_search searches[2])
{
    /* Most names have no IPv6 address, so the other failure says more. That the name does not exist
     * is true only if both look-ups say so. */
    const struct family_search *clearer = searches[1].lookup.err ? &searches[1] : &searches[0];

    if (is_temporary(searches[0].lookup.err) && !is_temporary(clearer->lookup.err))
        clearer = &searches[0];

    if (!clearer->lookup.err)
        return nido_fail(-ENOENT, "look-up of %s port %s: no address that a socket can connect to",
                         clearer->host, clearer->service);
    return nidoi_lookup_explained(&clearer->lookup, clearer->host, clearer->service);
}

static int race_while_searching(nido_group *group, struct family_search searches[2])
{
    struct race *race = searches[0].race;
    char name[32];
    int rc = 0;

    snprintf(name, sizeof name, "dial %s", searches[0].host);
    for (int list = 0; list < 2 && !rc; list++) {
        if (!race_wants_family(race, search_families[list])) continue;
        race->lists[list].pending = true;
        rc = nido_spawn(group, search_family, &searches[list]);
        if (rc) nido_fail(rc, "look-up of %s port %s", searches[0].host, searches[0].service);
    }
    if (!rc) rc = race_await_preferred(race);
    if (!rc) rc = run_race(race, name);
    nido_group_cancel(group, 0, "dialled"); /* what is still looked up is not needed */
    return rc;
}

static int dial_by_name(const char *host, const char *service, const nido_dial_options *options)
{
    struct race race;
    struct family_search searches[2] = {{&race, 0, host, service, {0}},
                                        {&race, 1, host, service, {0}}};
    nido_group group;
    int rc;

    race_init(&race, AF_INET6, options);
    nido_group_open(&group, NIDO_WAIT_ALL, "look-ups");
    rc = race_while_searching(&group, searches);
    /* its result is that of its own cancel, or of one from outside that comes too late */
    nido_group_close(&group, 0);
    for (int i = 0; i < 2; i++)
        if (searches[i].lookup.found) freeaddrinfo(searches[i].lookup.found);
    return !race.tried && !rc ? fail_nothing_found(searches) : rc;
}

static int dial_address(const struct nidoi_address *address, const nido_dial_options *options)
{
    const struct sockaddr *to = (const void *)&address->bytes;

    if (options->family && to->sa_family != options->family)
        return nidoi_address_fail(-EAFNOSUPPORT, "dial", to, address->length);
    return nidoi_connect_address(to, address->length, options);
}

int nido_dial(const char *host, const char *service, const nido_dial_options *options)
{
    nido_dial_options room;
    struct nidoi_loop *loop;
    struct nidoi_address address;
    int err = nidoi_io_enter(&loop);

    if (err) return err;
    options = NIDOI_OPTIONS(nido_dial_options, options, &room);
    if (!dial_options_are_good(options)) return -EINVAL;
    err = host ? nidoi_address_parse(host, service, 0, &address) : -EINVAL;
    if (!err) return dial_address(&address, options);
    if (err == -ENOMEM) return nido_fail(err, "dial %s port %s", host, service);
    if (!host || nidoi_address_is_path(host) || !nidoi_address_is_service(service))
        return nido_fail(err, "dial %s port %s: no such address", host ? host : "(none)",
                         service ? service : "(none)");
    return dial_by_name(host, service, options);
}
