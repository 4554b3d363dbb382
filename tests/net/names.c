/* SPDX-License-Identifier: MIT */
/* Names, with a resolver of the tests' own: no name server is asked. */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "faults.h"
#include "inside_help.h"
#include "io_help.h"
#include "net/hosts.h"

/* ---- The resolver ---- */

/* What it says about a name, for IPv6 and IPv4. */
static struct answer {
    const char *address; /* NULL: there is no such name */
    const char *second;  /* another one */
    int why;             /* unless 0: this failure */
    bool slow;           /* only after open_gate */
    bool empty;          /* the name is known and has no address */
} answers[2];

static int gate[2], asked[2];
static char port[8];

static int answer_of(const struct addrinfo *hints)
{
    return hints->ai_family == AF_INET6 ? 0 : 1;
}

static int resolve(const char *host, const char *service, const struct addrinfo *hints,
                   struct addrinfo **out, int *why)
{
    const struct answer *answer = &answers[answer_of(hints)];
    struct addrinfo numeric = {.ai_family = hints->ai_family,
                               .ai_socktype = hints->ai_socktype,
                               .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    char byte;

    (void)host, (void)service;
    *out = NULL;
    if (write(asked[1], "?", 1) != 1) return -EIO;
    if (answer->slow && read(gate[0], &byte, 1) != 1) return -EIO;
    *why = answer->why ? answer->why : EAI_NONAME;
    if (answer->why == EAI_AGAIN) return -EHOSTUNREACH;
    if (!answer->address && !answer->empty) return -ENOENT;
    *why = 0;
    if (answer->empty) return 0;
    if (getaddrinfo(answer->address, port, &numeric, out)) return -EIO;
    return answer->second && getaddrinfo(answer->second, port, &numeric, &(*out)->ai_next) ? -EIO
                                                                                           : 0;
}

static void open_gate(int times)
{
    while (times-- > 0) cr_expect(eq(int, (int)write(gate[1], "g", 1), 1));
}

static void await_question(void)
{
    char byte;

    cr_expect(eq(int, (int)nido_read(asked[0], &byte, 1), 1));
}

static void with_resolver(nido_fn *fn)
{
    cr_assert(eq(int, pipe(gate) | pipe(asked), 0));
    faults_begin();
    nidoi_sys.getaddrinfo = resolve;
    memset(answers, 0, sizeof answers);
    nidoi_hosts_path = "/dev/null";
    strcpy(port, "1");
    cr_expect(eq(int, nido_run(fn, NULL, NULL), 0));
    faults_end();
    for (int i = 0; i < 2; i++) {
        close(gate[i]);
        close(asked[i]);
    }
}

/* A test whose body is the root task, under the real clock: virtual time waits for look-ups. */
#define RESOLVING(suite, name)                 \
    static int resolving_##name(void *unused); \
    NIDO_TEST(suite, name)                     \
    {                                          \
        with_resolver(resolving_##name);       \
    }                                          \
    static int resolving_##name(void *unused)

static int listen_here(void)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int fd = nido_listen("127.0.0.1", "0", NULL);

    cr_expect(ge(int, fd, 0));
    cr_expect(eq(int, getsockname(fd, (struct sockaddr *)&address, &length), 0));
    snprintf(port, sizeof port, "%d", ntohs(address.sin_port));
    return fd;
}

static const char *last_text(void)
{
    const char *text = nido_error_text(nido_error_last());

    return text ? text : "";
}

/* ---- Look-ups ---- */

RESOLVING(names, a_name_is_looked_up)
{
    struct addrinfo *found = NULL;

    (void)unused;
    answers[1].address = "127.0.0.7";
    strcpy(port, "80");
    cr_expect(eq(int, nido_getaddrinfo("somebody.test", "http", NULL, &found), 0));
    cr_assert(ne(ptr, found, NULL));
    cr_expect(eq(u32, ntohl(((struct sockaddr_in *)(void *)found->ai_addr)->sin_addr.s_addr),
                 0x7f000007));
    freeaddrinfo(found);
    return 0;
}

static int look_up_slowly(void *arg)
{
    struct addrinfo hints = {.ai_family = AF_INET6}, *found;

    (void)arg;
    cr_expect(eq(int, nido_getaddrinfo("slow.test", NULL, &hints, &found), 0));
    freeaddrinfo(found);
    return 0;
}

/* S274 */
RESOLVING(names,
          a_name_that_does_not_exist_is_told_in_the_resolvers_words_while_others_are_looked_up)
{
    struct addrinfo *found;
    nido_group group;

    (void)unused;
    answers[0] = (struct answer){.address = "::1", .slow = true};
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, look_up_slowly, NULL);
    await_question();
    cr_expect(eq(int, nido_getaddrinfo("nobody.test", "80", NULL, &found), -ENOENT));
    cr_expect(ne(ptr, strstr(last_text(), "nobody.test"), NULL), "%s", last_text());
    cr_expect(ne(ptr, strstr(last_text(), gai_strerror(EAI_NONAME)), NULL), "%s", last_text());
    answers[1].why = EAI_AGAIN;
    cr_expect(eq(int, nido_getaddrinfo("nobody.test", "80", NULL, &found), -EHOSTUNREACH));
    open_gate(1);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    return 0;
}

