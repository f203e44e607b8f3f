/* Each function feeds the eight lanes of sm3.c; which job is in which lane never shows outside. */
#include "lanes.h"

#include <string.h>

#include "sm3.h"

#define INNER_TAG 0x11 /* of an inner node of the state tree: tag, depth, left, right */
#define LEAVES_TAG 'L' /* of a page of leaves (ledger/pages.py) */
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

/* Where item i of several, one after the other, begins. */
static size_t begin_of(const uint64_t *ends, size_t i)
{
    return i > 0 ? ends[i - 1] : 0;
}

/* Whether `count` items that end at `ends` lie in `size` bytes and fill them. */
static int check_ends(const uint64_t *ends, size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++)
        if (ends[i] < begin_of(ends, i))
            return LANES_BAD_ORDER;
    return size == begin_of(ends, count) ? LANES_DONE : LANES_BAD_SIZE;
}

int lanes_digests(const uint8_t *data, size_t size, const uint64_t *ends, size_t count,
                  uint8_t *out, size_t out_size)
{
    if (count > SIZE_MAX / SM3_DIGEST || out_size != count * SM3_DIGEST)
        return LANES_BAD_SIZE;
    const int checked = check_ends(ends, count, size);
    if (checked != LANES_DONE)
        return checked;

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
                const size_t begin = begin_of(ends, next);
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

/* Whether these are leaves by ascending path. */
static int check_leaves(const uint8_t *leaves, size_t size)
{
    if (size % LANES_LEAF != 0)
        return LANES_BAD_SIZE;
    for (size_t at = LANES_LEAF; at < size; at += LANES_LEAF)
        if (memcmp(leaves + at - LANES_LEAF, leaves + at, SM3_DIGEST) >= 0)
            return LANES_BAD_ORDER;
    return LANES_DONE;
}

static int check_page(const uint8_t *page, size_t size)
{
    if (size == 0)
        return LANES_DONE;
    if (size <= LANES_HEAD || page[0] != LEAVES_TAG)
        return LANES_BAD_PAGE;
    return check_leaves(page + LANES_HEAD, size - LANES_HEAD) == LANES_DONE ? LANES_DONE
                                                                            : LANES_BAD_PAGE;
}

/* Writes the old leaves with their changes to `out`; the bytes written, at most those of both. */
static size_t merge(const uint8_t *leaves, size_t leaves_size, const uint8_t *changes,
                    size_t changes_size, uint8_t *out)
{
    const uint8_t *leaves_end = leaves + leaves_size, *changes_end = changes + changes_size;
    uint8_t *written = out;
    while (leaves < leaves_end || changes < changes_end) {
        int order = leaves == leaves_end ? 1 : -1; /* of the old leaf's path beside the change's */
        if (leaves < leaves_end && changes < changes_end)
            order = memcmp(leaves, changes, SM3_DIGEST);
        const uint8_t *taken = order < 0 ? leaves : changes;
        if (order <= 0)
            leaves += LANES_LEAF;
        if (order >= 0)
            changes += LANES_LEAF;
        if (order < 0 || memcmp(taken + 2 * SM3_DIGEST, EMPTY, SM3_DIGEST) != 0) {
            memcpy(written, taken, LANES_LEAF);
            written += LANES_LEAF;
        }
    }
    return (size_t)(written - out);
}

/* Puts the roots of all pages into their heads; every lane takes the next page when it is done. */
static void fold_pages(uint8_t *pages, const uint64_t *ends, size_t count, unsigned leaves_max)
{
    struct fold lanes[SM3_LANES];
    struct joins joins;
    size_t next = 0, working;
    start_joins(&joins);
    for (size_t lane = 0; lane < SM3_LANES; lane++)
        lanes[lane].out = NULL;
    do {
        working = 0;
        for (size_t lane = 0; lane < SM3_LANES; lane++) {
            struct fold *fold = &lanes[lane];
            while (fold->out != NULL || next < count) {
                if (fold->out == NULL) {
                    uint8_t *page = pages + begin_of(ends, next);
                    const size_t size = ends[next] - begin_of(ends, next);
                    next++;
                    if (size == 0 || size > LANES_HEAD + (size_t)leaves_max * LANES_LEAF)
                        continue;
                    fold->leaf = page + LANES_HEAD;
                    fold->left = (size - LANES_HEAD) / LANES_LEAF;
                    fold->height = 0;
                    fold->out = page + 1;
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
}

int lanes_change_pages(const uint8_t *pages, size_t pages_size, const uint64_t *page_ends,
                       const uint8_t *changes, size_t changes_size, const uint64_t *change_ends,
                       size_t count, unsigned leaves_max, uint8_t *out, size_t out_size,
                       uint64_t *out_ends)
{
    int checked = check_ends(page_ends, count, pages_size);
    if (checked == LANES_DONE)
        checked = check_ends(change_ends, count, changes_size);
    for (size_t i = 0; checked == LANES_DONE && i < count; i++) {
        size_t begin = begin_of(page_ends, i);
        checked = check_page(pages + begin, page_ends[i] - begin);
        if (checked != LANES_DONE)
            break;
        begin = begin_of(change_ends, i);
        checked = check_leaves(changes + begin, change_ends[i] - begin);
    }
    if (checked != LANES_DONE)
        return checked;
    if (leaves_max == 0 || leaves_max > LANES_LEAVES_MAX)
        return LANES_BAD_RANGE;
    /* Each of the three is the size of something in memory: their sum cannot wrap. */
    if (out_size != pages_size + changes_size + count * LANES_HEAD)
        return LANES_BAD_SIZE;

    size_t end = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t page = begin_of(page_ends, i), change = begin_of(change_ends, i);
        const size_t head = page_ends[i] > page ? LANES_HEAD : 0;
        const size_t size =
            merge(pages + page + head, page_ends[i] - page - head, changes + change,
                  change_ends[i] - change, out + end + LANES_HEAD);
        if (size > 0) {
            memset(out + end, 0, LANES_HEAD);
            out[end] = LEAVES_TAG;
            end += LANES_HEAD + size;
        }
        out_ends[i] = end;
    }
    fold_pages(out, out_ends, count, leaves_max);
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
