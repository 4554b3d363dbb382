/* process/pool/server.h: the fork server itself. */
#ifndef NIDOI_SERVER_H
#define NIDOI_SERVER_H

/* Tells the program on `command` that it runs, and takes orders from there until the program has ended.
 * `life` can be read when that has happened; -1: only the end of `command` tells. */
_Noreturn void nidoi_server_run(int command, int life);

#endif
