/* SPDX-License-Identifier: MIT */
/* process/pool/server.h: what runs in the fork server. */
#ifndef NIDOI_SERVER_H
#define NIDOI_SERVER_H

/* Sends STARTED on `command` and takes orders from there until the program has ended. `life` can be
 * read when that has happened; -1: only the end of `command` shows it. */
_Noreturn void nidoi_server_run(int command, int life);

#endif
