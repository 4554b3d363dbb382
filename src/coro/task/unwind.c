/* SPDX-License-Identifier: MIT */
/* coro/task/unwind.c: what unwinds out of a task, out of a function that the loop called or out of a job of
 * a worker thread ends the program with a sentence that names it. */
#include "coro/stack/exceptions.h"

#include <stdio.h>
#include <unwind.h>

#include "base/place.h"
#include "coro/task/sched.h"

#ifdef __GCC_HAVE_DWARF2_CFI_ASM

const char nidoi_exceptions_end_linked;

struct author {
    char text[256];
};

static const char *author_name(struct author *author)
{
    const struct nidoi_sched *sched = nidoi_sched_self;
    const struct nidoi_task *task = sched ? sched->current : NULL;
    struct nidoi_place spawned;

    if (!sched) return "a job of a worker thread";
    if (!nidoi_on_task(sched)) return "a function that the loop called";
    snprintf(author->text, sizeof author->text, "task #%llu \"%s\", spawned at %s",
             (unsigned long long)task->id, task->name ? task->name : "",
             nidoi_place(&spawned, task->spawned_at));
    return author->text;
}

_Unwind_Reason_Code nidoi_exceptions_end(int version, _Unwind_Action actions,
                                         _Unwind_Exception_Class language,
                                         struct _Unwind_Exception *exception,
                                         struct _Unwind_Context *frame);

/* Asked by the unwinder on its way out. In its first phase nothing has been unwound yet; refused
 * there, it goes back to the throw, which calls std::terminate: that knows what was thrown. */
__attribute__((used)) _Unwind_Reason_Code nidoi_exceptions_end(int version, _Unwind_Action actions,
                                                               _Unwind_Exception_Class language,
                                                               struct _Unwind_Exception *exception,
                                                               struct _Unwind_Context *frame)
{
    struct author author;

    (void)version, (void)language, (void)exception, (void)frame;
    if (!(actions & _UA_SEARCH_PHASE))
        nidoi_panic("%s ends its thread (pthread_exit or pthread_cancel), on which others live",
                    author_name(&author));
    nidoi_warn("a C++ exception left %s: exceptions must be caught inside", author_name(&author));
    return _URC_FATAL_PHASE1_ERROR;
}

#endif
