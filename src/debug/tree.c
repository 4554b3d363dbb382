/* SPDX-License-Identifier: MIT */
#include "debug/tree.h"

#include <errno.h>

#include "base/mem.h"
#include "coro/group/waits.h"
#include "debug/signature.h"
#include "debug/task.h"
#include "nido/time.h"

enum {
    LINE = 1024,
    DEEPEST = 24,  /* groups inside groups that are drawn */
    FOLD_FROM = 3, /* so many equal subtrees become two lines */
    PREFIX =
        2 * DEEPEST * 5 + 16 /* a level of a group and one of a task in it, each a bar of 5 bytes */
};

struct tree {
    void (*line)(void *ctx, const char *text);
    void *ctx;
    const struct nidoi_debug_view *view;
    uint32_t tasks; /* in all */
    bool folds;     /* all scopes are sound: subtrees can be compared */
    uint8_t *seen;  /* by the number of a task's slot: a line stands for it; NULL: not asked for */
    int groups;     /* around the present line */
    char prefix[PREFIX]; /* what stands before each line of the present depth */
    size_t prefix_used;
    char text[LINE];
};

/* Equal subtrees below one group. */
struct kind {
    uint64_t signature;
    uint32_t count;                /* 0: a free place of the table */
    int64_t first_wait, last_wait; /* since when the longest and the shortest of them wait */
    bool shown;
};

struct kinds {
    struct kind *table; /* NULL: no memory */
    size_t mask;
};

/* ---- Equal subtrees ---- */

static struct kind *kind_find(const struct kinds *kinds, uint64_t signature)
{
    size_t at = (size_t)signature & kinds->mask;

    while (kinds->table[at].count && kinds->table[at].signature != signature)
        at = (at + 1) & kinds->mask;
    return &kinds->table[at];
}

static void kind_count(struct kind *kind, uint64_t signature, const struct nidoi_task *task)
{
    int64_t since = task->waiter ? task->waiter->since : task->sched->now;

    if (!kind->count++) {
        kind->signature = signature;
        kind->first_wait = kind->last_wait = since;
    }
    if (since < kind->first_wait) kind->first_wait = since;
    if (since > kind->last_wait) kind->last_wait = since;
}

static struct nidoi_task *child_of(struct nidoi_link *link)
{
    return nidoi_container(link, struct nidoi_task, sibling);
}

/* In a broken tree a group has any number. */
static uint32_t children_of(const struct tree *tree, const nido_group *group)
{
    uint32_t n = group->live + group->services;

    return n < tree->tasks ? n : tree->tasks;
}

/* Counts the kinds of a group's children. Returns how many lines they take. */
static uint32_t kinds_open(const struct tree *tree, struct kinds *kinds, const nido_group *group)
{
    uint32_t children = children_of(tree, group), left = children, lines = 0;

    *kinds = (struct kinds){NULL, 1};
    if (!tree->folds || children < FOLD_FROM) return children;
    while (kinds->mask < 2 * (size_t)children) kinds->mask *= 2;
    kinds->table = nidoi_mem_zeroed(kinds->mask * sizeof *kinds->table);
    kinds->mask--;
    if (!kinds->table) return children;
    for (struct nidoi_link *link = group->children.next; link != &group->children && left--;
         link = link->next) {
        uint64_t signature = nidoi_task_signature(tree->view, child_of(link));

        kind_count(kind_find(kinds, signature), signature, child_of(link));
    }
    for (size_t i = 0; i <= kinds->mask; i++)
        lines += kinds->table[i].count < FOLD_FROM ? kinds->table[i].count : 2;
    return lines;
}

/* ---- Lines ---- */

/* Control characters in names and reasons must not reach a terminal. */
static void tree_line(struct tree *tree, const char *branch, struct nidoi_text *text)
{
    struct nidoi_text out = {tree->text, LINE - 1, 0};

    nidoi_text_add(out.text, out.size, &out.used, "%s%s%s", tree->prefix, branch, text->text);
    for (size_t i = 0; i < out.used; i++)
        if ((unsigned char)out.text[i] < 32 || out.text[i] == 127) out.text[i] = '?';
    out.text[out.used] = '\n';
    out.text[out.used + 1] = '\0';
    tree->line(tree->ctx, tree->text);
}

