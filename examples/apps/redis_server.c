/* SPDX-License-Identifier: MIT */
/* redis_server: the strings and lists of Redis, in memory, for redis-cli and redis-benchmark.
 *
 * Shows a server of a line protocol: nido_serve gives each connection a task and drains at SIGTERM;
 * a stream reads lines and blocks of known length, and collects the answers of a pipeline, which
 * are sent before the next request is waited for. The table needs no lock: a command, which puts
 * its answer together in memory, passes no cancellation point, so no other task runs meanwhile.
 *
 *     ./example_redis_server PORT [HOST [CLIENTS]]
 *     ./example_redis_server 6379
 *     ./example_redis_server 0 127.0.0.1 100     (any free port, which is printed; 100 clients)
 *     ./example_redis_server 0 unix:/run/redis
 *
 * Nothing is kept on a disk; an inline command knows no quotes. */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <errno.h>
#include <nido.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    BUCKETS = 1 << 18,
    MOST_WORDS = 1024,          /* of a request */
    LONGEST_REQUEST = 64 << 20, /* bytes of all its words */
    LONGEST_KEPT = 4096         /* bytes for answers, between two requests */
};

/* ---- Words and values ---- */

struct text {
    struct text *beside[2]; /* left, right; in a list */
    size_t length;
    char bytes[]; /* a 0 follows them */
};

static struct text *text_new(const char *bytes, size_t length)
{
    struct text *text = malloc(sizeof *text + length + 2); /* read_word reads "\r\n" too */
    if (!text) return NULL;
    text->length = length;
    if (bytes) memcpy(text->bytes, bytes, length + 1);
    return text;
}

static bool number_of(const char *digits, int64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoll(digits, &end, 10);
    return errno == 0 && end > digits && *end == 0;
}

struct list {
    struct text *end[2]; /* left, right */
    int64_t count;
};

static void list_push(struct list *list, bool right, struct text *text)
{
    struct text *next = list->end[right];
    text->beside[right] = NULL;
    text->beside[!right] = next;
    *(next ? &next->beside[right] : &list->end[!right]) = text;
    list->end[right] = text;
    list->count++;
}

static struct text *list_pop(struct list *list, bool right)
{
    struct text *text = list->end[right], *next = text->beside[!right];
    *(next ? &next->beside[right] : &list->end[!right]) = NULL;
    list->end[right] = next;
    list->count--;
    return text;
}

/* ---- The table ---- */

struct entry {
    struct entry *next; /* in the same bucket */
    struct text *key;
    struct text *text; /* NULL: it is a list */
    struct list list;
    int64_t expires; /* NIDO_NEVER: not at all */
};

static struct entry *buckets[BUCKETS];
static size_t keys;
static int clients;
static unsigned long long commands;

static void entry_clear(struct entry *entry)
{
    free(entry->text);
    entry->text = NULL;
    while (entry->list.count > 0) free(list_pop(&entry->list, false));
}

static void entry_remove(struct entry **place)
{
    struct entry *entry = *place;
    *place = entry->next;
    entry_clear(entry);
    free(entry->key);
    free(entry);
    keys--;
}

static bool text_equal(const struct text *a, const struct text *b)
{
    return a->length == b->length && !memcmp(a->bytes, b->bytes, a->length);
}

/* The place that points to the entry of a key: to NULL if there is none, or none any more. */
static struct entry **entry_find(const struct text *key)
{
    uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */
    for (size_t i = 0; i < key->length; i++)
        hash = (hash ^ (unsigned char)key->bytes[i]) * 0x100000001b3;
    struct entry **place = &buckets[(hash ^ hash >> 32) % BUCKETS];
    while (*place && !text_equal((*place)->key, key)) place = &(*place)->next;
    if (!*place || (*place)->expires == NIDO_NEVER || (*place)->expires > nido_now()) return place;
    entry_remove(place);
    return entry_find(key);
}

/* The entry of a key, without text and items if it is new; takes the key then. */
static struct entry *entry_make(struct text **key)
{
    struct entry **place = entry_find(*key);
    if (*place) return *place;
    if (!(*place = calloc(1, sizeof **place))) return NULL;
    (*place)->key = *key;
    (*place)->expires = NIDO_NEVER;
    *key = NULL;
    keys++;
    return *place;
}

/* Takes the value, and the key if it is new. */
static bool entry_set(struct text **key, struct text **value, int64_t expires)
{
    struct entry *entry = entry_make(key);
    if (!entry) return false;
    entry_clear(entry);
    entry->text = *value;
    entry->expires = expires;
    *value = NULL;
    return true;
}

static void table_clear(void)
{
    for (size_t i = 0; i < BUCKETS; i++)
        while (buckets[i]) entry_remove(&buckets[i]);
}

