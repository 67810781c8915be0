/* SHA-256 (FIPS 180-4) and HMAC (RFC 2104), as much as a webhook's signature needs. */
#ifndef SHA256_H
#define SHA256_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    uint32_t state[8];
    uint64_t len;      /* bytes so far */
    uint8_t block[64]; /* those that do not fill a block yet */
} sha256;

static inline uint32_t sha256_turn(uint32_t word, int bits)
{
    return word >> bits | word << (32 - bits);
}

static inline void sha256_block(uint32_t state[8], const uint8_t *block)
{
    static const uint32_t k[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
    uint32_t w[64], s[8];
    int i;
    for (i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (sha256_turn(a, 7) ^ sha256_turn(a, 18) ^ a >> 3) + w[i - 7] +
               (sha256_turn(b, 17) ^ sha256_turn(b, 19) ^ b >> 10);
    }
    memcpy(s, state, sizeof s);
    for (i = 0; i < 64; i++) {
        uint32_t one = s[7] + (sha256_turn(s[4], 6) ^ sha256_turn(s[4], 11) ^ sha256_turn(s[4], 25)) +
                       ((s[4] & s[5]) ^ (~s[4] & s[6])) + k[i] + w[i];
        uint32_t two = (sha256_turn(s[0], 2) ^ sha256_turn(s[0], 13) ^ sha256_turn(s[0], 22)) +
                       ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += one;
        s[0] = one + two;
    }
    for (i = 0; i < 8; i++)
        state[i] += s[i];
}

static inline void sha256_add(sha256 *sum, const void *bytes, size_t len)
{
    const uint8_t *from = bytes;
    while (len > 0) {
        size_t held = (size_t)(sum->len % 64), take = 64 - held < len ? 64 - held : len;
        memcpy(sum->block + held, from, take);
        sum->len += take;
        from += take;
        len -= take;
        if (held + take == 64)
            sha256_block(sum->state, sum->block);
    }
}

static inline void sha256_start(sha256 *sum)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(sum->state, start, sizeof start);
    sum->len = 0;
}

static inline void sha256_end(sha256 *sum, uint8_t digest[32])
{
    uint64_t bits = sum->len * 8;
    uint8_t end[8];
    int i;
    sha256_add(sum, "\x80", 1);
    while (sum->len % 64 != 56)
        sha256_add(sum, "", 1); /* the byte 0 */
    for (i = 0; i < 8; i++)
        end[i] = (uint8_t)(bits >> (56 - 8 * i));
    sha256_add(sum, end, sizeof end);
    for (i = 0; i < 32; i++)
        digest[i] = (uint8_t)(sum->state[i / 4] >> (24 - 8 * (i % 4)));
}

static inline void hmac_sha256(const void *key, size_t key_len, const void *bytes, size_t len,
                               uint8_t mac[32])
{
    uint8_t block[64] = {0};
    sha256 sum;
    int i;
    if (key_len > sizeof block) {
        sha256_start(&sum);
        sha256_add(&sum, key, key_len);
        sha256_end(&sum, block);
    } else if (key_len > 0) {
        memcpy(block, key, key_len);
    }
    for (i = 0; i < 64; i++)
        block[i] ^= 0x36;
    sha256_start(&sum);
    sha256_add(&sum, block, sizeof block);
    if (len > 0)
        sha256_add(&sum, bytes, len);
    sha256_end(&sum, mac);
    for (i = 0; i < 64; i++)
        block[i] ^= 0x36 ^ 0x5c;
    sha256_start(&sum);
    sha256_add(&sum, block, sizeof block);
    sha256_add(&sum, mac, 32);
    sha256_end(&sum, mac);
}

#endif
