/* SPDX-License-Identifier: MIT */
/* base/program.h: starting a program in a process of its own.
 *
 * The child gets its three standard descriptors and no other, whatever else is open here, with or
 * without close-on-exec. It gets an empty signal mask and the default action of every signal,
 * because the threads that start programs block signals, and the parent may ignore some. */
#ifndef NIDOI_PROGRAM_H
#define NIDOI_PROGRAM_H

#include "nido/proc.h"

struct nidoi_program {
    const char *file; /* searched in PATH if it has no slash */
    char *const *argv;
    char *const *env; /* NULL: that of this process */
    const char *cwd;  /* NULL: that of this process */
    nido_stdio of[3]; /* INHERIT, FD with a number above 2, or STDOUT */
    bool new_group;
};

/* 0 and *pid: the program runs. Otherwise a negated errno, and there is no child. */
int nidoi_program_start(const struct nidoi_program *program, int *pid);

#endif
