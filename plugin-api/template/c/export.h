/* The table around an adapter's own functions: what `export_adapter!` is in Rust. Included at the end of adapter.c. */
#ifndef EXPORT_H
#define EXPORT_H

static void tl_close(tl_handle *channel)
{
    if (channel == NULL)
        return;
    free(channel->config);
    free(channel->key);
    free(channel);
}

static int32_t tl_open(const tl_host *host, tl_bytes input, tl_handle **handle, const tl_sink *out)
{
    tl_handle *channel;
    json read;
    int32_t code;
    if (host == NULL || host->struct_size < sizeof *host)
        return say(out, TL_BAD_INPUT, "tl_host is missing or too small");
    channel = calloc(1, sizeof *channel);
    if (channel == NULL || (channel->config = malloc(input.len + 1)) == NULL) {
        tl_close(channel);
        return say(out, TL_PANIC, "out of memory");
    }
    if (input.len > 0)
        memcpy(channel->config, input.ptr, input.len); /* inputs are lent: what is kept is copied */
    read = json_parse(channel->config, input.len);
    if (read.ptr == NULL || *read.ptr != '{')
        code = say(out, TL_BAD_INPUT, "the input is not a JSON object");
    else
        code = open_channel(json_get(read, "config"), channel, out);
    if (code == TL_OK)
        *handle = channel;
    else
        tl_close(channel);
    return code;
}

static int32_t tl_call(tl_handle *channel, uint32_t op, const tl_bytes *parts, size_t n, const tl_sink *out)
{
    tl_bytes body = {NULL, 0};
    json input, turn, message;
    if (op != TL_OP_RECEIVE && op != TL_OP_SEND && op != TL_OP_PROBE)
        return TL_UNSUPPORTED;
    if (n == 0)
        return say(out, TL_BAD_INPUT, "part 0 is missing");
    if (n > 1)
        body = parts[1];
    input = json_parse(parts[0].ptr, parts[0].len);
    if (input.ptr == NULL || *input.ptr != '{')
        return say(out, TL_BAD_INPUT, "part 0 is not a JSON object");
    if (op == TL_OP_RECEIVE)
        return receive(channel, input, body, out);
    turn = json_get(input, "turn");
    if (turn.ptr == NULL || *turn.ptr != '{')
        return say(out, TL_BAD_INPUT, "there is no turn");
    if (op == TL_OP_PROBE)
        return probe(channel, turn, out);
    message = json_get(input, "message");
    if (message.ptr == NULL || *message.ptr != '{')
        return say(out, TL_BAD_INPUT, "there is no message");
    return send_message(channel, message, turn, body, out);
}

static const tl_adapter_v1 tl_table = {
    TL_MAGIC, sizeof(tl_adapter_v1), TL_ABI_MINOR, 0, 0, describe, tl_open, tl_call, tl_close,
};

const tl_adapter_v1 *tl_adapter_entry_v1(void)
{
    return &tl_table;
}

#endif
