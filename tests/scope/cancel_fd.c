/* SPDX-License-Identifier: MIT */
/* Cancels and deadlines where descriptors wait, and descriptors where tasks do not pause. */
#include <netinet/in.h>
#include <unistd.h>

#include "faults.h"
#include "inside_help.h"

/* S80 */
INSIDE(cancel_fd, a_cancelled_call_moves_nothing_though_it_could)
{
    int ends[2];
    char byte = 0;
    size_t done = 9;
    nido_scope scope;

    cr_expect(eq(int, nido_pipe(ends), 0));
    cr_expect(eq(i64, nido_write(ends[1], "x", 1), 1));
    nido_scope_open(&scope);
    nido_scope_cancel(&scope, 0, NULL);
    faults_begin();
    cr_expect(eq(i64, nido_read(ends[0], &byte, 1), -ECANCELED));
    cr_expect(eq(i64, nido_write(ends[1], "y", 1), -ECANCELED));
    cr_expect(eq(int, nido_write_all(ends[1], "y", 1, &done), -ECANCELED));
    cr_expect(eq(sz, done, 0));
    cr_expect(eq(int, nido_wait_fd(ends[0], NIDO_IN), -ECANCELED));
    cr_expect(eq(ulong, faults_count(FAULT_read) + faults_count(FAULT_write), 0));
    faults_end();
    cr_expect(eq(int, nido_scope_close(&scope, 0), 0));
    cr_expect(eq(i64, nido_read(ends[0], &byte, 1), 1));
    cr_expect(eq(chr, byte, 'x'));
    cr_expect(eq(int, nido_close(ends[0]), 0));
    cr_expect(eq(int, nido_close(ends[1]), 0));
}

/* S82 */
INSIDE(cancel_fd, a_descriptor_is_closed_in_a_cancelled_scope)
{
    int ends[2];
    nido_scope scope;

    cr_expect(eq(int, nido_pipe(ends), 0));
    nido_scope_open(&scope);
    nido_scope_cancel(&scope, 0, NULL);
    cr_expect(eq(int, nido_close(ends[0]), 0));
    cr_expect(eq(int, nido_close(ends[1]), 0));
    cr_expect(eq(int, nido_scope_close(&scope, 0), 0));
}

/* S149 */
INSIDE(cancel_fd, a_timeout_of_the_network_is_told_from_that_of_the_scope)
{
    struct sockaddr_in nobody = {.sin_family = AF_INET, .sin_port = htons(9)};
    nido_scope scope;
    int fd = nido_socket(AF_INET, SOCK_STREAM, 0);

    nido_timeout_open(&scope, NIDO_SEC(3600));
    faults_begin();
    faults_fail(FAULT_connect, 1, -ETIMEDOUT);
    cr_expect(eq(int, nido_scope_close(&scope, nido_connect(fd, (void *)&nobody, sizeof nobody)),
                 -ETIMEDOUT));
    faults_end();
    cr_expect(not(nido_scope_fired(&scope)));
    cr_expect(eq(int, nido_close(fd), 0));
}

struct storm {
    bool over;
    int resumes, when_ready, when_read;
    int ends[2];
};

static int storms(void *arg)
{
    struct storm *storm = arg;

    for (; !storm->over; storm->resumes++) nido_yield();
    return 0;
}

static int reads(void *arg)
{
    struct storm *storm = arg;
    char byte;

    cr_expect(eq(i64, nido_read(storm->ends[0], &byte, 1), 1));
    storm->when_read = storm->resumes;
    storm->over = true;
    return 0;
}

static int writes(void *arg)
{
    struct storm *storm = arg;

    for (int i = 0; i < 17; i++) nido_yield();
    cr_expect(eq(i64, nido_write(storm->ends[1], "x", 1), 1));
    storm->when_ready = storm->resumes;
    return 0;
}

/* S337 At most a batch until the kernel is asked, and the storm's own turns until the reader's. */
INSIDE(cancel_fd, a_readable_descriptor_is_served_within_64_resumes_of_busy_tasks)
{
    struct storm storm = {.resumes = 0};
    nido_group group;

    cr_expect(eq(int, nido_pipe(storm.ends), 0));
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, reads, &storm);
    for (int i = 0; i < 5; i++) begin(&group, storms, &storm);
    begin(&group, writes, &storm);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(gt(int, storm.when_read, 0));
    cr_expect(le(int, storm.when_read - storm.when_ready, 64 + 5));
    cr_expect(eq(int, nido_close(storm.ends[0]), 0));
    cr_expect(eq(int, nido_close(storm.ends[1]), 0));
}
