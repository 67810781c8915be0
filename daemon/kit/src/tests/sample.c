/* A plugin that keeps to everything, and one flaw for each check, chosen by a -D flag. Its signature is
 * a checksum over secret and body: enough for a test, nothing for the world. */
#define _GNU_SOURCE /* memmem */
#include "trunkline_plugin.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef MAGIC
#define MAGIC TL_MAGIC
#endif
#ifndef NOTE_VERSION
#define NOTE_VERSION "1.0.0"
#endif
#ifndef CAPABILITIES
#define CAPABILITIES "\"receive\",\"send\""
#endif
#ifndef CLOSED
#define CLOSED ",\"additionalProperties\":false"
#endif
#ifndef TEXT
#define TEXT "hello"
#endif
#ifndef GENUINE
#define GENUINE(right, body) (right)
#endif
#ifndef ON_RECEIVE
#define ON_RECEIVE
#endif
#ifndef RESTARTED
#define RESTARTED                                                                                  \
    "{\"step\":\"fail\",\"error\":{\"class\":\"ambiguous\",\"code\":\"restarted\","                \
    "\"message\":\"The daemon restarted before the answer came.\"}}"
#endif
#ifndef UNKNOWN
#define UNKNOWN TL_UNSUPPORTED
#endif
#ifndef KNOWS_HOST
#define KNOWS_HOST(size) ((size) >= sizeof(tl_host))
#endif

TL_NOTE("sample", NOTE_VERSION);

struct tl_handle {
    const tl_host *host;
    char secret[32];
};

static int32_t put(const tl_sink *out, int32_t code, const char *text)
{
    tl_put_part(out, text, strlen(text));
    return code;
}

static int has(tl_bytes bytes, const char *text)
{
    return bytes.len > 0 && memmem(bytes.ptr, bytes.len, text, strlen(text)) != NULL;
}

static int32_t describe(const tl_sink *out)
{
    return put(out, TL_OK,
               "{\"id\":\"sample\",\"version\":\"1.0.0\",\"name\":\"Sample\",\"media\":[\"webhook\"],"
               "\"capabilities\":[" CAPABILITIES "],\"config_schema\":{\"type\":\"object\","
               "\"required\":[\"secret\"],\"properties\":{\"secret\":{\"type\":\"string\","
               "\"x-secret\":true,\"description\":\"Signs.\"},\"broken\":{\"type\":\"boolean\","
               "\"description\":\"Refuses to open.\"}}" CLOSED "}}");
}

static int32_t open_channel(const tl_host *host, tl_bytes config, tl_handle **handle,
                            const tl_sink *out)
{
    static const char key[] = "\"secret\":\"";
    const char *found, *end;
    if (!KNOWS_HOST(host->struct_size))
        return put(out, TL_BAD_INPUT, "tl_host has another size");
    found = memmem(config.ptr, config.len, key, sizeof key - 1);
    end = found ? memchr(found + sizeof key - 1, '"', 40) : NULL;
    if (!end || end - found > 40 || has(config, "\"broken\":true"))
        return put(out, TL_ERROR, "{\"class\":\"config\",\"code\":\"no_secret\",\"message\":"
                                  "\"There is no secret: write one of up to 30 characters.\"}");
    *handle = calloc(1, sizeof **handle);
    (*handle)->host = host;
    memcpy((*handle)->secret, found + sizeof key - 1, (size_t)(end - found) - (sizeof key - 1));
    return put(out, TL_OK, "{\"media\":[\"webhook\"],\"space\":\"webhook\",\"can_receive\":true,"
                           "\"can_send\":true}");
}

/* FNV-1a over secret and body, in hex. */
static void sign(const char *secret, tl_bytes body, char hex[17])
{
    unsigned long hash = 0xcbf29ce484222325ul;
    size_t i;
    for (; *secret; secret++)
        hash = (hash ^ (unsigned char)*secret) * 0x100000001b3ul;
    for (i = 0; i < body.len; i++)
        hash = (hash ^ body.ptr[i]) * 0x100000001b3ul;
    snprintf(hex, 17, "%016lx", hash);
}

static int32_t receive(tl_handle *handle, tl_bytes input, tl_bytes body, const tl_sink *out)
{
    char header[40] = "[\"x-signature\",\"", answer[512];
    int blanks = 0;
    sign(handle->secret, body, header + 16);
    (void)handle->host, (void)input;
    ON_RECEIVE;
    if (!GENUINE(has(input, header), body))
        return put(out, TL_OK, "{\"verdict\":\"mismatch\",\"reason\":\"x-signature is wrong\","
                               "\"response\":{\"status\":401}}");
    snprintf(answer, sizeof answer,
             "{\"verdict\":\"authentic\",\"response\":{\"status\":200},\"events\":[{\"type\":\"message\","
             "\"id\":\"%zu\",\"sender\":{\"space\":\"webhook\",\"identifier\":\"ada\"},"
             "\"content\":{\"text\":\"" TEXT "\"}}]%*s}",
             body.len, blanks, "");
    return put(out, TL_OK, answer);
}

static int32_t send_message(tl_bytes input, const tl_sink *out)
{
    static const char call[] =
        "{\"step\":\"call\",\"cursor\":\"asked\",\"request\":{\"transport\":\"http\",\"method\":\"POST\","
        "\"url\":\"https://api.example.org/send\",\"body\":{\"from\":\"bytes\"}}}";
    if (has(input, "\"status\":202"))
        return put(out, TL_OK, "{\"step\":\"done\",\"result\":{\"external_id\":\"M1\"}}");
    if (has(input, "\"reply\":"))
        return put(out, TL_OK, "{\"step\":\"fail\",\"error\":{\"class\":\"bug\",\"code\":\"odd\","
                               "\"message\":\"The provider answered something odd.\"}}");
    if (has(input, "\"cursor\":\"asked\"") && strlen(RESTARTED) > 0)
        return put(out, TL_OK, RESTARTED);
    put(out, TL_OK, call);
    return put(out, TL_OK, "hello");
}

static int32_t call(tl_handle *handle, uint32_t op, const tl_bytes *parts, size_t n, const tl_sink *out)
{
    tl_bytes none = {NULL, 0};
    if (op != TL_OP_RECEIVE && op != TL_OP_SEND)
        return UNKNOWN;
    if (n == 0 || parts[0].len < 2 || parts[0].ptr[0] != '{' || parts[0].ptr[parts[0].len - 1] != '}')
        return put(out, TL_BAD_INPUT, "part 0 is no JSON object");
    if (op == TL_OP_SEND)
        return send_message(parts[0], out);
    return receive(handle, parts[0], n > 1 ? parts[1] : none, out);
}

static void close_channel(tl_handle *handle)
{
    free(handle);
}

static const tl_adapter_v1 table = {
    MAGIC, sizeof(tl_adapter_v1), TL_ABI_MINOR, 0, 0, describe, open_channel, call, close_channel,
};

#ifdef EXTRA
int an_extra_symbol(void)
{
    return 1;
}
#endif

const tl_adapter_v1 *tl_adapter_entry_v1(void)
{
    return &table;
}
