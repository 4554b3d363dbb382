/* SPDX-License-Identifier: MIT */
/* The id of a request in every line of the log, of whatever task, without handing it from function to function. */
#include <nido.h>
#include <stdarg.h>
#include <stdio.h>

static const nido_value_key request = NIDO_VALUE_KEY_INIT("request", NIDO_VALUE_TEXT);

static __attribute__((format(printf, 1, 2))) void log_line(const char *format, ...)
{
    const char *id = nido_value_get(&request);
    va_list args;
    va_start(args, format);
    printf("[%s] ", id ? id : "-");
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

static int ask_database(void *unused) /* knows nothing of requests */
{
    (void)unused;
    int rc = nido_sleep(NIDO_MS(20));
    log_line("the database: %s", nido_strerror(rc));
    return rc;
}

static int ask_cache(void *unused)
{
    (void)unused;
    log_line("the cache: nothing");
    return 0;
}

static int handle(void *id) /* one request: a task, with tasks of its own */
{
    nido_value value;
    nido_group group;
    nido_value_open(&value, &request, id);
    nido_group_open(&group, NIDO_FAIL_FAST, "lookups");
    int rc = nido_spawn(&group, ask_database, NULL);
    if (rc == 0) rc = nido_spawn(&group, ask_cache, NULL);
    rc = nido_group_close(&group, rc);
    nido_value_close(&value);
    return rc;
}

static int app(void *unused)
{
    nido_group group;
    (void)unused;
    nido_group_open(&group, NIDO_WAIT_ALL, "requests");
    int rc = nido_spawn(&group, handle, "42f1");
    if (rc == 0) rc = nido_spawn(&group, handle, "42f2");
    rc = nido_group_close(&group, rc);
    log_line("all done");
    return rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, &NIDO_OPTIONS(.clock = NIDO_CLOCK_VIRTUAL)));
}
/* prints:
 * [42f1] the cache: nothing
 * [42f2] the cache: nothing
 * [42f1] the database: OK
 * [42f2] the database: OK
 * [-] all done
 */
