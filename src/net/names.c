/* SPDX-License-Identifier: MIT */
#include "net/names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/sys.h"
#include "coro/scope/park.h"
#include "net/hosts.h"
#include "nido/error.h"
#include "nido/net.h"
#include "pool/offload.h"

/* The job's own copy of everything, because its caller may return before the job ends. */
struct lookup_request {
    struct nidoi_lookup answer;
    struct addrinfo hints;
    bool has_host, has_service;
    char *service;
    char name[64]; /* for reports */
    char host[];   /* and, after its zero, the service */
};

static struct lookup_request *request_new(const char *host, const char *service,
                                          const struct addrinfo *hints)
{
    size_t host_size = host ? strlen(host) + 1 : 1;
    size_t service_size = service ? strlen(service) + 1 : 1;
    struct lookup_request *request = nidoi_mem_zeroed(sizeof *request + host_size + service_size);

    if (!request) return NULL;
    if (hints) request->hints = *hints;
    request->service = request->host + host_size;
    request->has_host = host != NULL;
    request->has_service = service != NULL;
    if (host) memcpy(request->host, host, host_size);
    if (service) memcpy(request->service, service, service_size);
    snprintf(request->name, sizeof request->name, "look-up of %s", host ? host : service);
    return request;
}

/* A failed look-up is an answer too. */
static ssize_t request_look_up(void *arg)
{
    struct lookup_request *request = arg;
    struct nidoi_lookup *answer = &request->answer;

    answer->err = nidoi_sys.getaddrinfo(request->has_host ? request->host : NULL,
                                        request->has_service ? request->service : NULL,
                                        &request->hints, &answer->found, &answer->why);
    return 0;
}

static bool is_number(const char *host)
{
    const struct addrinfo numeric = {.ai_flags = AI_NUMERICHOST};
    struct addrinfo *found;

    if (getaddrinfo(host, NULL, &numeric, &found) != 0) return false;
    freeaddrinfo(found);
    return true;
}

enum { MUST_ASK = 1 };

/* Names that this machine knows need no name server, and so none of the workers that servers may
 * hold up. */
static ssize_t request_look_up_locally(void *arg)
{
    struct lookup_request *request = arg;

    if (!request->has_host || is_number(request->host)) return request_look_up(arg);
    switch (nidoi_hosts_search(request->host, request->hints.ai_family)) {
    case NIDOI_HOSTS_FOUND:
        return request_look_up(arg);
    case NIDOI_HOSTS_OTHER_FAMILY:
        request->answer.err = -ENOENT;
        request->answer.why = EAI_NONAME;
        return 0;
    default:
        return MUST_ASK;
    }
}

static void request_drop(void *ctx, void *arg, int result)
{
    struct lookup_request *request = arg;

    (void)ctx, (void)result;
    if (request->answer.found) freeaddrinfo(request->answer.found);
    nidoi_mem.release(request);
}

int nidoi_lookup(const char *host, const char *service, const struct addrinfo *hints,
                 struct nidoi_lookup *lookup)
{
    struct lookup_request *request = request_new(host, service, hints);
    nido_offload_options options;

    *lookup = (struct nidoi_lookup){.err = -ENOMEM};
    if (!request) return -ENOMEM;
    nido_offload_options_init(&options);
    options.mode = NIDO_OFFLOAD_ABANDON;
    options.name = request->name;
    options.drop = request_drop;
    lookup->err =
        (int)nidoi_offload(request_look_up_locally, request, &options, NIDOI_LANE_GENERAL);
    if (lookup->err == MUST_ASK)
        lookup->err = (int)nidoi_offload(request_look_up, request, &options, NIDOI_LANE_NAMES);
    if (lookup->err < 0) return lookup->err;
    *lookup = request->answer;
    nidoi_mem.release(request);
    return lookup->err;
}

int nidoi_lookup_explained(const struct nidoi_lookup *lookup, const char *host, const char *service)
{
    if (lookup->err == -ECANCELED) return lookup->err;
    return nido_fail(lookup->err, "look-up of %s port %s%s%s", host ? host : "*",
                     service ? service : "0", lookup->why ? ": " : "",
                     lookup->why ? gai_strerror(lookup->why) : "");
}

/* Reads numbers at once, without a server. */
static bool resolve_numbers(const char *host, const char *service, const struct addrinfo *hints,
                            struct addrinfo **out)
{
    struct addrinfo numeric = hints ? *hints : (struct addrinfo){0};

    numeric.ai_flags |= AI_NUMERICHOST | AI_NUMERICSERV;
    return getaddrinfo(host, service, &numeric, out) == 0;
}

int nido_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                     struct addrinfo **out)
{
    struct nidoi_lookup lookup;
    struct nidoi_loop *loop;
    int err = nidoi_enter(&loop);

    if (err) return err;
    if (!host && !service) return -EINVAL;
    if (resolve_numbers(host, service, hints, out)) return 0;
    if (nidoi_lookup(host, service, hints, &lookup))
        return nidoi_lookup_explained(&lookup, host, service);
    *out = lookup.found;
    return 0;
}
