/* Each function feeds the eight lanes of sm3.c; which job is in which lane never shows outside. */
#include "lanes.h"

#include <string.h>

#include "sm3.h"

#define INNER_TAG 0x11 /* of an inner node of the state tree: tag, depth, left, right */
#define JOIN_SIZE (2 + 2 * SM3_DIGEST)

static const uint8_t EMPTY[SM3_DIGEST];  /* the root of a part of the tree without leaves */
static const uint8_t NO_BLOCK[SM3_BLOCK]; /* what a lane without work absorbs */

/* --- messages ------------------------------------------------------------------------------- */

struct message {
    const uint8_t *data; /* not absorbed yet */
    size_t left;
    uint64_t size;
    uint8_t *out; /* NULL: the lane has no message */
    int is_marked; /* the bit behind the message is absorbed */
    int is_last;   /* so is its length: nothing follows */
    uint8_t tail[SM3_BLOCK];
};

static const uint8_t *next_block(struct message *message)
{
    const uint8_t *block = message->data;
    if (message->out == NULL)
        return NO_BLOCK;
    if (message->left >= SM3_BLOCK) {
        message->data += SM3_BLOCK;
        message->left -= SM3_BLOCK;
        return block;
    }
    memset(message->tail, 0, SM3_BLOCK);
    if (!message->is_marked) {
        if (message->left > 0)
            memcpy(message->tail, message->data, message->left);
        message->tail[message->left] = 0x80;
        message->is_marked = 1;
        message->is_last = message->left < SM3_BLOCK - 8;
    } else {
        message->is_last = 1;
    }
    if (message->is_last)
        sm3_put_length(message->tail, message->size);
    return message->tail;
}

int lanes_digests(const uint8_t *data, size_t size, const uint64_t *ends, size_t count,
                  uint8_t *out, size_t out_size)
{
    if (count > SIZE_MAX / SM3_DIGEST || out_size != count * SM3_DIGEST)
        return LANES_BAD_SIZE;
    for (size_t i = 0; i < count; i++)
        if (ends[i] < (i ? ends[i - 1] : 0))
            return LANES_BAD_ORDER;
    if (size != (count ? ends[count - 1] : 0))
        return LANES_BAD_SIZE;

    struct message lanes[SM3_LANES] = {0};
    const uint8_t *blocks[SM3_LANES];
    sm3_words state[8], start[8];
    size_t next = 0, done = 0;
    sm3_start(start);
    sm3_start(state);
    while (done < count) {
        for (size_t lane = 0; lane < SM3_LANES; lane++) {
            struct message *message = &lanes[lane];
            if (message->out == NULL && next < count) {
                const uint64_t begin = next ? ends[next - 1] : 0;
                message->data = data + begin;
                message->left = message->size = ends[next] - begin;
                message->out = out + next * SM3_DIGEST;
                message->is_marked = message->is_last = 0;
                for (size_t i = 0; i < 8; i++)
                    state[i][lane] = start[i][lane];
                next++;
            }
            blocks[lane] = next_block(message);
        }
        sm3_absorb(state, blocks);
        for (size_t lane = 0; lane < SM3_LANES; lane++) {
            if (lanes[lane].out != NULL && lanes[lane].is_last) {
                sm3_finish(state, lane, lanes[lane].out);
                lanes[lane].out = NULL;
                done++;
            }
        }
    }
    return LANES_DONE;
}

/* --- inner nodes ---------------------------------------------------------------------------- */

/* Up to eight nodes to be hashed together; none of them reads what another one writes. */
struct joins {
    size_t count;
    uint8_t *out[SM3_LANES];
    uint8_t padded[SM3_LANES][2 * SM3_BLOCK];
};

static void start_joins(struct joins *joins)
{
    memset(joins, 0, sizeof *joins);
    for (size_t lane = 0; lane < SM3_LANES; lane++) {
        uint8_t *padded = joins->padded[lane];
        padded[0] = INNER_TAG;
        padded[JOIN_SIZE] = 0x80;
        sm3_put_length(padded + SM3_BLOCK, JOIN_SIZE);
    }
}

static void hash_joins(struct joins *joins)
{
    const uint8_t *blocks[SM3_LANES];
    sm3_words state[8];
    if (joins->count == 0)
        return;
    sm3_start(state);
    for (size_t half = 0; half < 2; half++) {
        for (size_t lane = 0; lane < SM3_LANES; lane++)
            blocks[lane] = joins->padded[lane] + half * SM3_BLOCK;
        sm3_absorb(state, blocks);
    }
    for (size_t lane = 0; lane < joins->count; lane++)
        sm3_finish(state, lane, joins->out[lane]);
    joins->count = 0;
}

