/* A Trunkline adapter in C: a JSON webhook with a secret in a header comes in, a JSON call with the
 * same secret goes out. Needs nothing but trunkline_plugin.h and the C library.
 *
 *   in    POST {"id":"7","from":"ada","text":"hello"}    with x-example-secret: SECRET
 *   out   POST {"id":"...","to":"ada","text":"hello"}    with x-example-secret: SECRET, to `url`
 */
#include "trunkline_plugin.h"

#include "json.h"

#define ID "example_c"
#define VERSION "0.1.0"

TL_NOTE(ID, VERSION);

struct tl_handle {
    char *config;  /* the text that the values below point into */
    json url;      /* as it is written in JSON; nothing where the channel only receives */
    json secret;   /* as it is written in JSON; nothing where the channel only sends */
    char *secret_text;
    size_t secret_len;
};

/* Writes what is in the buffers as part 0 and part 1, frees them, and returns the code. */
static int32_t finish(const tl_sink *out, int32_t code, buffer *part0, buffer *part1)
{
    int failed = part0->failed || (part1 != NULL && part1->failed);
    if (failed) {
        code = TL_PANIC;
        tl_put_part(out, "out of memory", 13);
    } else if (tl_put_part(out, part0->ptr, part0->len) == 0 && part1 != NULL) {
        tl_put_part(out, part1->ptr, part1->len);
    }
    free(part0->ptr);
    if (part1 != NULL)
        free(part1->ptr);
    return code;
}

static int32_t answer(const tl_sink *out, int32_t code, const char *text)
{
    tl_put_part(out, text, strlen(text));
    return code;
}

static int32_t fail(const tl_sink *out, const char *class, const char *code, const char *message)
{
    buffer step = {0};
    buffer_text(&step, "{\"step\":\"fail\",\"error\":{\"class\":\"");
    buffer_text(&step, class);
    buffer_text(&step, "\",\"code\":\"");
    buffer_text(&step, code);
    buffer_text(&step, "\",\"message\":\"");
    buffer_text(&step, message);
    buffer_text(&step, "\"}}");
    return finish(out, TL_OK, &step, NULL);
}

static int32_t describe(const tl_sink *out)
{
    return answer(out, TL_OK,
        "{\"id\":\"" ID "\",\"version\":\"" VERSION "\",\"name\":\"Example in C\","
        "\"media\":[\"webhook\"],\"capabilities\":[\"receive\",\"send\",\"probe\"],"
        "\"config_schema\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
        "\"url\":{\"type\":\"string\",\"description\":\"Where messages are posted to.\"},"
        "\"secret\":{\"type\":\"string\",\"minLength\":1,\"writeOnly\":true,\"x-secret\":true,"
        "\"description\":\"What x-example-secret must say.\"}}}}");
}

static void close_channel(tl_handle *channel)
{
    if (channel == NULL)
        return;
    free(channel->config);
    free(channel->secret_text);
    free(channel);
}

static int32_t open_channel(const tl_host *host, tl_bytes config, tl_handle **handle,
                            const tl_sink *out)
{
    tl_handle *channel;
    json section;
    buffer facts = {0};
    if (host == NULL || host->struct_size < sizeof *host)
        return answer(out, TL_BAD_INPUT, "tl_host is missing or too small");
    channel = calloc(1, sizeof *channel);
    if (channel == NULL || (channel->config = malloc(config.len + 1)) == NULL) {
        close_channel(channel);
        return answer(out, TL_PANIC, "out of memory");
    }
    memcpy(channel->config, config.ptr, config.len);
    section = json_get(json_parse(channel->config, config.len), "config");
    channel->url = json_get(section, "url");
    channel->secret = json_get(section, "secret");
    channel->secret_text = json_text(channel->secret, &channel->secret_len);
    if ((channel->url.ptr != NULL && !json_is_string(channel->url)) ||
        (channel->secret.ptr != NULL && channel->secret_len == 0)) {
        close_channel(channel);
        return answer(out, TL_ERROR,
            "{\"class\":\"config\",\"code\":\"config_unreadable\","
            "\"message\":\"url and secret are texts, and secret is not empty\"}");
    }
    buffer_text(&facts, "{\"media\":[\"webhook\"],\"space\":\"webhook\",\"can_receive\":");
    buffer_text(&facts, channel->secret.ptr != NULL ? "true" : "false");
    buffer_text(&facts, ",\"can_send\":");
    buffer_text(&facts, channel->url.ptr != NULL ? "true" : "false");
    buffer_text(&facts, ",\"abi_minor\":0,\"features\":[]}");
    *handle = channel;
    return finish(out, TL_OK, &facts, NULL);
}