static int look_up_in_vain(void *arg)
{
    struct addrinfo *found;

    (void)arg;
    return nido_getaddrinfo("stuck.test", "80", NULL, &found);
}

RESOLVING(names, a_cancel_leaves_at_once_and_the_late_answer_is_freed)
{
    nido_group group;

    (void)unused;
    answers[1] = (struct answer){.address = "127.0.0.1", .slow = true};
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, look_up_in_vain, NULL);
    await_question();
    nido_group_cancel(&group, -ETIME, "enough");
    cr_expect(eq(int, nido_group_close(&group, 0), -ETIME), "nobody has opened the gate");
    open_gate(1);
    return 0;
}

RESOLVING(names, bad_questions_are_refused)
{
    struct addrinfo *found;

    (void)unused;
    cr_expect(eq(int, nido_getaddrinfo(NULL, NULL, NULL, &found), -EINVAL));
    faults_fail(FAULT_memory, 1, 0);
    cr_expect(eq(int, nido_getaddrinfo("somebody.test", "80", NULL, &found), -ENOMEM));
    faults_fail(FAULT_thread, 1, -EAGAIN);
    cr_expect(eq(int, nido_getaddrinfo("somebody.test", "80", NULL, &found), -EAGAIN));
    return 0;
}

/* ---- Dialling ---- */

static int families[8];
static int attempts;
static int (*real_socket)(int domain, int type, int protocol);

static int noted_socket(int domain, int type, int protocol)
{
    if (attempts < 8) families[attempts++] = domain;
    return domain == AF_INET6 ? -EAFNOSUPPORT : real_socket(domain, type, protocol);
}

/* From now on IPv6 attempts fail at once, on every machine. */
static void note_attempts(void)
{
    real_socket = nidoi_sys.socket;
    nidoi_sys.socket = noted_socket;
    attempts = 0;
}

RESOLVING(names, a_number_needs_no_look_up)
{
    int listener = listen_here(), fd = nido_dial("127.0.0.1", port, NULL);

    (void)unused;
    cr_expect(ge(int, fd, 0));
    cr_expect(eq(ulong, faults_count(FAULT_thread), 0));
    nido_close(fd);
    nido_close(listener);
    return 0;
}

