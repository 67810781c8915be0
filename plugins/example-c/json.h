/* As much JSON as an adapter needs, without dependencies: find a value, read a string or a number,
 * and write. Every token that is found has been checked to the last byte, so it can be copied
 * into an output as it stands. */
#ifndef JSON_H
#define JSON_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define JSON_DEPTH_MAX 64

/* A stretch of JSON text; ptr is NULL where there is nothing. */
typedef struct {
    const char *ptr;
    size_t len;
} json;

static inline const char *json_blank(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

static inline int json_hex(const char *at, const char *end, unsigned *value)
{
    int i;
    *value = 0;
    if (end - at < 4)
        return 0;
    for (i = 0; i < 4; i++) {
        char c = at[i];
        unsigned digit;
        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            digit = (unsigned)((c | 32) - 'a' + 10);
        else
            return 0;
        *value = *value * 16 + digit;
    }
    return 1;
}

/* The end of one UTF-8 sequence that begins at `at`, or NULL where it is none (RFC 3629). */
static inline const char *json_utf8(const char *at, const char *end)
{
    const unsigned char *byte = (const unsigned char *)at;
    size_t len = byte[0] < 0x80 ? 1 : byte[0] < 0xC2 ? 0 : byte[0] < 0xE0 ? 2 : byte[0] < 0xF0 ? 3 : byte[0] < 0xF5 ? 4 : 0;
    size_t i;
    if (len == 0 || (size_t)(end - at) < len)
        return NULL;
    for (i = 1; i < len; i++)
        if ((byte[i] & 0xC0) != 0x80)
            return NULL;
    if (len == 3 && ((byte[0] == 0xE0 && byte[1] < 0xA0) || (byte[0] == 0xED && byte[1] > 0x9F)))
        return NULL;
    if (len == 4 && ((byte[0] == 0xF0 && byte[1] < 0x90) || (byte[0] == 0xF4 && byte[1] > 0x8F)))
        return NULL;
    return at + len;
}

/* Each of these gives the end of the thing that begins at `at`, or NULL where it is not one. */
static inline const char *json_string_end(const char *at, const char *end)
{
    if (at == end || *at != '"')
        return NULL;
    at++;
    while (at < end && *at != '"') {
        unsigned first, second;
        if ((unsigned char)*at < 0x20)
            return NULL;
        if (*at != '\\') {
            at = json_utf8(at, end);
            if (at == NULL)
                return NULL;
            continue;
        }
        if (++at == end || *at == '\0' || strchr("\"\\/bfnrtu", *at) == NULL)
            return NULL;
        if (*at++ != 'u')
            continue;
        if (!json_hex(at, end, &first) || (first >= 0xDC00 && first <= 0xDFFF))
            return NULL;
        at += 4;
        if (first < 0xD800 || first > 0xDBFF)
            continue;
        if (end - at < 6 || at[0] != '\\' || at[1] != 'u' || !json_hex(at + 2, end, &second) || second < 0xDC00 || second > 0xDFFF)
            return NULL;
        at += 6;
    }
    return at < end ? at + 1 : NULL;
}

static inline const char *json_digits(const char *at, const char *end)
{
    const char *start = at;
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at > start ? at : NULL;
}

static inline const char *json_number_end(const char *at, const char *end)
{
    if (at < end && *at == '-')
        at++;
    if (at < end && *at == '0')
        at++;
    else if ((at = json_digits(at, end)) == NULL)
        return NULL;
    if (at < end && *at == '.' && (at = json_digits(at + 1, end)) == NULL)
        return NULL;
    if (at < end && (*at | 32) == 'e') {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        at = json_digits(at, end);
    }
    return at;
}

static inline const char *json_value_end(const char *at, const char *end, int depth);

static inline const char *json_list_end(const char *at, const char *end, int depth)
{
    char close = *at == '{' ? '}' : ']';
    at = json_blank(at + 1, end);
    if (at < end && *at == close)
        return at + 1;
    for (;;) {
        if (close == '}') {
            at = json_string_end(at, end);
            at = at == NULL ? NULL : json_blank(at, end);
            if (at == NULL || at == end || *at != ':')
                return NULL;
            at = json_blank(at + 1, end);
        }
        at = json_value_end(at, end, depth + 1);
        at = at == NULL ? NULL : json_blank(at, end);
        if (at == NULL || at == end)
            return NULL;
        if (*at == close)
            return at + 1;
        if (*at != ',')
            return NULL;
        at = json_blank(at + 1, end);
    }
}

static inline const char *json_value_end(const char *at, const char *end, int depth)
{
    static const char *const words[] = {"true", "false", "null"};
    size_t i;
    if (at == end || depth > JSON_DEPTH_MAX)
        return NULL;
    if (*at == '"')
        return json_string_end(at, end);
    if (*at == '{' || *at == '[')
        return json_list_end(at, end, depth);
    for (i = 0; i < 3; i++)
        if ((size_t)(end - at) >= strlen(words[i]) && memcmp(at, words[i], strlen(words[i])) == 0)
            return at + strlen(words[i]);
    return json_number_end(at, end);
}

/* The one value of a whole text; nothing where the text is not JSON. */
static inline json json_parse(const void *ptr, size_t len)
{
    const char *start, *end = (const char *)ptr + len, *stop;
    json value = {NULL, 0};
    if (len == 0)
        return value;
    start = json_blank(ptr, end);
    stop = json_value_end(start, end, 0);
    if (stop != NULL && json_blank(stop, end) == end) {
        value.ptr = start;
        value.len = (size_t)(stop - start);
    }
    return value;
}

/* Steps to the next value of a list or object that json_parse has checked; *at begins at its start.
 * key is set for objects. */
static inline int json_next(json list, const char **at, json *key, json *value)
{
    const char *end = list.ptr + list.len;
    const char *from = json_blank(*at == NULL ? list.ptr + 1 : *at, end);
    if (*from == ',')
        from = json_blank(from + 1, end);
    if (*from == '}' || *from == ']')
        return 0;
    if (*list.ptr == '{') {
        key->ptr = from;
        key->len = (size_t)(json_string_end(from, end) - from);
        from = json_blank(json_blank(from + key->len, end) + 1, end);
    }
    value->ptr = from;
    value->len = (size_t)(json_value_end(from, end, 0) - from);
    *at = from + value->len;
    return 1;
}

/* A member of an object; the last one of that name. Names with escapes are not found. */
static inline json json_get(json object, const char *name)
{
    json found = {NULL, 0}, key = {NULL, 0}, value;
    const char *at = NULL;
    if (object.ptr == NULL || *object.ptr != '{')
        return found;
    while (json_next(object, &at, &key, &value))
        if (key.len == strlen(name) + 2 && memcmp(key.ptr + 1, name, key.len - 2) == 0)
            found = value;
    return found;
}

static inline int json_is_string(json value)
{
    return value.ptr != NULL && *value.ptr == '"';
}

/* A small whole number, or -1. */
static inline long json_small(json value)
{
    long number = 0;
    size_t i;
    if (value.ptr == NULL || value.len == 0 || value.len > 9)
        return -1;
    for (i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return -1;
        number = number * 10 + (value.ptr[i] - '0');
    }
    return number;
}

/* The text of a string, without quotes and escapes. Free it. NULL where it is none. */
static inline char *json_text(json value, size_t *len)
{
    const char *at, *end;
    char *text, *to;
    if (!json_is_string(value) || (text = malloc(value.len)) == NULL)
        return NULL;
    to = text;
    end = value.ptr + value.len - 1;
    for (at = value.ptr + 1; at < end; at++) {
        unsigned code, low;
        const char *from = "bfnrt", *into = "\b\f\n\r\t", *hit;
        if (*at != '\\') {
            *to++ = *at;
            continue;
        }
        if (*++at != 'u') {
            hit = strchr(from, *at);
            *to++ = hit == NULL ? *at : into[hit - from];
            continue;
        }
        json_hex(at + 1, end, &code);
        at += 4;
        if (code >= 0xD800 && code <= 0xDBFF) {
            json_hex(at + 3, end, &low);
            at += 6;
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
        if (code < 0x80) {
            *to++ = (char)code;
        } else if (code < 0x800) {
            *to++ = (char)(0xC0 | code >> 6);
            *to++ = (char)(0x80 | (code & 0x3F));
        } else if (code < 0x10000) {
            *to++ = (char)(0xE0 | code >> 12);
            *to++ = (char)(0x80 | (code >> 6 & 0x3F));
            *to++ = (char)(0x80 | (code & 0x3F));
        } else {
            *to++ = (char)(0xF0 | code >> 18);
            *to++ = (char)(0x80 | (code >> 12 & 0x3F));
            *to++ = (char)(0x80 | (code >> 6 & 0x3F));
            *to++ = (char)(0x80 | (code & 0x3F));
        }
    }
    *len = (size_t)(to - text);
    return text;
}

static inline int json_equals(json value, const char *want)
{
    size_t len = 0;
    char *text = json_text(value, &len);
    int equal = text != NULL && len == strlen(want) && memcmp(text, want, len) == 0;
    free(text);
    return equal;
}

/* A text that grows. failed says that memory ran out. */
typedef struct {
    char *ptr;
    size_t len, room;
    int failed;
} buffer;

static inline void buffer_add(buffer *to, const char *ptr, size_t len)
{
    if (to->failed || len == 0)
        return;
    if (len > to->room - to->len) {
        size_t room = (to->len + len) * 2 + 256;
        char *grown = realloc(to->ptr, room);
        if (grown == NULL) {
            to->failed = 1;
            return;
        }
        to->ptr = grown;
        to->room = room;
    }
    memcpy(to->ptr + to->len, ptr, len);
    to->len += len;
}

static inline void buffer_text(buffer *to, const char *text)
{
    buffer_add(to, text, strlen(text));
}

static inline void buffer_json(buffer *to, json value)
{
    buffer_add(to, value.ptr, value.len);
}

#endif