/* ---- Answers ---- */

struct client {
    nido_stream *stream;
    struct entry *entry; /* of words[1], for commands with a kind; or NULL */
    bool quits, no_memory;
    char *answer;
    size_t length, room;
    size_t count;
    struct text *words[MOST_WORDS]; /* of the request; a command that keeps one leaves NULL */
};

static const char NO_MEMORY[] = "-OOM out of memory\r\n";
static const char NO_NUMBER[] = "-ERR value is not an integer or out of range\r\n";

static void say_bytes(struct client *c, const char *bytes, size_t length)
{
    size_t wanted = c->length + length;
    char *answer = wanted <= c->room ? c->answer : realloc(c->answer, 2 * wanted);
    if (!answer) c->no_memory = true;
    if (!answer) return;
    if (wanted > c->room) c->room = 2 * wanted;
    memcpy(answer + c->length, bytes, length);
    c->answer = answer;
    c->length = wanted;
}

static void say(struct client *c, const char *line)
{
    say_bytes(c, line, strlen(line));
}

/* ":12", or as a length "$12" and "*12". NULL, for a command to return. */
static const char *say_number(struct client *c, char kind, int64_t number)
{
    char line[32];
    snprintf(line, sizeof line, "%c%lld\r\n", kind, (long long)number);
    say(c, line);
    return NULL;
}

static const char *say_text(struct client *c, const struct text *text)
{
    say_number(c, '$', text ? (int64_t)text->length : -1);
    if (!text) return NULL;
    say_bytes(c, text->bytes, text->length);
    say(c, "\r\n");
    return NULL;
}

/* ---- Commands: each returns a line that is the answer, or its end; NULL: all is said ---- */

static const char *do_ok(struct client *c) /* SELECT, FLUSHALL, QUIT */
{
    if (!strcasecmp(c->words[0]->bytes, "FLUSHALL")) table_clear();
    c->quits = !strcasecmp(c->words[0]->bytes, "QUIT");
    return "+OK\r\n";
}

static const char *do_empty(struct client *c) /* COMMAND, and CONFIG GET: for the tools */
{
    if (c->count < 3) return "*0\r\n";
    say(c, "*2\r\n");
    say_text(c, c->words[2]);
    return "$0\r\n\r\n";
}

static const char *do_ping(struct client *c) /* and ECHO */
{
    return c->count > 1 ? say_text(c, c->words[1]) : "+PONG\r\n";
}

static const char *do_info(struct client *c)
{
    char lines[256];
    snprintf(lines, sizeof lines,
             "# Server\r\nredis_version:7.0.0\r\n# Clients\r\nconnected_clients:%d\r\n"
             "# Stats\r\ntotal_commands_processed:%llu\r\n# Keyspace\r\ndb0:keys=%zu\r\n",
             clients, commands, keys);
    say_number(c, '$', (int64_t)strlen(lines));
    say(c, lines);
    return "\r\n";
}

static const char *do_get(struct client *c)
{
    return say_text(c, c->entry ? c->entry->text : NULL);
}

static const char *do_mget(struct client *c)
{
    say_number(c, '*', (int64_t)c->count - 1);
    for (size_t i = 1; i < c->count; i++) {
        const struct entry *entry = *entry_find(c->words[i]);
        say_text(c, entry ? entry->text : NULL);
    }
    return NULL;
}

static const char *do_set(struct client *c) /* and MSET */
{
    if (c->count % 2 == 0) return "-ERR wrong number of arguments for MSET\r\n";
    for (size_t i = 1; i < c->count; i += 2)
        if (!entry_set(&c->words[i], &c->words[i + 1], NIDO_NEVER)) return NO_MEMORY;
    return "+OK\r\n";
}

static const char *do_del(struct client *c) /* and EXISTS */
{
    bool removes = !strcasecmp(c->words[0]->bytes, "DEL");
    int64_t found = 0;
    for (size_t i = 1; i < c->count; i++) {
        struct entry **place = entry_find(c->words[i]);
        found += *place != NULL;
        if (*place && removes) entry_remove(place);
    }
    return say_number(c, ':', found);
}

static const char *do_incr(struct client *c) /* INCRBY, DECR */
{
    const struct text *old = c->entry ? c->entry->text : NULL;
    int64_t number = 0, change = !strcasecmp(c->words[0]->bytes, "DECR") ? -1 : 1;
    if (old && !number_of(old->bytes, &number)) return NO_NUMBER;
    if (c->count > 2 && !number_of(c->words[2]->bytes, &change)) return NO_NUMBER;
    if (__builtin_add_overflow(number, change, &number))
        return "-ERR increment or decrement would overflow\r\n";
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)number);
    struct text *text = text_new(digits, (size_t)length);
    if (text && entry_set(&c->words[1], &text, c->entry ? c->entry->expires : NIDO_NEVER))
        return say_number(c, ':', number);
    free(text);
    return NO_MEMORY;
}

