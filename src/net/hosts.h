/* net/hosts.h: what the hosts file says of a name. */
#ifndef NIDOI_HOSTS_H
#define NIDOI_HOSTS_H

enum nidoi_hosts_answer {
    NIDOI_HOSTS_KNOWS_NOTHING,
    NIDOI_HOSTS_KNOWS,
    NIDOI_HOSTS_KNOWS_ANOTHER /* an address, but of another family: there is no more to be learned */
};

/* A variable for tests. */
extern const char *nidoi_hosts_path;

/* On a worker: it reads a file. `family` as in a struct addrinfo: AF_UNSPEC is any. */
enum nidoi_hosts_answer nidoi_hosts_ask(const char *name, int family);

#endif
