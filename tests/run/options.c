/* SPDX-License-Identifier: MIT */
/* Options of an older program, which are smaller, and of a newer one, which are larger: each
 * struct of options, by each call that reads it. */
#include <arpa/inet.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/options.h"
#include "procpool_help.h"

enum { ROOM = NIDOI_OPTIONS_MOST + 64 };

static int give(void *unused)
{
    (void)unused;
    return 0;
}

static int use_run(void *options)
{
    return nido_run(give, NULL, options);
}

static int use_rt(void *options)
{
    nido_rt *rt;
    int err = nido_rt_new(options, &rt);

    return err ? err : nido_rt_free(rt);
}

static int use_kit(void *options)
{
    return nido_test_run_with(give, NULL, options);
}

static int use_sweep(void *options)
{
    return nido_sweep(give, NULL, options);
}

static int use_group(void *options)
{
    nido_group group;

    nido_group_open_with(&group, options);
    return nido_group_close(&group, 0);
}

static int use_spawn(void *options)
{
    nido_group group;
    int err;

    nido_group_open(&group, NIDO_FAIL_FAST, "options");
    err = nido_spawn_with(&group, give, NULL, options, NULL);
    return nido_group_close(&group, err);
}

static int use_listen(void *options)
{
    int fd = nido_listen("127.0.0.1", "0", options);

    return fd < 0 ? fd : nido_close(fd);
}

static struct sockaddr_in here;

/* A socket that listens, at `here`. */
static int listener(void)
{
    socklen_t len = sizeof here;
    int fd = nido_listen("127.0.0.1", "0", NULL);

    cr_assert(ge(int, fd, 0));
    cr_assert(zero(int, getsockname(fd, (void *)&here, &len)));
    return fd;
}

static int use_dial(void *options)
{
    int listening = listener(), fd;
    char port[8];

    snprintf(port, sizeof port, "%d", ntohs(here.sin_port));
    fd = nido_dial("127.0.0.1", port, options);
    nido_close(listening);
    return fd < 0 ? fd : nido_close(fd);
}

static int use_dial_any(void *options)
{
    int listening = listener(), fd;
    struct addrinfo address = {.ai_family = AF_INET,
                               .ai_socktype = SOCK_STREAM,
                               .ai_addrlen = sizeof here,
                               .ai_addr = (void *)&here};

    fd = nido_dial_any(&address, options);
    nido_close(listening);
    return fd < 0 ? fd : nido_close(fd);
}

static ssize_t job(void *unused)
{
    return give(unused);
}

static int use_offload(void *options)
{
    return (int)nido_offload_with(job, NULL, options);
}

static int use_spawned(void *options)
{
    nido_proc_status status;
    nido_proc proc;
    int err = nido_proc_spawn(&proc, options);

    if (err) return err;
    cr_expect(zero(int, nido_proc_wait(&proc, &status)));
    return nido_proc_release(&proc);
}

static int use_proc_run(void *options)
{
    nido_proc_result result;
    int err = nido_proc_run(options, NULL, 0, &result);

    nido_proc_result_free(&result);
    return err;
}

static int use_pool(void *options)
{
    nido_procpool *pool;
    int err = nido_procpool_new(options, &pool);

    return err ? err : nido_procpool_free(pool);
}

static int use_call(void *options)
{
    nido_procpool *pool;
    int rc;

    cr_assert(zero(int, nido_procpool_new(NULL, &pool)));
    rc = nido_procpool_call(pool, echo_job, NULL, 0, options, NULL);
    cr_expect(zero(int, nido_procpool_free(pool)));
    return rc == 7 ? 0 : rc;
}

static const char *const argv[] = {"/bin/true", NULL};

/* `old`: the size of an older struct, behind which lies a field that is invalid with all bits set.
 */
static const struct row {
    const char *name;
    int (*use)(void *options);
    size_t size, old;
    bool outside; /* is used outside a run */
} rows[] = {
#define ROW(use, type, field) #use, use, sizeof(type), offsetof(type, field)
    {ROW(use_run, nido_options, pool_grace_ns), true},
    {ROW(use_rt, nido_options, pool_grace_ns), true},
    {ROW(use_kit, nido_test_options, patience_ns), true},
    {ROW(use_sweep, nido_test_options, patience_ns), true},
    {ROW(use_group, nido_group_options, deadline), false},
    {ROW(use_spawn, nido_spawn_options, memory), false},
    {ROW(use_listen, nido_listen_options, backlog), false},
    {ROW(use_dial, nido_dial_options, stagger_ns), false},
    {ROW(use_dial_any, nido_dial_options, stagger_ns), false},
    {ROW(use_offload, nido_offload_options, mode), false},
    {ROW(use_spawned, nido_proc_options, in), false},
    {ROW(use_proc_run, nido_proc_options, in), false},
    {ROW(use_pool, nido_procpool_options, kill_grace_ns), false},
    {ROW(use_call, nido_procpool_call_options, name), false},
#undef ROW
};

/* Valid options in more room than they need. */
static void fill(const struct row *row, char *room)
{
    memset(room, 0, ROOM);
    *(size_t *)(void *)room = row->size;
    if (row->use == use_spawned || row->use == use_proc_run)
        ((nido_proc_options *)(void *)room)->argv = (char *const *)argv;
    if (row->use == use_kit || row->use == use_sweep) {
        nido_test_options_init((nido_test_options *)(void *)room);
        ((nido_test_options *)(void *)room)->flags = NIDO_TEST_BRIEF;
    }
}

static struct trial {
    const struct row *row;
    void *options;
} trial;

static int use_inside(void *unused)
{
    (void)unused;
    return trial.row->use(trial.options);
}

