/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <unistd.h>

#include "nido.h"
#include "testkit/kit.h"

size_t nidoi_table_row(struct nidoi_table *table, uint32_t number, struct nidoi_where where)
{
    if (table->count == table->room) {
        table->room = table->room ? 2 * table->room : 64;
        table->rows = nidoi_kit_memory(table->rows, table->room * sizeof *table->rows);
    }
    table->rows[table->count] = (struct nidoi_row){.number = number, .where = where};
    return table->count++;
}

/* "read 3, in nido_read at server(serve+0x3c)" */
static void print_where(char *text, size_t size, const struct nidoi_row *row)
{
    struct nidoi_place place;
    const char *call = row->where.call;

    snprintf(text, size, "%s%s%s%s%s", row->note, row->note[0] && call ? ", in " : "",
             call ? call : "", row->where.place ? " at " : "",
             row->where.place ? nidoi_kit_hooks()->place(&place, row->where.place) : "");
}

/* "point 3, parked (nido_read at server(serve+0x3c))" */
static void print_case(char *text, size_t size, const struct nidoi_table *table, size_t row,
                       int column)
{
    char where[224];
    size_t head = row;

    while (head > 0 && !table->rows[head].number && !table->rows[head].note[0]) head--;
    print_where(where, sizeof where, &table->rows[row]);
    snprintf(text, size, "%s, %.*s %u, %s (%s)", table->what, (int)strlen(table->unit) - 1,
             table->unit, table->rows[head].number, table->columns[column], where);
}

static char announced[400];

static void print_announced(int signal)
{
    ssize_t ignored = write(STDERR_FILENO, announced, strlen(announced));

    (void)ignored, (void)signal;
}

void nidoi_table_announce(struct nidoi_table *table, size_t row, int column)
{
    struct sigaction action = {.sa_handler = print_announced, .sa_flags = (int)SA_RESETHAND};
    char text[320];

    print_case(text, sizeof text, table, row, column);
    snprintf(announced, sizeof announced, "nido: this was in a sweep: %s\n", text);
    if (!table->announcing) sigaction(SIGABRT, &action, &table->before);
    table->announcing = true;
}

static void describe_first(struct nidoi_table *table, size_t row, int column, const char *broken)
{
    char text[320];

    print_case(text, sizeof text, table, row, column);
    snprintf(table->first, sizeof table->first, "%s: %s", text, broken);
}

void nidoi_table_enter(struct nidoi_table *table, size_t row, int column,
                       const struct nidoi_outcome *outcome)
{
    struct nidoi_cell *cell = &table->rows[row].cells[column];

    table->cases++;
    cell->rc = outcome->rc;
    cell->state = outcome->broken[0] ? NIDOI_CELL_BROKEN : NIDOI_CELL_OUTCOME;
    if (!outcome->broken[0] || table->broken++) return;
    describe_first(table, row, column, outcome->broken);
}

void nidoi_table_leave_out(struct nidoi_table *table, size_t row, int column)
{
    table->rows[row].cells[column].state = NIDOI_CELL_LEFT_OUT;
    table->left_out++;
}

/* ---- Printing ---- */

static void cell_text(char *text, size_t size, const struct nidoi_cell *cell)
{
    const char *message = nido_strerror(cell->rc);

    switch (cell->state) {
    case NIDOI_CELL_NONE:
        snprintf(text, size, "n/a");
        break;
    case NIDOI_CELL_BROKEN:
        snprintf(text, size, "BROKEN");
        break;
    case NIDOI_CELL_MOOT:
        snprintf(text, size, "cancelled");
        break;
    case NIDOI_CELL_LEFT_OUT:
        snprintf(text, size, "left out");
        break;
    case NIDOI_CELL_OUTCOME:
        if (cell->rc < 0)
            snprintf(text, size, "%.*s", (int)strcspn(message, ": "), message);
        else
            snprintf(text, size, "%d", cell->rc);
    }
}

static void print_row(const struct nidoi_table *table, const struct nidoi_row *row, FILE *out)
{
    char text[224];

    if (row->number)
        fprintf(out, "%7u", row->number);
    else
        fprintf(out, "%7s", "");
    for (int column = 0; column < NIDOI_COLUMNS && table->columns[column]; column++) {
        cell_text(text, sizeof text, &row->cells[column]);
        fprintf(out, "  %-12s", text);
    }
    print_where(text, sizeof text, row);
    fprintf(out, "  %s\n", text);
}

static uint32_t table_count_numbered(const struct nidoi_table *table)
{
    uint32_t most = 0;

    for (size_t i = 0; i < table->count; i++) most += table->rows[i].number != 0;
    return most;
}

static void print_headline(const struct nidoi_table *table, nido_fn *fn,
                           const nido_test_options *options)
{
    struct nidoi_place place;

    fprintf(options->out, "nido: sweep of %s: %s: %u %s, %u cases, %u broken",
            options->name ? options->name : nidoi_kit_hooks()->place(&place, (void *)(uintptr_t)fn),
            table->what, table_count_numbered(table), table->unit, table->cases, table->broken);
    if (table->left_out) fprintf(options->out, ", %u left out", table->left_out);
    fputc('\n', options->out);
}

static void print_table(const struct nidoi_table *table, FILE *out)
{
    fprintf(out, "%7s", "");
    for (int column = 0; column < NIDOI_COLUMNS && table->columns[column]; column++)
        fprintf(out, "  %-12s", table->columns[column]);
    fputs("  where\n", out);
    for (size_t i = 0; i < table->count; i++) print_row(table, &table->rows[i], out);
}

int nidoi_table_finish(struct nidoi_table *table, nido_fn *fn, const nido_test_options *options)
{
    if (table->announcing) sigaction(SIGABRT, &table->before, NULL);
    if (table->broken || !(options->flags & NIDO_TEST_BRIEF)) {
        print_headline(table, fn, options);
        print_table(table, options->out);
    }
    if (table->broken) {
        fprintf(options->out, "nido: the first broken case: %s\n", table->first);
        nidoi_kit_print_seed(options);
    }
    return (int)table->broken;
}
