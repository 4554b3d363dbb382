/* SPDX-License-Identifier: MIT */
#include "coro/scope/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/place.h"
#include "base/printable.h"

enum { CONSTANTS = 256 };
static nido_error constants[CONSTANTS]; /* by errno; every thread writes the same value */

static nido_error *error_constant(int code)
{
    nido_error *error = &constants[code < 0 && code > -CONSTANTS ? -code : 0];

    __atomic_store_n(&error->code, code, __ATOMIC_RELAXED);
    return error;
}

nido_error *nido_error_retain(const nido_error *error)
{
    nido_error *counted = (nido_error *)error;

    if (counted && __atomic_load_n(&counted->refs, __ATOMIC_RELAXED))
        __atomic_add_fetch(&counted->refs, 1, __ATOMIC_RELAXED);
    return counted;
}

void nido_error_release(nido_error *error)
{
    if (!error || !__atomic_load_n(&error->refs, __ATOMIC_RELAXED)) return;
    if (__atomic_sub_fetch(&error->refs, 1, __ATOMIC_ACQ_REL)) return;
    nido_error_release(error->cause);
    for (size_t i = 0; i < error->suppressed_count; i++) nido_error_release(error->suppressed[i]);
    nidoi_mem.release(error->suppressed);
    nidoi_mem.release(error->detail);
    nidoi_mem.release(error);
}

/* ---- Making them ---- */

static nido_error *error_new(const struct nidoi_task *task, int code)
{
    nido_error *error = nidoi_mem_zeroed(sizeof *error);

    if (!error) return error_constant(code);
    error->refs = 1;
    error->code = code;
    error->task = task->id;
    error->spawned_at = task->spawned_at;
    error->when = task->sched->now;
    if (task->name) snprintf(error->task_name, sizeof error->task_name, "%s", task->name);
    nidoi_make_printable(error->task_name, 0);
    return error;
}

void nidoi_error_keep(struct nidoi_task *task, nido_error *error)
{
    nido_error *old = task->error;

    task->error = error;
    nido_error_release(old);
}

static int error_fail(struct nidoi_task *task, void *place, int code, const char *format,
                      va_list args)
{
    nido_error *error = code < 0 ? error_new(task, code) : NULL;

    if (error && error->refs) {
        error->failed_at = place;
        vsnprintf(error->text, sizeof error->text, format, args);
    }
    nidoi_error_keep(task, error);
    return code;
}

int nidoi_fail(struct nidoi_task *task, void *place, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    error_fail(task, place, code, format, args);
    va_end(args);
    return code;
}

/* Zero bytes would end the text early. */
void nidoi_error_detail(struct nidoi_task *task, const char *bytes, size_t len)
{
    nido_error *error = task->error;
    char *detail;

    if (!error || !error->refs || error->detail || !len) return;
    detail = nidoi_mem.alloc(len + 1);
    if (!detail) return;
    memcpy(detail, bytes, len);
    for (size_t i = 0; i < len; i++)
        if (!detail[i]) detail[i] = '?';
    detail[len] = '\0';
    error->detail = detail;
}

static struct nidoi_task *task_self(void)
{
    struct nidoi_sched *sched = nidoi_sched_self;

    return sched && nidoi_on_task(sched) ? sched->current : NULL;
}

int(nido_fail)(int code, const char *format, ...)
{
    struct nidoi_task *task = task_self();
    va_list args;

    if (!task) return code;
    va_start(args, format);
    error_fail(task, __builtin_return_address(0), code, format, args);
    va_end(args);
    return code;
}

int nido_vfail(int code, const char *format, va_list args)
{
    struct nidoi_task *task = task_self();

    return task ? error_fail(task, __builtin_return_address(0), code, format, args) : code;
}

int nido_fail_text(int code, const char *text)
{
    struct nidoi_task *task = task_self();

    if (task) nidoi_fail(task, __builtin_return_address(0), code, "%s", text);
    return code;
}

const nido_error *nido_error_last(void)
{
    struct nidoi_task *task = task_self();

    return task ? task->error : NULL;
}

nido_error *nidoi_error_of_end(struct nidoi_task *task, int code)
{
    nido_error *error = task->error;

    task->error = NULL;
    if (error && error->code == code) return error;
    nido_error_release(error);
    return error_new(task, code);
}

int nidoi_error_stray(struct nidoi_task *task)
{
    nido_error *behind = nidoi_error_of_end(task, -ECANCELED);

    nidoi_fail(task, NULL, -EPROTO, "returned -ECANCELED though no scope around it was cancelled");
    if (task->error->refs)
        task->error->cause = behind;
    else
        nido_error_release(behind);
    return -EPROTO;
}

/* ---- The failures of a group ---- */

/* The list of a group for whose first failure there was no memory: it stays empty, lest a later one
 * speak for it. */
static struct nidoi_failures no_list;

void nidoi_failures_add(struct nidoi_failures **failures, nido_error *error)
{
    struct nidoi_failures *list = *failures;

    if (!list) list = nidoi_mem_zeroed(sizeof *list);
    if (!list) list = &no_list;
    *failures = list;
    if (list != &no_list && list->count < NIDOI_MOST_FAILURES) {
        list->list[list->count++] = error;
        return;
    }
    if (list != &no_list) list->unlisted++;
    nido_error_release(error);
}

uint64_t nidoi_failures_author(const struct nidoi_failures *failures, char *name)
{
    const nido_error *first = failures && failures->count ? failures->list[0] : NULL;

    memcpy(name, first ? first->task_name : "", first ? sizeof first->task_name : 1);
    return first ? first->task : 0;
}