static size_t tree_push(struct tree *tree, bool last)
{
    size_t before = tree->prefix_used;

    nidoi_text_add(tree->prefix, sizeof tree->prefix, &tree->prefix_used, "%s",
                   last ? "   " : "│  ");
    return before;
}

static void tree_pop(struct tree *tree, size_t before)
{
    tree->prefix_used = before;
    tree->prefix[before] = '\0';
}

static const char *branch_of(bool last)
{
    return last ? "└─ " : "├─ ";
}

static void tree_add_inner(struct tree *tree, nido_scope *scope, bool more);

/* A line stands for all tasks from here down. */
static void tree_mark(struct tree *tree, nido_scope *root)
{
    int left = NIDOI_SUBTREE_MOST;

    if (!tree->seen) return;
    for (nido_scope *scope = root; scope && left--; scope = nidoi_scope_after(scope, root, true))
        tree->seen[nidoi_slot_number(scope->task)] = 1;
}

static NIDOI_RARE void tree_add_task_line(struct tree *tree, const struct nidoi_task *task,
                                          const char *branch)
{
    char room[LINE];
    struct nidoi_text text = {room, sizeof room, 0};

    if (tree->seen) tree->seen[nidoi_slot_number(task)] = 1;
    nidoi_debug_add_task(&text, task, tree->view->sizes);
    tree_line(tree, branch, &text);
}

/* The first group among a task's scopes from here: the others have a line only if they are groups. */
static nido_group *group_from(nido_scope *scope)
{
    while (scope && !(scope->flags & NIDOI_SCOPE_GROUP)) scope = scope->inner;
    return (nido_group *)(void *)scope;
}

static NIDOI_RARE void tree_add_stack(struct tree *tree, const struct nidoi_task *task)
{
    bool sound = nidoi_debug_scopes_sound(task);
    const char *branch = sound && group_from(task->base.inner) ? "│  " : "   ";
    void *frames[NIDOI_FRAMES_MOST];
    char room[LINE] = "";
    int n = nidoi_debug_frames(tree->view, task, frames, NIDOI_FRAMES_MOST);

    for (int i = 0; i < n; i++) {
        struct nidoi_text text = {room, sizeof room, 0};

        nidoi_debug_add_frame(&text, tree->view->symbols, frames[i]);
        tree_line(tree, branch, &text);
    }
    if (n == NIDOI_FRAMES_MOST)
        tree_line(tree, branch, &(struct nidoi_text){(char[]){"..."}, 0, 0});
}

/* Scopes that are not sound lead to no group: its tasks are strays. */
static void tree_add_groups(struct tree *tree, struct nidoi_task *task)
{
    if (nidoi_debug_scopes_sound(task)) tree_add_inner(tree, task->base.inner, false);
}

static void tree_add_task(struct tree *tree, struct nidoi_task *task, bool last)
{
    size_t before;

    tree_add_task_line(tree, task, branch_of(last));
    before = tree_push(tree, last);
    tree_add_stack(tree, task);
    tree_add_groups(tree, task);
    tree_pop(tree, before);
}

static NIDOI_RARE void tree_add_more(struct tree *tree, const struct kind *kind,
                                     const struct nidoi_task *first, bool last)
{
    char room[128];
    struct nidoi_text text = {room, sizeof room, 0};
    int64_t now = first->sched->now;

    nidoi_text_add(text.text, text.size, &text.used,
                   "%u more like #%llu, in this state for %lld.%lld to %lld.%lld s",
                   kind->count - 1, (unsigned long long)first->id,
                   (long long)((now - kind->last_wait) / NIDO_SEC(1)),
                   (long long)((now - kind->last_wait) % NIDO_SEC(1) / NIDO_MS(100)),
                   (long long)((now - kind->first_wait) / NIDO_SEC(1)),
                   (long long)((now - kind->first_wait) % NIDO_SEC(1) / NIDO_MS(100)));
    tree_line(tree, branch_of(last), &text);
}

