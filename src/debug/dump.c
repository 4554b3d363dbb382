#include <errno.h>
#include <stdlib.h>

#include "debug/json.h"
#include "debug/tree.h"
#include "nido/debug.h"

static void line_to_file(void *file, const char *line)
{
    fputs(line, file);
}

static int dump_tree(struct nidoi_loop *loop, FILE *file)
{
    fprintf(file, "nido: runtime %u: %u %s, %u of them ready\n", loop->number, loop->live,
            loop->live == 1 ? "task" : "tasks", nidoi_sched_ready(&loop->sched));
    return nidoi_tree_print(loop, line_to_file, file);
}

static int dump_json(struct nidoi_loop *loop, FILE *file)
{
    nidoi_json_print(loop, file);
    return 0;
}

typedef int dump_fn(struct nidoi_loop *loop, FILE *file);

/* Into memory: the user's stream may run code of its own, and the tree must stand still. */
static int dump_to_memory(dump_fn *dump, struct nidoi_loop *loop, char **text, size_t *size)
{
    FILE *memory = open_memstream(text, size);
    int err;

    if (!memory) return -ENOMEM;
    nidoi_no_parking_begin(&loop->sched); /* the owner of an object may be a user's function */
    err = dump(loop, memory);
    nidoi_no_parking_end(&loop->sched);
    if (ferror(memory)) err = -ENOMEM;
    return fclose(memory) ? -ENOMEM : err;
}

static int dump_by(dump_fn *dump, FILE *file)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    char *text = NULL;
    size_t size = 0;
    int err;

    if (!file) return -EINVAL;
    if (!loop) return -EPERM;
    nidoi_loop_refresh(loop);
    err = dump_to_memory(dump, loop, &text, &size);
    if (!err && (fwrite(text, 1, size, file) != size || fflush(file))) err = -EIO;
    free(text);
    return err;
}

int nido_dump(FILE *file)
{
    return dump_by(dump_tree, file);
}

int nido_dump_json(FILE *file)
{
    return dump_by(dump_json, file);
}
