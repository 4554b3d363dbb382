/* SPDX-License-Identifier: MIT */
/* What systems differ in, as a plain program: offsets beyond 32 bits, times, names of a directory,
 * children that inherit nothing, sockets of both families, stacks, byte order. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "must.h"
#include "nido.h"

static char folder[] = "/tmp/nido-systems-XXXXXX";

/* ---- Files ---- */

static void write_far_out(const char *path)
{
    const int64_t far = INT64_C(5) << 30;
    struct stat status;
    char byte = 0;
    int fd = nido_open(path, O_RDWR | O_CREAT, 0600);

    MUST(fd >= 0);
    MUST(nido_pwrite(fd, "x", 1, far) == 1);
    MUST(nido_pread(fd, &byte, 1, far) == 1 && byte == 'x');
    MUST(nido_fstat(fd, &status) == 0);
    MUST((int64_t)status.st_size == far + 1);
    MUST(status.st_mtime > 1000000000 && S_ISREG(status.st_mode));
    MUST(nido_stat(path, &status) == 0 && (int64_t)status.st_size == far + 1);
    MUST(nido_close(fd) == 0);
}

static void list(const char *name)
{
    nido_dirent entry;
    nido_dir *dir;

    MUST(nido_opendir(folder, &dir) == 0);
    MUST(nido_readdir(dir, &entry) == 1 && strcmp(entry.name, name) == 0);
    MUST(entry.inode && nido_readdir(dir, &entry) == 0);
    MUST(nido_closedir(dir) == 0);
}

static void files(void)
{
    char path[64];

    MUST(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/far", folder);
    write_far_out(path);
    list("far");
    unlink(path);
    rmdir(folder);
}

/* ---- Children ---- */

/* It begins where it is told to, and a descriptor that is not close-on-exec stays behind all the same. */
static void children(void)
{
    static char *const argv[] = {"sh", "-c", "pwd; test ! -e /proc/self/fd/33 && cat", NULL};
    nido_proc_options options;
    nido_proc_result result;
    int rc;

    MUST(dup2(STDERR_FILENO, 33) == 33);
    nido_proc_options_init(&options);
    options.argv = argv;
    options.cwd = "/";
    rc = nido_proc_run(&options, "in", 2, &result);
    close(33);
    if (rc == -EOPNOTSUPP) return; /* libc cannot start a program in another directory */
    MUST(rc == 0 && result.status.code == 0);
    MUST(strcmp(result.out, "/\nin") == 0);
    nido_proc_result_free(&result);
}

/* ---- Sockets ---- */

static int serve(void *listener)
{
    char text[5];
    int fd = nido_accept(*(int *)listener, NULL, NULL);

    MUST(fd >= 0);
    MUST(nido_read_full(fd, text, 5, NULL) == 0 && memcmp(text, "hello", 5) == 0);
    MUST(nido_write_all(fd, text, 5, NULL) == 0);
    return nido_close(fd);
}

static void talk(const char *host)
{
    char port[12], text[5];
    int listener = -1, fd, number = 20000 + getpid() % 10000;
    nido_group group;

    for (; listener < 0; number++) {
        snprintf(port, sizeof port, "%d", number);
        listener = nido_listen(NULL, port, NULL);
        MUST(listener >= 0 || listener == -EADDRINUSE);
    }
    nido_group_open(&group, NIDO_FAIL_FAST, "talk");
    MUST(nido_spawn(&group, serve, &listener) == 0);
    fd = nido_dial(host, port, NULL);
    MUST(fd >= 0);
    MUST(nido_write_all(fd, "hello", 5, NULL) == 0);
    MUST(nido_read_full(fd, text, 5, NULL) == 0);
    MUST(nido_group_close(&group, 0) == 0);
    nido_close(fd);
    nido_close(listener);
}

/* A C library that is not this system's may not find what it looks names up with. */
static bool libc_knows(const char *host)
{
    struct addrinfo *found;

    if (getaddrinfo(host, NULL, NULL, &found) != 0) return false;
    freeaddrinfo(found);
    return true;
}

/* ---- Time and tasks ---- */

static int deepen(void *arg)
{
    volatile double sum = 1.5;
    volatile char room[8192];

    memset((char *)room, *(int *)arg, sizeof room);
    for (int i = 0; i < 10; i++) {
        sum += 0.25;
        nido_yield();
    }
    return sum == 4.0 && room[8191] == *(int *)arg ? 0 : -EIO;
}

static void tasks(void)
{
    static int numbers[1000];
    nido_group group;

    nido_group_open(&group, NIDO_FAIL_FAST, "tasks");
    for (int i = 0; i < 1000; i++) {
        numbers[i] = i % 100;
        MUST(nido_spawn(&group, deepen, &numbers[i]) == 0);
    }
    MUST(nido_group_close(&group, 0) == 0);
}

static void times(void)
{
    int64_t start = nido_now();
    nido_scope scope;

    nido_timeout_open(&scope, NIDO_MS(20));
    MUST(nido_scope_close(&scope, nido_sleep(NIDO_SEC(9000000000))) == -ETIMEDOUT);
    MUST(nido_now() - start >= NIDO_MS(20) && nido_now() - start < NIDO_SEC(10));
}

static int everything(void *unused)
{
    (void)unused;
    files();
    children();
    talk("127.0.0.1");
    if (libc_knows("localhost")) talk("localhost");
    tasks();
    times();
    return 0;
}

int main(void)
{
    MUST(nido_run(everything, NULL, NULL) == 0);
    return 0;
}
