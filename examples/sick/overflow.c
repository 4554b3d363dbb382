/* SPDX-License-Identifier: MIT */
/* sick/overflow: a parser goes deeper than its stack.
 *
 * Each bracket is a call, and 100 000 brackets are more than 192 KiB hold. The guard below the stack ends the program;
 * the report names the task, its stack and the call that repeats. The cure: a bound on the depth, or a larger stack for
 * that task (nido_spawn_options.stack_size).
 *
 *     NIDO_DEBUG=overflow ./sick_overflow          ./sick_overflow cured
 */
#include <nido.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool cured;

enum { DEEP = 100 * 1000 };

static int parse(const char *text, int depth)
{
    char name[64]; /* what a frame of a real parser holds */
    if (*text != '(') return depth;
    snprintf(name, sizeof name, "level %d", depth);
    int below = parse(text + 1, depth + 1);
    return name[0] == 'l' ? below : -1;
}

static int parse_document(void *text)
{
    nido_set_name("parser");
    int depth = parse(text, 0);
    printf("%d levels\n", depth);
    return 0;
}

static int app(void *unused)
{
    static char document[DEEP + 1];
    nido_group parsers;
    nido_spawn_options options;
    (void)unused;
    memset(document, '(', DEEP);
    nido_spawn_options_init(&options);
    if (cured) options.stack_size = 64 << 20; /* the fault: without it, 192 KiB */
    nido_group_open(&parsers, NIDO_FAIL_FAST, "parsers");
    return nido_group_close(&parsers,
                            nido_spawn_with(&parsers, parse_document, document, &options, NULL));
}

int main(int argc, char **argv)
{
    (void)argv;
    cured = argc > 1;
    int rc = nido_run(app, NULL, NULL);
    if (rc < 0) fprintf(stderr, "overflow: %s\n", nido_strerror(rc));
    return nido_exit_status(rc);
}
