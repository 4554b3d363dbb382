/* SPDX-License-Identifier: MIT */
/* swept_ssh2 HOST PORT USER KEY KNOWN_HOSTS: cancels the adapter for libssh2 at each of its cancellation
 * points, with a real server. Nothing may be left behind, and the next connection must work. */
#include <nido/test.h>
#include <string.h>

#include "../adapters/ssh2.h"

static s2_login login;
static bool is_broken; /* the last run has left something that does not work */

struct heard {
    size_t n;
    char bytes[64];
};

static int hear(void *ctx, const char *bytes, size_t n)
{
    struct heard *heard = ctx;
    for (size_t i = 0; i < n && heard->n < sizeof heard->bytes - 1; i++)
        heard->bytes[heard->n++] = bytes[i];
    return 0;
}

static int run_two(void *unused)
{
    s2_conn conn;
    int status = -1, rc = s2_open(&conn, &login);
    (void)unused;
    is_broken = false;
    if (rc < 0) return rc;
    for (int i = 0; i < 2 && rc == 0; i++) {
        struct heard heard = {0};
        rc = s2_run(&conn, "echo here; exit 3", hear, &heard, &status);
        is_broken |= rc == 0 && (strcmp(heard.bytes, "here\n") != 0 || status != 3);
    }
    s2_close(&conn);
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
    if (argc != 6 || libssh2_init(0)) return 2;
    login = (s2_login){argv[1], argv[2], argv[5], argv[3], argv[4]};
    nido_test_options_init(&options);
    options.name = "commands by libssh2";
    options.flags = NIDO_TEST_INNERMOST | NIDO_TEST_LOOSE;
    options.run.clock = NIDO_CLOCK_REAL;
    options.check = judge;
    int broken = nido_sweep(run_two, NULL, &options);
    libssh2_exit();
    return broken != 0;
}
