/* SPDX-License-Identifier: MIT */
#include "base/program.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef __APPLE__
#include <crt_externs.h>
#endif

/* ---- Differences between systems; these functions return an error number, as posix_spawn does
 * ---- */

#ifdef __APPLE__

/* The child inherits only the descriptors that the actions name; it is an error to name a closed
 * one. */
enum { SPAWN_INHERITS_NAMED = POSIX_SPAWN_CLOEXEC_DEFAULT };

static int inherit_stream(posix_spawn_file_actions_t *actions, int fd)
{
    return fcntl(fd, F_GETFD) < 0 ? 0 : posix_spawn_file_actions_addinherit_np(actions, fd);
}

static int close_from(posix_spawn_file_actions_t *actions, int fd)
{
    (void)actions, (void)fd;
    return 0;
}

static int start_in(posix_spawn_file_actions_t *actions, const char *directory)
{
    return posix_spawn_file_actions_addchdir_np(actions, directory);
}

/* A shared library cannot use `environ` on macOS. */
static char **environment(void)
{
    return *_NSGetEnviron();
}

#else

extern char **environ;

enum { SPAWN_INHERITS_NAMED = 0 };

static int inherit_stream(posix_spawn_file_actions_t *actions, int fd)
{
    (void)actions, (void)fd;
    return 0;
}

#ifdef NIDOI_NO_SPAWN_CLOSEFROM

/* Without /proc, as in a bare chroot: each number is tried, up to what a program is likely to have
 * where the limit is higher. */
static int close_each_from(posix_spawn_file_actions_t *actions, int least)
{
    enum { MOST = 1 << 16 };
    long most = sysconf(_SC_OPEN_MAX);
    int err = 0;

    if (most < 0 || most > MOST) most = MOST;
    for (int fd = least; fd < most && !err; fd++)
        if (fcntl(fd, F_GETFD) >= 0) err = posix_spawn_file_actions_addclose(actions, fd);
    return err;
}

/* musl, and glibc before 2.34: closes the present descriptors by number. A descriptor that another
 * thread opens meanwhile without O_CLOEXEC is inherited. */
static int close_from(posix_spawn_file_actions_t *actions, int least)
{
    DIR *table = opendir("/proc/self/fd");
    struct dirent *entry;
    int err = 0;

    if (!table) return errno == ENOENT ? close_each_from(actions, least) : errno;
    while (!err && (entry = readdir(table)) != NULL) {
        int fd = atoi(entry->d_name); /* 0: not a number */

        if (fd >= least && fd != dirfd(table)) err = posix_spawn_file_actions_addclose(actions, fd);
    }
    closedir(table);
    return err;
}

#else

/* glibc 2.34, FreeBSD 13.1 */
static int close_from(posix_spawn_file_actions_t *actions, int fd)
{
    return posix_spawn_file_actions_addclosefrom_np(actions, fd);
}

#endif

/* glibc 2.29, musl 1.1.24 */
static int start_in(posix_spawn_file_actions_t *actions, const char *directory)
{
#ifdef NIDOI_NO_SPAWN_CHDIR
    (void)actions, (void)directory;
    return EOPNOTSUPP;
#else
    return posix_spawn_file_actions_addchdir_np(actions, directory);
#endif
}

static char **environment(void)
{
    return environ;
}

#endif

/* ---- What the program gets ---- */

static int add_stream(posix_spawn_file_actions_t *actions, const nido_stdio *of, int fd)
{
    switch (of->kind) {
    case NIDO_STDIO_FD:
        return posix_spawn_file_actions_adddup2(actions, of->fd, fd);
    case NIDO_STDIO_STDOUT:
        return posix_spawn_file_actions_adddup2(actions, STDOUT_FILENO, fd);
    default:
        return inherit_stream(actions, fd);
    }
}

static int describe_files(posix_spawn_file_actions_t *actions, const struct nidoi_program *program)
{
    int err = 0;

    for (int fd = 0; fd < 3 && !err; fd++) err = add_stream(actions, &program->of[fd], fd);
    if (!err) err = close_from(actions, STDERR_FILENO + 1);
    if (!err && program->cwd) err = start_in(actions, program->cwd);
    return err;
}

static int describe_process(posix_spawnattr_t *attributes, const struct nidoi_program *program)
{
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | SPAWN_INHERITS_NAMED;
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &all);
    if (program->new_group) flags |= POSIX_SPAWN_SETPGROUP; /* its number is the child's */
    return posix_spawnattr_setflags(attributes, flags);
}

int nidoi_program_start(const struct nidoi_program *program, int *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int err = posix_spawn_file_actions_init(&actions);

    if (err) return -err;
    err = posix_spawnattr_init(&attributes);
    if (err) goto fail_actions;
    err = describe_files(&actions, program);
    if (!err) err = describe_process(&attributes, program);
    if (!err)
        err = posix_spawnp(pid, program->file, &actions, &attributes, program->argv,
                           program->env ? program->env : environment());
    posix_spawnattr_destroy(&attributes);
fail_actions:
    posix_spawn_file_actions_destroy(&actions);
    return -err;
}
