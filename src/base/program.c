#include "base/program.h"

#include "base/sys_other.h"

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