/* Compares in time that does not depend on where the difference is. */
static int same(const char *left, size_t left_len, const char *right, size_t right_len)
{
    unsigned char difference = 0;
    size_t i;
    if (left_len != right_len)
        return 0;
    for (i = 0; i < left_len; i++)
        difference |= (unsigned char)(left[i] ^ right[i]);
    return difference == 0;
}

/* The value of a header: `headers` is a list of [name, value], names in lower case. */
static json header(json request, const char *name)
{
    json headers = json_get(request, "headers"), pair, key, value, none = {NULL, 0};
    const char *at = NULL, *inside;
    if (headers.ptr == NULL || *headers.ptr != '[')
        return none;
    while (json_next(headers, &at, &none, &pair)) {
        inside = NULL;
        if (*pair.ptr == '[' && json_next(pair, &inside, &none, &key) &&
            json_next(pair, &inside, &none, &value) && json_equals(key, name))
            return value;
    }
    none.ptr = NULL;
    return none;
}

static int32_t receive(const tl_handle *channel, json request, tl_bytes body, const tl_sink *out)
{
    json given = header(request, "x-example-secret"), event, id, from, text;
    size_t given_len = 0;
    char *given_text = json_text(given, &given_len);
    int right = given_text != NULL && channel->secret_text != NULL &&
                same(given_text, given_len, channel->secret_text, channel->secret_len);
    buffer received = {0};
    free(given_text);
    if (channel->secret_text == NULL)
        return answer(out, TL_OK, "{\"verdict\":\"no_secret\",\"reason\":\"the channel has no "
                                  "secret\",\"response\":{\"status\":401}}");
    if (given.ptr == NULL)
        return answer(out, TL_OK, "{\"verdict\":\"unsigned\",\"reason\":\"x-example-secret is "
                                  "missing\",\"response\":{\"status\":401}}");
    if (!right)
        return answer(out, TL_OK, "{\"verdict\":\"mismatch\",\"reason\":\"x-example-secret is "
                                  "wrong\",\"response\":{\"status\":401}}");
    event = json_parse(body.ptr, body.len);
    id = json_get(event, "id");
    from = json_get(event, "from");
    text = json_get(event, "text");
    if (!json_is_string(id) || !json_is_string(from) || !json_is_string(text))
        return answer(out, TL_OK, "{\"verdict\":\"authentic\",\"unparsed\":\"id, from and text "
                                  "must be texts\",\"response\":{\"status\":200}}");
    buffer_text(&received, "{\"verdict\":\"authentic\",\"response\":{\"status\":200,\"headers\":"
                           "[[\"content-type\",\"application/json\"]]},"
                           "\"events\":[{\"type\":\"message\",\"id\":");
    buffer_json(&received, id);
    buffer_text(&received, ",\"sender\":{\"space\":\"webhook\",\"identifier\":");
    buffer_json(&received, from);
    buffer_text(&received, "},\"content\":{\"text\":");
    buffer_json(&received, text);
    buffer_text(&received, "}}]}");
    {
        buffer response = {0};
        buffer_text(&response, "{\"ok\":true}");
        return finish(out, TL_OK, &received, &response);
    }
}

/* {"step":"call", ...} with the body, where there is one, as part 1. */
static int32_t call_out(const tl_handle *channel, const char *method, buffer *body,
                        const tl_sink *out)
{
    buffer step = {0};
    buffer_text(&step, "{\"step\":\"call\",\"cursor\":\"asked\",\"request\":{\"transport\":\"http\","
                       "\"method\":\"");
    buffer_text(&step, method);
    buffer_text(&step, "\",\"url\":");
    buffer_json(&step, channel->url);
    buffer_text(&step, ",\"headers\":[");
    if (channel->secret.ptr != NULL) {
        buffer_text(&step, "{\"name\":\"x-example-secret\",\"sensitive\":true,\"value\":");
        buffer_json(&step, channel->secret);
        buffer_text(&step, "}");
    }
    if (body != NULL) {
        buffer_text(&step, channel->secret.ptr != NULL ? "," : "");
        buffer_text(&step, "{\"name\":\"content-type\",\"value\":\"application/json\"}");
    }
    buffer_text(&step, "],\"body\":{\"from\":\"");
    buffer_text(&step, body != NULL ? "bytes" : "empty");
    buffer_text(&step, "\"}}}");
    return finish(out, TL_OK, &step, body);
}

