/* SPDX-License-Identifier: MIT */
/* swept_cares SERVER:PORT NAME: cancels the adapter for c-ares at each of its cancellation points,
 * with a real server. After each the next lookup must succeed, and nothing may be left behind. */
#include <nido/test.h>

#include "../adapters/cares.h"

static ares_channel base;
static const char *name;
static bool is_broken; /* the last run has left something that does not work */

static int look_up(void)
{
    struct ares_addrinfo *result;
    int rc = ca_lookup(base, name, AF_UNSPEC, &result);
    if (rc == 0) ares_freeaddrinfo(result);
    return rc;
}

static int look_up_twice(void *unused)
{
    nido_scope scope;
    (void)unused;
    nido_scope_open(&scope);
    nido_scope_close(&scope, look_up());
    int rc = look_up();
    is_broken = nido_scope_was_cancelled(&scope) && rc < 0;
    return rc;
}

static int judge(void *unused, int rc)
{
    (void)unused;
    (void)rc;
    return is_broken ? -1 : 0;
}

int main(int argc, char **argv)
{
    nido_test_options options;
    if (argc != 3 || ares_library_init(ARES_LIB_INIT_ALL) || ares_init(&base)) return 2;
    if (ares_set_servers_ports_csv(base, argv[1])) return 2;
    name = argv[2];
    nido_test_options_init(&options);
    options.name = "lookups by c-ares";
    options.flags = NIDO_TEST_INNERMOST | NIDO_TEST_LOOSE;
    options.run.clock = NIDO_CLOCK_REAL;
    options.check = judge;
    int broken = nido_sweep(look_up_twice, NULL, &options);
    broken += nido_sweep_memory(look_up_twice, NULL, &options);
    broken += nido_sweep_calls(look_up_twice, NULL, &options);
    ares_destroy(base);
    ares_library_cleanup();
    return broken != 0;
}