static void tree_add_child(struct tree *tree, struct kinds *kinds, struct nidoi_task *task,
                           uint32_t *lines)
{
    struct kind *kind =
        kinds->table ? kind_find(kinds, nidoi_task_signature(tree->view, task)) : NULL;

    if (!kind || kind->count < FOLD_FROM) {
        tree_add_task(tree, task, --*lines == 0);
    } else {
        tree_mark(tree, &task->base);
        if (kind->shown) return;
        kind->shown = true;
        --*lines;
        tree_add_task(tree, task, false);
        tree_add_more(tree, kind, task, --*lines == 0);
    }
}

static NIDOI_RARE void tree_add_group_line(struct tree *tree, const nido_group *group, bool last)
{
    char room[LINE];
    struct nidoi_text text = {room, sizeof room, 0};

    nidoi_debug_add_group(&text, group);
    tree_line(tree, branch_of(last), &text);
}

static void tree_add_group(struct tree *tree, nido_group *group, bool last)
{
    struct kinds kinds;
    size_t before;
    uint32_t lines, left = children_of(tree, group);

    tree_add_group_line(tree, group, last);
    tree->groups++;
    before = tree_push(tree, last);
    lines = kinds_open(tree, &kinds, group);
    tree_add_inner(tree, group->scope.inner, lines > 0);
    for (struct nidoi_link *link = group->children.next; link != &group->children && left--;
         link = link->next)
        tree_add_child(tree, &kinds, child_of(link), &lines);
    nidoi_mem.release(kinds.table);
    tree_pop(tree, before);
    tree->groups--;
}

static void tree_add_inner(struct tree *tree, nido_scope *scope, bool more)
{
    nido_group *group = group_from(scope);

    if (!group) return;
    if (tree->groups < DEEPEST) {
        tree_add_group(tree, group, !more);
        return;
    }
    tree_mark(tree, &group->scope);
    tree_line(tree, branch_of(!more),
              &(struct nidoi_text){(char[]){"(deeper groups are not drawn)"}, 0, 0});
}

static void tree_add_strays(struct tree *tree, struct nidoi_loop *loop)
{
    struct nidoi_text head = {(char[]){"in no group that is open:"}, 0, 0};
    bool any = false;

    for (uint32_t i = 1; i <= loop->slots.made && tree->seen; i++) {
        const struct nidoi_task *task = nidoi_slots_get(&loop->slots, i)->task;

        if (!task || tree->seen[i]) continue;
        if (!any) tree_line(tree, "", &head);
        tree_add_task_line(tree, task, "");
        any = true;
    }
}

static bool scopes_are_sound(const struct nidoi_loop *loop)
{
    for (uint32_t i = 1; i <= loop->slots.made; i++) {
        const struct nidoi_task *task = nidoi_slots_get(&loop->slots, i)->task;

        if (task && !nidoi_debug_scopes_sound(task)) return false;
    }
    return true;
}

int nidoi_tree_print(struct nidoi_loop *loop, const struct nidoi_debug_view *view,
                     void (*line)(void *ctx, const char *text), void *ctx)
{
    struct tree *tree = nidoi_mem_zeroed(sizeof *tree);

    if (!tree) return -ENOMEM;
    tree->line = line;
    tree->ctx = ctx;
    tree->view = view;
    tree->tasks = loop->live;
    tree->folds = scopes_are_sound(loop);
    if (view->strays) tree->seen = nidoi_mem_zeroed((size_t)loop->slots.made + 1);
    for (uint32_t i = 1; i <= loop->slots.made; i++) {
        struct nidoi_task *task = nidoi_slots_get(&loop->slots, i)->task;

        if (!task || task->group) continue;
        tree_add_task_line(tree, task, "");
        tree_add_stack(tree, task);
        tree_add_groups(tree, task);
    }
    tree_add_strays(tree, loop);
    nidoi_mem.release(tree->seen);
    nidoi_mem.release(tree);
    return 0;
}
