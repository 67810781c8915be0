/* What every call of an adapter needs: writing JSON from a form, headers, signatures. */
#ifndef HELPERS_H
#define HELPERS_H

#include <stdarg.h>

#include "json.h"
#include "sha256.h"
#include "trunkline_plugin.h"

/* Adds text by a form, in which ' stands for ", and
 *   %j   is a JSON value as it was read, quotes included (it has been checked, so it is safe)
 *   %t   is a JSON string without its quotes, to be put inside another
 *   %s   is a text of your own, which must hold nothing that JSON escapes
 *   %d   is a number (long)
 * Values of others go by %j and %t alone: then nothing can break out of its string. */
static inline void buffer_form(buffer *to, const char *form, va_list values)
{
    for (; *form != '\0'; form++) {
        char digits[24];
        json value;
        if (*form != '%') {
            buffer_add(to, *form == '\'' ? "\"" : form, 1);
            continue;
        }
        switch (*++form) {
        case 'j':
            buffer_json(to, va_arg(values, json));
            break;
        case 't':
            value = va_arg(values, json);
            if (json_is_string(value))
                buffer_add(to, value.ptr + 1, value.len - 2);
            break;
        case 's':
            buffer_text(to, va_arg(values, const char *));
            break;
        case 'd': {
            long number = va_arg(values, long);
            size_t at = sizeof digits;
            unsigned long left = number < 0 ? 0 - (unsigned long)number : (unsigned long)number;
            do
                digits[--at] = (char)('0' + left % 10);
            while ((left /= 10) > 0);
            if (number < 0)
                digits[--at] = '-';
            buffer_add(to, digits + at, sizeof digits - at);
            break;
        }
        default: /* a mistake in the form: visible, and no valid JSON */
            buffer_text(to, "%?");
            form -= *form == '\0';
        }
    }
}

static inline void buffer_say(buffer *to, const char *form, ...)
{
    va_list values;
    va_start(values, form);
    buffer_form(to, form, values);
    va_end(values);
}

/* Writes part 0 and, where there is one, part 1; frees both. */
static inline int32_t finish(const tl_sink *out, int32_t code, buffer *part0, buffer *part1)
{
    if (part0->failed || (part1 != NULL && part1->failed)) {
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

/* An output of one part, by a form. */
static inline int32_t say(const tl_sink *out, int32_t code, const char *form, ...)
{
    buffer part = {0};
    va_list values;
    va_start(values, form);
    buffer_form(&part, form, values);
    va_end(values);
    return finish(out, code, &part, NULL);
}

/* A webhook that is not genuine: "unsigned", "mismatch", "expired", "no_secret". */
static inline int32_t refuse(const tl_sink *out, const char *verdict, const char *reason)
{
    return say(out, TL_OK, "{'verdict':'%s','reason':'%s','response':{'status':401}}", verdict, reason);
}

/* The end of a step that failed. */
static inline int32_t fail(const tl_sink *out, const char *class, const char *code, const char *message)
{
    return say(out, TL_OK, "{'step':'fail','error':{'class':'%s','code':'%s','message':'%s'}}", class,
               code, message);
}

/* The words of a send whose reply nobody saw. */
#define UNKNOWN_OUTCOME "no clear answer was seen: the provider may have taken the message"

/* True for the first turn of a run; after a restart there is a cursor and no reply. */
static inline int is_first(json turn)
{
    json cursor = json_get(turn, "cursor");
    return cursor.ptr == NULL || *cursor.ptr == 'n';
}

static inline int is_http(json reply)
{
    return json_equals(json_get(reply, "transport"), "http");
}

/* No answer to a request: surely not processed, or perhaps? */
static inline int32_t no_answer(const tl_sink *out, json reply)
{
    json kind = json_get(reply, "kind");
    if (json_equals(kind, "forbidden"))
        return fail(out, "config", "address_forbidden", "the channel may not call this address");
    if (json_equals(kind, "timeout_after_send") || json_equals(kind, "too_large"))
        return fail(out, "ambiguous", "no_answer", "no answer after the request was written");
    return fail(out, "transient", "no_connection", "no connection to the provider");
}

/* The value of a header: `headers` is a list of [name, value], names in lower case. */
static inline json header(json request, const char *name)
{
    json headers = json_get(request, "headers"), pair, key, value, none = {NULL, 0}, unused;
    const char *at = NULL, *inside;
    if (headers.ptr == NULL || *headers.ptr != '[')
        return none;
    while (json_next(headers, &at, &unused, &pair)) {
        inside = NULL;
        if (*pair.ptr == '[' && json_next(pair, &inside, &unused, &key) &&
            json_next(pair, &inside, &unused, &value) && json_equals(key, name))
            return value;
    }
    return none;
}

/* A step that asks for an HTTP call with a bearer token. The body, JSON, may be NULL. A sensitive header is
 * never logged, never saved, and never sent to another host. */
static inline int32_t call_http(const tl_sink *out, const char *method, json base, const char *path,
                                json token, buffer *body)
{
    buffer step = {0};
    buffer_say(&step, "{'step':'call','cursor':'asked','request':{'transport':'http','method':'%s',"
        "'url':'%t%s','headers':[{'name':'authorization','value':'Bearer %t','sensitive':true}",
        method, base, path, token);
    if (body != NULL)
        buffer_say(&step, ",{'name':'content-type','value':'application/json'}");
    buffer_say(&step, "],'body':{'from':'%s'}}}", body == NULL ? "empty" : "bytes");
    return finish(out, TL_OK, &step, body);
}

/* The end of a step that the provider refused, with the wait that it asks for in whole seconds: at least one,
 * at most a day. */
static inline int32_t fail_http(const tl_sink *out, const char *class, json reply, const char *message)
{
    buffer step = {0};
    json wait = header(reply, "retry-after");
    long seconds = -1;
    if (json_is_string(wait)) {
        json digits = {wait.ptr + 1, wait.len - 2};
        seconds = json_small(digits);
    }
    buffer_say(&step, "{'step':'fail','error':{'class':'%s','code':'http_%d','message':'%s'", class,
               json_small(json_get(reply, "status")), message);
    if (seconds >= 0)
        buffer_say(&step, ",'retry_after_ms':%d", 1000 * (seconds < 1 ? 1 : seconds > 86400 ? 86400 : seconds));
    buffer_say(&step, "}}");
    return finish(out, TL_OK, &step, NULL);
}

/* Whether a string of JSON is the HMAC-SHA256 of a body in lower-case hex. Takes the same time wherever
 * the first difference is. */
static inline int is_signed(json given, const char *key, size_t key_len, tl_bytes body)
{
    uint8_t mac[32];
    unsigned char difference = 0;
    size_t len = 0, i;
    char *text = json_text(given, &len);
    hmac_sha256(key, key_len, body.ptr, body.len, mac);
    for (i = 0; i < 64 && text != NULL && len == 64; i++)
        difference |= (unsigned char)(text[i] ^ "0123456789abcdef"[mac[i / 2] >> (i % 2 ? 0 : 4) & 15]);
    free(text);
    return text != NULL && len == 64 && difference == 0;
}

#endif
