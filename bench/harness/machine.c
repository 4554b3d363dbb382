/* SPDX-License-Identifier: MIT */
/* machine.c: where and with what the numbers are taken. */
#include "report.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* x86 calls the line "model name"; elsewhere the machine's name must do. */
static void read_cpu(char *out, size_t size, const char *otherwise)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");
    snprintf(out, size, "%s", otherwise);
    if (!file) return;
    while (fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", strlen("model name")) != 0 || !colon) continue;
        colon[strcspn(colon, "\n")] = '\0';
        snprintf(out, size, "%s", colon + 2);
        break;
    }
    fclose(file);
}

static void read_commit(char *out, size_t size)
{
    FILE *git =
        popen("git -C '" BENCH_SOURCE "' describe --always --dirty --abbrev=12 2>/dev/null", "r");
    if (!git || !fgets(out, (int)size, git)) snprintf(out, size, "unknown");
    out[strcspn(out, "\n")] = '\0';
    if (git) pclose(git);
}

void machine_read(struct machine *out)
{
    struct utsname name;
    time_t now = time(NULL);
    uname(&name);
    read_commit(out->commit, sizeof out->commit);
    read_cpu(out->cpu, sizeof out->cpu, name.machine);
    snprintf(out->kernel, sizeof out->kernel, "%.64s %.64s %.64s", name.sysname, name.release,
             name.machine);
    strftime(out->date, sizeof out->date, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    out->compiler = COMPILER;
    out->flags = BENCH_FLAGS;
    out->cpus = bench_cpus();
    out->pinned = bench_pin(0);
    if (getloadavg(&out->load, 1) != 1) out->load = -1;
}