RESOLVING(names, numbers_are_read_without_a_worker)
{
    struct addrinfo *found;
    const struct sockaddr_in *address;

    (void)unused;
    cr_expect(zero(int, nido_getaddrinfo("127.0.0.1", "80", NULL, &found)));
    address = (const struct sockaddr_in *)(const void *)found->ai_addr;
    cr_expect(eq(int, ntohs(address->sin_port), 80));
    cr_expect(eq(u32, ntohl(address->sin_addr.s_addr), INADDR_LOOPBACK));
    freeaddrinfo(found);
    cr_expect(eq(ulong, faults_count(FAULT_thread), 0));
    cr_expect(eq(int, nido_getaddrinfo("127.0.0.1", "no such service", NULL, &found), -ENOENT),
              "that is for the resolver to say");
    return 0;
}

RESOLVING(names, a_name_without_an_address_cannot_be_dialled)
{
    (void)unused;
    answers[0].empty = answers[1].empty = true;
    cr_expect(eq(int, nido_dial("empty.test", "80", NULL), -ENOENT));
    cr_expect(ne(ptr, strstr(nido_error_text(nido_error_last()), "no address"), NULL));
    return 0;
}

RESOLVING(names, a_name_is_dialled_ipv6_first_and_then_ipv4)
{
    int listener = listen_here(), fd;

    (void)unused;
    answers[0].address = "::1";
    answers[1].address = "127.0.0.1";
    note_attempts();
    fd = nido_dial("both.test", "http", NULL);
    cr_expect(ge(int, fd, 0));
    cr_expect(eq(int, attempts, 2));
    cr_expect(eq(int, families[0], AF_INET6));
    cr_expect(eq(int, families[1], AF_INET));
    nido_close(fd);
    nido_close(listener);
    return 0;
}

RESOLVING(names, a_slow_look_up_of_one_family_does_not_hold_up_the_other)
{
    int listener = listen_here(), fd;
    int64_t start;

    (void)unused;
    answers[0] = (struct answer){.address = "::1", .slow = true};
    answers[1].address = "127.0.0.1";
    start = nido_now();
    fd = nido_dial("slow6.test", "http", NULL);
    cr_expect(ge(int, fd, 0));
    cr_expect(ge(i64, nido_now() - start, NIDO_MS(50)), "IPv6 has its start");
    open_gate(1);
    nido_close(fd);
    nido_close(listener);
    return 0;
}

static int dial_and_close(void *arg)
{
    int fd = nido_dial(arg, "http", NULL);

    return fd < 0 ? fd : nido_close(fd);
}

RESOLVING(names, addresses_that_come_late_join_the_race)
{
    int listener = listen_here();
    nido_group group;

    (void)unused;
    answers[0].address = "::1"; /* refused: nobody listens there */
    answers[1] = (struct answer){.address = "127.0.0.1", .slow = true};
    note_attempts();
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, dial_and_close, (void *)"slow4.test");
    await_question();
    await_question();
    open_gate(1);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    cr_expect(eq(int, attempts, 2));
    nido_close(listener);
    return 0;
}

RESOLVING(names, a_family_without_addresses_is_passed_over)
{
    int listener = listen_here(), fd;

    (void)unused;
    answers[1].address = "127.0.0.1";
    fd = nido_dial("only4.test", "http", NULL);
    cr_expect(ge(int, fd, 0));
    nido_close(fd);
    nido_close(listener);
    return 0;
}

RESOLVING(names, a_name_without_any_address_is_told)
{
    (void)unused;
    cr_expect(eq(int, nido_dial("nobody.test", "http", NULL), -ENOENT));
    cr_expect(ne(ptr, strstr(last_text(), "nobody.test"), NULL), "%s", last_text());
    answers[1].why = EAI_AGAIN;
    cr_expect(eq(int, nido_dial("nobody.test", "http", NULL), -EHOSTUNREACH));
    cr_expect(eq(int, nido_listen("nobody.test", "http", NULL), -EHOSTUNREACH));
    cr_expect(ne(ptr, strstr(last_text(), gai_strerror(EAI_AGAIN)), NULL), "%s", last_text());
    return 0;
}

