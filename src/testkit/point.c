#include <errno.h>
#include <stdlib.h>

#include "nido.h"
#include "testkit/kit.h"

/* The question under way, innermost first: of this thread, and of any number of its tasks. */
struct question {
    struct question *below;
    uint64_t task;
    uint64_t entered; /* before */
    nido_scope scope;
};

static _Thread_local struct question *questions;

void nido_test_point_begin(void)
{
    struct question *question = nidoi_kit_memory(NULL, sizeof *question);

    nidoi_watch_begin(NULL, NULL);
    *question = (struct question){.below = questions, .task = nido_self().id};
    questions = question;
    nido_scope_open(&question->scope);
    nido_scope_cancel(&question->scope, 0, "is this a cancellation point?");
    question->entered = nidoi_seen.entered;
}

static struct question *take(void)
{
    struct question **at = &questions;

    while (*at && (*at)->task != nido_self().id) at = &(*at)->below;
    if (!*at) abort(); /* only by hand: the macros begin before they end */
    return *at;
}

static void unlink_question(struct question *question)
{
    struct question **at = &questions;

    while (*at != question) at = &(*at)->below;
    *at = question->below;
    free(question);
}

bool nido_test_point_end(intptr_t result, bool expected, const char *expr, const char *file,
                         int line)
{
    struct question *question = take();
    bool entered = nidoi_seen.entered != question->entered;
    bool fine = expected ? entered && result == -ECANCELED : !entered;

    nido_scope_close(&question->scope, 0);
    unlink_question(question);
    nidoi_watch_end(NULL);
    if (!fine)
        fprintf(stderr, "%s:%d: %s is %s cancellation point: it was %s and gave %lld\n", file, line,
                expr, expected ? "no" : "a", entered ? "entered" : "not entered",
                (long long)result);
    return fine;
}
