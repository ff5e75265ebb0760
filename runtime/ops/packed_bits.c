#include "ops/packed_bits.h"
#include "ops/expansion.h"

enum { BYTE = 8, MOST_PARTS = 4 };

bool bits_parse(struct parse *p, int *bits)
{
    const int64_t given = attr_int(p, "bits", 4);

    *bits = (int)given;
    return given == 2 || given == 4 || given == BYTE ||
           parse_error(p, "bits is %lld, must be 2, 4 or 8", (long long)given);
}

static struct value *byte(struct emitter *e, int v)
{
    const struct tensor type = { .dtype = U8 };
    const uint8_t value = (uint8_t)v;

    return emit_constant(e, &type, &value);
}

struct value *emit_unpacked(struct emitter *e, struct value *x, int bits)
{
    const int64_t parts = BYTE / bits;
    struct value *part[MOST_PARTS], *y;

    if (parts == 1)
        return x;
    for (int k = 0; k < parts; k++) {
        part[k] = emit(e, "BitShift", "direction='RIGHT'", 2, x, byte(e, k * bits));
        part[k] = emit_unsqueezed(e, emit(e, "BitwiseAnd", "", 2, part[k], byte(e, (1 << bits) - 1)), -1);
    }
    if (!emit_many(e, "Concat", "axis=-1", 1, &y, (int)parts, part))
        return NULL;
    return emit_shaped(e, y, 2, emit(e, "Shape", "end=-1", 1, x),
                       emit(e, "Mul", "", 2, emit_size(e, x, -1), emit_ints(e, 1, &parts)));
}

struct value *emit_middle(struct emitter *e, int bits, enum dtype dtype)
{
    return dtype == U8 ? byte(e, 1 << (bits - 1)) : emit_scalar(e, dtype, 1 << (bits - 1));
}
