/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
/* The dump with stacks. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "coro/stack/frames.h"
#include "debug/symbols.h"
#include "inside_help.h"
#include "nido/debug.h"

#define SEEN_BY_NAME __attribute__((noinline, visibility("default")))

static nido_event event;

int stacks_waits_inside(int more);
SEEN_BY_NAME int stacks_waits_inside(int more)
{
    int rc = nido_event_wait(&event);

    return rc + more;
}

int stacks_waits(void *unused);
SEEN_BY_NAME int stacks_waits(void *unused)
{
    int rc = stacks_waits_inside(0);

    (void)unused;
    __asm__ volatile("" ::: "memory"); /* or the call would be a jump, and this no frame */
    return rc;
}

static char *printed(uint32_t flags)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    cr_assert(ne(ptr, file, NULL));
    cr_expect(zero(int, nido_dump_with(file, flags)));
    fclose(file);
    return text;
}

static void spawn_three(nido_group *group)
{
    nido_event_init(&event, "news");
    nido_group_open(group, NIDO_WAIT_ALL, "waiting");
    for (int i = 0; i < 3; i++) cr_expect(zero(int, nido_spawn(group, stacks_waits, NULL)));
}

static void close_three(nido_group *group)
{
    nido_group_cancel(group, 0, NULL);
    nido_group_close(group, 0);
}

static bool can(void)
{
    return !nidoi_frames_missing();
}

/* Each name once, in this order, and where is the last? */
static char *after_names(char *text, const char *const *names, int n)
{
    for (int i = 0; i < n && text; i++) text = strstr(text, names[i]);
    return text;
}

INSIDE(stacks, a_parked_task_shows_its_frames_below_its_line)
{
    const char *const names[] = {"#2 \"\"  waits for event",
                                 "  at 0x",
                                 " nido_event_wait+0x",
                                 "  at 0x",
                                 " stacks_waits_inside+0x",
                                 " stacks_waits+0x",
                                 "\n",
                                 "   └─ 2 more"};
    nido_group group;
    char *text;

    spawn_three(&group);
    nido_yield();
    text = printed(NIDO_DUMP_STACKS);
    cr_expect(ne(ptr, strstr(text, "nido: stacks: "), NULL), "%s", text);
    if (can()) cr_expect(ne(ptr, after_names(text, names, 7), NULL), "%s", text);
    free(text);
    close_three(&group);
}

int stacks_dumps(void *text);
SEEN_BY_NAME int stacks_dumps(void *text)
{
    *(char **)text = printed(NIDO_DUMP_STACKS);
    return 0;
}

INSIDE(stacks, the_running_task_shows_its_frames_from_the_call_on)
{
    nido_group group;
    char *line, *text = NULL;

    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    cr_expect(zero(int, nido_spawn(&group, stacks_dumps, &text)));
    nido_group_close(&group, 0);
    if (!can()) return;
    line = strstr(text, "runs");
    cr_assert(ne(ptr, line, NULL), "%s", text);
    line = strstr(line, "  at 0x");
    cr_assert(ne(ptr, line, NULL), "%s", text);
    cr_expect(eq(ptr, strstr(line, "nido_dump"), NULL), "%s", text);
    cr_expect(ne(ptr, strstr(line, " stacks_dumps+0x"), NULL), "%s", text);
    free(text);
}

INSIDE(stacks, a_task_that_has_not_begun_shows_none)
{
    nido_group group;
    char *text, *children;

    spawn_three(&group);
    text = printed(NIDO_DUMP_STACKS);
    children = strstr(text, "└");
    cr_assert(ne(ptr, children, NULL), "%s", text);
    cr_expect(eq(ptr, strstr(children, "  at 0x"), NULL), "%s", text);
    free(text);
    close_three(&group);
}

/* Python's own reader is the judge. */
static const char judge[] =
    "import json, sys; tasks = json.load(sys.stdin)['tasks'];"
    "names = [[f.get('function') for f in t['stack']['frames']] for t in tasks];"
    "waiting = [n for n in names if 'stacks_waits' in n];"
    "assert len(waiting) == 3 and all(n.index('stacks_waits_inside') + 1 == n.index('stacks_waits')"
    " for n in waiting), names;"
    "assert all(f['address'] > 0 and f['object_offset'] >= 0 and f['object'] for t in tasks"
    " for f in t['stack']['frames'] if 'object' in f)";

INSIDE(stacks, json_has_the_frames_of_every_task)
{
    nido_group group;
    FILE *reader;

    spawn_three(&group);
    nido_yield();
    setenv("JUDGE", judge, 1);
    reader = popen("exec python3 -c \"$JUDGE\"", "we");
    cr_assert(ne(ptr, reader, NULL));
    cr_expect(zero(int, nido_dump_with(reader, NIDO_DUMP_STACKS | NIDO_DUMP_JSON)));
    cr_expect(zero(int, can() ? pclose(reader) : 0));
    close_three(&group);
}

INSIDE(stacks, they_are_shown_when_they_are_asked_for)
{
    char *text = printed(0);

    cr_expect(eq(ptr, strstr(text, " at 0x"), NULL), "%s", text);
    free(text);
    setenv("NIDO_DEBUG", "stacks", 1);
    text = printed(0);
    if (can()) cr_expect(ne(ptr, strstr(text, " at 0x"), NULL), "%s", text);
    free(text);
    cr_expect(eq(int, nido_dump_with(stderr, 4), -EINVAL));
    cr_expect(eq(int, nido_dump_with(NULL, 0), -EINVAL));
}

NIDO_TEST(stacks, a_dump_on_a_small_stack_ends)
{
    nido_options options;
    char *text = NULL;

    nido_options_init(&options);
    options.stack_size = 64 << 10;
    cr_expect(zero(int, nido_run(stacks_dumps, &text, &options)));
    if (can()) cr_expect(ne(ptr, strstr(text, " stacks_dumps+0x"), NULL), "%s", text);
    free(text);
}

NIDO_TEST(stacks, a_symbol_is_that_of_the_call)
{
    struct nidoi_symbol symbol;

    nidoi_symbol_find(NULL, (char *)(uintptr_t)stacks_waits + 1, &symbol);
    cr_assert(ne(ptr, (void *)symbol.name, NULL));
    cr_expect(eq(str, (char *)symbol.name, "stacks_waits"));
    cr_expect(eq(ulong, symbol.offset, 1));
    nidoi_symbol_find(NULL, (void *)(uintptr_t)8, &symbol);
    cr_expect(eq(ptr, (void *)symbol.object, NULL));
}
