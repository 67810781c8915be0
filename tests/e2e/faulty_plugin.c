/* A plugin that does wrong on request. Everything it receives is authentic; what it does is the
 * body's first word. What is wrong with the file itself is chosen when it is compiled. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "trunkline_plugin.h"

#ifdef FAULTY_SECOND
#define FAULTY_VERSION "0.2.0"
#define FAULTY_CALLS "[\"receive\",\"probe\",\"fetch_media\"]"
#define FAULTY_SECTION "{\"type\":\"object\",\"properties\":{\"depth\":{\"type\":\"integer\"}}}"
#else
#define FAULTY_VERSION "0.1.0"
#define FAULTY_CALLS "[\"receive\",\"probe\"]"
#define FAULTY_SECTION "{\"type\":\"object\"}"
#endif

#ifndef FAULTY_NO_NOTE
TL_NOTE(FAULTY_ID, FAULTY_VERSION);
#endif

static int handle;

static int32_t put(const tl_sink *out, int32_t code, const char *text)
{
    tl_put_part(out, text, strlen(text));
    return code;
}

#ifdef FAULTY_CONSTRUCTOR
__attribute__((constructor)) static void loaded(void)
{
    abort();
}
#endif

static int32_t describe(const tl_sink *out)
{
#ifdef FAULTY_DESCRIPTION
    return put(out, TL_OK, "not JSON at all");
#else
    return put(out, TL_OK,
        "{\"id\":\"" FAULTY_ID "\",\"version\":\"" FAULTY_VERSION "\",\"name\":\"Faulty\","
        "\"media\":[\"webhook\"],\"capabilities\":" FAULTY_CALLS ",\"config_schema\":" FAULTY_SECTION "}");
#endif
}

static int32_t open_channel(const tl_host *host, tl_bytes config, tl_handle **out_handle,
                            const tl_sink *out)
{
    (void)host;
    (void)config;
#ifdef FAULTY_OPEN
    for (;;)
        pause();
#endif
#ifdef FAULTY_REFUSES
    return put(out, TL_ERROR,
        "{\"class\":\"config\",\"code\":\"config\",\"message\":\"no section is good enough\"}");
#endif
    *out_handle = (tl_handle *)&handle;
    return put(out, TL_OK,
        "{\"media\":[\"webhook\"],\"space\":\"faulty\",\"can_receive\":true,\"can_send\":true}");
}

static int is(tl_bytes body, const char *word)
{
    size_t len = strlen(word);
    return body.len >= len && memcmp(body.ptr, word, len) == 0;
}

/* A part of 1 GB that is really written, whatever the sink says. */
static int32_t flood(const tl_sink *out)
{
    static uint8_t head[8] = {0, 0, 0, 64}, block[1 << 20];
    int i;
    memset(block, ' ', sizeof block);
    out->write(out->ctx, head, sizeof head);
    for (i = 0; i < 1024; i++)
        out->write(out->ctx, block, sizeof block);
    return TL_OK;
}

/* Deeper than any stack; volatile, so that no compiler makes a loop of it. */
static int overflow(volatile int depth)
{
    volatile char block[4096];
    block[0] = (char)depth;
    return depth == 0 ? 0 : overflow(depth - 1) + block[0];
}

/* Does not return from what ends the process. */
static void end(tl_bytes body)
{
    static volatile int turns;
    if (is(body, "exit"))
        exit(0);
    if (is(body, "socket"))
        socket(AF_INET, SOCK_STREAM, 0);
    if (is(body, "file"))
        open("/etc/hostname", O_RDONLY);
    if (is(body, "abort"))
        abort();
    if (is(body, "overflow"))
        overflow(1 << 30);
    if (is(body, "loop"))
        for (;;)
            turns++;
}

static int32_t receive(tl_bytes body, const tl_sink *out)
{
    char json[512] = "{\"verdict\":\"authentic\",\"response\":{\"status\":200},\"events\":["
                     "{\"type\":\"message\",\"id\":\"";
    size_t len = body.len < 64 ? body.len : 64;
    end(body);
    if (is(body, "flood"))
        return flood(out);
    if (is(body, "hang"))
        for (;;)
            pause();
    if (is(body, "panic"))
        return put(out, TL_PANIC, "told to panic");
    if (is(body, "garbage"))
        return put(out, TL_OK, "{\"verdict\":7");
    if (is(body, "code"))
        return put(out, 77, "no such return code");
    if (is(body, "nothing"))
        return TL_OK;
    if (is(body, "halfpart"))
        return out->write(out->ctx, (const uint8_t *)"\xff\xff\xff", 3) == 0 ? TL_OK : TL_ERROR;
    strncat(json, (const char *)body.ptr, len);
    strcat(json, "\",\"sender\":{\"space\":\"faulty\",\"identifier\":\"ada\"},"
                 "\"content\":{\"text\":\"");
    strncat(json, (const char *)body.ptr, len);
    strcat(json, "\"}}]}");
    return put(out, TL_OK, json);
}

static int32_t call(tl_handle *channel, uint32_t op, const tl_bytes *parts, size_t n,
                    const tl_sink *out)
{
    tl_bytes empty = {0};
    (void)channel;
#ifdef FAULTY_PROBE
    if (op == TL_OP_PROBE)
        return put(out, TL_PANIC, "the probe panics");
#endif
    if (op == TL_OP_PROBE)
        return put(out, TL_OK, "{\"step\":\"done\",\"result\":{\"state\":\"healthy\"}}");
    if (op != TL_OP_RECEIVE)
        return TL_UNSUPPORTED;
    return receive(n > 1 ? parts[1] : empty, out);
}

static void close_channel(tl_handle *channel)
{
    (void)channel;
#ifdef FAULTY_CLOSE
    for (;;)
        pause();
#endif
}

#ifdef FAULTY_MAGIC
#define MAGIC 42
#else
#define MAGIC TL_MAGIC
#endif

#ifdef FAULTY_SIZE
#define SIZE 16
#else
#define SIZE sizeof(tl_adapter_v1)
#endif

static const tl_adapter_v1 table = {MAGIC,    SIZE,         TL_ABI_MINOR, 0, 0,
                                    describe, open_channel, call,         close_channel};

#ifndef FAULTY_ENTRY
#define FAULTY_ENTRY tl_adapter_entry_v1
#endif

TL_EXPORT const tl_adapter_v1 *FAULTY_ENTRY(void);

const tl_adapter_v1 *FAULTY_ENTRY(void)
{
    return &table;
}
