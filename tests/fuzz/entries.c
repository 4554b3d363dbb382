/* SPDX-License-Identifier: MIT */
/* Directory entries: names of any length, kinds, errors, ends, as a file system could give them, to
 * a reader that is cancelled now and then. Each entry lies in memory of just its size, which is
 * valid until the stream is read again. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/sys.h"
#include "input.h"
#include "nido.h"

enum { MOST_ENTRIES = 400, LONGEST = 20000 };

/* What the file system says: a name (0: the end) or an error. */
struct answer {
    unsigned length;
    int err;
    unsigned char kind, letter;
};

static struct directory {
    struct answer answers[MOST_ENTRIES];
    int count, next;
    struct dirent *given;
    struct input cancels;
} directory;

static int open_drawn(const char *path, DIR **out)
{
    (void)path;
    *out = (DIR *)&directory;
    return 0;
}

static int close_drawn(DIR *stream)
{
    expect("the stream", stream == (DIR *)&directory, 1);
    free(directory.given);
    directory.given = NULL;
    return 0;
}

/* The names "." and ".." among them: of one or two letters that are dots. */
static void fill_name(char *name, const struct answer *answer)
{
    memset(name, answer->letter, answer->length);
    name[answer->length] = 0;
}

static int read_drawn(DIR *stream, struct dirent **out)
{
    const struct answer *answer = &directory.answers[directory.next];

    expect("the stream", stream == (DIR *)&directory, 1);
    free(directory.given);
    directory.given = *out = NULL;
    expect("reading after the end", directory.next < directory.count, 1);
    directory.next++;
    if (answer->err || !answer->length) return answer->err;
    directory.given = *out = malloc(offsetof(struct dirent, d_name) + answer->length + 1);
    if (!*out) abort();
    (*out)->d_ino = (ino_t)directory.next;
    (*out)->d_type = answer->kind;
    fill_name((char *)*out + offsetof(struct dirent, d_name), answer);
    return 0;
}

static bool is_hidden(const struct answer *answer)
{
    return answer->letter == '.' && answer->length <= 2;
}

static void expect_entry(const nido_dirent *entry, int i)
{
    static char name[LONGEST + 1];
    const struct answer *answer = &directory.answers[i];
    enum nido_file_kind kind = answer->kind == DT_REG       ? NIDO_FILE_REGULAR
                               : answer->kind == DT_DIR     ? NIDO_FILE_DIRECTORY
                               : answer->kind == DT_LNK     ? NIDO_FILE_LINK
                               : answer->kind == DT_UNKNOWN ? NIDO_FILE_UNKNOWN
                                                            : NIDO_FILE_OTHER;

    fill_name(name, answer);
    expect("a name", strcmp(entry->name, name), 0);
    expect("a kind", entry->kind, kind);
    expect("an inode", (int64_t)entry->inode, i + 1);
}

/* In a cancelled scope it may be refused, and then has skipped nothing. */
static int read_under_cancel(nido_dir *dir, nido_dirent *entry)
{
    nido_scope scope;
    int rc;

    nido_scope_open(&scope);
    nido_scope_cancel(&scope, 0, NULL);
    rc = nido_readdir(dir, entry);
    nido_scope_close(&scope, 0);
    return rc;
}

static int read_all(void *unused)
{
    nido_dirent entry;
    nido_dir *dir;
    int rc, i = 0;

    (void)unused;
    expect("an open", nido_opendir("drawn", &dir), 0);
    for (;;) {
        if (draw(&directory.cancels) % 4 == 1)
            expect("a refusal", read_under_cancel(dir, &entry), -ECANCELED);
        rc = nido_readdir(dir, &entry);
        while (is_hidden(&directory.answers[i]) && !directory.answers[i].err) i++;
        if (rc != 1) break;
        expect_entry(&entry, i++);
    }
    expect("the end", rc, directory.answers[i].err);
    expect("the end again", nido_readdir(dir, &entry), rc);
    expect("its place", i, directory.count - 1);
    return nido_closedir(dir);
}

static void draw_answers(struct input *input)
{
    static const unsigned char kinds[] = {DT_REG, DT_DIR, DT_LNK, DT_UNKNOWN, DT_SOCK, DT_FIFO};
    static const unsigned lengths[] = {1, 2, 3, 255, 256, 4000, 16300, 16360, LONGEST};
    static const int errors[] = {0, -EIO, -EBADF, -ENOMEM, -EOVERFLOW};
    struct directory *d = &directory;

    while (input->left > 1 && d->count < MOST_ENTRIES - 1) {
        unsigned how = draw(input);
        struct answer *answer = &d->answers[d->count++];

        *answer = (struct answer){.kind = kinds[how % 6], .letter = how & 8 ? '.' : 'n'};
        answer->length = how & 128 ? lengths[how / 16 % 9] : 1 + draw(input) % 40;
    }
    d->answers[d->count++] = (struct answer){.err = errors[draw(input) % 5]};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};

    if (size < 2 || size > 1000) return 0;
    nidoi_sys.opendir = open_drawn;
    nidoi_sys.readdir = read_drawn;
    nidoi_sys.closedir = close_drawn;
    memset(&directory, 0, sizeof directory);
    draw_answers(&input);
    directory.cancels = (struct input){data, size};
    expect("a directory", in_a_run(read_all, NULL), 0);
    return 0;
}