/* Notes a node to be hashed; `out` is written by hash_joins at the latest. */
static void add_join(struct joins *joins, unsigned depth, const uint8_t *left,
                     const uint8_t *right, uint8_t *out)
{
    uint8_t *padded = joins->padded[joins->count];
    padded[1] = (uint8_t)depth;
    memcpy(padded + 2, left, SM3_DIGEST);
    memcpy(padded + 2 + SM3_DIGEST, right, SM3_DIGEST);
    joins->out[joins->count++] = out;
    if (joins->count == SM3_LANES)
        hash_joins(joins);
}

/* A node with one side is that side. `sides` are left and right, one after the other. */
static void add_sides(struct joins *joins, unsigned depth, const uint8_t *sides, uint8_t *out)
{
    const uint8_t *right = sides + SM3_DIGEST;
    if (memcmp(right, EMPTY, SM3_DIGEST) == 0)
        memcpy(out, sides, SM3_DIGEST);
    else if (memcmp(sides, EMPTY, SM3_DIGEST) == 0)
        memcpy(out, right, SM3_DIGEST);
    else
        add_join(joins, depth, sides, right, out);
}

int lanes_join(unsigned depth, const uint8_t *pairs, size_t size, uint8_t *out, size_t out_size)
{
    struct joins joins;
    if (depth > 255)
        return LANES_BAD_RANGE;
    if (size % (2 * SM3_DIGEST) != 0 || out_size != size / 2)
        return LANES_BAD_SIZE;
    start_joins(&joins);
    for (size_t at = 0; at < size; at += 2 * SM3_DIGEST)
        add_sides(&joins, depth, pairs + at, out + at / 2);
    hash_joins(&joins);
    return LANES_DONE;
}

/* --- leaves of pages ------------------------------------------------------------------------ */

/* One page on its way to its root: a stack of parts whose right neighbor is not complete. */
struct fold {
    const uint8_t *leaf; /* the next one */
    size_t left;         /* leaves not on the stack yet */
    size_t height;
    uint8_t *out; /* NULL: the lane has no page */
    uint8_t nodes[LANES_LEAVES_MAX][SM3_DIGEST];
    uint8_t depths[LANES_LEAVES_MAX]; /* depths[i] parts node i from node i + 1 */
};

/* The first bit at which two different paths part. */
static unsigned split_depth(const uint8_t *one, const uint8_t *other)
{
    unsigned byte = 0;
    while (byte < SM3_DIGEST - 1 && one[byte] == other[byte])
        byte++;
    unsigned bits = (unsigned)(one[byte] ^ other[byte]), depth = 8 * byte;
    for (unsigned mask = 0x80; mask > 1 && !(bits & mask); mask >>= 1)
        depth++;
    return depth;
}

/* Takes leaves until two nodes on the stack are to be joined; 0 when the root stands alone. */
static int advance(struct fold *fold)
{
    for (;;) {
        unsigned depth = 0;
        if (fold->height > 0 && fold->left > 0)
            depth = split_depth(fold->leaf - LANES_LEAF, fold->leaf);
        if (fold->height > 1 && (fold->left == 0 || fold->depths[fold->height - 2] > depth))
            return 1;
        if (fold->left == 0)
            return 0;
        if (fold->height > 0)
            fold->depths[fold->height - 1] = (uint8_t)depth;
        memcpy(fold->nodes[fold->height++], fold->leaf + 2 * SM3_DIGEST, SM3_DIGEST);
        fold->leaf += LANES_LEAF;
        fold->left--;
    }
}

static int check_leaves(const uint8_t *leaves, size_t size, const uint32_t *counts, size_t pages)
{
    size_t total = 0;
    for (size_t page = 0; page < pages; page++) {
        if (counts[page] == 0 || counts[page] > LANES_LEAVES_MAX)
            return LANES_BAD_RANGE;
        total += counts[page]; /* cannot wrap: the counts take more room than their sum / 16 */
    }
    if (size % LANES_LEAF != 0 || size / LANES_LEAF != total)
        return LANES_BAD_SIZE;
    for (size_t page = 0; page < pages; page++) {
        for (uint32_t i = 1; i < counts[page]; i++)
            if (memcmp(leaves + (i - 1) * LANES_LEAF, leaves + i * LANES_LEAF, SM3_DIGEST) >= 0)
                return LANES_BAD_ORDER;
        leaves += (size_t)counts[page] * LANES_LEAF;
    }
    return LANES_DONE;
}

