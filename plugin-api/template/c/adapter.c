/* An adapter for Trunkline. It speaks the protocol of "Acme", which `trunkline simulator` plays: put your
 * provider's in its place. Every call is a pure function: no I/O, no clock, nothing kept in between. */
#include "helpers.h"

#define ID "acme" /* what `adapter = "..."` names in the configuration */
#define VERSION "0.1.0"
TL_NOTE(ID, VERSION); /* the same in the file's note, readable without running anything */

struct tl_handle {        /* one channel: nothing in it changes after open, so calls may come at once */
    char *config, *key;   /* freed by export.h: what the values point into; the token, decoded */
    size_t key_len;
    json token, api_base; /* strings as JSON writes them */
};

static int32_t describe(const tl_sink *out)
{   /* In forms of say(), ' stands for ". The schema becomes a form; what is x-secret is never shown. */
    return say(out, TL_OK, "{'id':'" ID "','version':'" VERSION "','name':'Acme','media':['sms'],"
        "'capabilities':['receive','send','probe'],'config_schema':{'type':'object',"
        "'additionalProperties':false,'required':['token','api_base'],'properties':{"
        "'token':{'type':'string','minLength':1,'writeOnly':true,'x-secret':true,"
        "'description':'Signs webhooks and authorises calls.'},"
        "'api_base':{'type':'string','description':'Where the API is, without a slash at its end.'}}}}");
}

static int32_t open_channel(json config, tl_handle *channel, const tl_sink *out)
{   /* `config` is a copy that lives as long as the channel. Never quote what it holds: it may be a secret. */
    channel->token = json_get(config, "token");
    channel->api_base = json_get(config, "api_base");
    channel->key = json_text(channel->token, &channel->key_len);
    if (channel->key == NULL || channel->key_len == 0 || !json_is_string(channel->api_base))
        return say(out, TL_ERROR, "{'class':'config','code':'config','message':'set token and api_base'}");
    return say(out, TL_OK, "{'media':['sms'],'space':'phone','can_receive':true,'can_send':true}");
}

static int32_t receive(const tl_handle *channel, json request, tl_bytes body, const tl_sink *out)
{   /* Proof first, over the bytes as they came. */
    json read = json_parse(body.ptr, body.len), id = json_get(read, "id");
    json from = json_get(read, "from"), text = json_get(read, "text");
    if (!is_signed(header(request, "x-acme-signature"), channel->key, channel->key_len, body))
        return refuse(out, "mismatch", "x-acme-signature is wrong");
    if (!json_is_string(id) || !json_is_string(from) || !json_is_string(text)) /* kept for a replay */
        return say(out, TL_OK, "{'verdict':'authentic','response':{'status':200},"
                               "'unparsed':'no texts id, from and text'}");
    /* The id is the provider's: a webhook that comes again is known by it. */
    return say(out, TL_OK, "{'verdict':'authentic','response':{'status':200},'events':[{'type':'message',"
        "'id':%j,'sender':{'space':'phone','identifier':%j},'content':{'text':%j}}]}", id, from, text);
}

/* The class decides what the daemon does: holds the queue, gives up, slows down, tries again. */
static int32_t refused(json reply, long status, const tl_sink *out)
{
    if (!is_http(reply)) /* no answer: surely not sent, or perhaps */
        return no_answer(out, reply);
    switch (status >= 500 && status <= 599 ? 500 : status) {
    case 401: return fail_http(out, "credentials", reply, "Acme refuses the token");
    case 400: return fail_http(out, "recipient", reply, "Acme can't reach this number");
    case 429: return fail_http(out, "throttled", reply, "Acme asks for a slower pace");
    case 500: return fail_http(out, "transient", reply, "Acme took nothing, and may later");
    default: return fail_http(out, "bug", reply, "Acme documents no such answer");
    }
}

static int32_t send_message(const tl_handle *channel, json message, json turn, tl_bytes body,
                            const tl_sink *out)
{
    json reply = json_get(turn, "reply"), id = json_get(json_parse(body.ptr, body.len), "id");
    json to = json_get(json_get(message, "to"), "identifier"), reference = json_get(message, "id");
    json text = json_get(json_get(message, "content"), "text");
    long status = json_small(json_get(reply, "status"));
    buffer request = {0};
    if (!json_is_string(to) || !json_is_string(text) || !json_is_string(reference))
        return fail(out, "content", "no_text", "Acme sends texts and nothing else");
    if (reply.ptr == NULL && is_first(turn)) { /* ask for a call; the cursor is saved before it is made */
        buffer_say(&request, "{'to':%j,'text':%j,'reference':%j}", to, text, reference);
        return call_http(out, "POST", channel->api_base, "/messages", channel->token, &request);
    }
    if (reply.ptr == NULL || (status == 201 && !json_is_string(id))) /* a restart, or an odd answer */
        return fail(out, "ambiguous", "unknown_outcome", UNKNOWN_OUTCOME);
    if (status == 201)
        return say(out, TL_OK, "{'step':'done','result':{'external_id':%j}}", id);
    return refused(reply, status, out);
}

static int32_t probe(const tl_handle *channel, json turn, const tl_sink *out)
{
    json reply = json_get(turn, "reply");
    long status = json_small(json_get(reply, "status"));
    if (reply.ptr == NULL)
        return call_http(out, "GET", channel->api_base, "/account", channel->token, NULL);
    if (status == 200)
        return say(out, TL_OK, "{'step':'done','result':{'state':'healthy'}}");
    return refused(reply, status, out);
}

#include "export.h" /* open, close and call around these, and the one export */