/* An error that stands for several: it says what the first one says. */
static nido_error *error_combine(struct nidoi_failures *failures, const char *group)
{
    size_t others = failures->count - 1;
    nido_error *first = failures->list[0], *error = nidoi_mem.alloc(sizeof *error);
    nido_error **list = nidoi_mem.alloc((others + 1) * sizeof *list);

    if (!error || !list) {
        nidoi_mem.release(error);
        nidoi_mem.release(list);
        for (size_t i = 1; i <= others; i++) nido_error_release(failures->list[i]);
        return first;
    }
    *error = *first;
    error->detail = NULL; /* the first one's, below */
    error->refs = 1;
    error->cause = first;
    error->suppressed = list;
    error->suppressed_count = others;
    error->unlisted = failures->unlisted;
    snprintf(error->group, sizeof error->group, "%s", group ? group : "");
    memcpy(list, &failures->list[1], others * sizeof *list);
    return error;
}

nido_error *nidoi_failures_end(struct nidoi_failures *failures, int code, const char *group)
{
    nido_error *error;

    if (!failures || failures == &no_list) return error_constant(code);
    error = failures->count > 1 ? error_combine(failures, group) : failures->list[0];
    nidoi_mem.release(failures);
    return error;
}

nido_error *nidoi_failures_first(const struct nidoi_failures *failures, int code)
{
    if (!failures || !failures->count) return error_constant(code);
    return nido_error_retain(failures->list[0]);
}

void nidoi_failures_drop(struct nidoi_failures *failures)
{
    if (!failures || failures == &no_list) return;
    for (size_t i = 0; i < failures->count; i++) nido_error_release(failures->list[i]);
    nidoi_mem.release(failures);
}

/* ---- Reading them ---- */

int nido_error_code(const nido_error *error)
{
    return error ? error->code : 0;
}

const char *nido_error_text(const nido_error *error)
{
    return error ? error->text : "";
}

const char *nido_error_detail(const nido_error *error)
{
    while (error && !error->detail) error = error->cause;
    return error ? error->detail : "";
}

uint64_t nido_error_task_id(const nido_error *error)
{
    return error ? error->task : 0;
}

const char *nido_error_task_name(const nido_error *error)
{
    return error ? error->task_name : "";
}

void *nido_error_spawn_place(const nido_error *error)
{
    return error ? error->spawned_at : NULL;
}

void *nido_error_fail_place(const nido_error *error)
{
    return error ? error->failed_at : NULL;
}

int64_t nido_error_when(const nido_error *error)
{
    return error ? error->when : 0;
}

const nido_error *nido_error_cause(const nido_error *error)
{
    return error ? error->cause : NULL;
}

size_t nido_error_suppressed_count(const nido_error *error)
{
    return error ? error->suppressed_count : 0;
}

const nido_error *nido_error_suppressed(const nido_error *error, size_t i)
{
    return error && i < error->suppressed_count ? error->suppressed[i] : NULL;
}

uint64_t nido_error_unlisted(const nido_error *error)
{
    return error ? error->unlisted : 0;
}

const nido_error *nido_error_find(const nido_error *error, int code)
{
    const nido_error *found;

    if (!error || error->code == code) return error;
    found = nido_error_find(error->cause, code);
    for (size_t i = 0; !found && i < error->suppressed_count; i++)
        found = nido_error_find(error->suppressed[i], code);
    return found;
}

/* Line by line; what could steer a terminal is left out. */
static void error_print_detail(const char *detail, FILE *file, int depth)
{
    bool at_start = true;

    for (; detail && *detail; detail++) {
        if (at_start) fprintf(file, "%*s| ", 2 * depth + 2, "");
        at_start = *detail == '\n';
        fputc((unsigned char)*detail < ' ' && *detail != '\n' && *detail != '\t' ? '?' : *detail,
              file);
    }
    if (!at_start) fputc('\n', file);
}

static void error_print_one(const nido_error *error, FILE *file, int depth)
{
    struct nidoi_place spawned, failed;

    if (error->text[0])
        fprintf(file, "%s (%s)", error->text, nido_strerror(error->code));
    else
        fputs(nido_strerror(error->code), file);
    if (error->task) fprintf(file, "  task #%llu", (unsigned long long)error->task);
    if (error->task_name[0]) fprintf(file, " \"%s\"", error->task_name);
    if (error->spawned_at)
        fprintf(file, ", spawned at %s", nidoi_place(&spawned, error->spawned_at));
    if (error->failed_at) fprintf(file, ", failed at %s", nidoi_place(&failed, error->failed_at));
    fputc('\n', file);
    error_print_detail(error->detail, file, depth);
}

static void error_print_tree(const nido_error *error, FILE *file, int depth)
{
    size_t i = 0;

    if (!error->suppressed) {
        error_print_one(error, file, depth);
        if (!error->cause) return;
        fprintf(file, "%*sbehind it: ", 2 * depth + 2, "");
        error_print_tree(error->cause, file, depth + 1);
        return;
    }
    fprintf(file, "group \"%s\": %llu failures\n", error->group,
            (unsigned long long)(1 + error->suppressed_count + error->unlisted));
    for (const nido_error *e = error->cause; e; e = nido_error_suppressed(error, i++)) {
        fprintf(file, "%*s%zu. ", 2 * depth + 2, "", i + 1);
        error_print_tree(e, file, depth + 1);
    }
    if (error->unlisted)
        fprintf(file, "%*sand %llu more\n", 2 * depth + 2, "", (unsigned long long)error->unlisted);
}

void nido_error_print(const nido_error *error, FILE *file)
{
    if (error) error_print_tree(error, file, 0);
}
