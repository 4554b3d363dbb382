/* SPDX-License-Identifier: MIT */
#include "debug/stall.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/place.h"
#include "coro/group/waits.h"
#include "coro/scope/value.h"
#include "debug/stack.h"
#include "nido/time.h"

enum {
    MOST_SCOPES = 256, /* from the task's innermost upwards, in which values are looked for */
    STACK_WORDS = 256, /* that are searched for return addresses */
    CALL_BYTES = 8     /* before a return address */
};

#define ADD(to, ...) nidoi_text_add((to)->text, (to)->size, &(to)->used, __VA_ARGS__)

/* ---- Who it is ---- */

static bool same_moment(const struct nidoi_sched *now, const struct nidoi_sched *before)
{
    return now->current == before->current && now->now == before->now && now->head == before->head;
}

/* A string of unknown length, which may end where memory does. */
static void peek_text(char *to, size_t size, const char *from)
{
    size_t n = 0;

    while (from && n + 1 < size && !nidoi_peek(to + n, from + n, 1) && to[n]) n++;
    to[n] = '\0';
}

static void see_value(struct nidoi_text *text, const nido_scope *scope)
{
    nido_value value;
    nido_value_key key;
    char name[32], data[64];

    if (nidoi_peek(&value, scope, sizeof value) || nidoi_peek(&key, value.key, sizeof key)) return;
    if (!(key.flags & NIDO_VALUE_TEXT) || !value.data) return;
    peek_text(name, sizeof name, key.name ? key.name : "value");
    peek_text(data, sizeof data, value.data);
    ADD(text, ", %s=%s", name, data);
}

/* A hidden value is shown too, behind the one that hides it. */
static void see_values(struct nidoi_stall_look *look)
{
    struct nidoi_text text = {look->values, sizeof look->values, 0};
    const nido_scope *at = look->task.scope;
    nido_scope scope;

    for (int i = 0; i < MOST_SCOPES && at && !nidoi_peek(&scope, at, sizeof scope); i++) {
        if (scope.flags & NIDOI_SCOPE_VALUE) see_value(&text, at);
        at = scope.parent;
    }
}

/* By copies: all of it may change meanwhile, and the task be gone. */
static bool see_task(const struct nidoi_loop *loop, int64_t read, struct nidoi_stall_look *look)
{
    struct nidoi_sched before = {0}, after = {0};
    bool is_there;

    look->is_known = !nidoi_peek(&before, &loop->sched, sizeof before);
    if (!look->is_known) return true;
    look->current = before.current;
    look->is_loop = before.current == &loop->sched.loop;
    look->ready = before.tail - before.head;
    is_there = !nidoi_peek(&look->task, before.current, sizeof look->task);
    if (is_there) peek_text(look->name, sizeof look->name, look->task.name);
    if (is_there) see_values(look);
    return is_there && before.now == read && !nidoi_peek(&after, &loop->sched, sizeof after) &&
           same_moment(&after, &before);
}

/* ---- Where a blocked thread stands ----
 *
 * Its registers are not told, but for two, so its frames cannot be walked. But each word on its stack
 * that points just behind a call may be a return address; some are left from earlier calls. */

static bool follows_call(const void *address)
{
    unsigned char before[CALL_BYTES];

    if (nidoi_peek(before, (const char *)address - CALL_BYTES, CALL_BYTES)) return false;
#if defined(__x86_64__) || defined(__i386__)
    /* call rel32; call through a register or memory, of 2, 3, 6 and 7 bytes */
    return before[3] == 0xe8 || (before[6] == 0xff && (before[7] & 0xf8) == 0xd0) ||
           (before[5] == 0xff && (before[6] & 0x38) == 0x10) ||
           (before[2] == 0xff && (before[3] & 0x38) == 0x10) ||
           (before[1] == 0xff && (before[2] & 0x38) == 0x10);
#elif defined(__aarch64__)
    return before[7] >> 2 == 0x25 || (before[7] == 0xd6 && before[6] == 0x3f); /* bl; blr */
#else
    return false;
#endif
}

static bool is_code(void *address)
{
    struct nidoi_place place;

    return address && strchr(nidoi_place(&place, address), '+') && follows_call(address);
}

/* Of a task no more than its own stack. */
static size_t words_above(const struct nidoi_stall_look *look, void **words)
{
    const char *sp = look->thread.sp, *end = (const char *)look->current;
    size_t n = STACK_WORDS;

    if (look->is_known && !look->is_loop && sp < end && (size_t)(end - sp) < n * sizeof *words)
        n = (size_t)(end - sp) / sizeof *words;
    while (n && nidoi_peek(words, sp, n * sizeof *words)) n /= 2;
    return n;
}

