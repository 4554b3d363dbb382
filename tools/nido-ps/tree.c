/* SPDX-License-Identifier: MIT */
#include "tree.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "stacks.h"
#include "words.h"

enum { DEEPEST = 24, FOLD_FROM = 3, PREFIX = 512 };

/* A task and what the tree has to know of it. */
struct leaf {
    const struct task *task;
    uint64_t signature; /* of all below; 0: not known yet */
    uint32_t like;      /* so many of its siblings are like it, with itself; 0: not counted */
    bool drawn;
};

struct tree {
    FILE *file;
    struct target *target;
    const struct runtime *runtime;
    struct leaf *leaves; /* by group and id */
    size_t count;
    bool stacks;
    int depth;
    char prefix[PREFIX];
};

/* The children of a group: so many from here. */
struct children {
    struct leaf *first;
    size_t count;
};

/* ---- Who is whose ---- */

static int by_group(const void *a, const void *b)
{
    const struct task *left = ((const struct leaf *)a)->task,
                      *right = ((const struct leaf *)b)->task;

    if (left->group != right->group) return left->group < right->group ? -1 : 1;
    return left->id < right->id ? -1 : left->id > right->id;
}

static struct children children_of(const struct tree *tree, uint64_t group)
{
    size_t low = 0, high = tree->count, end;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (tree->leaves[middle].task->group < group)
            low = middle + 1;
        else
            high = middle;
    }
    for (end = low; end < tree->count && tree->leaves[end].task->group == group; end++) continue;
    return (struct children){tree->leaves + low, end - low};
}

/* Groups are in the order of the ids of the tasks that opened them. */
static const struct group *first_group(const struct runtime *runtime, uint64_t opener)
{
    size_t low = 0, high = runtime->group_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (runtime->groups[middle].opened_by < opener)
            low = middle + 1;
        else
            high = middle;
    }
    return low < runtime->group_count && runtime->groups[low].opened_by == opener
               ? &runtime->groups[low]
               : NULL;
}

/* The next one that the same task opened, inside this one. */
static const struct group *next_group(const struct runtime *runtime, const struct group *group)
{
    const struct group *next = group + 1;

    return next < runtime->groups + runtime->group_count && next->opened_by == group->opened_by
               ? next
               : NULL;
}

/* ---- Equal subtrees ---- */

/* FNV-1a: G. Fowler, L. C. Noll, K.-P. Vo. */
static uint64_t hash(uint64_t sum, const void *bytes, size_t size)
{
    for (const unsigned char *byte = bytes; size; size--)
        sum = (sum ^ *byte++) * UINT64_C(0x100000001b3);
    return sum;
}

static uint64_t hash_text(uint64_t sum, const char *text)
{
    return hash(sum, text, strlen(text) + 1);
}

static uint64_t leaf_signature(struct tree *tree, struct leaf *leaf);

static uint64_t hash_group(struct tree *tree, uint64_t sum, const struct group *group)
{
    struct children children = children_of(tree, group->address);

    sum = hash_text(sum, group->name);
    sum = hash(sum, &group->policy, sizeof group->policy);
    for (size_t i = 0; i < children.count; i++) {
        uint64_t child = leaf_signature(tree, &children.first[i]);

        sum = hash(sum, &child, sizeof child);
    }
    return hash_text(sum, "end");
}

static uint64_t hash_stack(struct tree *tree, uint64_t sum, const struct task *task)
{
    static struct stack stack;

    stack_of(&stack, tree->target, task);
    for (size_t i = 0; i < stack.count; i++)
        sum = hash(sum, &stack.frames[i].address, sizeof stack.frames[i].address);
    return sum;
}

/* A torn tree may lead back to where it began: what is not known yet counts as 1 there. */
static uint64_t leaf_signature(struct tree *tree, struct leaf *leaf)
{
    const struct task *task = leaf->task;
    uint64_t sum = UINT64_C(0xcbf29ce484222325);

    if (leaf->signature) return leaf->signature;
    leaf->signature = 1;
    sum = hash_text(sum, task->name);
    sum = hash(sum, &task->spawned_at, sizeof task->spawned_at);
    sum = hash_text(sum, task->wait.waits ? task->wait.kind : "");
    sum = hash(sum, &task->cancel.is_felt, sizeof task->cancel.is_felt);
    if (tree->stacks) sum = hash_stack(tree, sum, task);
    for (const struct group *group = first_group(tree->runtime, task->id); group;
         group = next_group(tree->runtime, group))
        sum = hash_group(tree, sum, group);
    return leaf->signature = sum | 1;
}

static int by_signature(const void *a, const void *b)
{
    uint64_t left = (*(struct leaf *const *)a)->signature,
             right = (*(struct leaf *const *)b)->signature;

    return left < right ? -1 : left > right;
}

/* Counts how many are alike. Returns how many lines they take. */
static size_t children_count(struct tree *tree, struct children children)
{
    struct leaf **sorted = calloc(children.count + 1, sizeof(struct leaf *));
    size_t lines = 0, n;

    for (size_t i = 0; sorted && i < children.count; i++) {
        leaf_signature(tree, &children.first[i]);
        sorted[i] = &children.first[i];
    }
    if (sorted) qsort(sorted, children.count, sizeof *sorted, by_signature);
    for (size_t i = 0; sorted && i < children.count; i += n) {
        for (n = 1; i + n < children.count && sorted[i + n]->signature == sorted[i]->signature;)
            n++;
        for (size_t k = 0; k < n; k++) sorted[i + k]->like = (uint32_t)n;
        lines += n < FOLD_FROM ? n : 2;
    }
    free(sorted);
    return sorted ? lines : children.count;
}

