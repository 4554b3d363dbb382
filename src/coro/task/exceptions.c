#include "coro/task/exceptions.h"

#include <stdio.h>
#include <unwind.h>

#include "base/place.h"
#include "coro/task/sched.h"

/* Weak: there if anybody else brings it. */
extern struct nidoi_exceptions *get_globals(void) __asm__(NIDOI_ASM_NAME("__cxa_get_globals"))
    __attribute__((weak));

struct nidoi_exceptions *nidoi_exceptions_self(void)
{
    return get_globals ? get_globals() : NULL;
}

#ifdef __GCC_HAVE_DWARF2_CFI_ASM

struct who {
    char text[256];
};

static const char *running(struct who *who)
{
    const struct nidoi_sched *sched = nidoi_sched_self;
    const struct nidoi_task *task = sched ? sched->current : NULL;
    struct nidoi_place spawned;

    if (!sched) return "a job of a worker thread";
    if (!nidoi_on_task(sched)) return "a function that the loop called";
    snprintf(who->text, sizeof who->text, "task #%llu \"%s\", spawned at %s",
             (unsigned long long)task->id, task->name ? task->name : "",
             nidoi_place(&spawned, task->spawned_at));
    return who->text;
}

_Unwind_Reason_Code nidoi_exceptions_end(int version, _Unwind_Action actions,
                                         _Unwind_Exception_Class language,
                                         struct _Unwind_Exception *exception,
                                         struct _Unwind_Context *frame);

/* Asked by the unwinder on its way out. In its first phase nothing has been unwound yet; refused
 * there, it goes back to who threw, and that calls std::terminate, which knows what was thrown. */
__attribute__((used)) _Unwind_Reason_Code nidoi_exceptions_end(int version, _Unwind_Action actions,
                                                               _Unwind_Exception_Class language,
                                                               struct _Unwind_Exception *exception,
                                                               struct _Unwind_Context *frame)
{
    struct who who;

    (void)version, (void)language, (void)exception, (void)frame;
    if (!(actions & _UA_SEARCH_PHASE))
        nidoi_panic("%s ends its thread (pthread_exit or pthread_cancel), on which others live",
                    running(&who));
    nidoi_warn("a C++ exception left %s: exceptions must be caught inside", running(&who));
    return _URC_FATAL_PHASE1_ERROR;
}

#endif