static void see_stack(struct nidoi_stall_look *look)
{
    void *words[STACK_WORDS];
    size_t n = words_above(look, words);

    for (size_t i = 0; i < n && look->frame_count < NIDOI_STALL_FRAMES; i++)
        if (is_code(words[i])) look->frames[look->frame_count++] = words[i];
}

bool nidoi_stall_see(const struct nidoi_loop *loop, const struct nidoi_thread *thread, int64_t read,
                     struct nidoi_stall_look *out)
{
    memset(out, 0, sizeof *out);
    nidoi_thread_look(thread, &out->thread);
    if (!see_task(loop, read, out)) return false;
    if (out->thread.state >= NIDOI_THREAD_CALLS) see_stack(out);
    return true;
}

/* ---- In words ---- */

void nidoi_stall_add_time(struct nidoi_text *text, int64_t ns)
{
    if (ns < NIDO_SEC(1))
        ADD(text, "%d ms", (int)(ns / NIDO_MS(1)));
    else
        ADD(text, "%lld.%02d s", (long long)(ns / NIDO_SEC(1)),
            (int)(ns % NIDO_SEC(1) / NIDO_MS(10)));
}

void nidoi_stall_add_who(struct nidoi_text *text, const struct nidoi_stall_look *look)
{
    const struct nidoi_task *task = &look->task;
    struct nidoi_place place;

    if (!look->is_known)
        ADD(text, "a task that cannot be looked at here");
    else if (look->is_loop)
        ADD(text, "a function that the loop called");
    else
        ADD(text, "task #%llu \"%s\", spawned at %s%s", (unsigned long long)task->id, look->name,
            nidoi_place(&place, task->spawned_at), look->values);
}

/* " on descriptor 7 (/dev/ttyS0)". */
static void add_descriptor(struct nidoi_text *text, int64_t fd)
{
    char path[64], name[128];
    ssize_t n;

    snprintf(path, sizeof path, "/proc/self/fd/%lld", (long long)fd);
    n = readlink(path, name, sizeof name - 1);
    ADD(text, " on descriptor %lld", (long long)fd);
    if (n <= 0) return;
    name[n] = '\0';
    ADD(text, " (%s)", name);
}

static void add_call(struct nidoi_text *text, const struct nidoi_thread_look *thread)
{
    bool on_fd = false;
    const char *name = nidoi_thread_call_name(thread->call, &on_fd);
    struct nidoi_place place;

    if (name)
        ADD(text, "  is blocked in the system call %s", name);
    else
        ADD(text, "  is blocked in system call %ld", thread->call);
    if (on_fd) add_descriptor(text, (int)thread->first);
    ADD(text, " at %s\n", nidoi_place(&place, thread->pc));
}

static void add_state(struct nidoi_text *text, const struct nidoi_stall_look *look)
{
    struct nidoi_place place;

    switch (look->thread.state) {
    case NIDOI_THREAD_CALLS:
        add_call(text, &look->thread);
        break;
    case NIDOI_THREAD_BLOCKED:
        ADD(text,
            "  is blocked, but in no system call (it waits for a page of memory, or is stopped), "
            "at %s\n",
            nidoi_place(&place, look->thread.pc));
        break;
    case NIDOI_THREAD_RUNS:
        ADD(text, "  computes\n");
        break;
    case NIDOI_THREAD_UNKNOWN:
        ADD(text, "  computes, or is blocked: the system does not tell\n");
        break;
    }
    if (look->frame_count && look->thread.state >= NIDOI_THREAD_CALLS)
        ADD(text,
            "  return addresses on its stack, of which some may be left from earlier calls:\n");
}

static void add_hint(struct nidoi_text *text, const struct nidoi_stall_look *look)
{
    if (look->is_known && look->is_loop)
        ADD(text, "hint: let a task do it, on a worker if it takes long: nido_offload\n");
    else if (look->thread.state == NIDOI_THREAD_CALLS)
        ADD(text, "hint: wait by nido's own call, or call it on a worker: nido_offload\n");
    else
        ADD(text, "hint: call nido_yield now and then, or compute on a worker: nido_offload\n");
}

void nidoi_stall_add(struct nidoi_text *text, const struct nidoi_stall_look *look)
{
    ADD(text, "nido: STALL: the loop has been held for ");
    nidoi_stall_add_time(text, look->held_ns);
    ADD(text, " by ");
    nidoi_stall_add_who(text, look);
    ADD(text, "; %u ready %s\n", look->ready, look->ready == 1 ? "task waits" : "tasks wait");
    add_state(text, look);
    nidoi_debug_add_frames(text, look->frames, look->frame_count);
    add_hint(text, look);
}
