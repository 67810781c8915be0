/* A plugin that loads, and whose calls each do something wrong. The compiler's -D flags make it
 * wrong in other places: -DIN_CALL=... and the like are statements that run there. */
#define _GNU_SOURCE /* memmem */
#include "trunkline_plugin.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef ID
#define ID "bad"
#endif
#ifndef MANIFEST_ID
#define MANIFEST_ID ID
#endif
#ifndef MAGIC
#define MAGIC TL_MAGIC
#endif
#ifndef SIZE
#define SIZE sizeof(tl_adapter_v1)
#endif
#ifndef CALL
#define CALL call
#endif
#ifndef MANIFEST
#define MANIFEST                                                                                   \
    "{\"id\":\"" MANIFEST_ID "\",\"version\":\"1.0.0\",\"name\":\"Bad\",\"media\":[\"webhook\"],"  \
    "\"capabilities\":[\"receive\",\"fly\"],\"config_schema\":{},\"later\":1}"
#endif

#ifndef NO_NOTE
TL_NOTE(ID, "1.0.0");
#endif

#ifndef IN_CALL
#define IN_CALL
#endif
#ifndef IN_DESCRIBE
#define IN_DESCRIBE
#endif

#ifdef IN_LOAD
__attribute__((constructor)) static void load(void)
{
    IN_LOAD;
}
#endif

struct tl_handle {
    const tl_host *host;
};

static int32_t put(const tl_sink *out, int32_t code, const char *text)
{
    tl_put_part(out, text, strlen(text));
    return code;
}

#ifdef CRASH_IN_CONSTRUCTOR
__attribute__((constructor)) static void loaded(void)
{
    abort();
}
#endif

static int32_t describe(const tl_sink *out)
{
#ifdef CRASH_IN_DESCRIBE
    abort();
#endif
    IN_DESCRIBE;
    return put(out, TL_OK, MANIFEST);
}

static int32_t open_channel(const tl_host *host, tl_bytes config, tl_handle **handle,
                            const tl_sink *out)
{
    if (config.len > 0 && memmem(config.ptr, config.len, "no handle", 9) == NULL) {
        *handle = malloc(sizeof **handle);
        (*handle)->host = host;
    }
    return put(out, TL_OK, "{\"media\":[\"webhook\"],\"space\":\"webhook\",\"can_receive\":true,"
                           "\"can_send\":true,\"later\":{}}");
}

/* Part 0 of a size, in small pieces, without looking at what the sink says. */
static void flood(const tl_sink *out)
{
    uint8_t head[8] = {0, 0, 0, 0, 1}, block[4096];
    long i;
    memset(block, ' ', sizeof block);
    out->write(out->ctx, head, sizeof head);
    for (i = 0; i < 100000; i++)
        out->write(out->ctx, block, sizeof block);
}

static inline int32_t call(tl_handle *handle, uint32_t op, const tl_bytes *parts, size_t n,
                           const tl_sink *out)
{
    static const char long_line[5000] = {'x', '\n', '\xff'};
    tl_bytes target = {(const uint8_t *)"bad", 3}, line = {(const uint8_t *)long_line, 5000};
    (void)parts, (void)n;
    IN_CALL;
    switch (op) {
    case TL_OP_RECEIVE:
        return put(out, TL_OK, "{\"verdict\":\"authentic\"");
    case TL_OP_SEND:
        flood(out);
        return TL_OK;
    case TL_OP_PROBE:
        return 77;
    case TL_OP_DELIVERY_STATUS:
        handle->host->log(handle->host->ctx, 99, target, line);
        return put(out, TL_PANIC, "last\nwords");
    case TL_OP_FIND_SENT:
        out->write(out->ctx, (const uint8_t *)"\xff\0\0\0\0\0\0\0{}", 10);
        return TL_OK;
    case TL_OP_LIST_INBOUND:
        return TL_OK;
    case TL_OP_TEMPLATES:
        return TL_UNSUPPORTED;
    case TL_OP_FETCH_MEDIA:
        return put(out, TL_BAD_INPUT, "what?");
    default:
        out->write(out->ctx, NULL, 5);
        return TL_ERROR;
    }
}

static void *abort_in_thread(void *unused)
{
    (void)unused;
    abort();
}

/* Far more than any stack holds; volatile, so that no compiler makes a loop of it. */
static int overflow(volatile int depth)
{
    volatile char block[4096];
    block[0] = (char)depth;
    return depth == 0 ? 0 : overflow(depth - 1) + block[0];
}

/* Ends the process in the way that the body names. */
static inline int32_t crash(tl_handle *handle, uint32_t op, const tl_bytes *parts, size_t n,
                            const tl_sink *out)
{
    char how = n > 1 && parts[1].len > 0 ? (char)parts[1].ptr[0] : 0;
    pthread_t thread;
    (void)handle, (void)op;
    if (how == 'a') /* abort */
        abort();
    if (how == 's') /* segmentation fault */
        *(volatile int *)8 = 1;
    if (how == 'o') /* overflow */
        overflow(1 << 30);
    if (how == 'i') /* illegal instruction */
        __builtin_trap();
    if (how == 'e') /* exit */
        exit(0);
    if (how == 'p') /* pause */
        for (;;)
            pause();
    if (how == 't' && pthread_create(&thread, NULL, abort_in_thread, NULL) == 0) /* thread */
        pthread_join(thread, NULL);
    return put(out, TL_OK, "{\"verdict\":\"authentic\",\"response\":{\"status\":200},\"events\":[]}");
}

static void close_channel(tl_handle *handle)
{
#ifdef CRASH_IN_CLOSE
    abort();
#endif
    free(handle);
}

static const tl_adapter_v1 table = {
    MAGIC, SIZE, TL_ABI_MINOR, 0, 0, describe, open_channel, CALL, close_channel,
};

const tl_adapter_v1 *tl_adapter_entry_v1(void)
{
#ifdef NO_TABLE
    (void)table;
    return NULL;
#else
    return &table;
#endif
}
