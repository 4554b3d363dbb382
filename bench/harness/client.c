/* SPDX-License-Identifier: MIT */
/* client.c: see client.h. The program ends with the process that waits for it. */
#include "client.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void become(char *const *command, int out)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out, STDOUT_FILENO);
    execvp(command[0], command);
    _exit(CLIENT_NOT_THERE);
}

int client_run(char *const *command, char *text, size_t size)
{
    int ends[2], status = -1;
    size_t n = 0;
    if (pipe2(ends, O_CLOEXEC)) return -1;
    pid_t pid = fork();
    if (pid == 0) become(command, ends[1]);
    close(ends[1]);
    for (ssize_t more; (more = read(ends[0], text + n, size - 1 - n)) > 0;) n += (size_t)more;
    text[n] = '\0';
    close(ends[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
