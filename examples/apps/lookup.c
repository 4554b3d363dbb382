/* SPDX-License-Identifier: MIT */
/* lookup: the addresses of names, all looked up at once.
 *
 * Shows the adapter for c-ares (../adapters/cares.h): a task for each name, and one deadline.
 *
 *     ./app_lookup SERVER[:PORT]|- TIMEOUT_MS NAME...     (-: the servers of the system)
 *     ./app_lookup - 2000 www.debian.org localhost
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <nido/sugar.h>
#include <stdio.h>
#include <stdlib.h>

#include "../adapters/cares.h"

struct lookups {
    ares_channel base;
    int64_t timeout_ns;
    char **names;
    bool failed;
};

struct look_up_args {
    struct lookups *all;
    const char *name;
};

static void print_addresses(const char *name, const struct ares_addrinfo *result)
{
    char line[1024] = "", text[INET6_ADDRSTRLEN];
    for (const struct ares_addrinfo_node *it = result->nodes; it; it = it->ai_next) {
        const void *address = it->ai_family == AF_INET
                                  ? (void *)&((struct sockaddr_in *)it->ai_addr)->sin_addr
                                  : (void *)&((struct sockaddr_in6 *)it->ai_addr)->sin6_addr;
        size_t length = strlen(line);
        snprintf(line + length, sizeof line - length, " %s",
                 inet_ntop(it->ai_family, address, text, sizeof text));
    }
    printf("%s:%s\n", name, line);
}

static int look_up(void *arg)
{
    const struct look_up_args *me = arg;
    struct ares_addrinfo *result;
    int rc =
        NIDO_TIMEOUT(me->all->timeout_ns, ca_lookup(me->all->base, me->name, AF_UNSPEC, &result));
    if (rc == -ECANCELED) return rc;
    if (rc == 0)
        print_addresses(me->name, result), ares_freeaddrinfo(result);
    else if (rc == -ETIMEDOUT)
        printf("%s: no answer in time\n", me->name);
    else
        printf("%s\n", nido_error_text(nido_error_last()));
    me->all->failed |= rc < 0;
    return 0; /* one name disturbs no other */
}

static int app(void *arg)
{
    struct lookups *all = arg;
    nido_group group;
    int rc = 0;
    nido_group_open(&group, NIDO_FAIL_FAST, "names");
    for (char **name = all->names; *name && rc == 0; name++)
        rc = NIDO_SPAWN(&group, look_up, .all = all, .name = *name);
    return nido_group_close(&group, rc);
}

int main(int argc, char **argv)
{
    struct lookups all = {.names = argv + 3};
    if (argc < 4) {
        fprintf(stderr, "usage: %s SERVER[:PORT]|- TIMEOUT_MS NAME...\n", argv[0]);
        return 2;
    }
    all.timeout_ns = NIDO_MS(strtol(argv[2], NULL, 10));
    if (ares_library_init(ARES_LIB_INIT_ALL) || ares_init(&all.base)) return 1;
    if (strcmp(argv[1], "-") != 0 && ares_set_servers_ports_csv(all.base, argv[1])) {
        fprintf(stderr, "%s is no server\n", argv[1]);
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* Names are to be seen at once, through a pipe too. */
    int rc = nido_run(app, &all, &NIDO_OPTIONS(.signals = true));
    ares_destroy(all.base);
    ares_library_cleanup();
    return rc < 0 ? nido_exit_status(rc) : all.failed;
}