/* That there is no such name is true only if both families say so. */
RESOLVING(names, while_one_family_cannot_be_asked_a_name_may_exist)
{
    (void)unused;
    for (int line = 0; line < 2; line++) {
        answers[line].why = EAI_AGAIN;
        answers[!line].why = 0;
        cr_expect(eq(int, nido_dial("unsure.test", "http", NULL), -EHOSTUNREACH));
        cr_expect(ne(ptr, strstr(last_text(), gai_strerror(EAI_AGAIN)), NULL), "%s", last_text());
        answers[!line].empty = true;
        cr_expect(eq(int, nido_dial("unsure.test", "http", NULL), -EHOSTUNREACH));
        answers[!line].empty = false;
    }
    return 0;
}

/* More dials than there are workers for names, each of which leaves a look-up behind. */
RESOLVING(names, look_ups_that_nobody_waits_for_hold_nobody_up)
{
    enum { DIALS = 40 };
    int listener = listen_here();

    (void)unused;
    answers[0] = (struct answer){.address = "::1", .slow = true};
    answers[1].address = "127.0.0.1";
    for (int i = 0; i < DIALS; i++) cr_expect(eq(int, dial_and_close((void *)"slow6.test"), 0));
    open_gate(DIALS);
    nido_close(listener);
    return 0;
}

/* ---- What the machine knows itself ---- */

static char hosts_file[] = "/tmp/nido-hosts-XXXXXX";

static void with_hosts(const char *text)
{
    int fd = mkstemp(hosts_file);

    cr_assert(ge(int, fd, 0));
    cr_expect(eq(int, (int)write(fd, text, strlen(text)), (int)strlen(text)));
    close(fd);
    nidoi_hosts_path = hosts_file;
}

static int look_up_in_the_end(void *unused)
{
    struct addrinfo *found = NULL;
    int rc;

    (void)unused;
    rc = nido_getaddrinfo("stuck.test", "80", NULL, &found);
    if (!rc) freeaddrinfo(found);
    return rc;
}

/* Every worker that may look names up does so, and waits. */
RESOLVING(names, what_the_hosts_file_knows_needs_no_worker_that_a_name_server_holds)
{
    enum { STUCK = 40 };
    int listener = listen_here();
    nido_group group;

    (void)unused;
    with_hosts("127.0.0.1 here.test\n");
    answers[1] = (struct answer){.address = "127.0.0.1", .slow = true};
    nido_group_open(&group, NIDO_WAIT_ALL, NULL);
    for (int i = 0; i < STUCK; i++) begin(&group, look_up_in_the_end, NULL);
    for (int i = 0; i < STUCK * 4 / 5; i++) await_question();
    answers[1].slow = false;
    cr_expect(eq(int, dial_and_close((void *)"here.test"), 0));
    open_gate(STUCK);
    cr_expect(eq(int, nido_group_close(&group, 0), 0));
    unlink(hosts_file);
    nido_close(listener);
    return 0;
}

RESOLVING(names, a_family_that_the_hosts_file_does_not_know_is_not_asked_for)
{
    struct addrinfo hints = {.ai_family = AF_INET6}, *found;

    (void)unused;
    with_hosts("127.0.0.1 here.test\n");
    answers[0].address = "::1";
    cr_expect(eq(int, nido_getaddrinfo("here.test", "80", &hints, &found), -ENOENT));
    unlink(hosts_file);
    return 0;
}

