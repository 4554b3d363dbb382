/* SPDX-License-Identifier: MIT */
/* Several sources are asked at once. The first answer wins, the others are cancelled; a source that
 * fails only drops out. */
#include <errno.h>
#include <nido.h>
#include <stdio.h>

struct source {
    const char *name;
    int64_t delay;
    int answer; /* < 0: it fails */
};

static int ask(void *arg)
{
    const struct source *source = arg;
    int rc = nido_sleep(source->delay);
    if (rc == 0) rc = source->answer;
    printf("%s: %s\n", source->name, rc < 0 ? nido_strerror(rc) : "answers");
    return rc;
}

static int app(void *unused)
{
    struct source sources[] = {
        {"broken", NIDO_MS(1), -EIO}, {"near", NIDO_MS(20), 7}, {"far", NIDO_MS(200), 8}};
    nido_group race;
    int rc = 0;
    (void)unused;
    nido_group_open(&race, NIDO_RACE, "sources");
    for (int i = 0; i < 3 && rc == 0; i++) rc = nido_spawn(&race, ask, &sources[i]);
    rc = nido_group_close(&race, rc); /* the winner's result, or the first failure */
    printf("result: %d\n", rc);
    return rc;
}

int main(void)
{
    return nido_exit_status(nido_run(app, NULL, &NIDO_OPTIONS(.clock = NIDO_CLOCK_VIRTUAL)));
}
/* prints:
 * broken: EIO: input/output error
 * near: answers
 * far: ECANCELED: cancelled by an enclosing scope
 * result: 7
 */
