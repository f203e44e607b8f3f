/* Written from the text of GB/T 32905-2016; the names of the variables are the standard's. */
#include "sm3.h"

#include <string.h>

#define INLINE static inline __attribute__((always_inline))

/* One machine code for every x86-64 and one with AVX2, picked when the library is loaded: the
 * second takes less than half the time. Other machines get the plain one, and so does a build with
 * AddressSanitizer, which is not ready yet when the picking is done. */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define EACH_MACHINE __attribute__((target_clones("default", "avx2")))
#else
#define EACH_MACHINE
#endif

static const uint32_t IV[8] = {
    0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600,
    0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e,
};

INLINE uint32_t load(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

INLINE void store(uint8_t *p, uint32_t word)
{
    p[0] = (uint8_t)(word >> 24);
    p[1] = (uint8_t)(word >> 16);
    p[2] = (uint8_t)(word >> 8);
    p[3] = (uint8_t)word;
}

/* Macros, since a vector as an argument has another convention of calling on each machine. */
#define ROTL(x, n) ((x) << (n) | (x) >> (32 - (n)))
#define P0(x) ((x) ^ ROTL(x, 9) ^ ROTL(x, 17))
#define P1(x) ((x) ^ ROTL(x, 15) ^ ROTL(x, 23))

/* One round (5.3.3); `t` is T(j) rotated by j. */
#define ROUND(j, t, FF, GG)                          \
    do {                                             \
        const sm3_words A12 = ROTL(A, 12);           \
        const sm3_words sum = A12 + E + (t);         \
        const sm3_words SS1 = ROTL(sum, 7);          \
        const sm3_words SS2 = SS1 ^ A12;             \
        const sm3_words TT1 = (FF) + D + SS2 + (W[j] ^ W[(j) + 4]); \
        const sm3_words TT2 = (GG) + H + SS1 + W[j]; \
        D = C;                                       \
        C = ROTL(B, 9);                              \
        B = A;                                       \
        A = TT1;                                     \
        H = G;                                       \
        G = ROTL(F, 19);                             \
        F = E;                                       \
        E = P0(TT2);                                 \
    } while (0)

void sm3_start(sm3_words state[8])
{
    for (size_t i = 0; i < 8; i++)
        for (size_t lane = 0; lane < SM3_LANES; lane++)
            state[i][lane] = IV[i];
}

EACH_MACHINE
void sm3_absorb(sm3_words state[8], const uint8_t *const blocks[SM3_LANES])
{
    uint32_t words[16][SM3_LANES];
    sm3_words W[68];

    for (size_t lane = 0; lane < SM3_LANES; lane++)
        for (size_t j = 0; j < 16; j++)
            words[j][lane] = load(blocks[lane] + 4 * j);
    memcpy(W, words, sizeof words);
    for (size_t j = 16; j < 68; j++) {
        const sm3_words x = W[j - 16] ^ W[j - 9] ^ ROTL(W[j - 3], 15);
        W[j] = P1(x) ^ ROTL(W[j - 13], 7) ^ W[j - 6];
    }

    sm3_words A = state[0], B = state[1], C = state[2], D = state[3];
    sm3_words E = state[4], F = state[5], G = state[6], H = state[7];
    uint32_t t = 0x79cc4519;
    for (size_t j = 0; j < 16; j++) {
        ROUND(j, t, A ^ B ^ C, E ^ F ^ G);
        t = ROTL(t, 1);
    }
    t = 0x9d8a7a87; /* 7a879d8a rotated by 16 */
    for (size_t j = 16; j < 64; j++) {
        ROUND(j, t, (A & B) | (A & C) | (B & C), (E & F) | (~E & G));
        t = ROTL(t, 1);
    }
    state[0] ^= A;
    state[1] ^= B;
    state[2] ^= C;
    state[3] ^= D;
    state[4] ^= E;
    state[5] ^= F;
    state[6] ^= G;
    state[7] ^= H;
}

void sm3_finish(const sm3_words state[8], size_t lane, uint8_t *out)
{
    for (size_t i = 0; i < 8; i++)
        store(out + 4 * i, state[i][lane]);
}

void sm3_put_length(uint8_t block[SM3_BLOCK], uint64_t bytes)
{
    store(block + 56, (uint32_t)(bytes >> 29));
    store(block + 60, (uint32_t)(bytes << 3));
}
