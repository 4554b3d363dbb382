/* net/hosts.c: the hosts file is only asked whether it knows a name, so that the look-up is known to be
 * a short one. The resolver then gives the answer, in its own order and with its own rules: it reads
 * the same file first. */
#include "net/hosts.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

const char *nidoi_hosts_path = "/etc/hosts";

static bool names(char *rest, const char *name)
{
    static const char blank[] = " \t\r\n";
    char *state;

    for (char *at = strtok_r(rest, blank, &state); at; at = strtok_r(NULL, blank, &state))
        if (strcasecmp(at, name) == 0) return true;
    return false;
}

/* A line is an address and its names; a # ends it. */
static enum nidoi_hosts_answer ask_line(char *line, const char *name, int family)
{
    char *rest;
    int its_family;

    line[strcspn(line, "#")] = 0;
    line += strspn(line, " \t");
    rest = line + strcspn(line, " \t");
    its_family = memchr(line, ':', (size_t)(rest - line)) ? AF_INET6 : AF_INET;
    if (!names(rest, name)) return NIDOI_HOSTS_KNOWS_NOTHING;
    return family == AF_UNSPEC || family == its_family ? NIDOI_HOSTS_KNOWS
                                                       : NIDOI_HOSTS_KNOWS_ANOTHER;
}

enum nidoi_hosts_answer nidoi_hosts_ask(const char *name, int family)
{
    enum nidoi_hosts_answer answer = NIDOI_HOSTS_KNOWS_NOTHING;
    FILE *file = fopen(nidoi_hosts_path, "re");
    char *line = NULL;
    size_t room = 0;

    while (file && answer != NIDOI_HOSTS_KNOWS && getline(&line, &room, file) >= 0) {
        enum nidoi_hosts_answer said = ask_line(line, name, family);

        if (said != NIDOI_HOSTS_KNOWS_NOTHING) answer = said;
    }
    free(line);
    if (file) fclose(file);
    return answer;
}
