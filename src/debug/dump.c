#include <errno.h>

#include "debug/json.h"
#include "debug/tree.h"
#include "nido/debug.h"

static void line_to_file(void *file, const char *line)
{
    fputs(line, file);
}

static void dump_tree(struct nidoi_loop *loop, FILE *file)
{
    uint32_t ready = nidoi_sched_ready(&loop->sched);

    fprintf(file, "nido: runtime %u: %u %s, %u of them ready\n", loop->number, loop->live,
            loop->live == 1 ? "task" : "tasks", ready);
    nidoi_tree_print(loop, line_to_file, file);
}

static int dump_by(void (*print)(struct nidoi_loop *loop, FILE *file), FILE *file)
{
    struct nidoi_loop *loop = nidoi_loop_self();

    if (!file) return -EINVAL;
    if (!loop) return -EPERM;
    nidoi_loop_refresh(loop);
    print(loop, file);
    return fflush(file) || ferror(file) ? -EIO : 0;
}

int nido_dump(FILE *file)
{
    return dump_by(dump_tree, file);
}

int nido_dump_json(FILE *file)
{
    return dump_by(nidoi_json_print, file);
}
