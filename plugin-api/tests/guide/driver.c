/* Calls the guide's plugin in C as the daemon does. Compiled together with it; exits 0 where all holds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trunkline_plugin.h"

static char written[4096];
static size_t written_len;

static int32_t take(void *ctx, const uint8_t *ptr, size_t len)
{
    (void)ctx;
    if (len > sizeof written - 1 - written_len)
        return 1;
    memcpy(written + written_len, ptr, len);
    written_len += len;
    written[written_len] = '\0';
    return 0;
}

static const tl_sink sink = {NULL, take};

static void must(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "%s does not hold; the output is: %.*s\n", what, (int)written_len, written + 8);
    exit(1);
}

/* The output is one part of this text. */
static int said(const char *part)
{
    size_t len = 0;
    int i;
    if (written_len < 8)
        return 0;
    for (i = 7; i >= 0; i--)
        len = len << 8 | (unsigned char)written[i];
    return len == written_len - 8 && strstr(written + 8, part) != NULL;
}

static void quiet(void *ctx, uint32_t level, tl_bytes target, tl_bytes message)
{
    (void)ctx, (void)level, (void)target, (void)message;
}

int main(void)
{
    const tl_adapter_v1 *table = tl_adapter_entry_v1();
    tl_host host = {sizeof host, TL_ABI_MINOR, NULL, quiet}, old = {8, 0, NULL, quiet};
    const char *config = "{\"context\":{\"channel\":\"c\"},\"config\":{}}";
    tl_bytes input = {(const uint8_t *)config, strlen(config)}, none = {NULL, 0};
    tl_bytes request = {(const uint8_t *)"{}", 2};
    tl_handle *handle = NULL;
    must(table->magic == TL_MAGIC && table->struct_size == sizeof *table, "the table");
    must(table->describe(&sink) == TL_OK && said("\"id\":\"smallest\""), "describe");
    written_len = 0;
    must(table->open(&old, input, &handle, &sink) == TL_BAD_INPUT && handle == NULL, "an old host");
    written_len = 0;
    must(table->open(&host, input, &handle, &sink) == TL_OK && said("\"space\":\"webhook\""), "open");
    written_len = 0;
    must(table->call(handle, TL_OP_RECEIVE, &request, 1, &sink) == TL_OK && said("no_secret"), "receive");
    written_len = 0;
    must(table->call(handle, TL_OP_RECEIVE, &none, 1, &sink) == TL_BAD_INPUT, "no input");
    must(table->call(handle, TL_OP_SEND, &request, 1, &sink) == TL_UNSUPPORTED, "send");
    table->close(handle);
    return 0;
}
