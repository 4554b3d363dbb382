/* SPDX-License-Identifier: MIT */
/* deadline: one deadline over a whole tree of tasks, and another one inside it.
 *
 * Shows that a deadline is set in one place and holds for everything below, and that each one
 * answers for itself: the scope whose deadline fired turns -ECANCELED into -ETIMEDOUT when it is
 * closed, every scope inside it passes -ECANCELED on.
 *
 *     deadline (WHOLE_MS)
 *       group "page":  layout
 *                      group "parts":  news
 *                                      weather, has PART_MS of its own, would take an hour
 *
 * The weather alone is late, the page goes out without it; or the whole page is late:
 *
 *     ./example_deadline 60000 20
 *     ./example_deadline 20 60000
 */
#include <errno.h>
#include <nido.h>
#include <stdio.h>
#include <stdlib.h>

struct page {
    int64_t whole_ns;
    int64_t part_ns;
    nido_event parts_ready;
};

/* Tells what became of a task, and hands the result on. */
static int report(const char *task, int rc)
{
    nido_cause cause;
    nido_cancel_cause(&cause); /* kind NIDO_CAUSE_NONE: nothing around this task is cancelled */
    const char *outside = cause.kind == NIDO_CAUSE_DEADLINE ? ", by a deadline outside" : "";
    printf("%s: %s%s\n", task, rc < 0 ? nido_strerror(rc) : "done", outside);
    return rc;
}

static int weather(void *arg)
{
    struct page *page = arg;
    nido_scope own;
    nido_timeout_open(&own, page->part_ns);
    int rc = nido_scope_close(&own, nido_sleep(NIDO_SEC(3600)));
    report("weather", rc);
    return rc == -ETIMEDOUT ? 0 : rc; /* Our own deadline: the page can do without the weather. */
}

static int news(void *unused)
{
    (void)unused;
    return report("news", nido_yield());
}

static int parts(void *arg)
{
    struct page *page = arg;
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "parts");
    int rc = nido_spawn(&group, news, NULL);
    if (rc == 0) rc = nido_spawn(&group, weather, page);
    rc = nido_group_close(&group, rc);
    if (rc == 0) rc = nido_event_set(&page->parts_ready);
    return report("parts", rc);
}

static int layout(void *arg)
{
    struct page *page = arg;
    return report("layout", nido_event_wait(&page->parts_ready));
}

static int build(struct page *page)
{
    nido_group group;
    nido_group_open(&group, NIDO_FAIL_FAST, "page");
    int rc = nido_spawn(&group, parts, page);
    if (rc == 0) rc = nido_spawn(&group, layout, page);
    return nido_group_close(&group, rc);
}

static int build_in_time(void *arg)
{
    struct page *page = arg;
    nido_scope whole;
    nido_event_init(&page->parts_ready, "parts_ready");
    nido_timeout_open(&whole, page->whole_ns);
    int rc = nido_scope_close(&whole, build(page));
    nido_event_deinit(&page->parts_ready);
    printf("page: the deadline %s\n", nido_scope_fired(&whole) ? "fired" : "did not fire");
    return report("page", rc);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s WHOLE_MS PART_MS\n", argv[0]);
        return 2;
    }
    struct page page = {.whole_ns = NIDO_MS(strtol(argv[1], NULL, 10)),
                        .part_ns = NIDO_MS(strtol(argv[2], NULL, 10))};
    int rc = nido_run(build_in_time, &page, NULL);
    if (rc < 0) fprintf(stderr, "%s: %s\n", argv[0], nido_strerror(rc));
    return nido_exit_status(rc);
}