static const char *do_expire(struct client *c)
{
    int64_t seconds;
    if (!number_of(c->words[2]->bytes, &seconds)) return NO_NUMBER;
    if (c->entry) c->entry->expires = seconds > 0 ? nido_after(NIDO_SEC(seconds)) : 0;
    return say_number(c, ':', c->entry != NULL);
}

static const char *do_ttl(struct client *c)
{
    if (!c->entry || c->entry->expires == NIDO_NEVER) return say_number(c, ':', c->entry ? -1 : -2);
    return say_number(c, ':', (c->entry->expires - nido_now() + NIDO_MS(500)) / NIDO_SEC(1));
}

static const char *do_push(struct client *c)
{
    bool right = !strcasecmp(c->words[0]->bytes, "RPUSH");
    struct entry *entry = c->entry ? c->entry : entry_make(&c->words[1]);
    if (!entry) return NO_MEMORY;
    for (size_t i = 2; i < c->count; i++) {
        list_push(&entry->list, right, c->words[i]);
        c->words[i] = NULL;
    }
    return say_number(c, ':', entry->list.count);
}

static const char *do_pop(struct client *c)
{
    if (!c->entry) return say_text(c, NULL);
    struct text *text = list_pop(&c->entry->list, !strcasecmp(c->words[0]->bytes, "RPOP"));
    say_text(c, text);
    free(text);
    if (c->entry->list.count == 0) entry_remove(entry_find(c->words[1]));
    return NULL;
}

static const char *do_llen(struct client *c)
{
    return say_number(c, ':', c->entry ? c->entry->list.count : 0);
}

static const char *do_lrange(struct client *c)
{
    int64_t first, last, count = c->entry ? c->entry->list.count : 0;
    if (!number_of(c->words[2]->bytes, &first) || !number_of(c->words[3]->bytes, &last))
        return NO_NUMBER;
    if (first < 0 && (first += count) < 0) first = 0;
    if (last < 0) last += count;
    if (last >= count) last = count - 1;
    if (first > last) return "*0\r\n";
    say_number(c, '*', last - first + 1);
    const struct text *text = c->entry->list.end[0];
    for (int64_t i = 0; i <= last; i++, text = text->beside[1])
        if (i >= first) say_text(c, text);
    return NULL;
}

enum kind { ANY, KEY, TEXT, LIST };

/* Sorted by name. `words` with the name; < 0: at least so many. */
static const struct command {
    const char *name;
    int words;
    enum kind kind; /* of words[1]: a key, of a text, of a list; ANY: it is not looked up */
    const char *(*run)(struct client *c);
} table[] = {
    {"COMMAND", -1, ANY, do_empty}, {"CONFIG", -2, ANY, do_empty}, {"DECR", 2, TEXT, do_incr},
    {"DEL", -2, ANY, do_del},       {"ECHO", 2, ANY, do_ping},     {"EXISTS", -2, ANY, do_del},
    {"EXPIRE", 3, KEY, do_expire},  {"FLUSHALL", -1, ANY, do_ok},  {"GET", 2, TEXT, do_get},
    {"INCR", 2, TEXT, do_incr},     {"INCRBY", 3, TEXT, do_incr},  {"INFO", -1, ANY, do_info},
    {"LLEN", 2, LIST, do_llen},     {"LPOP", 2, LIST, do_pop},     {"LPUSH", -3, LIST, do_push},
    {"LRANGE", 4, LIST, do_lrange}, {"MGET", -2, ANY, do_mget},    {"MSET", -3, ANY, do_set},
    {"PING", -1, ANY, do_ping},     {"QUIT", -1, ANY, do_ok},      {"RPOP", 2, LIST, do_pop},
    {"RPUSH", -3, LIST, do_push},   {"SELECT", 2, ANY, do_ok},     {"SET", 3, ANY, do_set},
    {"TTL", 2, KEY, do_ttl},
};

static int compare_name(const void *name, const void *command)
{
    return strcasecmp(name, ((const struct command *)command)->name);
}

static const char *run_command(struct client *c)
{
    const char *name = c->words[0]->bytes;
    const struct command *command =
        bsearch(name, table, sizeof table / sizeof *table, sizeof *table, compare_name);
    int count = (int)c->count;
    commands++;
    if (!command) return "-ERR unknown command\r\n";
    if (command->words < 0 ? count < -command->words : count != command->words)
        return "-ERR wrong number of arguments\r\n";
    c->entry = command->kind == ANY ? NULL : *entry_find(c->words[1]);
    if (c->entry && command->kind > KEY && (command->kind == TEXT) != (c->entry->text != NULL))
        return "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
    return command->run(c);
}

