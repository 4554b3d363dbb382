/* SPDX-License-Identifier: MIT */
/* A file that changes while the program runs, here its settings: they are read again after each
 * change. inotify (Linux) reports changes through a descriptor, which is read like any other. Its
 * folder is watched, not the file: many editors put a new file in the place of the old one. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <nido.h>
#include <nido/sugar.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

static nido_sem loaded; /* a permit for each time */

static int load(void)
{
    char text[64];
    size_t size = 0;
    NIDO_SCOPED_FD fd = nido_open("settings", O_RDONLY, 0);
    if (fd < 0) return fd;
    int rc = nido_read_full(fd, text, sizeof text, &size);
    if (rc < 0 && rc != -EPIPE) return rc; /* -EPIPE: the file ended */
    printf("loaded: %.*s", (int)size, text);
    return nido_sem_release(&loaded);
}

static int follow(void *unused)
{
    _Alignas(struct inotify_event) char events[4096];
    ssize_t n;
    (void)unused;
    NIDO_SCOPED_FD fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd < 0 || inotify_add_watch(fd, ".", IN_CLOSE_WRITE | IN_MOVED_TO) < 0) return -errno;
    int rc = load(); /* watched first: a change in between is not missed */
    while (rc == 0 && (n = nido_read(fd, events, sizeof events)) != 0) {
        const struct inotify_event *event;
        if (n < 0) return (int)n;
        for (char *at = events; at < events + n && rc == 0; at += sizeof *event + event->len) {
            event = (const void *)at;
            if (event->len == 0 /* some were lost */ || strcmp(event->name, "settings") == 0)
                rc = load();
        }
    }
    return rc;
}

static int save(const char *text)
{
    NIDO_SCOPED_FD fd = nido_open("settings", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    return fd < 0 ? fd : nido_write_all(fd, text, strlen(text), NULL);
}

static int app(void *unused)
{
    nido_group group;
    (void)unused;
    nido_sem_init(&loaded, 0, 1, "loaded");
    int rc = save("level 1\n");
    nido_group_open(&group, NIDO_FAIL_FAST, "settings");
    if (rc == 0)
        rc = nido_spawn_with(&group, follow, NULL, &NIDO_SPAWN_OPTIONS(.service = true), NULL);
    if (rc == 0) rc = nido_sem_acquire(&loaded);
    if (rc == 0) rc = save("level 2\n");
    if (rc == 0) rc = nido_sem_acquire(&loaded);
    return nido_group_close(&group, rc);
}

int main(void)
{
    char folder[] = "/tmp/nido-settings-XXXXXX";
    if (!mkdtemp(folder) || chdir(folder) < 0) return perror(folder), 1;
    int rc = nido_run(app, NULL, NULL);
    unlink("settings");
    rmdir(folder);
    return nido_exit_status(rc);
}
/* prints:
 * loaded: level 1
 * loaded: level 2
 */
