/* What the attentions of com.microsoft share: attributes, masks of keys, and how their heads lie. */
#ifndef KILN_OPS_HEADS_H
#define KILN_OPS_HEADS_H

#include "ops/op.h"

struct heads {
    int64_t heads, kv_heads; /* of queries, and of keys and values */
    float scale;             /* 0: 1 over the root of a head's size */
    float filter;            /* added to the score of a key that the mask excludes */
    bool causal;
};

/* Reads num_heads, scale, mask_filter_value and unidirectional. */
bool heads_parse(struct parse *p, struct heads *a);
/* Reads an attribute that must be 1 or more. */
bool heads_count(struct parse *p, const char *name, int64_t *to);

/* [batch, length, heads * size] as [batch, heads, length, size], where `heads` is a vector of one, and back. */
struct value *emit_heads_apart(struct emitter *e, struct value *x, struct value *heads);
struct value *emit_heads_together(struct emitter *e, struct value *x);

/* What is added to scores, to be broadcast to [batch, heads, queries, keys], as float, or in double: the filter for keys
 * that `mask`, of int32, excludes, and `bias`. Either may be NULL, both: NULL. The mask has
 *
 *   [batch]                    keys from there on are excluded
 *   [2 * batch]                those, then the first key that is not
 *   [3 * batch + 2]            the first `batch` of them are as in [batch]
 *   [batch, keys]              0 where a key is excluded
 *   [batch, queries, keys]     the same for each query
 *   [batch, 1, longest, longest]    the same, of which the last `queries` rows of the first `keys` are taken
 *
 * `q` and `keys` tell the sizes: [batch, queries, ...], and a vector of one. */
struct value *emit_score_bias(struct emitter *e, const struct node *n, int mask, int bias, struct value *q,
                              struct value *keys, float filter);

/* What Attention and QAttention do with x, [batch, length, q + k + v], whose parts have `sizes`, or are the same: outputs
 * are Y and the present, which is made where n->out[1] is. `at` are the node's inputs, -1 where it has no such one. */
struct self_inputs {
    int mask, past, bias;
};
bool emit_self_attention(struct emitter *e, const struct node *n, const struct heads *a, struct value *x,
                         const struct ints *sizes, struct self_inputs at, struct value **out);

/* Attention of the standard, with what of its outputs is wanted: Y, present key and value, scores; `attrs` are more
 * attributes of it. q, k and v have three dimensions, or four. */
enum { HEADS_Y, HEADS_KEY, HEADS_VALUE, HEADS_SCORES, HEADS_OUTPUTS };
bool emit_heads(struct emitter *e, const struct heads *a, bool apart, const char *attrs, struct value *const in[6],
                int outputs, struct value **out);

#endif