int lanes_fold_leaves(const uint8_t *leaves, size_t size, const uint32_t *counts, size_t pages,
                      uint8_t *out, size_t out_size)
{
    struct fold lanes[SM3_LANES];
    struct joins joins;
    if (pages > SIZE_MAX / SM3_DIGEST || out_size != pages * SM3_DIGEST)
        return LANES_BAD_SIZE;
    const int checked = check_leaves(leaves, size, counts, pages);
    if (checked != LANES_DONE)
        return checked;

    size_t next = 0, working;
    start_joins(&joins);
    for (size_t lane = 0; lane < SM3_LANES; lane++)
        lanes[lane].out = NULL;
    do {
        working = 0;
        for (size_t lane = 0; lane < SM3_LANES; lane++) {
            struct fold *fold = &lanes[lane];
            while (fold->out != NULL || next < pages) {
                if (fold->out == NULL) {
                    fold->leaf = leaves;
                    fold->left = counts[next];
                    fold->height = 0;
                    fold->out = out + next * SM3_DIGEST;
                    leaves += (size_t)counts[next++] * LANES_LEAF;
                }
                if (advance(fold)) {
                    const size_t below = --fold->height - 1;
                    uint8_t *node = fold->nodes[below];
                    add_join(&joins, fold->depths[below], node, node + SM3_DIGEST, node);
                    working++;
                    break;
                }
                memcpy(fold->out, fold->nodes[0], SM3_DIGEST);
                fold->out = NULL;
            }
        }
        hash_joins(&joins);
    } while (working > 0);
    return LANES_DONE;
}

/* --- the stem ------------------------------------------------------------------------------- */

static int check_stem(size_t size, unsigned levels, const uint32_t *indexes, size_t count,
                      size_t hashes_size)
{
    if (levels > LANES_LEVELS_MAX)
        return LANES_BAD_RANGE;
    const uint32_t first = (uint32_t)1 << levels;
    if (size / (2 * SM3_DIGEST) != first || size % (2 * SM3_DIGEST) != 0 ||
        count > SIZE_MAX / SM3_DIGEST || hashes_size != count * SM3_DIGEST)
        return LANES_BAD_SIZE;
    for (size_t i = 0; i < count; i++) {
        if (indexes[i] < first || indexes[i] - first >= first)
            return LANES_BAD_RANGE;
        if (i > 0 && indexes[i] <= indexes[i - 1])
            return LANES_BAD_ORDER;
    }
    return LANES_DONE;
}

/* The nodes of all rows above `count` ascending indexes: what is written to `touched`. */
static size_t count_touched(unsigned levels, const uint32_t *indexes, size_t count)
{
    size_t total = count;
    for (unsigned above = 1; above <= levels; above++)
        for (size_t i = 0; i < count; i++)
            total += i == 0 || indexes[i] >> above != indexes[i - 1] >> above;
    return total;
}

int lanes_fold_stem(uint8_t *nodes, size_t size, unsigned levels, const uint32_t *indexes,
                    size_t count, const uint8_t *hashes, size_t hashes_size, uint32_t *touched,
                    uint8_t *before, size_t room, size_t *used)
{
    struct joins joins;
    *used = 0;
    const int checked = check_stem(size, levels, indexes, count, hashes_size);
    if (checked != LANES_DONE)
        return checked;
    if (count_touched(levels, indexes, count) > room)
        return LANES_BAD_SIZE;

    for (size_t i = 0; i < count; i++) {
        uint8_t *node = nodes + (size_t)indexes[i] * SM3_DIGEST;
        touched[i] = indexes[i];
        memcpy(before + i * SM3_DIGEST, node, SM3_DIGEST);
        memcpy(node, hashes + i * SM3_DIGEST, SM3_DIGEST);
    }
    start_joins(&joins);
    size_t row = 0, end = count;
    for (unsigned depth = levels; depth-- > 0;) {
        const size_t above = end;
        for (; row < above; row++) {
            const uint32_t index = touched[row] >> 1;
            if (end > above && touched[end - 1] == index)
                continue;
            uint8_t *node = nodes + (size_t)index * SM3_DIGEST;
            touched[end] = index;
            memcpy(before + end * SM3_DIGEST, node, SM3_DIGEST);
            add_sides(&joins, depth, nodes + (size_t)index * 2 * SM3_DIGEST, node);
            end++;
        }
        hash_joins(&joins);
    }
    *used = end;
    return LANES_DONE;
}
