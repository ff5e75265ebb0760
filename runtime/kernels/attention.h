/* Attention: for each query, the mean of values weighted by how their keys score with it.
 *
 *   score = scale * q k'                                       a product for each query and key
 *   score = cap * tanh(score / cap)                            where there is a cap
 *   score = score + bias, or -infinity where it is excluded
 *   y     = (sum over keys of exp(score) v) / (sum over keys of exp(score));  0 where all keys are excluded
 *
 * Scores are never all there: some queries meet some keys at a time, and what was summed is scaled when a greater score
 * comes (Dao and others, arXiv:2205.14135). Keys that no query of such a tile may see are not met at all: what lies
 * there is not read. The same bits for any number of threads. */
#ifndef KILN_KERNELS_ATTENTION_H
#define KILN_KERNELS_ATTENTION_H

#include "kernels/kernels.h"

/* [batch, head, row, ...] of F32, F64, F16 or BF16; strides in elements, the last one is 1. */
struct attention_rows {
    void *data; /* NULL: none, where that may be */
    enum dtype dtype;
    int64_t batch, head, row;
};

/* What is added to scores, or, of bool, keeps those that are true: an element for each score, broadcast by strides of
 * 0. Keys from `keys` on are excluded. */
struct attention_mask {
    const void *data; /* NULL: none */
    enum dtype dtype; /* BOOL or the type of computation */
    int64_t batch, head, query, key, keys;
};

/* What of the scores is wanted, all of them: then they are all there for some queries at a time. */
enum attention_stage { PRODUCTS, CAPPED, BIASED, WEIGHTS };

enum { ATTENTION_PARTS = 2 };

struct attention {
    enum dtype compute;                   /* F32 or F64 */
    int64_t batch, heads, group, queries; /* heads of keys, each of which serves a group of heads of queries */
    int64_t size, value_size;             /* of a head */
    struct attention_rows q, y;           /* all heads of queries, those of a group side by side; y may be none */
    int64_t length[ATTENTION_PARTS];      /* keys: those before, then the new ones */
    struct attention_rows k[ATTENTION_PARTS], v[ATTENTION_PARTS];
    double scale, cap; /* 0: no cap */

    /* Query i stands at offset + i: there are as many keys before it. The offset is that of the first query, or,
     * with `valid`, valid[batch] - queries: only so many of a sample's keys are valid. */
    int64_t offset;
    const int64_t *valid; /* NULL: all are; at most as many as there are */
    bool causal;          /* no key behind the query */
    int64_t left, right;  /* nor more than so many before it, behind it; -1: any number */
    struct attention_mask mask;

    struct attention_rows scores; /* of heads of queries, a row for each query, an element for each key */
    enum attention_stage stage;
    void *log_sums; /* [batch, head of queries, query], in the type of computation: what exp(score - it) sums to 1 with,
                     * infinity where all is excluded. NULL: not wanted */
};

size_t attention_scratch(const struct attention *a, int threads);
void attention(const struct kernels *k, struct pool *pool, const struct attention *a, void *scratch);

/* Back, with what attention() made: y and log_sums are read. Each of the gradients may be left out; that by the bias
 * is one for each score. `scores` must be left out. */
struct attention_grad {
    struct attention_rows dy, dq, dk[ATTENTION_PARTS], dv[ATTENTION_PARTS], dbias;
};
size_t attention_grad_scratch(const struct attention *a, int threads);
void attention_grad(const struct kernels *k, struct pool *pool, const struct attention *a,
                    const struct attention_grad *g, void *scratch);

#endif