/* ---- Lines ---- */

static size_t tree_push(struct tree *tree, bool last)
{
    size_t before = strlen(tree->prefix);

    snprintf(tree->prefix + before, PREFIX - before, "%s", last ? "   " : "│  ");
    return before;
}

static void tree_line(const struct tree *tree, const char *branch, const struct words *words)
{
    fprintf(tree->file, "%s%s%s\n", tree->prefix, branch, words->text);
}

static const char *branch_of(bool last)
{
    return last ? "└─ " : "├─ ";
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

void frames_print(FILE *file, const char *prefix, struct target *target, const struct task *task)
{
    static struct stack stack;

    stack_of(&stack, target, task);
    if (stack.why) fprintf(file, "%s    %s\n", prefix, stack.why);
    for (size_t i = 0; i < stack.count; i++) {
        const struct image_symbol *symbol = &stack.frames[i].symbol;

        fprintf(file, "%s    %-24s ", prefix, symbol->function[0] ? symbol->function : "?");
        if (symbol->file[0])
            fprintf(file, "%s:%d\n", symbol->file, symbol->line);
        else
            fprintf(file, "%s+0x%" PRIx64 "\n", last_part(symbol->object), symbol->object_offset);
    }
    if (stack.more) fprintf(file, "%s    ...\n", prefix);
}

static void tree_groups(struct tree *tree, const struct group *group, bool more);

static void tree_task(struct tree *tree, struct leaf *leaf, const char *branch, bool last,
                      bool root)
{
    struct words words = {.used = 0};
    const struct group *group = first_group(tree->runtime, leaf->task->id);
    size_t before = strlen(tree->prefix);

    leaf->drawn = true;
    words_task(&words, tree->target, tree->runtime, leaf->task);
    tree_line(tree, branch, &words);
    if (!root) tree_push(tree, last);
    if (tree->stacks) {
        size_t inside = strlen(tree->prefix);

        if (group) tree_push(tree, false);
        frames_print(tree->file, tree->prefix, tree->target, leaf->task);
        tree->prefix[inside] = '\0';
    }
    tree_groups(tree, group, false);
    tree->prefix[before] = '\0';
}

static void tree_like(struct tree *tree, struct children children, struct leaf *first, bool last)
{
    struct words words = {.used = 0};
    int64_t least = INT64_MAX, most = 0;

    for (size_t i = 0; i < children.count; i++) {
        struct leaf *leaf = &children.first[i];
        int64_t ns = waited(tree->runtime, leaf->task);

        if (leaf->signature != first->signature) continue;
        leaf->drawn = true;
        if (ns < least) least = ns;
        if (ns > most) most = ns;
    }
    words_add(&words, "%u more like #%" PRIu64 ", in this state for ", first->like - 1,
              first->task->id);
    words_add(&words, "%" PRId64 ".%" PRId64 " to ", least / 1000000000,
              least % 1000000000 / 100000000);
    words_seconds(&words, most);
    tree_line(tree, branch_of(last), &words);
}

static void tree_children(struct tree *tree, struct children children, size_t lines)
{
    for (size_t i = 0; i < children.count; i++) {
        struct leaf *leaf = &children.first[i];

        if (leaf->drawn) continue;
        lines--;
        tree_task(tree, leaf, branch_of(!lines), !lines, false);
        if (leaf->like < FOLD_FROM) continue;
        lines--;
        tree_like(tree, children, leaf, !lines);
    }
}

/* A group, and in it what its opener has opened inside and its children. */
static void tree_groups(struct tree *tree, const struct group *group, bool more)
{
    struct words words = {.used = 0};
    struct children children;
    const struct group *inner;
    size_t before, lines;

    if (!group) return;
    if (++tree->depth > DEEPEST) {
        words_add(&words, "(deeper groups are not drawn)");
        tree_line(tree, branch_of(!more), &words);
        tree->depth--;
        return;
    }
    words_group(&words, group);
    tree_line(tree, branch_of(!more), &words);
    before = tree_push(tree, !more);
    inner = next_group(tree->runtime, group);
    children = children_of(tree, group->address);
    lines = children_count(tree, children);
    tree_groups(tree, inner, lines > 0);
    tree_children(tree, children, lines);
    tree->prefix[before] = '\0';
    tree->depth--;
}

/* The root first, and then what was found below no group: only of a torn picture. */
void tree_print(FILE *file, struct target *target, const struct runtime *runtime, bool stacks)
{
    struct tree tree = {.file = file,
                        .target = target,
                        .runtime = runtime,
                        .stacks = stacks,
                        .count = runtime->task_count};

    tree.leaves = calloc(tree.count + 1, sizeof *tree.leaves);
    if (!tree.leaves) return;
    for (size_t i = 0; i < tree.count; i++) tree.leaves[i].task = &runtime->tasks[i];
    qsort(tree.leaves, tree.count, sizeof *tree.leaves, by_group);
    for (size_t i = 0; i < tree.count; i++)
        if (!tree.leaves[i].task->group) tree_task(&tree, &tree.leaves[i], "", true, true);
    for (size_t i = 0; i < tree.count; i++)
        if (!tree.leaves[i].drawn) tree_task(&tree, &tree.leaves[i], "? ", true, true);
    free(tree.leaves);
}
