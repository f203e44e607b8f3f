/* Batches of hashes over flat buffers: of messages, and of the state tree (ledger/proof.py).
 *
 * Every function checks all sizes, counts and indexes before it reads or writes what they name,
 * keeps nothing between calls, allocates nothing, and knows nothing of Python. */
#ifndef SHUXIN_LANES_H
#define SHUXIN_LANES_H

#include <stddef.h>
#include <stdint.h>

/* What a function returns: done, or why it refused; then nothing was written but, perhaps, `out`. */
#define LANES_DONE 0
#define LANES_BAD_SIZE 1  /* a buffer is not as long as the counts say */
#define LANES_BAD_ORDER 2 /* indexes, ends or paths do not ascend */
#define LANES_BAD_RANGE 3 /* a count or an index is out of range */
#define LANES_BAD_PAGE 4  /* a page has no form that this code writes */

#define LANES_LEAF 96       /* bytes of a leaf as pages store it: path, value hash, leaf hash */
#define LANES_HEAD 33       /* bytes of a page before its leaves: 'L', root */
#define LANES_LEAVES_MAX 64 /* of one page: four times what a page holds today */
#define LANES_LEVELS_MAX 30 /* of a stem: its indexes fit 32 bits */

/* SM3 of `count` messages that lie one after the other in `data`; message i stops before ends[i].
 * `out` takes 32 bytes each. */
int lanes_digests(const uint8_t *data, size_t size, const uint64_t *ends, size_t count,
                  uint8_t *out, size_t out_size);

/* The nodes above `size / 64` pairs of neighbors, all parting at bit `depth`. */
int lanes_join(unsigned depth, const uint8_t *pairs, size_t size, uint8_t *out, size_t out_size);

/* Merges changes into pages of leaves and hashes their new roots. Old page i ends before
 * page_ends[i] in `pages`: nothing, or 'L', root, leaves. Its changes end before change_ends[i] in
 * `changes`: leaves to put in, by ascending path; one whose leaf hash is zero takes a leaf away.
 * New page i ends before out_ends[i] in `out`: nothing, if no leaf is left, or a page as above; with
 * more than `leaves_max` leaves its root is left zero, as it is to be split. `out` has room for all
 * old pages and changes and a head each. */
int lanes_change_pages(const uint8_t *pages, size_t pages_size, const uint64_t *page_ends,
                       const uint8_t *changes, size_t changes_size, const uint64_t *change_ends,
                       size_t count, unsigned leaves_max, uint8_t *out, size_t out_size,
                       uint64_t *out_ends);

/* Puts `count` hashes at ascending indexes of the lowest row of a tree in an array (node j has
 * the children 2j and 2j + 1) with `levels` rows above, and folds those. `touched` and `before`
 * take, for at most `room` nodes, the index and what stood there; `used` says how many. */
int lanes_fold_stem(uint8_t *nodes, size_t size, unsigned levels, const uint32_t *indexes,
                    size_t count, const uint8_t *hashes, size_t hashes_size, uint32_t *touched,
                    uint8_t *before, size_t room, size_t *used);

#endif