/* ---- Requests ---- */

static int refuse(struct client *c, const char *why)
{
    int rc = nido_stream_printf(c->stream, "-ERR Protocol error: %s\r\n", why);
    return rc < 0 ? rc : 0;
}

static int read_inline(struct client *c, char *line)
{
    char *rest = NULL;
    for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        if (c->count == MOST_WORDS) return refuse(c, "too many words");
        if (!(c->words[c->count] = text_new(word, strlen(word)))) return -ENOMEM;
        c->count++;
    }
    return 1;
}

/* "$3", the end of a line, three bytes and the end of a line. */
static int read_word(struct client *c, int64_t *left)
{
    char *line;
    size_t length;
    int64_t size;
    int rc = nido_stream_line(c->stream, &line, &length);
    if (rc <= 0) return rc;
    if (line[0] != '$') return refuse(c, "expected '$'");
    if (!number_of(line + 1, &size) || size < 0 || size > *left)
        return refuse(c, "invalid bulk length");
    *left -= size;
    struct text *text = c->words[c->count] = text_new(NULL, (size_t)size);
    if (!text) return -ENOMEM;
    c->count++;
    rc = nido_stream_read_full(c->stream, text->bytes, text->length + 2, NULL);
    text->bytes[text->length] = 0;
    return rc < 0 ? rc : 1;
}

/* The words of the next request. 1; 0: the end, also after a refusal. */
static int read_request(struct client *c)
{
    char *line;
    size_t length;
    int64_t count, left = LONGEST_REQUEST;
    int rc = nido_stream_line(c->stream, &line, &length);
    if (rc == -EMSGSIZE) return refuse(c, "too big inline request");
    if (rc <= 0) return rc;
    if (line[0] != '*') return read_inline(c, line);
    if (!number_of(line + 1, &count) || count > MOST_WORDS)
        return refuse(c, "invalid multibulk length");
    while ((int64_t)c->count < count && rc > 0) rc = read_word(c, &left);
    return rc;
}

/* ---- The server ---- */

static int answer(struct client *c)
{
    const char *line = run_command(c);
    if (line) say(c, line);
    int rc = c->no_memory ? -ENOMEM : nido_stream_write(c->stream, c->answer, c->length, NULL);
    c->length = 0;
    if (c->room > LONGEST_KEPT) free(c->answer), c->answer = NULL, c->room = 0;
    return rc < 0 ? rc : !c->quits;
}

static int serve_client(nido_stream *stream, void *unused)
{
    struct client c; /* no initialiser: it would write all the words */
    int rc = 1;
    (void)unused;
    memset(&c, 0, offsetof(struct client, words));
    c.stream = stream;
    clients++;
    while (rc > 0) {
        rc = nido_stream_wait(stream);
        if (rc > 0) rc = read_request(&c);
        if (rc > 0 && c.count > 0) rc = answer(&c);
        while (c.count > 0) free(c.words[--c.count]);
    }
    clients--;
    free(c.answer);
    return rc;
}

static int too_many(nido_stream *stream, void *unused)
{
    (void)unused;
    return nido_stream_printf(stream, "-ERR max number of clients reached\r\n");
}

/* PORT [HOST [CLIENTS]], up to a NULL. */
static int app(void *arg)
{
    char **args = arg, *host = args[1] ? args[1] : "127.0.0.1";
    uint32_t limit = args[1] && args[2] ? (uint32_t)strtoul(args[2], NULL, 10) : 10000;
    struct sockaddr_in address = {0};
    socklen_t length = sizeof address;
    int fd = nido_listen(host, args[0], NULL);
    if (fd < 0) return fd; /* nido_listen has kept a text that says where and why */
    if (getsockname(fd, (void *)&address, &length) == 0 && address.sin_family == AF_INET)
        printf("listening on port %d\n", ntohs(address.sin_port));
    /* The limits are inside a request, and of a reader that is slow. */
    const nido_stream_options *limits =
        &NIDO_STREAM_OPTIONS(.read_ns = NIDO_SEC(30), .write_ns = NIDO_SEC(30));
    int rc = nido_serve(fd, serve_client, NULL,
                        &NIDO_SERVE_OPTIONS(.limit = limit, .busy = too_many, .stream = limits));
    table_clear();
    return rc;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 4) {
        fprintf(stderr, "usage: %s PORT [HOST [CLIENTS]]\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* The port is to be seen at once, through a pipe too. */
    int rc = nido_run(app, argv + 1, NULL);
    if (rc > 0) printf("stopped: %d clients were cut\n", rc);
    return nido_exit_status(rc);
}
