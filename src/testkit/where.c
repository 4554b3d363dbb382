#include <dlfcn.h>
#include <execinfo.h>
#include <string.h>

#include "testkit/kit.h"

enum { MOST_FRAMES = 24 };

/* The name of the public call that an address lies in, or NULL. Hidden functions have no name that
 * the dynamic linker knows. */
static const char *public_call(void *address)
{
    Dl_info info;

    if (!dladdr((char *)address - 1, &info) || !info.dli_sname) return NULL;
    return strncmp(info.dli_sname, "nido_", 5) ? NULL : info.dli_sname;
}

/* Going outwards: the library's hidden functions, its public ones that call each other, and then
 * whoever called the outermost of these. */
struct nidoi_where nidoi_where_now(void)
{
    void *frames[MOST_FRAMES];
    int count = backtrace(frames, MOST_FRAMES), at = 0;
    struct nidoi_where where = {0};

    while (at < count && !public_call(frames[at])) at++;
    for (; at < count && public_call(frames[at]); at++) where.call = public_call(frames[at]);
    if (where.call && at < count && strcmp(where.call, "nido_run") != 0) where.place = frames[at];
    return where;
}
