/* SPDX-License-Identifier: MIT */
#include "faults.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static struct nidoi_sys real_sys;
static struct nidoi_mem real_mem;

static struct order {
    unsigned long count; /* calls so far; atomic: workers make calls too */
    unsigned long at;    /* which of them fails */
    bool armed, always;
    int code;
} orders[FAULT_KINDS];

/* True: this call is to fail with *code. */
static bool fault_is_due(enum fault kind, int *code)
{
    struct order *order = &orders[kind];
    unsigned long count = __atomic_add_fetch(&order->count, 1, __ATOMIC_RELAXED);

    if (!__atomic_load_n(&order->armed, __ATOMIC_ACQUIRE)) return false;
    if (!order->always && count != order->at) return false;
    *code = order->code;
    return true;
}

#define WRAPPER(result, name, parameters, arguments)        \
    static result faulty_##name parameters                  \
    {                                                       \
        int code;                                           \
        if (fault_is_due(FAULT_##name, &code)) return code; \
        return real_sys.name arguments;                     \
    }
NIDOI_SYSCALLS(WRAPPER)

static void *faulty_alloc(size_t size)
{
    int code;

    return fault_is_due(FAULT_memory, &code) ? NULL : real_mem.alloc(size);
}

static void *faulty_resize(void *memory, size_t size)
{
    int code;

    return fault_is_due(FAULT_memory, &code) ? NULL : real_mem.resize(memory, size);
}

void faults_begin(void)
{
#define ENTRY(result, name, parameters, arguments) .name = faulty_##name,
    static const struct nidoi_sys faulty = {NIDOI_SYSCALLS(ENTRY)};

    memset(orders, 0, sizeof orders);
    real_sys = nidoi_sys;
    real_mem = nidoi_mem;
    nidoi_sys = faulty;
    nidoi_mem.alloc = faulty_alloc;
    nidoi_mem.resize = faulty_resize;
}

void faults_end(void)
{
    nidoi_sys = real_sys;
    nidoi_mem = real_mem;
}

void faults_fail(enum fault kind, unsigned nth, int code)
{
    struct order *order = &orders[kind];

    order->always = nth == FAULT_ALWAYS;
    order->at = faults_count(kind) + nth;
    order->code = code;
    __atomic_store_n(&order->armed, true, __ATOMIC_RELEASE);
}

void faults_forget(enum fault kind)
{
    __atomic_store_n(&orders[kind].armed, false, __ATOMIC_RELEASE);
}

bool faults_left(enum fault kind)
{
    return orders[kind].armed && faults_count(kind) < orders[kind].at;
}

unsigned long faults_count(enum fault kind)
{
    return __atomic_load_n(&orders[kind].count, __ATOMIC_RELAXED);
}