/* The byte at `set`, if it is not 0, is 1. */
static int with_size(const struct row *row, size_t size, size_t set)
{
    static _Alignas(16) char room[ROOM];

    fill(row, room);
    if (size < row->size) memset(room + size, 0xff, row->size - size);
    if (set) room[set] = 1;
    *(size_t *)(void *)room = size;
    trial = (struct trial){row, room};
    return row->outside ? row->use(room) : nido_run(use_inside, NULL, NULL);
}

#define EACH(row) (const struct row *row = rows; row < rows + sizeof rows / sizeof *rows; row++)

NIDO_TEST(options, of_the_same_size_are_read)
{
    for
        EACH(row) cr_expect(zero(int, with_size(row, row->size, 0)), "%s", row->name);
}

NIDO_TEST(options, of_an_older_program_lack_fields_which_are_zero)
{
    for
        EACH(row) cr_expect(zero(int, with_size(row, row->old, 0)), "%s", row->name);
}

NIDO_TEST(options, of_a_newer_program_are_read_if_what_is_beyond_is_zero)
{
    for
        EACH(row)
        {
            cr_expect(zero(int, with_size(row, row->size + sizeof(size_t), 0)), "%s", row->name);
            cr_expect(zero(int, with_size(row, NIDOI_OPTIONS_MOST, 0)), "%s", row->name);
        }
}

NIDO_TEST(options, that_ask_for_what_the_library_lacks_are_refused)
{
    for
        EACH(row)
        {
            cr_expect(eq(int, with_size(row, row->size + 8, row->size), -EINVAL), "%s", row->name);
            cr_expect(eq(int, with_size(row, row->size + 8, row->size + 7), -EINVAL), "%s",
                      row->name);
            cr_expect(zero(int, with_size(row, row->size + 8, row->size + 8)), "%s", row->name);
        }
}

NIDO_TEST(options, of_a_size_without_sense_are_refused)
{
    static const size_t sizes[] = {0, sizeof(size_t) - 1, sizeof(size_t) + 1,
                                   NIDOI_OPTIONS_MOST + 1, SIZE_MAX};

    for
        EACH(row)
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        cr_expect(eq(int, with_size(row, sizes[i], 0), -EINVAL), "%s %zu", row->name, sizes[i]);
}

static int sizeless_spawn(void *unused)
{
    nido_spawn_options options = {.name = "x"};
    nido_group group;
    int rc;

    (void)unused;
    nido_group_open(&group, NIDO_FAIL_FAST, "options");
    rc = nido_spawn_with(&group, give, NULL, &options, NULL);
    cr_expect(eq(int, rc, -EINVAL));
    cr_expect(eq(str, (char *)nido_error_text(nido_error_last()),
                 "nido_spawn_options.size is 0: fill the struct by nido_spawn_options_init or by "
                 "NIDO_SPAWN_OPTIONS(...)"));
    return nido_group_close(&group, 0);
}

NIDO_TEST(options, without_a_size_the_text_says_what_to_call)
{
    cr_expect(zero(int, nido_run(sizeless_spawn, NULL, NULL)));
}

static int future_spawn(void *unused)
{
    struct {
        nido_spawn_options known;
        size_t unknown;
    } options = {NIDO_SPAWN_OPTIONS(), 1};
    nido_group group;

    (void)unused;
    options.known.size = sizeof options;
    nido_group_open(&group, NIDO_FAIL_FAST, "options");
    cr_expect(eq(int, nido_spawn_with(&group, give, NULL, &options.known, NULL), -EINVAL));
    cr_expect(eq(str, (char *)nido_error_text(nido_error_last()),
                 "nido_spawn_options asks for something that this version of nido, older than the "
                 "header, does not know"));
    return nido_group_close(&group, 0);
}

NIDO_TEST(options, of_a_newer_program_are_refused_with_a_text)
{
    cr_expect(zero(int, nido_run(future_spawn, NULL, NULL)));
}

NIDO_TEST(options, outside_a_run_stderr_gets_the_text)
{
    nido_options options = {.signals = true};

    cr_redirect_stderr();
    cr_expect(eq(int, nido_run(give, NULL, &options), -EINVAL));
    cr_assert_stderr_eq_str("nido: nido_options.size is 0: fill the struct by nido_options_init or "
                            "by NIDO_OPTIONS(...)\n");
}

#define EXPECT_SIZED(type, macro) cr_expect(eq(sz, (macro()).size, sizeof(type)), #type)

NIDO_TEST(options, a_macro_gives_the_size)
{
    EXPECT_SIZED(nido_options, NIDO_OPTIONS);
    EXPECT_SIZED(nido_group_options, NIDO_GROUP_OPTIONS);
    EXPECT_SIZED(nido_spawn_options, NIDO_SPAWN_OPTIONS);
    EXPECT_SIZED(nido_listen_options, NIDO_LISTEN_OPTIONS);
    EXPECT_SIZED(nido_dial_options, NIDO_DIAL_OPTIONS);
    EXPECT_SIZED(nido_offload_options, NIDO_OFFLOAD_OPTIONS);
    EXPECT_SIZED(nido_proc_options, NIDO_PROC_OPTIONS);
    EXPECT_SIZED(nido_procpool_options, NIDO_PROCPOOL_OPTIONS);
    EXPECT_SIZED(nido_procpool_call_options, NIDO_PROCPOOL_CALL_OPTIONS);
    EXPECT_SIZED(nido_test_options, NIDO_TEST_OPTIONS);
    cr_expect(eq(sz, NIDO_TEST_OPTIONS(.flags = 1).run.size, sizeof(nido_options)));
    cr_expect(eq(int, NIDO_TEST_OPTIONS().run.flags, NIDO_RUN_STRICT));
    cr_expect(eq(int, (int)NIDO_SPAWN_OPTIONS(.service = true).service, 1));
}
