/* SPDX-License-Identifier: MIT */
/* net/hosts.c: the hosts file is only searched for the name, to know that the look-up will be
 * short. The answer is the resolver's, which reads the same file first and has rules of its own. */
#include "net/hosts.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

const char *nidoi_hosts_path = "/etc/hosts";

static bool has_name(char *rest, const char *name)
{
    static const char blank[] = " \t\r\n";
    char *state;

    for (char *at = strtok_r(rest, blank, &state); at; at = strtok_r(NULL, blank, &state))
        if (strcasecmp(at, name) == 0) return true;
    return false;
}

/* A line is an address and its names; the rest after a # is a comment. */
static enum nidoi_hosts_result search_line(char *line, const char *name, int family)
{
    char *rest;
    int line_family;

    line[strcspn(line, "#")] = 0;
    line += strspn(line, " \t");
    rest = line + strcspn(line, " \t");
    line_family = memchr(line, ':', (size_t)(rest - line)) ? AF_INET6 : AF_INET;
    if (!has_name(rest, name)) return NIDOI_HOSTS_NONE;
    return family == AF_UNSPEC || family == line_family ? NIDOI_HOSTS_FOUND
                                                        : NIDOI_HOSTS_OTHER_FAMILY;
}

enum nidoi_hosts_result nidoi_hosts_search(const char *name, int family)
{
    enum nidoi_hosts_result result = NIDOI_HOSTS_NONE;
    FILE *file = fopen(nidoi_hosts_path, "re");
    char *line = NULL;
    size_t room = 0;

    while (file && result != NIDOI_HOSTS_FOUND && getline(&line, &room, file) >= 0) {
        enum nidoi_hosts_result in_line = search_line(line, name, family);

        if (in_line != NIDOI_HOSTS_NONE) result = in_line;
    }
    free(line);
    if (file) fclose(file);
    return result;
}
