/* SPDX-License-Identifier: MIT */
/* phases: tasks that work in step, by a barrier.
 *
 * Every cell of a row is a task; its next state follows, by one of Wolfram's 256 rules, from what
 * it and its two neighbours are now. So a generation has two phases, look and change, and no cell
 * may change before all have looked. The same barrier ends both; the task that comes last to it (it
 * gets 1, the others 0) prints the row.
 *
 *     ./example_phases RULE GENERATIONS ROW
 *     ./example_phases 90 4 ....#....
 */
#include <errno.h>
#include <nido.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct row {
    char *cells;
    size_t width;
    unsigned rule;
    unsigned long generations;
    nido_barrier step;
};

struct cell {
    struct row *row;
    size_t place;
};

static unsigned alive(const struct row *row, size_t place)
{
    return row->cells[place % row->width] == '#'; /* The row is a ring. */
}

static char look(const struct cell *cell)
{
    const struct row *row = cell->row;
    unsigned seen = alive(row, cell->place + row->width - 1) << 2 | alive(row, cell->place) << 1 |
                    alive(row, cell->place + 1);
    return row->rule >> seen & 1 ? '#' : '.';
}

static int live(void *arg)
{
    struct cell *cell = arg;
    struct row *row = cell->row;
    for (unsigned long i = 0; i < row->generations; i++) {
        char next = look(cell);
        int rc = nido_barrier_wait(&row->step);
        if (rc < 0) return rc;
        row->cells[cell->place] = next;
        rc = nido_barrier_wait(&row->step);
        if (rc < 0) return rc;
        if (rc == 1) puts(row->cells);
    }
    return 0;
}

static int evolve(void *arg)
{
    struct row *row = arg;
    nido_group cells;
    int rc = 0;
    puts(row->cells);
    nido_group_open(&cells, NIDO_FAIL_FAST, "cells");
    for (size_t i = 0; i < row->width && rc == 0; i++) {
        struct cell cell = {row, i};
        rc = nido_spawn_copy(&cells, live, &cell, sizeof cell);
    }
    return nido_group_close(&cells, rc);
}

static int run(struct row *row)
{
    if (row->rule > 255 || strspn(row->cells, ".#") != row->width) return -EINVAL;
    int rc = nido_barrier_init(&row->step, (uint32_t)row->width, 0, "generation");
    return rc < 0 ? rc : nido_run(evolve, row, NULL);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s RULE GENERATIONS ROW\n", argv[0]);
        return 2;
    }
    struct row row = {.cells = argv[3],
                      .width = strlen(argv[3]),
                      .rule = (unsigned)strtoul(argv[1], NULL, 10),
                      .generations = strtoul(argv[2], NULL, 10)};
    int rc = run(&row);
    if (rc < 0) fprintf(stderr, "%s: %s\n", argv[0], nido_strerror(rc));
    return nido_exit_status(rc);
}
