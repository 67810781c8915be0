/* The interface between Trunkline and its plugins, version 1.
 *
 * A plugin is a shared library that exports one function, tl_adapter_entry_v1, and carries one
 * note, TL_NOTE. It speaks one provider's protocol and nothing else: every call is a pure function
 * of its inputs. It opens no socket and no file, starts no thread, reads no clock, and keeps no
 * state between calls. The author's guide (README.md beside this folder) gives every JSON shape.
 *
 * Rules
 * - Inputs belong to the host and are valid until the function returns. Text is UTF-8 without NUL
 *   at its end. ptr may be NULL where len is 0.
 * - Results are written into the sink, from the thread of the call, before it returns. No memory
 *   of the plugin ever reaches the host, and none of the host's is freed by the plugin.
 * - call() may run on several threads at once on one handle. close() comes once, after all calls.
 * - Nothing may unwind or longjmp across these functions.
 * - A field of a struct may be read only if struct_size covers it. Fields are only ever added at
 *   the end, numbers are never used again for something else, unknown JSON members are ignored.
 */
#ifndef TRUNKLINE_PLUGIN_H
#define TRUNKLINE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

/* glibc's headers make attributes vanish for compilers that are not GNU C. tcc knows those used here. */
#if defined(__TINYC__) && defined(__attribute__)
#undef __attribute__
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define TL_ABI_MAJOR 1u
#define TL_ABI_MINOR 0u

/* "TLADAPT1" as a little-endian number: the first field of the table. */
#define TL_MAGIC UINT64_C(0x3154504144414C54)

/* What describe, open and call return, and what part 0 of the output then is. */
enum {
    TL_OK = 0,          /* JSON of the result */
    TL_ERROR = 1,       /* JSON of an AdapterError */
    TL_UNSUPPORTED = 2, /* nothing: there is no such call */
    TL_BAD_INPUT = 3,   /* plain text: why the input can't be read */
    TL_PANIC = 4        /* plain text: what went wrong; the host gives the handle up and opens anew */
};

/* The calls: input part 0 -> output part 0. Steps are explained in the guide. */
enum {
    TL_OP_RECEIVE = 1,         /* WebhookRequest                -> Received */
    TL_OP_SEND = 2,            /* {"message", "turn"}           -> Step of Receipt */
    TL_OP_PROBE = 3,           /* {"turn"}                      -> Step of Probe */
    TL_OP_DELIVERY_STATUS = 4, /* {"sent", "turn"}              -> Step of [StatusReport] */
    TL_OP_FIND_SENT = 5,       /* {"message", "turn"}           -> Step of Lookup */
    TL_OP_LIST_INBOUND = 6,    /* {"since_ms", "turn"}          -> Step of [Event] */
    TL_OP_TEMPLATES = 7,       /* {"turn"}                      -> Step of [Template] */
    TL_OP_FETCH_MEDIA = 8,     /* {"media", "turn"}             -> Step of Media */
    TL_OP_MARK_READ = 9,       /* {"message", "turn"}           -> Step of null */
    TL_OP_COMPLETE = 10        /* {"follow_up", "turn"}         -> Step of [Event] */
};

/* Levels of log lines. */
enum { TL_LOG_ERROR = 1, TL_LOG_WARN = 2, TL_LOG_INFO = 3, TL_LOG_DEBUG = 4, TL_LOG_TRACE = 5 };

typedef struct {
    const uint8_t *ptr;
    size_t len;
} tl_bytes;

/* Where output goes. write returns 0, or anything else where the host takes no more: then return.
 * Output is a sequence of parts, each behind its length (tl_put_part does it). */
typedef struct {
    void *ctx;
    int32_t (*write)(void *ctx, const uint8_t *ptr, size_t len);
} tl_sink;

/* What the host offers; valid until close, or until open returns TL_ERROR to TL_BAD_INPUT. */
typedef struct {
    uint32_t struct_size; /* bytes; less than sizeof of this one: return TL_BAD_INPUT */
    uint32_t abi_minor;
    void *ctx;
    /* Writes a line into the daemon's log, with the channel's name. Only during open and call.
     * Never give it a secret or the text of a message. */
    void (*log)(void *ctx, uint32_t level, tl_bytes target, tl_bytes message);
} tl_host;

/* An opened channel. The plugin alone knows what is in it. */
typedef struct tl_handle tl_handle;

typedef struct {
    uint64_t magic;       /* TL_MAGIC */
    uint32_t struct_size; /* sizeof(tl_adapter_v1) */
    uint32_t abi_minor;   /* TL_ABI_MINOR */
    uint64_t flags;       /* 0 */
    uint64_t reserved;    /* 0 */

    /* Writes the Manifest. */
    int32_t (*describe)(const tl_sink *out);

    /* Opens a channel. config is {"context": OpenContext, "config": {...}} as plain JSON, without
     * a length before it; the section's secrets are resolved. On TL_OK *handle is set and the
     * output is Facts. */
    int32_t (*open)(const tl_host *host, tl_bytes config, tl_handle **handle, const tl_sink *out);

    /* Runs one call. parts[0] is JSON; parts[1], where there is one, the bytes of a body: the
     * webhook's for TL_OP_RECEIVE, else those of the reply in the turn. Ignore later parts. */
    int32_t (*call)(tl_handle *handle, uint32_t op, const tl_bytes *parts, size_t n,
                    const tl_sink *out);

    /* Ends a channel. */
    void (*close)(tl_handle *handle);
} tl_adapter_v1; /* append-only */

#if defined(__GNUC__)
#define TL_EXPORT __attribute__((visibility("default")))
#else
#define TL_EXPORT
#endif

/* The one export. The table must stay valid for ever (make it static). */
TL_EXPORT const tl_adapter_v1 *tl_adapter_entry_v1(void);

/* Writes one part: its length as an unsigned 64-bit little-endian number, then its bytes. Part 0
 * first; part 1 (the response's or the request's body) may be left out where it is empty.
 * Returns 0, or what the sink returned. */
static inline int32_t tl_put_part(const tl_sink *out, const void *ptr, size_t len)
{
    uint8_t head[8];
    int32_t full;
    int i;
    for (i = 0; i < 8; i++)
        head[i] = (uint8_t)((uint64_t)len >> (8 * i));
    full = out->write(out->ctx, head, sizeof head);
    if (full == 0 && len > 0)
        full = out->write(out->ctx, (const uint8_t *)ptr, len);
    return full;
}

/* TL_NOTE("acme", "1.2.0"); once, outside any function. Puts id and version where the daemon reads
 * them before it runs anything. Both must be string literals and equal what the manifest says. The id
 * is 1 to 32 lower-case letters, digits and _; the version at most 64 bytes.
 *
 * It is an ELF note in the section .note.trunkline, its numbers 32 bits in the machine's order:
 *   name size (10), description size, type (1), "Trunkline\0" and 2 bytes of padding,
 *   ABI major, ABI minor, id and NUL, version and NUL, padding to 4 bytes. */
#define TL_NOTE(ID, VERSION)                                                                       \
    __attribute__((section(".note.trunkline"), used, aligned(4))) static const struct {            \
        uint32_t name_size, description_size, type;                                                \
        char name[12];                                                                             \
        uint32_t abi_major, abi_minor;                                                             \
        char texts[sizeof(ID) + sizeof(VERSION)];                                                  \
    } tl_note = {10, 8 + sizeof(ID) + sizeof(VERSION), 1, "Trunkline", TL_ABI_MAJOR, TL_ABI_MINOR, \
                 ID "\0" VERSION}

#ifdef __cplusplus
}
#endif

#endif
