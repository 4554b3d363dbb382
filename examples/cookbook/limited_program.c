/* SPDX-License-Identifier: MIT */
/* A program is run with a limit of time and of output. At the limit it is stopped (SIGTERM, a grace,
 * SIGKILL), with all that it has started; what it wrote until then is in the result. */
#include <errno.h>
#include <nido.h>
#include <nido/sugar.h>
#include <stdio.h>

static int run(int64_t limit, char *command)
{
    nido_proc_result result;
    nido_proc_options options;
    nido_proc_options_init(&options);
    options.argv = (char *[]){"sh", "-c", command, NULL};
    options.output_limit = 4096;
    options.kill_grace_ns = NIDO_MS(100);
    options.new_group = true;
    int rc = NIDO_TIMEOUT(limit, nido_proc_run(&options, NULL, 0, &result));
    printf("%s: status %d, signal %d, %zu bytes\n", rc < 0 ? nido_strerror(rc) : "in time",
           result.status.code, result.status.signal, result.out_len);
    nido_proc_result_free(&result);
    return rc;
}

static int app(void *unused)
{
    (void)unused;
    int rc = run(NIDO_MS(300), "exec sleep 100");
    return rc == -ETIMEDOUT ? run(NIDO_SEC(30), "echo hello; exit 3") : rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, NULL));
}
/* prints:
 * ETIMEDOUT: the deadline of a scope has passed, or the network timed out: status -1, signal 15, 0 bytes
 * in time: status 3, signal 0, 6 bytes
 */
