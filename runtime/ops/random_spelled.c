/* Philox4x32-10 on words in int64, which is what most runtimes compute with. A product of two words has no place there: it is
 * made of halves of one of them. */
#include "ops/random_spelled.h"
#include "ops/expansion.h"

enum { ROUNDS = 10 };

static struct value *whole(struct emitter *e, int64_t n)
{
    const struct tensor type = { .dtype = I64 };

    return emit_constant(e, &type, &n);
}

static struct value *by(struct emitter *e, const char *op, struct value *a, int64_t b)
{
    return emit(e, op, "", 2, a, whole(e, b));
}

/* The high and the low word of w * m, m below 2^32. */
static void multiply(struct emitter *e, struct value *w, int64_t m, struct value **high, struct value **low)
{
    struct value *a = by(e, "Mul", by(e, "BitwiseAnd", w, 0xFFFF), m);
    struct value *b = by(e, "Mul", by(e, "Div", w, 1 << 16), m);

    *high = by(e, "Div", emit(e, "Add", "", 2, b, by(e, "Div", a, 1 << 16)), 1 << 16);
    *low = emit(e, "Add", "", 2, by(e, "Mul", by(e, "BitwiseAnd", b, 0xFFFF), 1 << 16), a);
    *low = by(e, "BitwiseAnd", *low, 0xFFFFFFFF);
}

static struct value *mixed(struct emitter *e, struct value *a, struct value *b, struct value *key)
{
    return emit(e, "BitwiseXor", "", 2, emit(e, "BitwiseXor", "", 2, a, b), key);
}

static struct value *next_key(struct emitter *e, struct value *key, int64_t more)
{
    return by(e, "BitwiseAnd", by(e, "Add", key, more), 0xFFFFFFFF);
}

static void encrypt(struct emitter *e, struct value *w[4], struct value *key[2])
{
    for (int round = 0; round < ROUNDS; round++) {
        struct value *high[2], *low[2];

        multiply(e, w[0], 0xD2511F53, &high[0], &low[0]);
        multiply(e, w[2], 0xCD9E8D57, &high[1], &low[1]);
        w[0] = mixed(e, high[1], w[1], key[0]);
        w[2] = mixed(e, high[0], w[3], key[1]);
        w[1] = low[1];
        w[3] = low[0];
        key[0] = next_key(e, key[0], 0x9E3779B9);
        key[1] = next_key(e, key[1], 0xBB67AE85);
    }
}

struct value *emit_uniform_bits(struct emitter *e, int stream, struct value *like)
{
    const int64_t column = 1, all = -1;
    struct value *count = emit(e, "Size", "", 1, like), *words[4], *bits;
    struct value *blocks = by(e, "Div", by(e, "Add", count, 3), 4);
    struct value *w[4] = { emit(e, "Range", "", 3, whole(e, 0), blocks, whole(e, 1)), whole(e, 0),
                           by(e, "BitwiseAnd", e->step, 0xFFFFFFFF), whole(e, stream) };
    struct value *key[2] = { by(e, "BitwiseAnd", e->seed, 0xFFFFFFFF) };

    key[1] = emit(e, "Sub", "", 2, e->seed, key[0]);
    key[1] = by(e, "BitwiseAnd", by(e, "Div", key[1], (int64_t)1 << 32), 0xFFFFFFFF); /* below 0, too */
    encrypt(e, w, key);
    for (int k = 0; k < 4; k++)
        words[k] = emit_unsqueezed(e, by(e, "Div", w[k], 1 << 8), 1);
    if (!emit_many(e, "Concat", "axis=1", 1, &bits, 4, words))
        return NULL;
    bits = emit_reshape(e, bits, 1, &all);
    return emit(e, "Slice", "", 3, bits, emit_ints(e, 1, &(int64_t){ 0 }),
                emit(e, "Reshape", "", 2, count, emit_ints(e, 1, &column)));
}