/* A request without an answer: may the message have been accepted? */
static int32_t no_answer(json reply, const tl_sink *out)
{
    json kind = json_get(reply, "kind");
    if (json_equals(kind, "timeout_after_send") || json_equals(kind, "too_large"))
        return fail(out, "ambiguous", "no_answer", "no answer after the message was written");
    if (json_equals(kind, "forbidden"))
        return fail(out, "config", "address_forbidden", "the channel may not call this address");
    return fail(out, "transient", "no_connection", "no connection to the receiver");
}

static int32_t send_message(const tl_handle *channel, json input, const tl_sink *out)
{
    json message = json_get(input, "message"), turn = json_get(input, "turn");
    json id = json_get(message, "id"), to = json_get(json_get(message, "to"), "identifier");
    json text = json_get(json_get(message, "content"), "text");
    json cursor = json_get(turn, "cursor"), reply = json_get(turn, "reply");
    long status = json_small(json_get(reply, "status"));
    buffer part = {0};
    if (!json_is_string(id) || !json_is_string(to))
        return answer(out, TL_BAD_INPUT, "message has no id or no identifier");
    if (channel->url.ptr == NULL)
        return fail(out, "config", "no_url", "the channel has no url to send to");
    if (!json_is_string(text))
        return fail(out, "content", "no_text", "only text can be sent");
    if (reply.ptr == NULL && cursor.ptr != NULL && *cursor.ptr == '"')
        return fail(out, "ambiguous", "restarted", "the daemon restarted before the answer came");
    if (reply.ptr == NULL) {
        buffer_text(&part, "{\"id\":");
        buffer_json(&part, id);
        buffer_text(&part, ",\"to\":");
        buffer_json(&part, to);
        buffer_text(&part, ",\"text\":");
        buffer_json(&part, text);
        buffer_text(&part, "}");
        return call_out(channel, "POST", &part, out);
    }
    if (!json_equals(json_get(reply, "transport"), "http"))
        return no_answer(reply, out);
    if (status >= 200 && status < 300) {
        buffer_text(&part, "{\"step\":\"done\",\"result\":{\"external_id\":");
        buffer_json(&part, id);
        buffer_text(&part, "}}");
        return finish(out, TL_OK, &part, NULL);
    }
    if (status == 429)
        return fail(out, "throttled", "http_429", "the receiver asks for a slower pace");
    if (status == 500 || status == 503)
        return fail(out, "transient", "http_5xx", "the receiver is not able to take messages now");
    if (status == 502 || status == 504)
        return fail(out, "ambiguous", "http_gateway", "a gateway gave up on the receiver");
    if (status == 401 || status == 403)
        return fail(out, "credentials", "refused", "the receiver refuses the secret");
    return fail(out, "bug", "http_other", "the receiver answered with a status that means nothing");
}

static int32_t probe(const tl_handle *channel, json input, const tl_sink *out)
{
    json reply = json_get(json_get(input, "turn"), "reply");
    if (channel->url.ptr == NULL)
        return answer(out, TL_OK, "{\"step\":\"done\",\"result\":{\"state\":\"down\","
                                  "\"detail\":\"No credentials configured\"}}");
    if (reply.ptr == NULL)
        return call_out(channel, "HEAD", NULL, out);
    if (json_equals(json_get(reply, "transport"), "http"))
        return answer(out, TL_OK, "{\"step\":\"done\",\"result\":{\"state\":\"healthy\"}}");
    return answer(out, TL_OK, "{\"step\":\"done\",\"result\":{\"state\":\"down\","
                              "\"detail\":\"the receiver does not answer\"}}");
}

static int32_t call(tl_handle *channel, uint32_t op, const tl_bytes *parts, size_t n,
                    const tl_sink *out)
{
    tl_bytes body = {NULL, 0};
    json input;
    if (op != TL_OP_RECEIVE && op != TL_OP_SEND && op != TL_OP_PROBE)
        return TL_UNSUPPORTED;
    if (n == 0)
        return answer(out, TL_BAD_INPUT, "part 0 is missing");
    input = json_parse(parts[0].ptr, parts[0].len);
    if (input.ptr == NULL || *input.ptr != '{')
        return answer(out, TL_BAD_INPUT, "part 0 is not a JSON object");
    if (n > 1)
        body = parts[1];
    switch (op) {
    case TL_OP_RECEIVE:
        return receive(channel, input, body, out);
    case TL_OP_SEND:
        return send_message(channel, input, out);
    default:
        return probe(channel, input, out);
    }
}

static const tl_adapter_v1 table = {
    TL_MAGIC, sizeof(tl_adapter_v1), TL_ABI_MINOR, 0, 0, describe, open_channel, call, close_channel,
};

const tl_adapter_v1 *tl_adapter_entry_v1(void)
{
    return &table;
}
