/* SM3 (GB/T 32905) of eight independent messages at a time. Public data only: tables and branches
 * here depend on lengths, never on contents, but nothing is wiped afterwards. */
#ifndef SHUXIN_SM3_H
#define SHUXIN_SM3_H

#include <stddef.h>
#include <stdint.h>

#define SM3_LANES 8
#define SM3_BLOCK 64
#define SM3_DIGEST 32

/* One word of the state of eight messages; GCC splits it where registers are narrower. */
typedef uint32_t sm3_words __attribute__((vector_size(4 * SM3_LANES)));

void sm3_start(sm3_words state[8]);

/* Absorbs one block of 64 bytes for each lane. */
void sm3_absorb(sm3_words state[8], const uint8_t *const blocks[SM3_LANES]);

/* Writes what one lane has become, 32 bytes. */
void sm3_finish(const sm3_words state[8], size_t lane, uint8_t *out);

/* The last eight bytes of the last block. */
void sm3_put_length(uint8_t block[SM3_BLOCK], uint64_t bytes);

#endif
