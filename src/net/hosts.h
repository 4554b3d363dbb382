/* SPDX-License-Identifier: MIT */
/* net/hosts.h: whether the hosts file has a name. */
#ifndef NIDOI_HOSTS_H
#define NIDOI_HOSTS_H

enum nidoi_hosts_result {
    NIDOI_HOSTS_NONE,
    NIDOI_HOSTS_FOUND,
    NIDOI_HOSTS_OTHER_FAMILY /* only, and a server is not asked */
};

/* The path of the file; tests set another one. */
extern const char *nidoi_hosts_path;

/* Reads the file, so it is called on a worker. `family` as in a struct addrinfo: AF_UNSPEC is any.
 */
enum nidoi_hosts_result nidoi_hosts_search(const char *name, int family);

#endif
