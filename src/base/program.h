/* base/program.h: starting a program in a process of its own.
 *
 * The child gets its three standard descriptors and no other, whatever else is open here, with or
 * without close-on-exec; an empty signal mask and every signal's default action, because the
 * threads that start programs block signals and a program may ignore some. */
#ifndef NIDOI_PROGRAM_H
#define NIDOI_PROGRAM_H

#include "nido/proc.h"

struct nidoi_program {
    const char *file; /* looked for in PATH if it has no slash */
    char *const *argv;
    char *const *env; /* NULL: ours */
    const char *cwd;  /* NULL: ours */
    nido_stdio of[3]; /* INHERIT, FD: a number above 2; STDOUT */
    bool new_group;
};

/* 0 and *pid: the program runs; or why it does not, and there is no child. */
int nidoi_program_start(const struct nidoi_program *program, int *pid);

#endif