NIDO_TEST(names, the_hosts_file_is_read_as_it_is_written)
{
    with_hosts("# a comment: 127.0.0.1 said\n"
               "127.0.0.1\tlocalhost  loop # not.me\n"
               "\n"
               "::1 localhost six\r\n"
               "  10.0.0.1 Indented.Example\n"
               "nonsense\n"
               "10.0.0.2 last");
    cr_expect(eq(int, nidoi_hosts_search("localhost", AF_INET), NIDOI_HOSTS_FOUND));
    cr_expect(eq(int, nidoi_hosts_search("LocalHost", AF_INET6), NIDOI_HOSTS_FOUND));
    cr_expect(eq(int, nidoi_hosts_search("loop", AF_UNSPEC), NIDOI_HOSTS_FOUND));
    cr_expect(eq(int, nidoi_hosts_search("loop", AF_INET6), NIDOI_HOSTS_OTHER_FAMILY));
    cr_expect(eq(int, nidoi_hosts_search("six", AF_INET6), NIDOI_HOSTS_FOUND));
    cr_expect(eq(int, nidoi_hosts_search("indented.example", AF_INET), NIDOI_HOSTS_FOUND));
    cr_expect(eq(int, nidoi_hosts_search("last", AF_INET), NIDOI_HOSTS_FOUND));
    cr_expect(eq(int, nidoi_hosts_search("said", AF_INET), NIDOI_HOSTS_NONE));
    cr_expect(eq(int, nidoi_hosts_search("not.me", AF_INET), NIDOI_HOSTS_NONE));
    cr_expect(eq(int, nidoi_hosts_search("127.0.0.1", AF_INET), NIDOI_HOSTS_NONE));
    cr_expect(eq(int, nidoi_hosts_search("nonsense", AF_INET), NIDOI_HOSTS_NONE));
    unlink(hosts_file);
    cr_expect(eq(int, nidoi_hosts_search("last", AF_INET), NIDOI_HOSTS_NONE), "no file");
}

RESOLVING(names, a_name_that_nobody_answers_at_fails_as_its_attempts_did)
{
    (void)unused;
    nido_close(listen_here()); /* the port was free a moment ago */
    answers[1].address = "127.0.0.1";
    cr_expect(eq(int, nido_dial("closed.test", "http", NULL), -ECONNREFUSED));
    answers[0].address = "::1";
    note_attempts();
    cr_expect(lt(int, nido_dial("closed.test", "http", NULL), 0));
    cr_expect(nido_error_last() != NULL);
    cr_expect(eq(int, attempts, 2));
    return 0;
}

RESOLVING(names, a_dial_that_is_cancelled_during_its_look_ups_leaves_at_once)
{
    nido_group group;

    (void)unused;
    answers[0].slow = answers[1].slow = true;
    nido_group_open(&group, NIDO_FAIL_FAST, NULL);
    begin(&group, dial_and_close, (void *)"stuck.test");
    await_question();
    await_question();
    nido_group_cancel(&group, -ETIME, "enough");
    cr_expect(eq(int, nido_group_close(&group, 0), -ETIME));
    open_gate(2);
    return 0;
}

RESOLVING(names, no_memory_for_a_look_up_fails_the_dial_alone)
{
    int listener = listen_here();

    (void)unused;
    answers[1].address = "127.0.0.1";
    for (unsigned nth = 1;; nth++) {
        int rc;

        faults_fail(FAULT_memory, nth, 0);
        rc = dial_and_close((void *)"only4.test");
        if (faults_left(FAULT_memory)) break;
        cr_expect(rc == 0 || rc == -ENOMEM || rc == -EAGAIN, "%d", rc);
    }
    faults_forget(FAULT_memory);
    nido_close(listener);
    return 0;
}

/* ---- Listening ---- */

RESOLVING(names, a_listener_takes_the_first_address_of_its_name_that_it_can)
{
    int listener, fd;

    (void)unused;
    strcpy(port, "0");
    answers[1].address = "127.0.0.1";
    listener = nido_listen("me.test", "http", NULL);
    cr_expect(ge(int, listener, 0));
    answers[1] = (struct answer){.address = "203.0.113.1", .second = "127.0.0.1"};
    fd = nido_listen("second.test", "http", NULL);
    cr_expect(ge(int, fd, 0));
    nido_close(fd);
    answers[1] = (struct answer){.address = "203.0.113.1"}; /* nobody's */
    fd = nido_listen("other.test", "http", NULL);
    cr_expect(eq(int, fd, -EADDRNOTAVAIL));
    nido_close(listener);
    return 0;
}
