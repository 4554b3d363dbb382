/* SPDX-License-Identifier: MIT */
/* stream/buffer.c: the memory of the buffers. A stream that waits between two requests has none, so
 * buffers come and go with every request; a runtime keeps some of the usual size. */
#include <string.h>

#include "base/mem.h"
#include "stream/stream.h"

enum { USUAL = 16 << 10, MOST_KEPT = 32 };

struct buffer_store {
    struct nidoi_extension extension;
    unsigned count;
    char *buffers[MOST_KEPT];
};

static struct buffer_store *store_of(struct nidoi_loop *loop)
{
    struct nidoi_extension *extension = loop->extensions[NIDOI_EXTENSION_STREAMS];

    return extension ? nidoi_container(extension, struct buffer_store, extension) : NULL;
}

static void store_end(struct nidoi_loop *loop, struct nidoi_extension *extension)
{
    struct buffer_store *store = nidoi_container(extension, struct buffer_store, extension);

    (void)loop;
    while (store->count) nidoi_mem.release(store->buffers[--store->count]);
    nidoi_mem.release(store);
}

static struct buffer_store *store_make(struct nidoi_loop *loop)
{
    struct buffer_store *store = nidoi_mem_zeroed(sizeof *store);

    if (!store) return NULL;
    store->extension.end = store_end;
    loop->extensions[NIDOI_EXTENSION_STREAMS] = &store->extension;
    return store;
}

/* One byte more than `size`: for the 0 behind a line or a text. */
static char *buffer_new(size_t size)
{
    struct buffer_store *store = store_of(nidoi_loop_self());

    if (size == USUAL && store && store->count) return store->buffers[--store->count];
    return nidoi_mem.alloc(size + 1);
}

static void buffer_free(char *buffer, size_t size)
{
    struct nidoi_loop *loop = nidoi_loop_self();
    struct buffer_store *store;

    if (size == USUAL && loop) {
        store = store_of(loop);
        if (!store) store = store_make(loop);
        if (store && store->count < MOST_KEPT) {
            store->buffers[store->count++] = buffer;
            return;
        }
    }
    nidoi_mem.release(buffer);
}

/* ---- Of one stream ---- */

/* Makes the bytes of [at, end) the first of a buffer. */
static void buffer_compact(char *buffer, size_t *at, size_t *end)
{
    if (*at && *end > *at) memmove(buffer, buffer + *at, *end - *at);
    *end -= *at;
    *at = 0;
}

/* Its bytes begin at 0. */
static int buffer_grow(char **buffer, size_t *room, size_t want)
{
    size_t size = *room;
    char *larger;

    while (size < want) size = size < SIZE_MAX / 4 ? 2 * size : want;
    larger = nidoi_mem.resize(*buffer, size + 1);
    if (!larger) return -ENOMEM;
    *buffer = larger;
    *room = size;
    return 0;
}

static int buffer_provide(char **buffer, size_t *room, size_t size)
{
    if (*buffer) return 0;
    *buffer = buffer_new(size);
    if (!*buffer) return -ENOMEM;
    *room = size;
    return 0;
}

int nidoi_stream_room_in(nido_stream *stream, size_t want)
{
    int err = buffer_provide(&stream->in, &stream->in_room, stream->buffer_size);

    if (err) return err;
    if (stream->in_at == stream->in_end) stream->in_at = stream->in_end = 0;
    if (want <= stream->in_room - stream->in_at) return 0;
    buffer_compact(stream->in, &stream->in_at, &stream->in_end);
    if (want <= stream->in_room) return 0;
    return buffer_grow(&stream->in, &stream->in_room, want);
}

int nidoi_stream_room_out(nido_stream *stream, size_t want)
{
    int err = buffer_provide(&stream->out, &stream->out_room, stream->buffer_size);

    if (err) return err;
    if (want <= stream->out_room - stream->out_end) return 0;
    buffer_compact(stream->out, &stream->out_at, &stream->out_end);
    if (want <= stream->out_room - stream->out_end) return 0;
    return buffer_grow(&stream->out, &stream->out_room, stream->out_end + want);
}

static void stream_free_in(nido_stream *stream)
{
    if (stream->in) buffer_free(stream->in, stream->in_room);
    stream->in = NULL;
    stream->in_at = stream->in_end = stream->in_room = 0;
}

static void stream_free_out(nido_stream *stream)
{
    if (stream->out) buffer_free(stream->out, stream->out_room);
    stream->out = NULL;
    stream->out_at = stream->out_end = stream->out_room = 0;
}

void nidoi_stream_idle(nido_stream *stream)
{
    if (!nidoi_stream_have(stream)) stream_free_in(stream);
    if (!nidoi_stream_pending(stream) && !(stream->flags & NIDOI_STREAM_WRITING))
        stream_free_out(stream);
}

void nidoi_stream_drop(nido_stream *stream)
{
    stream_free_in(stream);
    stream_free_out(stream);
}
